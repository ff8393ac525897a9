"""The simulator of a Socrata portal, built from a contract."""

from __future__ import annotations

from collections.abc import Iterator

from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.registry import resolve
from goldlake_core.contracts.sections import UseCase
from goldlake_simulators import origins
from goldlake_simulators.base import SimulatorOptions
from goldlake_simulators.clock import Clock, require_speed, start_of
from goldlake_simulators.faults import Faults
from goldlake_simulators.socrata.portal import Portal, View
from goldlake_simulators.socrata.records import EPOCH, Row, Shape, published
from goldlake_simulators.socrata.replay import export_rows


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
        rows, told = _replayed(dataset_id, shape, options), origins.replay(dataset_id, options.data)
    else:
        generator = origins.generator_of(usecase, options)
        rows = _generated(usecase, generator, options)
        told = origins.generation(usecase, generator, options)
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


def _generated(
    usecase: UseCase, generator: str, options: SimulatorOptions
) -> Iterator[tuple[str, Row]]:
    rows = resolve(usecase, generator, "source.generator")
    for number, row in enumerate(rows(options.rows, options.seed)):
        yield f"generated:{options.seed}:{number}", row
