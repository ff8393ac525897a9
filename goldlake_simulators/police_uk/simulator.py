"""The simulator of the API, built from a contract."""

from __future__ import annotations

from collections.abc import Iterable

from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.registry import resolve
from goldlake_core.contracts.sections import UseCase
from goldlake_simulators import origins
from goldlake_simulators.base import SimulatorOptions
from goldlake_simulators.clock import Clock, require_speed, start_of
from goldlake_simulators.faults import Faults
from goldlake_simulators.police_uk.api import Api
from goldlake_simulators.police_uk.crimes import Crimes, Row
from goldlake_simulators.police_uk.limits import Limits
from goldlake_simulators.police_uk.replay import versions


def api(usecase: UseCase, options: SimulatorOptions) -> Api:
    """The API that bodies of the real one, files of its archive or generated rows make.

    Raises:
        UsageError: No rows, a broken option, or files that are not of the API.
    """
    limits, faults = Limits.parse(options.faults)
    require_speed(options.speed)
    rows: Iterable[Row]
    if options.data:
        rows = (row for file in options.data for row in versions(file, options.warn))
        told = origins.replay(usecase.source.dataset, options.data)
    else:
        generator = origins.generator_of(usecase, options)
        rows = resolve(usecase, generator, "source.generator")(options.rows, options.seed)
        told = origins.generation(usecase, generator, options)
    crimes = Crimes(rows)
    if not len(crimes):
        raise UsageError("There are no rows to serve", valid="files with rows, or --rows above 0")
    clock = Clock(start_of(options.start, f"{crimes.updates[0]}-01T00:00:00Z"), options.speed)
    return Api(crimes, told, clock, Faults.parse(faults, options.seed), limits)
