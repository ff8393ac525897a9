"""What the gate keeps in a home: baselines, counts per period, verdicts, acceptances.

gate/USECASE/LAYER.TABLE/state.json                      how each period stood
gate/USECASE/LAYER.TABLE/baselines/N.json                levels and bins
gate/USECASE/LAYER.TABLE/counts/N/PERIOD.npz             counts of a period
gate/USECASE/LAYER.TABLE/verdicts/RUN.json               all values of a run
gate/USECASE/LAYER.TABLE/learned/VERSION-VIEW.json       both, of what a model learned from
gate/USECASE/LAYER.TABLE/acceptances/RUN.COLUMN.json     who accepted what, and why
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TypeVar

from goldlake_core.contracts.errors import StoreError
from goldlake_core.contracts.ids import TableId
from goldlake_core.documents import codec
from goldlake_core.documents.gate import Acceptance, GateState, TableVerdict
from goldlake_core.storage.files import list_names, read_bytes, write_atomic
from goldlake_core.storage.home import Home

T = TypeVar("T")
FOLDER = "gate"


@dataclass(frozen=True)
class GateFiles:
    """The gate's files of one table.

    Attributes:
        home: Home that holds them.
        table: The table that is judged.
    """

    home: Home
    table: TableId

    def path(self, *parts: str) -> str:
        """A path among them."""
        name = f"{self.table.layer}.{self.table.name}"
        return self.home.path(FOLDER, self.table.usecase, name, *parts)

    def state(self) -> GateState:
        """How the gate stands; as before the first judgement where there is nothing."""
        found = self._read(self.path("state.json"), GateState)
        return found or GateState(table=str(self.table))

    def write_state(self, state: GateState) -> None:
        """Writes how the gate stands."""
        write_atomic(self.home.fs, self.path("state.json"), codec.encode(state))

    def read(self, *parts: str) -> bytes | None:
        """The bytes of a file, or None."""
        return read_bytes(self.home.fs, self.path(*parts))

    def write(self, data: bytes, *parts: str) -> None:
        """Writes a file whole."""
        write_atomic(self.home.fs, self.path(*parts), data)

    def forget_counts(self, baseline: int) -> None:
        """Removes the counts of a baseline that is not used any more."""
        with contextlib.suppress(FileNotFoundError):
            self.home.fs.rm(self.path("counts", str(baseline)), recursive=True)

    def verdict(self, run_id: str) -> TableVerdict | None:
        """What a run said, or None."""
        return self._read(self.path("verdicts", f"{run_id}.json"), TableVerdict)

    def verdicts(self) -> tuple[TableVerdict, ...]:
        """What all runs said, the oldest first."""
        names = list_names(self.home.fs, self.path("verdicts"), ".json")
        found = (self._read(self.path("verdicts", name), TableVerdict) for name in names)
        return tuple(sorted((each for each in found if each), key=lambda each: each.at))

    def write_verdict(self, verdict: TableVerdict) -> None:
        """Writes what a run said."""
        self.write(codec.encode_line(verdict), "verdicts", f"{verdict.run_id}.json")

    def acceptances(self) -> tuple[Acceptance, ...]:
        """Everything that was accepted in the use case, the oldest first.

        What is right in silver is right in gold, whichever of them it was accepted for.
        """
        found = [
            each
            for table in {self.table, *tables_of(self.home, self.table.usecase)}
            for each in GateFiles(self.home, table)._accepted()
        ]
        return tuple(sorted(found, key=lambda each: (each.at, each.table, each.column)))

    def _accepted(self) -> list[Acceptance]:
        names = list_names(self.home.fs, self.path("acceptances"), ".json")
        found = (self._read(self.path("acceptances", name), Acceptance) for name in names)
        return [each for each in found if each]

    def accept(self, acceptance: Acceptance) -> None:
        """Records an acceptance; the same one again changes nothing."""
        name = f"{acceptance.run_id}.{acceptance.column}.json"
        self.write(codec.encode(acceptance), "acceptances", name)

    def _read(self, path: str, kind: type[T]) -> T | None:
        data = read_bytes(self.home.fs, path)
        if data is None:
            return None
        try:
            return codec.decode(data, kind, path)
        except StoreError as error:
            raise StoreError(
                error.problem, hint=f"remove {path}; the gate makes it again"
            ) from error


def forget(home: Home, usecase: str) -> None:
    """Removes all that the gate keeps of a use case's rows; what was accepted stays."""
    for table in tables_of(home, usecase):
        files = GateFiles(home, table)
        for name in ("state.json", "baselines", "counts", "learned", "verdicts"):
            with contextlib.suppress(FileNotFoundError):
                home.fs.rm(files.path(name), recursive=True)


def tables_of(home: Home, usecase: str) -> tuple[TableId, ...]:
    """The tables of a use case that the gate has judged."""
    parts = (name.split(".", 1) for name in _folders(home, usecase) if "." in name)
    return tuple(TableId(usecase, layer, name) for layer, name in parts)


def usecases_of(home: Home) -> tuple[str, ...]:
    """The use cases with tables that the gate has judged."""
    return tuple(_folders(home))


def _folders(home: Home, *parts: str) -> list[str]:
    try:
        found = home.fs.ls(home.path(FOLDER, *parts), detail=True)
    except FileNotFoundError:
        return []
    names = (each["name"].rstrip("/").rsplit("/", 1)[-1] for each in found)
    return sorted(name for name in names if not name.startswith("."))
