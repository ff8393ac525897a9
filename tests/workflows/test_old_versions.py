"""What of a table's old versions may go, against logs written by hand."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path

import pytest

from goldlake.workflows.old_versions import old_log, readable, unused
from tests.goldlake_core.storage.test_deltalog import META, add, commit, remove

# A version is committed 1,000 seconds after the one before it, the first at 1,000.
LATER = datetime(2030, 1, 1, tzinfo=timezone.utc)


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """One file after the other; the third version adds a file and takes out the first."""
    commit(tmp_path, 0, {"metaData": META})
    commit(tmp_path, 1, add("a.parquet", 1))
    commit(tmp_path, 2, add("b%20.parquet", 1), remove("a.parquet"))
    commit(tmp_path, 3, add("c.parquet", 1), remove("b%20.parquet"))
    for name in ("a", "b ", "c", "of a killed write"):
        (tmp_path / f"{name}.parquet").write_bytes(b"123")
        os.utime(tmp_path / f"{name}.parquet", (0, 0))
    return tmp_path


def test_files_go_that_no_version_since_then_has(table: Path) -> None:
    assert {Path(f.path).name for f in unused(str(table), at(500))} == {"of a killed write.parquet"}
    found = unused(str(table), at(3_500))
    assert {Path(f.path).name for f in found} == {"a.parquet", "of a killed write.parquet"}
    assert sum(f.size for f in found) == 6
    assert len(unused(str(table), LATER)) == 3
    os.utime(table / "of a killed write.parquet")
    assert {Path(f.path).name for f in unused(str(table), at(3_500))} == {"a.parquet"}


def test_the_versions_that_can_be_read_begin_after_the_last_file_that_is_gone(table: Path) -> None:
    assert readable("t", str(table)).oldest == 0
    (table / "a.parquet").unlink()
    state = readable("t", str(table))
    assert (state.oldest, state.newest, state.oldest_at) == (2, 3, "1970-01-01T00:50:00.000Z")
    (table / "b .parquet").unlink()
    assert readable("t", str(table)).oldest == 3


def test_the_log_goes_up_to_the_checkpoint_that_is_needed(table: Path) -> None:
    log = table / "_delta_log"
    for version in (1, 3):
        (log / f"{version:020d}.checkpoint.parquet").write_bytes(b"1")
        (log / f"{version:020d}.crc").write_bytes(b"1")
    (log / "_last_checkpoint").write_bytes(b"{}")
    assert old_log(str(table), at(1_500), 3) == []
    assert {Path(f.path).name for f in old_log(str(table), at(3_500), 3)} == {f"{0:020d}.json"}
    assert {Path(f.path).name for f in old_log(str(table), LATER, 2)} == {f"{0:020d}.json"}
    gone = {Path(f.path).name for f in old_log(str(table), LATER, 3)}
    assert gone == {
        *(f"{version:020d}.json" for version in range(3)),
        f"{1:020d}.checkpoint.parquet",
        f"{1:020d}.crc",
    }
