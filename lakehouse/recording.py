"""Makes the archive of classes (`lakehouse.classes`), which set-up does once.

    python -m lakehouse.recording record USECASE

Java writes it at the end of a process that did what a refinement does (JEP 350, dynamic archives).
Here that is two refinements of rows that the use case generates, in a home that goes with it.
"""

from __future__ import annotations

import itertools
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from goldlake_core.contracts.errors import GoldlakeError, UsageError
from goldlake_core.contracts.registry import load_usecase, resolve
from goldlake_core.contracts.sections import UseCase
from goldlake_core.storage.home import Home
from lakehouse import classes, session, specs, stages

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROWS = 600
BYTES_NEEDED = 400 << 20
EXIT_TIMEOUT_S = 120.0
LEFT_AFTER_S = 3600.0
PREFIX = "classes-"


def record(usecase: UseCase) -> Path:
    """Makes the archive; the process can start no further session.

    Args:
        usecase: A use case that generates rows.

    Returns:
        The file.

    Raises:
        GoldlakeError: The disk has no room for it, or Java wrote none.
    """
    target = classes.archive()
    target.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(target.parent).free
    if free < BYTES_NEEDED:
        raise GoldlakeError(
            f"{target.parent} has {free >> 20:,} MiB free, too few for an archive of classes",
            valid=f"{BYTES_NEEDED >> 20} MiB",
        )
    _clear(target.parent)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=PREFIX) as folder:
        written = Path(folder, classes.NAME)
        _refine(usecase, Home.at(Path(folder, "home")), written)
        if not written.is_file():
            raise GoldlakeError(f"Java wrote no archive of classes into {target.parent}")
        os.replace(written, target)
    return target


def _clear(folder: Path) -> None:
    """Removes what processes left that were killed; another one may be making it now."""
    for left in folder.glob(f"{PREFIX}*"):
        if time.time() - left.stat().st_mtime > LEFT_AFTER_S:
            shutil.rmtree(left, ignore_errors=True)


def _refine(usecase: UseCase, home: Home, written: Path) -> None:
    """Loads rows and then changes to them, as two runs do, in a JVM that has ended afterwards."""
    if usecase.source.generator is None:
        raise UsageError(f"{usecase.name} generates no rows", valid="a use case that does")
    rows = resolve(usecase, usecase.source.generator, "source.generator")(ROWS, 1)
    lines = [orjson.dumps(row) for row in itertools.islice(rows, ROWS)]
    spark = session.spark_session(rows=ROWS, recorded=written)
    for number, some in enumerate((lines[: ROWS // 2], lines[ROWS // 2 :]), start=1):
        _land(usecase, home, number, some)
        stages.refine(spark, usecase, home, "classes", _nobody, accept_rejected=True)
    _end(spark)


def _land(usecase: UseCase, home: Home, number: int, lines: list[bytes]) -> None:
    zone = specs.landing(usecase, home)
    name = zone.page_name(None, sequence=number)
    entry = zone.write_page(
        name, lines, url="generated:", first_cursor=None, last_cursor=None, run_id="classes"
    )
    zone.write_manifest(entry)


def _nobody(*event: object, **more: object) -> None:
    """An `Emit` for nobody."""


def _end(spark: SparkSession) -> None:
    """Ends the session and waits until its JVM has written the archive."""
    gateway = spark.sparkContext._gateway
    spark.stop()
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait(EXIT_TIMEOUT_S)


def main(arguments: list[str]) -> int:
    """Runs ``record USECASE`` and returns the exit code."""
    if len(arguments) != 2 or arguments[0] != "record":
        print("usage: python -m lakehouse.recording record USECASE", file=sys.stderr)
        return 2
    try:
        file = record(load_usecase(arguments[1]))
    except GoldlakeError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{file}: {file.stat().st_size >> 20} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
