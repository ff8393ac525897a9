"""The rows that the simulated portal publishes: all versions, in the order of paging.

Rows are kept as the JSON text they are answered with, sorted by (:updated_at, :id), so that a page
is a slice. Columns are taken out of them when a condition or an order first names one.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from goldlake.simulators.socrata.conditions import time_text
from goldlake.simulators.socrata.soql import SoqlError

SYSTEM_TYPES = {
    ":id": "row_identifier",
    ":created_at": "fixed_timestamp",
    ":updated_at": "fixed_timestamp",
}


@dataclass(frozen=True)
class Record:
    """One version of one row.

    Attributes:
        id: The row's ``:id``; versions of a row share it.
        created_at: ``:created_at``, UTC with milliseconds and Z.
        updated_at: ``:updated_at``, likewise.
        body: The row's own fields as a JSON object.
    """

    id: str
    created_at: str
    updated_at: str
    body: bytes


class Dataset:
    """All versions of all rows, read-only once made.

    Attributes:
        types: SODA type by field, in the order of the columns, without system fields.
        updated_at: ``:updated_at`` by row index, ascending.
        ids: ``:id`` by row index.
    """

    def __init__(self, types: Mapping[str, str], records: Iterable[Record]) -> None:
        # The sort is stable: of two versions with one time, the one that came last is the newer.
        ordered = sorted(records, key=lambda r: (r.updated_at, r.id))
        self.types = dict(types)
        self.updated_at = [r.updated_at for r in ordered]
        self.ids = [r.id for r in ordered]
        self._created_at = [r.created_at for r in ordered]
        self._bodies = [r.body for r in ordered]
        self._keys = list(zip(self.updated_at, self.ids, strict=True))
        self._columns: dict[str, Sequence[Any]] = {
            ":id": self.ids,
            ":created_at": self._created_at,
            ":updated_at": self.updated_at,
        }
        self._successor = _successors(self.ids, self.updated_at)
        self._newest: Sequence[int] = range(len(self.ids))
        if self._successor:
            self._newest = [i for i in self._newest if i not in self._successor]

    def __len__(self) -> int:
        """Rows, each once."""
        return len(self._newest)

    @property
    def versions(self) -> int:
        """Versions of all rows."""
        return len(self.ids)

    def visible(self, at: str | None, behind: tuple[str, str] | None = None) -> Sequence[int]:
        """Indexes of what the portal shows at an instant: of each row the newest version till then.

        Args:
            at: ``:updated_at`` of the latest version shown, or None for all of them.
            behind: Only rows behind this (:updated_at, :id) in the order of paging.
        """
        start = bisect.bisect_right(self._keys, behind) if behind else 0
        if at is None:
            newest = self._newest
            return newest[bisect.bisect_left(newest, start) :] if start else newest
        end = bisect.bisect_right(self.updated_at, at)
        successor = self._successor
        return [i for i in range(start, end) if i not in successor or successor[i] > at]

    def type_of(self, field: str) -> str:
        """The SODA type of a field.

        Raises:
            SoqlError: There is no such field.
        """
        kind = SYSTEM_TYPES.get(field) or self.types.get(field)
        if kind is None:
            raise SoqlError("query.soql.no-such-column", f"No such column: {field}")
        return kind

    def column(self, field: str) -> Sequence[Any]:
        """A field's values by row index: text, float, bool, time text without zone, or None.

        Raises:
            SoqlError: There is no such field.
        """
        kind = self.type_of(field)
        if field not in self._columns:
            known: dict[Any, Any] = {}
            values = []
            for body in self._bodies:
                raw = orjson.loads(body).get(field)
                if isinstance(raw, dict):
                    raw = None  # a location has no order
                if raw not in known:
                    known[raw] = _comparable(raw, kind)
                values.append(known[raw])
            self._columns[field] = values
        return self._columns[field]

    def json_row(self, row: int, *, has_system: bool) -> bytes:
        """A row as the API writes it, with the system fields first or without them."""
        body = self._bodies[row]
        if not has_system:
            return body
        system = orjson.dumps(
            {
                ":id": self.ids[row],
                ":created_at": self._created_at[row],
                ":updated_at": self.updated_at[row],
            }
        )
        return system[:-1] + b"," + body[1:] if len(body) > 2 else system


def _successors(ids: list[str], updated_at: list[str]) -> dict[int, str]:
    """For each version that another replaces: when."""
    latest: dict[str, int] = {}
    replaced_at: dict[int, str] = {}
    for index, row_id in enumerate(ids):
        earlier = latest.get(row_id)
        if earlier is not None:
            replaced_at[earlier] = updated_at[index]
        latest[row_id] = index
    return replaced_at


def _comparable(value: Any, kind: str) -> Any:
    if value is None or kind in ("text", "checkbox"):
        return value
    try:
        if kind == "number":
            return float(value)
        return time_text(str(value), is_utc=False)
    except ValueError:
        return None
