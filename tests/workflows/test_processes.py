"""Stages run as processes: results, events, errors, and nothing left behind when cancelled."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from goldlake.workflows.processes import Run, StageFailed, child
from goldlake_core.stages import Document
from goldlake_core.storage.home import Home

STAGES = """
import os, sys, time
from goldlake_core.contracts.errors import GateRefused
from goldlake_core.stages import stage_main


def first(request, emit):
    emit("progress", "half way", done=1, total=2)
    print("noise of the first stage")
    return {"doubled": request["number"] * 2, "home": os.environ["GOLDLAKE_HOME"]}


def second(request, emit):
    emit("info", "looking")
    return {"seen": request["run_id"]}


def refusing(request, emit):
    raise GateRefused("The mix of colours moved", hint="look at it")


def dying(request, emit):
    os._exit(7)


def sleeping(request, emit):
    emit("progress", str(os.getpid()))
    time.sleep(600)


STAGES = {"first": first, "second": second, "refusing": refusing, "dying": dying}
sys.exit(stage_main({**STAGES, "sleeping": sleeping}, sys.argv[1:]))
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    package = tmp_path / "code" / "stagetoy"
    package.mkdir(parents=True)
    (package / "__main__.py").write_text(STAGES, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    return Run.new(Home.at(tmp_path / "home"))


def test_stages_of_one_package_run_in_order_and_report(run: Run) -> None:
    events: list[Document] = []
    results = run.stages("stagetoy", {"first": {"number": 21}, "second": {}}, events.append)
    assert results["first"]["doubled"] == 42
    assert results["first"]["home"] == run.home.root
    assert results["second"]["seen"] == run.run_id
    assert [(e["stage"], e["kind"]) for e in events] == [
        ("first", "begin"),
        ("first", "progress"),
        ("first", "end"),
        ("second", "begin"),
        ("second", "info"),
        ("second", "end"),
    ]
    assert "noise of the first stage" in (run.logs / "first-second.log").read_text()


def test_an_error_keeps_its_message_and_exit_code_and_stops_later_stages(run: Run) -> None:
    with pytest.raises(StageFailed) as caught:
        run.stages("stagetoy", {"refusing": {}, "second": {}}, lambda event: None)
    assert caught.value.code == 3
    assert "The mix of colours moved. Next: look at it" in caught.value.message
    assert "refusing.log" not in caught.value.message
    assert str(run.logs / "refusing-second.log") in caught.value.message
    assert not run.directory.result_file("second").exists()


def test_a_process_that_dies_without_a_result_is_an_error(run: Run) -> None:
    with pytest.raises(StageFailed, match="ended early with exit status 7"):
        run.stages("stagetoy", {"dying": {}}, lambda event: None)


def test_cancelling_ends_the_process(run: Run) -> None:
    pids: list[int] = []

    def interrupt(event: Document) -> None:
        if event["kind"] == "progress":
            pids.append(int(event["message"]))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.stages("stagetoy", {"sleeping": {}}, interrupt)
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
