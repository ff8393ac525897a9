"""The stages land, refine and export: from a request to a result."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents.lakehouse import Exported, Fates, Landed, Refined, TableState, Totals
from goldlake_core.documents.stages import ExportRequest, LandRequest, RefineRequest, Stage
from goldlake_core.stages import Emit, StageFunction, require_same_contract
from goldlake_core.storage.home import Home
from goldlake_core.storage.locks import StoreLock
from lakehouse import audit, bronze, delta, export, gold, session, silver, specs
from lakehouse.deltalog import DeltaLog

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def land_stage(request: LandRequest, emit: Emit) -> Landed:
    """Lands pages of the source; starts no JVM.

    Raises:
        UsageError: The contract's section ``source`` changed since the run began.
    """
    from lakehouse.sources.land import land

    usecase = load_usecase(request.usecase)
    require_same_contract(request, usecase, "source")
    home = Home.at(request.home)
    return land(usecase, home, request.source, request.since, request.until, request.run_id, emit)


def refine_stage(request: RefineRequest, emit: Emit) -> Refined:
    """Refines the landing zone into gold.

    Raises:
        UsageError: The contract's tables changed since the run began.
    """
    usecase, home = load_usecase(request.usecase), Home.at(request.home)
    require_same_contract(request, usecase, "source", "silver", "gold.")
    with StoreLock(home, usecase.name):
        landed = sum(entry.rows for entry in specs.landing(usecase, home).manifest())
        emit("progress", "starting Spark")
        started = time.monotonic()
        spark = session.spark_session(rows=landed)
        result = refine(spark, usecase, home, request.run_id, emit)
    session_s = round(time.monotonic() - started - sum(result.seconds.values()), 3)
    return msgspec.structs.replace(result, seconds={**result.seconds, "session": session_s})


def export_stage(request: ExportRequest, emit: Emit) -> Exported:
    """Writes a gold version as CSV.

    Raises:
        UsageError: There is no such model, or its contract changed since the run began.
    """
    usecase, home = load_usecase(request.usecase), Home.at(request.home)
    model = usecase.models.get(request.model)
    if model is None:
        raise UsageError(
            f"{usecase.name} has no model {request.model!r}", valid=", ".join(usecase.models)
        )
    sections = ("source", f"gold.{model.table}", f"model.{model.name}.export")
    require_same_contract(request, usecase, *sections)
    return export.export(
        session.spark_session(),
        usecase,
        model,
        home,
        emit,
        version=request.version,
        out=request.out,
    )


def refine(spark: SparkSession, usecase: UseCase, home: Home, run_id: str, emit: Emit) -> Refined:
    """Brings bronze, silver and gold up to the landing zone and checks the account. Idempotent.

    The caller holds the store's lock.

    Returns:
        What became of the records of this run's batches, and what the tables hold now.

    Raises:
        StoreError: A record is lost or counted twice, or a contract changed incompatibly.
    """
    from pyspark.sql import functions as F

    seconds: dict[str, float] = {}
    pages = specs.landing(usecase, home).manifest()
    if not pages:
        emit("info", f"{usecase.name}: nothing has been landed yet")
        none = audit.empty_counts()
        return _result(run_id, none, {**none, "silver": 0}, {}, {}, seconds)
    with _timed(seconds, "bronze"):
        bronze.ingest(spark, usecase, home, emit)
    with _timed(seconds, "silver"):
        batches = silver.refine(spark, usecase, home, run_id, emit)
    with _timed(seconds, "gold"):
        changed = gold.refine(spark, usecase, home, run_id, emit)
    with _timed(seconds, "audit"):
        totals = audit.check(spark, usecase, home, emit)
    decided = delta.read(spark, specs.fates(usecase, home).uri).where(
        F.col("batch_id").isin(*batches) if batches else F.lit(False)
    )
    counts = audit.counts(decided) if batches else audit.empty_counts()
    reasons = audit.reasons(decided) if counts["quarantined"] else {}
    if not batches and not any(changed.values()):
        emit("info", f"{usecase.name}: nothing new; {totals['silver']:,} rows in silver")
    return _result(run_id, counts, totals, reasons, _tables(usecase, home), seconds)


def _result(
    run_id: str,
    counts: Mapping[str, int],
    totals: Mapping[str, int],
    reasons: Mapping[str, int],
    tables: dict[str, TableState],
    seconds: dict[str, float],
) -> Refined:
    return Refined(
        run_id=run_id,
        new_records=counts["landed"],
        fates=Fates(**counts),
        totals=Totals(**totals),
        reasons=dict(reasons),
        tables=tables,
        seconds=seconds,
    )


def _tables(usecase: UseCase, home: Home) -> dict[str, TableState]:
    found = {}
    for spec in specs.all_tables(usecase, home):
        snapshot = DeltaLog(spec.uri).snapshot()
        found[spec.id] = TableState(rows=snapshot.rows, version=snapshot.version)
    return found


@contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    seconds[step] = round(time.monotonic() - started, 3)


STAGES: dict[Stage, StageFunction] = {
    "land": land_stage,
    "refine": refine_stage,
    "export": export_stage,
}
