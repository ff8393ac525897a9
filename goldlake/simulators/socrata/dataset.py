"""The rows that the simulated portal publishes: all versions, in an SQLite table in memory.

The table holds each row as the JSON text it is answered with. A field becomes a column, which
compares as the API compares, when a request first names it. Columns are named by number: no name
of a field reaches SQLite.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from goldlake.simulators.socrata.values import SYSTEM_TYPES, SoqlError, stored

ID, UPDATED_AT = "row_id", "updated_at"

_SYSTEM = {":id": ID, ":created_at": "created_at", ":updated_at": UPDATED_AT}
_READING = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION)
# What SQLite says of a query that is over its limits (nesting, size, parameters, LIKE pattern).
_OVER_LIMITS = ("overflow", "too ")


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

    Rows are numbered (column ``n``) in the order of paging, which is (:updated_at, :id).

    Attributes:
        types: SODA type by field, in the order of the columns, without system fields.
        versions: Number of versions of all rows.
        earliest: Smallest ``:updated_at``, or None without rows.
        latest: Greatest ``:updated_at``, or None without rows.
    """

    def __init__(self, types: Mapping[str, str], records: Iterable[Record]) -> None:
        # The sort is stable: of two versions with one time, the one that came last is the newer.
        ordered = sorted(records, key=lambda r: (r.updated_at, r.id))
        self.types = dict(types)
        self.versions = len(ordered)
        self.earliest = ordered[0].updated_at if ordered else None
        self.latest = ordered[-1].updated_at if ordered else None
        self._columns = dict(_SYSTEM)
        self._is_writing = True
        self._database = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self._database.set_authorizer(self._authorized)
        self._database.create_function("upper_", 1, lambda v: v and v.upper(), deterministic=True)
        self._database.create_function("lower_", 1, lambda v: v and v.lower(), deterministic=True)
        self._fill(ordered)
        self._is_writing = False
        self._rows = int(self.query("SELECT count(*) FROM version WHERE replaced_at IS NULL")[0][0])

    def __len__(self) -> int:
        """Rows, each once."""
        return self._rows

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The answer of a SELECT from the table ``version``. Nothing else is allowed.

        Raises:
            SoqlError: The query is over one of SQLite's limits.
        """
        try:
            return self._database.execute(sql, parameters).fetchall()
        except sqlite3.OperationalError as error:
            if not any(text in str(error) for text in _OVER_LIMITS):
                raise
            raise SoqlError(
                "query.compiler.malformed", f"The query is too complex: {error}"
            ) from error

    def type_of(self, field: str) -> str:
        """The SODA type of a field.

        Raises:
            SoqlError: There is no such field.
        """
        kind = SYSTEM_TYPES.get(field) or self.types.get(field)
        if kind is None:
            raise SoqlError("query.soql.no-such-column", f"No such column: {field}")
        return kind

    def column(self, field: str) -> str:
        """The SQL name of a field's column, which is made when the field is first named.

        Raises:
            SoqlError: There is no such field.
        """
        kind = self.type_of(field)
        if field not in self._columns:
            name = f"c{len(self._columns)}"
            self._database.create_function(
                f"{name}_", 1, lambda body: stored(orjson.loads(body).get(field), kind)
            )
            self._is_writing = True
            self._database.execute(f"ALTER TABLE version ADD COLUMN {name}")
            self._database.execute(f"UPDATE version SET {name} = {name}_(body)")
            self._is_writing = False
            self._columns[field] = name
        return self._columns[field]

    def _authorized(self, action: int, *_: object) -> int:
        is_allowed = self._is_writing or action in _READING
        return sqlite3.SQLITE_OK if is_allowed else sqlite3.SQLITE_DENY

    def _fill(self, ordered: Sequence[Record]) -> None:
        replaced_at = _replaced_at(ordered)
        rows = (
            (n, replaced_at.get(n), r.id, r.created_at, r.updated_at, r.body)
            for n, r in enumerate(ordered)
        )
        columns = ["n INTEGER PRIMARY KEY", "replaced_at", *_SYSTEM.values(), "body"]
        for pragma in ("journal_mode = OFF", "case_sensitive_like = ON"):
            self._database.execute(f"PRAGMA {pragma}")
        self._database.execute(f"CREATE TABLE version ({', '.join(columns)})")
        self._database.execute("BEGIN")
        self._database.executemany("INSERT INTO version VALUES (?, ?, ?, ?, ?, ?)", rows)
        self._database.execute("COMMIT")
        self._database.execute(f"CREATE INDEX paging ON version ({UPDATED_AT}, {ID}, replaced_at)")


def _replaced_at(ordered: Sequence[Record]) -> dict[int, str]:
    """For each version that another replaces: when."""
    latest: dict[str, int] = {}
    replaced_at: dict[int, str] = {}
    for n, record in enumerate(ordered):
        earlier = latest.get(record.id)
        if earlier is not None:
            replaced_at[earlier] = record.updated_at
        latest[record.id] = n
    return replaced_at
