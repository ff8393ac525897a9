"""What a simulator's rows are made from: exports that it replays, or a generator and its seed."""

from __future__ import annotations

from pathlib import Path

from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.hashing import module_hash
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents.lakehouse import Identity
from goldlake_simulators.base import SimulatorOptions
from goldlake_simulators.exports import file_hash
from lakehouse.sources.told import Told


def replay(dataset: str, files: tuple[Path, ...]) -> Told:
    """What is said of the rows of exports.

    Raises:
        UsageError: A file cannot be read.
    """
    hashes = sorted({file_hash(file) for file in files})
    return Told({"kind": "replay", "dataset": dataset}, {"files": hashes})


def generation(usecase: UseCase, generator: str, options: SimulatorOptions) -> Told:
    """What is said of generated rows."""
    identity: Identity = {
        "kind": "generated",
        "usecase": usecase.name,
        "generator": generator,
        "seed": options.seed,
    }
    # Edited code makes other rows of the same seed.
    return Told(identity, {"rows": options.rows, "code": module_hash(usecase, generator)})


def generator_of(usecase: UseCase, options: SimulatorOptions) -> str:
    """The dotted name of a use case's generator.

    Raises:
        UsageError: It has none, or no rows are asked for.
    """
    if usecase.source.generator is None:
        raise UsageError(
            f"The use case {usecase.name} has no generator of rows (source.generator)",
            valid="exports to replay, with --data FILE",
        )
    if options.rows < 1:
        raise UsageError(f"--rows is {options.rows}", valid="a number above 0")
    return usecase.source.generator
