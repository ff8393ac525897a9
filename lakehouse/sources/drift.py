"""Fields of the source against the contract: what is new, what is missing."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from goldlake_core.contracts.errors import GateRefused
from goldlake_core.contracts.fields import CONTENT_FIELD
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents.lakehouse import Drift
from lakehouse.sources.base import Page

ENOUGH_RECORDS = 1_000
"""Records after which a field that none of them has is missing, even if it may be."""


class Watch:
    """Sees the pages of one landing and knows how their fields differ from the contract.

    A field may be absent from a few records because its value is missing. So a field counts as
    missing where the source's own list of fields lacks it, where it is not nullable, where earlier
    landings had it and another field is new (it was renamed), or where a thousand records lack it.

    Args:
        usecase: Its columns name the fields; its ``source.drift`` says what to do.
        known: Fields that earlier landings saw; empty before the first.
    """

    def __init__(self, usecase: UseCase, known: Iterable[str]) -> None:
        # Its content identifies a record; no field of the source says it.
        columns = [each for each in usecase.silver.columns if each.field != CONTENT_FIELD]
        self._usecase = usecase
        self._contract = {_field(c.field or c.name): c.nullable for c in columns}
        for column in columns:
            if not column.nullable:
                self._contract[_field(column.field or column.name)] = False
        self._known = set(known)
        self._listed: set[str] = set()
        self._seen: set[str] = set()
        self._records = 0

    @property
    def fields(self) -> list[str]:
        """All fields that this landing and earlier ones saw, sorted."""
        return sorted(self._known | self._seen)

    def see(self, page: Page, rows: Iterable[bytes]) -> None:
        """Takes records of a page that are about to be landed.

        Args:
            page: As the source answered.
            rows: Those of its records that are new.

        Raises:
            GateRefused: The fields changed and the contract says ``drift: stop``.
        """
        for row in rows:
            try:
                names = msgspec.json.decode(row, type=dict[str, msgspec.Raw])
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                continue
            if "$bytes" not in names:
                self._records += 1
                self._seen.update(names)
        self._listed.update(page.fields)
        if self._usecase.source.drift == "stop":
            self._stop(page.url)

    def drift(self) -> Drift:
        """How the fields that this landing saw differ from the contract."""
        if not self._records:
            return Drift()
        present = {name for name in self._seen | self._listed if not name.startswith(":")}
        new = sorted(present - self._contract.keys())
        absent = [name for name in self._contract if name not in present]
        is_sure = bool(self._listed) or self._records >= ENOUGH_RECORDS
        had = self._known if self._unknown(new) else set()
        missing = [n for n in absent if is_sure or n in had or not self._contract[n]]
        return Drift(new=tuple(new), missing=tuple(missing))

    def told(self) -> str:
        """The drift in one line, or "" where there is none that earlier landings did not have."""
        drift = self.drift()
        new = self._unknown(drift.new)
        parts = []
        if new:
            parts.append(f"new: {', '.join(new)}")
        if drift.missing:
            parts.append(f"missing: {', '.join(drift.missing)}")
        if not parts:
            return ""
        perhaps = ""
        if len(new) == len(drift.missing) == 1:
            perhaps = f"; perhaps {drift.missing[0]} is called {new[0]} now"
        return (
            f"the source's fields differ from the contract of {self._usecase.name}: "
            f"{'; '.join(parts)}{perhaps}"
        )

    def _unknown(self, new: Iterable[str]) -> list[str]:
        """Fields that the source gained: the first landing takes those there are for granted."""
        return [name for name in new if name not in self._known] if self._known else []

    def _stop(self, url: str) -> None:
        drift = self.drift()
        if self._unknown(drift.new) or drift.missing:
            raise GateRefused(
                f"{self.told()[0].upper()}{self.told()[1:]} ({url}). Its source.drift is stop: "
                "this page was not landed",
                hint="change the contract to what the source sends now, or set drift: evolve",
            )


def _field(path: str) -> str:
    return path.split(".")[0]
