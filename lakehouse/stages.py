"""The stages land, refine and export: from a request document to a result document."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import UseCase
from goldlake_core.stages import Document, Emit
from goldlake_core.storage.home import Home
from goldlake_core.storage.locks import StoreLock
from lakehouse import audit, bronze, delta, export, gold, session, silver, specs
from lakehouse.deltalog import DeltaLog

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def land_stage(request: Document, emit: Emit) -> Mapping[str, Any]:
    """Lands pages of the source; no JVM. Request: usecase, home, source, since, until, run_id."""
    from lakehouse.sources.land import land

    return land(
        load_usecase(request["usecase"]),
        Home.at(request["home"]),
        request["source"],
        request.get("since"),
        request.get("until"),
        request["run_id"],
        emit,
    )


def refine_stage(request: Document, emit: Emit) -> Mapping[str, Any]:
    """Landing zone to gold. Request: usecase, home, run_id."""
    usecase, home = load_usecase(request["usecase"]), Home.at(request["home"])
    with StoreLock(home, usecase.name):
        landed = sum(entry.rows for entry in specs.landing(usecase, home).manifest())
        emit("progress", "starting Spark")
        started = time.monotonic()
        spark = session.spark_session(rows=landed)
        result = refine(spark, usecase, home, request["run_id"], emit)
    result["seconds"]["session"] = round(
        time.monotonic() - started - sum(result["seconds"].values()), 3
    )
    return result


def export_stage(request: Document, emit: Emit) -> Mapping[str, Any]:
    """A gold version as CSV. Request: usecase, model, home, version, out, run_id."""
    usecase, home = load_usecase(request["usecase"]), Home.at(request["home"])
    if request["model"] not in usecase.models:
        raise UsageError(
            f"{usecase.name} has no model {request['model']!r}", valid=", ".join(usecase.models)
        )
    return export.export(
        session.spark_session(),
        usecase,
        usecase.models[request["model"]],
        home,
        emit,
        version=request.get("version"),
        out=request.get("out"),
    )


def refine(
    spark: SparkSession, usecase: UseCase, home: Home, run_id: str, emit: Emit
) -> dict[str, Any]:
    """Brings bronze, silver and gold up to the landing zone and checks the account. Idempotent.

    The caller holds the store's lock.

    Returns:
        run_id, new_records, fates (of the batches of this run), totals (all time), reasons (of
        this run, by code), tables (rows and version by id), seconds (by step).

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
    tables: Mapping[str, Any],
    seconds: dict[str, float],
) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "new_records": counts["landed"],
        "fates": dict(counts),
        "totals": dict(totals),
        "reasons": dict(reasons),
        "tables": dict(tables),
        "seconds": seconds,
    }


def _tables(usecase: UseCase, home: Home) -> dict[str, dict[str, int]]:
    found = {}
    for spec in specs.all_tables(usecase, home):
        snapshot = DeltaLog(spec.uri).snapshot()
        found[spec.id] = {"rows": snapshot.rows, "version": snapshot.version}
    return found


@contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    seconds[step] = round(time.monotonic() - started, 3)


STAGES = {"land": land_stage, "refine": refine_stage, "export": export_stage}
