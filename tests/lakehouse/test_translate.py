"""What Spark, Java and functions of a use case fail with reaches people in our words."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from goldlake_core.contracts.errors import (
    GoldlakeError,
    PermanentError,
    RetryableError,
    StoreError,
)
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents.stages import AuditRequest, RefineRequest
from goldlake_core.storage.deltalog import DeltaLog
from goldlake_core.storage.home import Home
from lakehouse import specs, translate
from lakehouse.stages import STAGES
from tests.lakehouse.records import crime, land, silent

JAVA = ("Py4J", "java.", "org.apache", "next on empty", "JVM", "stacktrace", "SQLSTATE")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the use case, to be edited."""
    place = tmp_path_factory.mktemp("usecases") / "chicago_crime"
    shutil.copytree(load_usecase("chicago_crime").folder, place)
    shutil.rmtree(place / "models")
    return place


@pytest.fixture(scope="module")
def base(spark: Any, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with three records, to be copied."""
    home = Home(str(tmp_path_factory.mktemp("base") / "home"))
    land(home, load_usecase(str(folder)), "one", [crime(key) for key in (1, 2, 3)])
    refine(home, folder)
    return home


@pytest.fixture
def own(base: Home, tmp_path: Path) -> Home:
    """A copy of that home with a record more to refine."""
    home = Home(str(tmp_path / "home"))
    shutil.copytree(base.root, home.root)
    land(home, load_usecase("chicago_crime"), "two", [crime(1, arrest=True), crime(4)])
    return home


def refine(home: Home, folder: Path, *, rebuild: bool = False) -> Any:
    request = RefineRequest(usecase=str(folder), home=home.root, run_id="run", rebuild=rebuild)
    return STAGES["refine"](request, silent)


def refused(home: Home, folder: Path) -> str:
    with pytest.raises(GoldlakeError) as caught:
        refine(home, folder)
    assert not [word for word in JAVA if word in caught.value.message]
    return caught.value.message


def _usecase(folder: Path) -> UseCase:
    return load_usecase(str(folder))


def _uris(home: Home, folder: Path, epoch: int = 1) -> dict[str, str]:
    tables = specs.all_tables(_usecase(folder), home, epoch)
    return {spec.id.partition(".")[2]: spec.uri for spec in tables}


def _data_file(uri: str) -> Path:
    return Path(uri, DeltaLog(uri).snapshot().files[0].path)


def _newest_entry(uri: str) -> Path:
    return Path(uri, "_delta_log", f"{DeltaLog(uri).latest():020d}.json")


def _audited(home: Home, folder: Path) -> str | None:
    request = AuditRequest(usecase=str(folder), home=home.root, run_id="audit")
    problem: str | None = STAGES["audit"](request, silent).problem  # type: ignore[union-attr]
    return problem


@pytest.mark.spark
@pytest.mark.parametrize(
    ("table", "content"),
    [
        ("silver.crimes", b"half a file"),
        pytest.param("silver.crimes", b"", marks=pytest.mark.long),
        pytest.param("silver.crimes", None, marks=pytest.mark.long),
        pytest.param("bronze.crimes", None, marks=pytest.mark.long),
        pytest.param("gold.arrest_features", b"half a file", marks=pytest.mark.long),
    ],
)
def test_a_damaged_file_is_named_and_a_rebuild_mends_it(
    own: Home, folder: Path, table: str, content: bytes | None
) -> None:
    if table.startswith("bronze"):
        refine(own, folder)
    damaged = _data_file(_uris(own, folder)[table])
    damaged.unlink()
    if content is not None:
        damaged.write_bytes(content)
    if table.startswith("bronze"):
        with pytest.raises(StoreError) as caught:
            _audited(own, folder)
        told = caught.value.message
    else:
        told = refused(own, folder)
    assert f"chicago_crime.{table}: the file " in told
    assert damaged.name in told
    assert "is damaged or missing. Next: goldlake rebuild chicago_crime" in told
    refine(own, folder, rebuild=True)
    assert _audited(own, folder) is None


@pytest.mark.spark
@pytest.mark.long
@pytest.mark.parametrize("table", ["bronze.crimes", "silver.crimes", "gold.area_day"])
def test_a_damaged_log_is_named_and_a_rebuild_mends_it(own: Home, folder: Path, table: str) -> None:
    entry = _newest_entry(_uris(own, folder)[table])
    entry.write_bytes(entry.read_bytes()[:40])
    told = refused(own, folder)
    assert f"{entry}, a part of a table, is damaged: " in told
    assert told.endswith("make the table again: goldlake rebuild chicago_crime")
    refine(own, folder, rebuild=True)
    assert _audited(own, folder) is None


@pytest.mark.spark
@pytest.mark.long
def test_silver_that_is_ahead_of_its_versions_is_made_again(own: Home, folder: Path) -> None:
    refine(own, folder)
    _newest_entry(_uris(own, folder)["silver.crimes_versions"]).unlink()
    refine(own, folder)
    assert _audited(own, folder) is None


@pytest.mark.spark
@pytest.mark.long
def test_a_lost_newest_entry_is_made_again(own: Home, folder: Path) -> None:
    """The table stands where its newest commit says, and goes on from there."""
    for table in ("silver.crimes", "gold.arrest_features"):
        _newest_entry(_uris(own, folder)[table]).unlink()
    refine(own, folder)
    assert _audited(own, folder) is None


WEEK = '"incidents_7d": rolling(SHORT_DAYS)'
FIRST = "gold is None:\n        return _windows(_daily(silver))"
FUNCTIONS = [
    (
        FIRST,
        FIRST.replace("return", 'raise KeyError("weather")\n        return'),
        "area_day in {file}:{line} failed: KeyError: 'weather'. Next: correct tables.py",
    ),
    (
        WEEK,
        '"incidents_7d": F.hour("weather")',
        "failed: A column, variable, or function parameter with name `weather` cannot be resolved.",
    ),
    (
        WEEK,
        '"incidents_7d": F.udf(lambda _: {}["weather"], "long")("day")',
        "<lambda> in {file}:{line} failed: KeyError: 'weather'. Next: correct tables.py",
    ),
    (
        WEEK,
        '"incidents_7d": F.lit(0)',
        "A row breaks the rule incidents_7d_range of chicago_crime.gold.area_day (incidents_7d : 0",
    ),
    (
        WEEK,
        '"incidents_7d": F.lit(None)',
        "A row breaks the rule incidents_7d_missing of chicago_crime.gold.area_day",
    ),
]


@pytest.mark.spark
def test_a_function_that_fails_is_named_by_file_and_line(own: Home, folder: Path) -> None:
    file = folder / "tables.py"
    before = file.read_text(encoding="utf-8")
    try:
        for old, new, words in FUNCTIONS:
            assert old in before
            file.write_text(before.replace(old, new, 1), encoding="utf-8")
            place = before.partition(old)[0] + new.partition("return")[0]
            line = len(place.rstrip().splitlines())
            assert words.format(file=file.resolve(), line=line) in refused(own, folder)
    finally:
        file.write_text(before, encoding="utf-8")


def test_two_writers_of_one_table(tmp_path: Path) -> None:
    from delta.exceptions import DeltaConcurrentModificationException

    error = DeltaConcurrentModificationException("[DELTA_CONCURRENT_APPEND] Files were added")
    error.about = f"{tmp_path}/tables/bikes/silver/rentals@2"  # type: ignore[attr-defined]
    ours = translate.told(error, Home(str(tmp_path)), None)
    assert isinstance(ours, RetryableError)
    assert "wrote bikes.silver.rentals at the same time" in ours.message


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), StoreError, "The disk is full"),
        (OSError(errno.EROFS, "Read-only file system"), StoreError, "may not be read or written"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), None, ""),
        (ValueError("goldlake's own mistake"), None, ""),
    ],
)
def test_faults_of_the_machine(
    tmp_path: Path, error: Exception, kind: type[GoldlakeError] | None, words: str
) -> None:
    """What is neither Spark's nor the machine's is left as it is."""
    ours = translate.told(error, Home(str(tmp_path)), None)
    assert ours is None if kind is None else isinstance(ours, kind)
    assert words in (ours.message if ours else "")


@pytest.mark.spark
def test_java_that_is_not_there(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "from goldlake_core.contracts.errors import GoldlakeError\n"
        "from lakehouse import session\n"
        "from lakehouse.translate import told\n"
        "from goldlake_core.storage.home import Home\n"
        "try:\n"
        "    session.spark_session()\n"
        "except Exception as error:\n"
        f"    print(told(error, Home({str(tmp_path)!r}), None))\n"
    )
    env = {**os.environ, "JAVA_HOME": str(tmp_path)}
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert ended.stdout.strip() == "Java did not start, and Spark needs it. Next: goldlake doctor"


@pytest.mark.spark
@pytest.mark.long
def test_java_that_dies_in_the_middle(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import os, signal\n"
        "from lakehouse import session\n"
        "from lakehouse.translate import told\n"
        "from goldlake_core.storage.home import Home\n"
        "spark = session.spark_session()\n"
        "pid = spark._jvm.java.lang.ProcessHandle.current().pid()\n"
        "os.kill(pid, signal.SIGKILL)\n"
        "try:\n"
        "    spark.range(3).count()\n"
        "except Exception as error:\n"
        f"    print(told(error, Home({str(tmp_path)!r}), None))\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "Spark's Java process ended in the middle" in ended.stdout


def test_an_error_of_ours_passes_as_it_is() -> None:
    def stage(request: Any, emit: Any) -> Any:
        raise PermanentError("ours")

    with pytest.raises(PermanentError, match="^ours"):
        translate.translated(stage)(None, silent)
