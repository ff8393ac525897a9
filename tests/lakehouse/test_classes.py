"""An archive of classes makes Spark start faster, and never keeps it from starting."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from goldlake_core.contracts.errors import GoldlakeError, UsageError
from goldlake_core.contracts.registry import load_usecase
from lakehouse import classes, recording, session
from tests.faults.lab import TOY


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the archive, which is empty."""
    monkeypatch.setattr(classes, "jars_folder", lambda: tmp_path)
    return tmp_path


def test_it_is_used_where_it_is(folder: Path) -> None:
    assert classes.java_options() == []
    (folder / classes.NAME).write_bytes(b"")
    assert classes.java_options() == [f"-XX:SharedArchiveFile={folder}/classes.jsa"]
    recorded = classes.java_options(folder / "new.jsa")
    assert recorded == [f"-XX:ArchiveClassesAtExit={folder}/new.jsa"]


@pytest.mark.parametrize("content", [b"", b"not an archive", b"\0" * 100_000])
def test_java_starts_with_one_that_is_damaged(folder: Path, content: bytes) -> None:
    (folder / classes.NAME).write_bytes(content)
    options = [*session._java_options(1, False), *classes.java_options()]
    answer = subprocess.run(["java", *options, "-version"], capture_output=True, text=True)
    assert answer.returncode == 0
    assert answer.stdout == ""  # which may be a document's


def test_what_cannot_be_recorded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usecase = load_usecase(str(TOY))
    monkeypatch.setattr(recording, "BYTES_NEEDED", 1 << 60)
    with pytest.raises(GoldlakeError, match="MiB free, too few for an archive of classes"):
        recording.record(usecase)
    assert recording.main(["record"]) == 2
    assert list(folder.iterdir()) == []


def test_a_use_case_must_generate_rows(folder: Path) -> None:
    from msgspec.structs import replace

    usecase = load_usecase(str(TOY))
    silent = replace(usecase, source=replace(usecase.source, generator=None))
    with pytest.raises(UsageError, match="toy_harbour generates no rows"):
        recording.record(silent)
    assert list(folder.iterdir()) == []


@pytest.mark.long
@pytest.mark.spark
def test_spark_takes_classes_from_the_archive(tmp_path: Path) -> None:
    # Processes of their own: this one may have a session, and a JVM is archived as it ends.
    here = "from pathlib import Path; from lakehouse import classes, recording, session; "
    here += f"classes.jars_folder = lambda: Path({str(tmp_path)!r}); "
    record = f"{here}raise SystemExit(recording.main(['record', {str(TOY)!r}]))"
    subprocess.run([sys.executable, "-c", record], check=True, capture_output=True)
    assert [file.name for file in tmp_path.iterdir()] == [classes.NAME]
    loaded = tmp_path / "loaded.log"
    logged = f"'-Xlog:class+load:file={loaded}'"
    start = f"{here}before = session._java_options; "
    start += f"session._java_options = lambda *a: [*before(*a), {logged}]; "
    start += "print(session.spark_session(rows=1).range(3).count())"
    answer = subprocess.run(
        [sys.executable, "-c", start], check=True, capture_output=True, text=True
    )
    assert answer.stdout == "3\n"
    lines = loaded.read_text().splitlines()
    archived = sum("shared objects file (top)" in line for line in lines)
    assert archived > 0.8 * sum("source:" in line for line in lines) - 1_500
