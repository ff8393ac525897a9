"""The simulator of a Socrata portal, built from a contract."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.hashing import module_hash
from goldlake_core.contracts.registry import resolve
from goldlake_core.contracts.sections import UseCase
from goldlake_simulators.base import SimulatorOptions
from goldlake_simulators.clock import Clock, require_speed, start_of
from goldlake_simulators.faults import Faults
from goldlake_simulators.socrata.portal import Portal, View
from goldlake_simulators.socrata.records import EPOCH, Row, Shape, published
from goldlake_simulators.socrata.replay import export_rows, file_hash
from lakehouse.sources.told import Told


def portal(usecase: UseCase, options: SimulatorOptions) -> Portal:
    """The portal that a use case's exports or generated rows make.

    Raises:
        UsageError: No rows, a broken option, or files that are not exports.
    """
    faults = Faults.parse(options.faults, options.seed)
    require_speed(options.speed)
    dataset_id = usecase.source.dataset
    shape = Shape.of(usecase)
    if options.data:
        rows, told = _replayed(dataset_id, shape, options), _replay(dataset_id, options.data)
    else:
        generator = _generator(usecase, options)
        rows = _generated(usecase, generator, options)
        told = _generation(usecase, generator, options)
    dataset = published(rows, shape, dataset_id)
    if not len(dataset):
        raise UsageError("There are no rows to serve", valid="exports with rows, or --rows above 0")
    clock = Clock(start_of(options.start, dataset.earliest or EPOCH), options.speed)
    comments = {column.field: column.comment for column in usecase.silver.columns}
    view = View(usecase.title, usecase.description, usecase.licence, comments)
    return Portal(dataset_id, dataset, told, clock, faults, view)


def _replayed(
    dataset_id: str, shape: Shape, options: SimulatorOptions
) -> Iterator[tuple[str, Row]]:
    for file in options.data:
        yield from export_rows(file, shape, options.warn)


def _replay(dataset_id: str, files: tuple[Path, ...]) -> Told:
    hashes = sorted({file_hash(file) for file in files})
    return Told({"kind": "replay", "dataset": dataset_id}, {"files": hashes})


def _generated(
    usecase: UseCase, generator: str, options: SimulatorOptions
) -> Iterator[tuple[str, Row]]:
    rows = resolve(usecase, generator, "source.generator")
    for number, row in enumerate(rows(options.rows, options.seed)):
        yield f"generated:{options.seed}:{number}", row


def _generator(usecase: UseCase, options: SimulatorOptions) -> str:
    if usecase.source.generator is None:
        raise UsageError(
            f"The use case {usecase.name} has no generator of rows (source.generator)",
            valid="exports to replay, with --data FILE",
        )
    if options.rows < 1:
        raise UsageError(f"--rows is {options.rows}", valid="a number above 0")
    return usecase.source.generator


def _generation(usecase: UseCase, generator: str, options: SimulatorOptions) -> Told:
    return Told(
        {
            "kind": "generated",
            "usecase": usecase.name,
            "generator": generator,
            "seed": options.seed,
        },
        # Edited code makes other rows of the same seed.
        {"rows": options.rows, "code": module_hash(usecase, generator)},
    )
