"""What a model's retrainings leave for the next one: one that was cut off, one that was refused."""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from goldlake_core.contracts.sections import Model, UseCase
from goldlake_core.documents import codec
from goldlake_core.documents.monitoring import RefusedBefore
from goldlake_core.storage.deltalog import DeltaLog
from goldlake_core.storage.files import read_bytes, write_atomic
from goldlake_core.storage.home import Home

T = TypeVar("T", bound=msgspec.Struct)


class Unfinished(msgspec.Struct, frozen=True):
    """A retraining that has begun.

    Attributes:
        at: When, ISO 8601 in UTC.
        reason: The conditions that held.
    """

    at: str
    reason: str


class Remembered(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate that was refused.

    Attributes:
        format: Format version of the file.
        key: What `candidate_key` said when it was trained.
        refused: What the next command tells about it.
    """

    format: int = codec.FORMAT
    key: str
    refused: RefusedBefore


@dataclass(frozen=True)
class Note(Generic[T]):
    """A small file in the folder of a model's pipeline, which is there or not.

    Attributes:
        home: The home with the file.
        path: Where the file is in the home's file system.
        kind: Type of the document that the file holds.
    """

    home: Home
    path: str
    kind: type[T]

    def read(self) -> T | None:
        """What it holds, or None where there is none.

        Raises:
            StoreError: It is damaged.
        """
        data = read_bytes(self.home.fs, self.path)
        return codec.decode(data, self.kind, self.path) if data else None

    def write(self, held: T) -> None:
        """Writes it, whole or not at all."""
        write_atomic(self.home.fs, self.path, codec.encode(held))

    def remove(self) -> None:
        """Removes it where it is."""
        with contextlib.suppress(FileNotFoundError):
            self.home.fs.rm(self.path)


def begun(home: Home, usecase: str, model: str) -> Note[Unfinished]:
    """The note that is there from the beginning of a retraining to its end."""
    return Note(home, f"{home.pipeline(usecase, model)}/retrain.json", Unfinished)


def refused(home: Home, usecase: str, model: str) -> Note[Remembered]:
    """The note of the newest retraining, where its candidate was refused."""
    return Note(home, f"{home.pipeline(usecase, model)}/refused.json", Remembered)


def candidate_key(usecase: UseCase, model: Model, log: DeltaLog, served: int | None) -> str:
    """sha256 of all that decides a candidate and what it is compared with. Read-only; no Spark.

    A version of the gold table that only wrote its files again has the rows of the one before.

    Args:
        usecase: The use case.
        model: The model contract.
        log: The log of its gold table.
        served: The version that serves.
    """
    from goldlake_core.contracts import functions_hash
    from tfx_pipeline import recorded
    from tfx_pipeline.baseline import ENTRIES
    from tfx_pipeline.codehash import code_hash
    from tfx_pipeline.parts.named import encoders_hash, part_hashes

    own = f"model.{model.name}."
    made_from = [
        log.snapshot().uuid,
        _newest_rows(log),
        served,
        {name: sha for name, sha in usecase.hashes.items() if name.startswith(own)},
        functions_hash(usecase, model.preprocessing) if model.preprocessing else "",
        dict(part_hashes(usecase, model)),
        encoders_hash(usecase, model),
        code_hash(*ENTRIES),
        recorded.packages(),
    ]
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()


def _newest_rows(log: DeltaLog) -> int:
    """The newest version that changed rows."""
    versions = reversed(log.versions())
    return next(filter(log.changes_rows, versions), log.snapshot().version)
