"""Stages run as processes: results, events, errors, and nothing left behind when cancelled."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from goldlake.workflows.processes import Run, StageEnded, StageFailed, child
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents.stages import Event, LandRequest, RefineRequest, Request
from goldlake_core.storage.home import Home

STAGES = """
import os, sys, time
from goldlake_core.contracts.errors import GateRefused
from goldlake_core.documents.lakehouse import Fates, Landed, Refined, Totals
from goldlake_core.documents.training import Anomaly
from goldlake_core.stages import DataRefused, stage_main

FATES = dict(landed=0, inserted=0, amended=0, unchanged=0, stale=0, quarantined=0, deleted=0)


def land(request, emit):
    if request.source == "dying":
        os._exit(7)
    if request.source == "sleeping":
        emit("progress", str(os.getpid()))
        time.sleep(600)
    if request.source == "refusing":
        raise GateRefused("The mix of colors moved", hint="look at it")
    if request.source == "anomalous":
        anomaly = Anomaly(
            column="hue", split="train", kind="drift", severity="error", description="It moved."
        )
        raise DataRefused("The data was refused", (anomaly,), hint="look at it")
    emit("progress", "half way", done=1, total=2)
    print("noise of the first stage")
    identity = {"home": os.environ["GOLDLAKE_HOME"], "contract": sorted(request.contract)}
    return Landed(
        pages=1, rows=42, requests=1, retries=0, bytes=2, cursor=None, identity=identity
    )


def refine(request, emit):
    emit("info", "looking")
    totals = Totals(silver=0, **FATES)
    return Refined(
        run_id=request.run_id, new_records=0, fates=Fates(**FATES), totals=totals, reasons={},
        tables={}, seconds={},
    )


sys.exit(stage_main({"land": land, "refine": refine}, sys.argv[1:]))
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    package = tmp_path / "code" / "stagetoy"
    package.mkdir(parents=True)
    (package / "__main__.py").write_text(STAGES, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    return Run.new(Home.at(tmp_path / "home"))


def _requests(run: Run, usecase: UseCase, source: str) -> list[Request]:
    return [
        run.request(LandRequest, usecase.name, usecase, source=source),
        run.request(RefineRequest, usecase.name, usecase),
    ]


def test_stages_of_one_package_run_in_order_and_report(run: Run, harbour: UseCase) -> None:
    events: list[Event | StageEnded] = []
    results = run.stages("stagetoy", _requests(run, harbour, "live"), events.append)
    assert results["land"].rows == 42
    assert results["land"].identity["home"] == run.home.root
    assert results["land"].identity["contract"] == sorted(harbour.hashes)
    assert results["refine"].run_id == run.run_id
    told = [(e.stage, "end" if isinstance(e, StageEnded) else e.kind) for e in events]
    assert told == [
        ("land", "begin"),
        ("land", "progress"),
        ("land", "end"),
        ("refine", "begin"),
        ("refine", "info"),
        ("refine", "end"),
    ]
    half = events[1]
    assert isinstance(half, Event)
    assert (half.message, half.done, half.total) == ("half way", 1, 2)
    assert "noise of the first stage" in (run.logs / "land-refine.log").read_text()


def test_an_error_keeps_its_message_and_exit_code_and_stops_later_stages(
    run: Run, harbour: UseCase
) -> None:
    with pytest.raises(StageFailed) as caught:
        run.stages("stagetoy", _requests(run, harbour, "refusing"), lambda event: None)
    assert caught.value.exit_code == 3
    assert caught.value.message == (
        f"land: The mix of colors moved. Next: look at it (log: {run.logs / 'land-refine.log'})"
    )
    assert (caught.value.error.type, caught.value.error.verdict) == ("GateRefused", None)
    assert "in land" in caught.value.error.traceback
    assert not run.directory.result_file("refine").exists()


def test_a_refusal_carries_its_anomalies(run: Run, harbour: UseCase) -> None:
    with pytest.raises(StageFailed) as caught:
        run.stages("stagetoy", _requests(run, harbour, "anomalous"), lambda event: None)
    assert caught.value.error.verdict == "refused"
    [anomaly] = caught.value.error.anomalies
    assert (anomaly.column, anomaly.kind) == ("hue", "drift")


def test_a_process_that_dies_without_a_result_is_an_error(run: Run, harbour: UseCase) -> None:
    with pytest.raises(StageFailed, match="ended early with exit status 7") as caught:
        run.stages("stagetoy", _requests(run, harbour, "dying"), lambda event: None)
    assert caught.value.exit_code == 1


def test_cancelling_ends_the_process(run: Run, harbour: UseCase) -> None:
    pids: list[int] = []

    def interrupt(event: Event | StageEnded) -> None:
        if isinstance(event, Event) and event.kind == "progress":
            pids.append(int(event.message))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.stages("stagetoy", _requests(run, harbour, "sleeping"), interrupt)
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_a_child_that_ignores_sigterm_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("goldlake.workflows.processes.STOP_TIMEOUT_S", 0.5)
    command = ["bash", "-c", "trap '' TERM; echo ready; while true; do sleep 0.1; done"]
    log = tmp_path / "log"
    with child(command, log) as process:
        while "ready" not in log.read_text():
            time.sleep(0.02)
    assert process.returncode == -signal.SIGKILL
