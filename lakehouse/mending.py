"""Before a rebuild: what is damaged and can be derived is set aside, so that it is made again."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from goldlake_core.contracts.errors import GoldlakeError, StoreError
from goldlake_core.contracts.sections import UseCase
from goldlake_core.stages import Emit
from goldlake_core.storage.deltalog import DeltaLog
from goldlake_core.storage.files import writing
from goldlake_core.storage.home import Home
from lakehouse import audit, bronze, specs, translate

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def set_aside_damaged(
    spark: SparkSession, usecase: UseCase, home: Home, run_id: str, emit: Emit
) -> None:
    """Moves tables away that cannot be read or are not what was landed. Writes; idempotent.

    Bronze is compared with the landed pages and goes only when those are whole. Silver is not
    touched: a rebuild makes it at another place. A gold table goes when its log cannot be read;
    damaged files of it are not read by a rebuild.

    Raises:
        StoreError: Bronze is damaged, and so is a landed page.
    """
    own = specs.bronze(usecase, home)
    problem = _problem_of_bronze(spark, usecase, home)
    if problem:
        bronze.require_pages(usecase, home)
        _set_aside(home, own, run_id, problem, emit)
    for table in usecase.gold.values():
        spec = specs.gold(usecase, home, table)
        problem = _problem_of_log(spec)
        if problem:
            _set_aside(home, spec, run_id, problem, emit)


def _problem_of_log(spec: specs.TableSpec) -> str:
    log = DeltaLog(spec.uri)
    try:
        if log.exists():
            log.snapshot()
    except StoreError as error:
        return error.problem
    return ""


def _problem_of_bronze(spark: SparkSession, usecase: UseCase, home: Home) -> str:
    spec = specs.bronze(usecase, home)
    problem = _problem_of_log(spec)
    if problem or not DeltaLog(spec.uri).exists():
        return problem
    try:
        audit.compare_bronze(spark, usecase, home)
    except GoldlakeError as error:
        return error.problem
    except Exception as error:
        ours = translate.told(error, home, usecase.folder)
        if not isinstance(ours, StoreError):
            raise
        return ours.problem
    return ""


def _set_aside(home: Home, spec: specs.TableSpec, run_id: str, problem: str, emit: Emit) -> None:
    folder, name = posixpath.split(spec.uri)
    # A folder that begins with _ is not a table.
    place = posixpath.join(folder, f"_damaged-{name}-{run_id}")
    emit("info", f"{problem}; {spec.id} is made again, and what was there is in {place}")
    with writing(spec.uri):
        home.fs.mv(spec.uri, place, recursive=True)
