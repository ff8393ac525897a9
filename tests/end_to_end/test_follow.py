"""A followed stream, ended and killed in between, leaves what one batch leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from goldlake_core.documents import codec
from goldlake_core.documents.lakehouse import Followed
from goldlake_core.storage.deltalog import DeltaLog
from tests.end_to_end.commands import goldlake_json, source

# An hour passes in a second. Silver's columns that say with which record a row came differ: where
# the source changed only its own time, the stream has the first record and the batch the last.
CLOCK = ("--speed", "3600", "--start", "2024-04-01T00:00:00Z")
COMING = ("_known_from", "_file", "_line", "_sequence", "_source_updated")
ENDS_WITHIN_S, WAIT_S = 15.0, 240.0

pytestmark = [pytest.mark.long, pytest.mark.spark, pytest.mark.timeout(1500)]


def follow(url: str, folder: Path, usecase: str = "chicago_crime") -> subprocess.Popen[str]:
    """A command that follows a source; its state is there."""
    known = len(_states(folder))
    command = [str(Path(sys.prefix, "bin", "goldlake")), "ingest", usecase, "--follow"]
    command += ["--source", url, "--home", "home", "--every", "2s", "--json"]
    process = subprocess.Popen(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    wait_for(lambda: len(_states(folder)) > known)
    return process


def state(folder: Path) -> Followed:
    """How the newest run stands."""
    file = _states(folder)[-1]
    return codec.decode(file.read_bytes(), Followed, str(file))


def _states(folder: Path) -> list[Path]:
    return sorted(folder.glob("home/runs/*/follow.state.json"))


def wait_for(what: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not what():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.2)


def stages_of(process: subprocess.Popen[str]) -> list[int]:
    """The processes that a command started, and theirs."""
    listed = subprocess.run(
        ["ps", "-e", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
    )
    parents = dict(map(int, line.split()) for line in listed.stdout.splitlines())
    found = [process.pid]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def kill(process: subprocess.Popen[str], folder: Path) -> None:
    """Kills it and its processes while they refine the second batch, or a later one."""
    wait_for(lambda: state(folder).batches >= 1)
    wait_for(lambda: state(folder).activity == "refining")
    for pid in stages_of(process):
        os.kill(pid, signal.SIGKILL)
    process.wait()


def rows(home: Path, layer: str, table: str, key: list[str]) -> pl.DataFrame:
    frame: Any = pl.from_arrow(DeltaLog(str(home / f"tables/chicago_crime/{layer}/{table}")).read())
    return frame.drop(COMING, strict=False).sort(key)


def test_a_followed_stream_is_the_batch(tmp_path: Path) -> None:
    with source("chicago_crime", "--rows", "3000", *CLOCK, folder=tmp_path) as url:
        kill(follow(url, tmp_path), tmp_path)
        # A batch by hand in between takes up what was landed.
        goldlake_json("ingest", "chicago_crime", "--source", url, "--home", "home", folder=tmp_path)
        kill(follow(url, tmp_path), tmp_path)
        ended = follow(url, tmp_path)
        wait_for(lambda: state(tmp_path).batches >= 2)
        began = time.monotonic()
        ended.send_signal(signal.SIGTERM)
        printed, _ = ended.communicate(timeout=60)
        assert time.monotonic() - began < ENDS_WITHIN_S
        assert ended.returncode == 0
        report = json.loads(printed)
        assert report["follow"]["batches"] >= 2
        assert report["follow"]["batch"]["seconds"] > 0
    with source("chicago_crime", "--rows", "3000", folder=tmp_path) as url:
        for home in ("home", "batch"):
            command = ("ingest", "chicago_crime", "--source", url, "--home", home)
            goldlake_json(*command, folder=tmp_path)
    for layer, table, key in (
        ("silver", "crimes", ["id"]),
        ("gold", "arrest_features", ["id"]),
        ("gold", "area_day", ["community_area", "primary_type", "day"]),
    ):
        mine, theirs = (rows(tmp_path / home, layer, table, key) for home in ("home", "batch"))
        assert mine.equals(theirs), table
    history = goldlake_json("history", "chicago_crime", "--home", "home", folder=tmp_path)
    assert [run["status"] for run in history["runs"] if run["command"] == "follow"] == [
        "ok",
        "killed",
        "killed",
    ]
