"""Which landed pages count: all, but for those that `goldlake restore` went back before.

    landing/USECASE/DATASET/restores.json

The document is written whole, and is the commit point of a restore. No page moves: those that do
not count lie where they were landed, so that another restore can go forward again. Tables follow;
their commits name the restore that they have followed.
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias

import msgspec

from goldlake_core.instants import of_text

Ranges: TypeAlias = tuple[tuple[int, int], ...]
"""First and last number of each range, ascending."""

FORMAT = 1


class Restore(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One restore. The default is the state in which every page counts.

    Attributes:
        run_id: The run that restored.
        at: When it did (ISO 8601, UTC).
        given: Greatest number that a page had then; pages with greater numbers count.
        stands: Numbers up to that one whose pages count.
    """

    run_id: str = ""
    at: str = ""
    given: int = 0
    stands: Ranges = ()

    def counts(self, sequence: int) -> bool:
        """Whether the page with a number counts."""
        if sequence > self.given:
            return True
        return any(first <= sequence <= last for first, last in self.stands)

    def through(self, sequence: int) -> Ranges:
        """The numbers that count, up to one."""
        ranges = [(first, min(last, sequence)) for first, last in self.stands if first <= sequence]
        if sequence > self.given:
            ranges.append((self.given + 1, sequence))
        return tuple(ranges)


class Restores(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The document ``restores.json``.

    Attributes:
        format: Format of the document.
        restores: All restores, the oldest first.
    """

    format: int = FORMAT
    restores: tuple[Restore, ...] = ()

    @property
    def newest(self) -> Restore:
        """The restore that says now which pages count."""
        return self.restores[-1] if self.restores else Restore()

    def of_run(self, run_id: str) -> Restore | None:
        """The restore that a run made; the default for ""; None for a run that made none."""
        if not run_id:
            return Restore()
        return next((r for r in self.restores if r.run_id == run_id), None)

    def after_page(self, sequence: int) -> Ranges:
        """The numbers that counted when the page with a number had been landed."""
        before = [r for r in self.restores if r.given < sequence]
        return (before[-1] if before else Restore()).through(sequence)

    def at(self, instant: datetime, sequence: int) -> Ranges:
        """The numbers that counted at an instant.

        Args:
            instant: A time with a time zone.
            sequence: Number of the last page that had been landed.
        """
        before = [r for r in self.restores if of_text(r.at) <= instant]
        return (before[-1] if before else Restore()).through(sequence)

    def agreed(self, followed: str, through: int) -> int:
        """The last number up to which a table holds the pages that count now, and no others.

        Args:
            followed: Run of the restore that the table has followed, or "".
            through: Number of the last page that the table holds.
        """
        old, new = self.of_run(followed), self.newest
        if old is None:  # the document is older than the table: what that holds is not known
            return 0
        if old == new:
            return through
        differs = (n for n in range(1, through + 1) if old.counts(n) != new.counts(n))
        return next(differs, through + 1) - 1
