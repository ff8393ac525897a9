"""The only module that starts Spark: settings and JARs, nothing else."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse import classes
from lakehouse.jars import ensure_jars

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

CORES = 2
MEMORY = "3g"
# The compiler's first tier alone starts faster and runs slower: it pays while a run is short.
SHORT_RUN_ROWS = 400_000
# One thread, one partition and plans as they are made: more costs more than it gains.
SMALL_RUN_ROWS = 20_000
# Narrow decisions of about a million records are sent to the tasks instead of sorting wide rows.
BROADCAST_BYTES = 64 << 20


def spark_session(
    *,
    cores: int | None = None,
    shuffle_partitions: int | None = None,
    rows: int | None = None,
    is_lasting: bool = False,
    recorded: Path | None = None,
) -> SparkSession:
    """The process's Spark session with Delta, in UTC; started by the first call.

    Args:
        cores: Threads of the local master; default two, and one for a small run.
        shuffle_partitions: Tasks after a shuffle; default two per core, and one for a small run.
        rows: Records that the run has to take in, if known: a short run is compiled less.
        is_lasting: Whether it does many runs of so many records: then what they do is compiled.
        recorded: File into which Java is to write the classes that it loaded; `lakehouse.classes`.

    Raises:
        GoldlakeError: The Delta JARs are missing and could not be fetched.
    """
    jars = ensure_jars()
    _set_environment()
    from pyspark.sql import SparkSession

    is_small = rows is not None and rows <= SMALL_RUN_ROWS
    cores = cores or (1 if is_small else CORES)
    active = SparkSession.getActiveSession()
    if active is not None:
        return active
    builder = SparkSession.builder.appName("goldlake").master(f"local[{cores}]")
    options = _options(shuffle_partitions or (1 if is_small else 2 * cores), rows)
    java = [*_java_options(rows, is_lasting), *classes.java_options(recorded)]
    options["spark.driver.extraJavaOptions"] = " ".join(java)
    # On the class path: JARs that are added to a running JVM are copied and checked at each start.
    options["spark.driver.extraClassPath"] = os.pathsep.join(str(jar) for jar in jars)
    options["spark.sql.warehouse.dir"] = _unused_warehouse()
    for name, value in options.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("WARN")
    return spark


def is_running() -> bool:
    """Whether this process has a Spark session; asking starts none."""
    if "pyspark" not in sys.modules:
        return False
    from pyspark.sql import SparkSession

    return SparkSession.getActiveSession() is not None


def _unused_warehouse() -> str:
    """An empty folder that goes with the process: tables have paths, and Spark insists on one."""
    folder = tempfile.mkdtemp(prefix="goldlake-spark-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _set_environment() -> None:
    """Local masters only: a host name that does not resolve must not stop Spark."""
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    os.environ.setdefault("SPARK_LOCAL_HOSTNAME", "localhost")
    # Workers must be the Python of this process, not the first "python3" on the path.
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable


def _java_options(rows: int | None, is_lasting: bool) -> list[str]:
    is_small = rows is not None and rows <= SMALL_RUN_ROWS
    collector = "Serial" if is_small else "Parallel"
    java = [f"-XX:+Use{collector}GC", "-Duser.timezone=UTC"]
    # What Java itself has to say goes to the log: its standard output may be a document's.
    java += ["-Xlog:disable", "-Xlog:all=warning:stderr"]
    if rows is not None and rows <= SHORT_RUN_ROWS and not is_lasting:
        # With that tier alone, Java keeps 48 MB for compiled code, which a session that lives on
        # fills and dies of (seen with Java 21). All tiers together would get this much.
        java += ["-XX:TieredStopAtLevel=1", "-XX:ReservedCodeCacheSize=240m"]
    return java


def _options(shuffle_partitions: int, rows: int | None) -> dict[str, str]:
    is_small = rows is not None and rows <= SMALL_RUN_ROWS
    return {
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.driver.memory": os.environ.get("GOLDLAKE_SPARK_MEMORY", MEMORY),
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": str(shuffle_partitions),
        # It adapts to the size of shuffles, and runs each as another job to learn it.
        "spark.sql.adaptive.enabled": str(not is_small).lower(),
        "spark.sql.autoBroadcastJoinThreshold": str(BROADCAST_BYTES),
        # Files are named one by one: up to so many, Spark starts no job to list them.
        "spark.sql.sources.parallelPartitionDiscovery.threshold": "10000",
        # A division by zero in one dirty row is null, a reason to quarantine, never a dead batch.
        "spark.sql.ansi.enabled": "false",
        # One batch needs more generated classes than the default of 100. A process that does many
        # batches would generate and compile all of them each time.
        "spark.sql.codegen.cache.maxEntries": "2000",
        # Lists of values are kept out of the generated code, which then serves the next batch too.
        "spark.sql.optimizer.inSetConversionThreshold": "1",
        "spark.sql.optimizer.inSetSwitchThreshold": "0",
        # HotSpot does not compile methods above 8,000 bytes: a wide row's rules, fused into one
        # such method, ran three times slower than in pieces.
        "spark.sql.codegen.hugeMethodLimit": "8000",
        # The letters of field values need no language: to load the rules of all takes a second.
        "spark.sql.icu.caseMappings.enabled": "false",
        "spark.sql.parquet.compression.codec": "zstd",
        # Spark's own default has 12 bytes and no statistics.
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        # A cached batch is read once or twice. Finding its best compression costs more than that.
        "spark.sql.inMemoryColumnarStorage.compressed": "false",
        "spark.databricks.delta.snapshotPartitions": "1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.streaming.metricsEnabled": "false",
        "spark.sql.streaming.numRecentProgressUpdates": "5",
        "spark.sql.sources.parallelPartitionDiscovery.parallelism": "2",
        "spark.log.structuredLogging.enabled": "false",
    }
