"""What all pages share: the home, its queue, and answers that are kept for a while."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from goldlake.ui.security import Access
from goldlake.workflows import data_views, history
from goldlake.workflows.data_views import DataView
from goldlake.workflows.jobs.queue import Queue
from goldlake_core.contracts.errors import GoldlakeError, UsageError
from goldlake_core.contracts.registry import find_usecase, load_usecase, usecase_names
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents.history import HistoryView
from goldlake_core.documents.lakehouse import TableEntry
from goldlake_core.storage.deltalog import DeltaLog
from goldlake_core.storage.home import Home
from lakehouse import catalog

MOST_KEPT = 64
MOST_RUNS = 200

T = TypeVar("T")


@dataclass
class Site:
    """What the pages show.

    Attributes:
        home: Home that the pages show.
        access: Who may see and do what.
    """

    home: Home
    access: Access
    _kept: dict[Hashable, tuple[Hashable, Any]] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def queue(self) -> Queue:
        """The queue of the home."""
        return Queue(self.home)

    def usecases(self) -> list[str]:
        """Names of the use cases that the home holds something of."""
        return catalog.usecases(self.home)

    def known(self) -> list[str]:
        """Names of all use cases that can be ingested here."""
        return sorted({*self.usecases(), *usecase_names()})

    def contract(self, name: str) -> UseCase:
        """The contract of a use case, as its files are now.

        Raises:
            UsageError: There is no such use case here.
            ContractError: Its contract does not hold.
        """
        folder = find_usecase(name)
        files = sorted([*folder.glob("*.yaml"), *folder.glob("models/*.yaml")])
        mark = tuple((str(file), file.stat().st_mtime_ns) for file in files)
        found: UseCase = self.kept(("contract", name), mark, lambda: load_usecase(name))
        return found

    def contract_or_problem(self, name: str) -> UseCase | str:
        """The contract of a use case, or why it cannot be read."""
        try:
            return self.contract(name)
        except (GoldlakeError, OSError) as error:
            return str(error)

    def chosen(self, wanted: str | None) -> str:
        """The use case of a page: the one asked for, else the first of the home.

        Raises:
            UsageError: The home holds nothing of it.
        """
        names = self.usecases()
        if wanted and wanted not in names:
            raise UsageError(
                f"{self.home.root} holds nothing of a use case {wanted!r}",
                valid=", ".join(names) or "none yet",
            )
        return wanted or (names[0] if names else "")

    def entries(self, usecase: str) -> list[TableEntry]:
        """The tables of a use case, by their logs."""
        return catalog.tables(usecase, self.home)

    def mark(self, usecase: str) -> Hashable:
        """Changes when a table of a use case, its gate or its runs change."""
        tables = [
            (folder, DeltaLog(self.home.table(usecase, layer, folder)).latest())
            for layer, folder in catalog.current_tables(self.home, usecase)
        ]
        runs = DeltaLog(self.home.table(usecase, "audit", catalog.RUNS)).latest()
        return (tuple(tables), runs)

    def data(self, usecase: UseCase) -> DataView:
        """The data of a use case; read again when a table changed."""
        mark = (self.mark(usecase.name), tuple(usecase.hashes.items()))
        found: DataView = self.kept(
            ("data", usecase.name), mark, lambda: data_views.data(usecase, self.home)
        )
        return found

    def history(self, usecase: str | None = None) -> HistoryView:
        """The runs on record."""
        return history.history(usecase, self.home, MOST_RUNS, is_read_only=self.access.is_read_only)

    def kept(self, name: Hashable, mark: Hashable, make: Callable[[], T]) -> T:
        """An answer that is made again only when its mark differs.

        Args:
            name: What the answer is about.
            mark: What the answer depends on.
            make: Makes the answer.
        """
        with self._lock:
            found = self._kept.get(name)
        if found is not None and found[0] == mark:
            answer: T = found[1]
            return answer
        made = make()
        with self._lock:
            self._kept.pop(name, None)
            self._kept[name] = (mark, made)
            while len(self._kept) > MOST_KEPT:
                del self._kept[next(iter(self._kept))]
        return made
