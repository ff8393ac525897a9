"""What the archive of classes saves: a session, a small table, a merge, with it and without it.

usage: python -m benchmarks.class_archive [--repeat N]

The archive of this environment is used (`lakehouse.classes`). CPU seconds are those of Python and
of the JVM.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.ingest import measured

_WORK = """
import sys, tempfile
from lakehouse import classes, session
if sys.argv[1] == "without":
    classes.java_options = lambda recorded=None: []
spark = session.spark_session(rows=1_000)
table = tempfile.mkdtemp() + "/table"
rows = spark.range(1_000).selectExpr("id", "cast(id as string) text", "id % 7 kind")
rows.write.format("delta").save(table)
spark.read.format("delta").load(table).groupBy("kind").count().collect()
from delta.tables import DeltaTable
merge = DeltaTable.forPath(spark, table).alias("old").merge(rows.alias("new"), "old.id = new.id")
merge.whenMatchedUpdateAll().whenNotMatchedInsertAll().execute()
"""


def main() -> None:
    """Measures alternately and prints medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=3)
    repeat = parser.parse_args().repeat
    costs: dict[str, list[tuple[float, float]]] = {"with": [], "without": []}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(repeat):
            for how, found in costs.items():
                cost = measured([sys.executable, "-c", _WORK, how], Path(folder, "log"))
                found.append((cost.cpu_seconds, cost.seconds))
    for how, found in costs.items():
        cpu, seconds = (statistics.median(values) for values in zip(*found, strict=True))
        print(f"{how:8} {cpu:6.1f} CPU seconds {seconds:6.1f} seconds")


if __name__ == "__main__":
    main()
