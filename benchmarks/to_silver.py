"""Brings landed pages to silver, with all checks and fates and without gold: for measurements.

usage: python -m benchmarks.to_silver USECASE HOME
"""

from __future__ import annotations

import sys

from goldlake_core.contracts.registry import load_usecase
from goldlake_core.storage.home import Home
from goldlake_core.storage.locks import StoreLock
from lakehouse import audit, bronze, epochs, session, silver, standing


def _nobody(*event: object, **more: object) -> None:
    """An `Emit` of a measurement."""


def main() -> None:
    """Refines up to silver."""
    usecase, home = load_usecase(sys.argv[1]), Home.at(sys.argv[2])
    with StoreLock(home, usecase.name, "refine"):
        rows = standing.pending_rows(usecase, home, is_rebuild=False)
        plan = epochs.plan(usecase, home, has_tables_of_before=False)
        spark = session.spark_session(rows=rows)
        bronze.ingest(spark, usecase, home, "benchmark", _nobody)
        epochs.begin(usecase, home, plan, "benchmark")
        silver.refine(spark, usecase, home, plan.epoch, "benchmark", _nobody)
        audit.check(spark, usecase, home, plan.epoch, _nobody)


if __name__ == "__main__":
    main()
