"""Every run becomes a row when it ends, however it ends, and somebody hears of the bad ones."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from goldlake.workflows import history
from goldlake.workflows.history import recorded
from goldlake.workflows.processes import OnEvent, Run
from goldlake_core.contracts.errors import GateRefused, GoldlakeError, StoreError
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents.history import RunRow
from goldlake_core.documents.reports import RunReport
from goldlake_core.documents.stages import LandRequest, RefineRequest
from goldlake_core.storage.home import Home
from metadata import history as table
from metadata import runs as recorded_runs
from tests.cli.documents import recorded as recorded_document
from tests.cli.documents import train_report
from tests.workflows.test_processes import STAGES

ROOT = Path(__file__).parents[2]
HARBOUR = ROOT / "tests" / "usecases" / "toy_harbour"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    package = tmp_path / "code" / "stagetoy"
    package.mkdir(parents=True)
    (package / "__main__.py").write_text(STAGES, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", f"{package.parent}")
    return Home.at(tmp_path / "home")


@recorded("ingest")
def ingest(usecase: UseCase, home: Home, source: str, on_event: OnEvent) -> str:
    run = Run.new(home)
    land = run.request(LandRequest, str(usecase.folder), usecase, source=source, since="2024-01-01")
    refine = run.request(RefineRequest, str(usecase.folder), usecase)
    run.stages("stagetoy", [land, refine], on_event)
    return run.run_id


def silent(event: object) -> None:
    """Tells nobody."""


def runs(home: Home) -> list[RunRow]:
    return list(history.history(None, home, 100).runs)


def test_a_run_is_a_row_with_what_came_and_what_applied(home: Home, harbour: UseCase) -> None:
    run_id = ingest(harbour, home, "live", silent)
    [row] = runs(home)
    assert (row.run_id, row.usecase, row.command) == (run_id, "toy_harbour", "ingest")
    assert (row.status, row.exit_code, row.error) == ("ok", 0, None)
    assert (row.landed, row.pages, row.bytes, row.requests, row.since) == (
        42,
        1,
        2,
        1,
        "2024-01-01",
    )
    assert (row.refined, row.inserted, row.epoch, row.through) == (0, 0, None, None)
    assert row.source == {"home": home.root, "contract": sorted(harbour.hashes)}
    assert row.contract == harbour.hashes
    assert row.limits["source"] == {
        "page_rows": 200,
        "overlap": "1d",
        "drift": "evolve",
        "most_deleted": 0.05,
        "options": {},
    }
    assert row.limits["model.overdue"]["thresholds"]  # type: ignore[index]
    assert set(row.steps) == {"land", "refine"}
    assert row.seconds is not None
    assert row.ended_at is not None
    assert row.seconds >= sum(row.steps.values())


@pytest.mark.parametrize(
    ("source", "status", "exit_code", "error"),
    [
        ("refusing", "refused", 3, "land: The mix of colors moved. Next: look at it"),
        ("dying", "failed", 1, "land: The process of this stage ended early with exit status 7"),
    ],
)
def test_a_run_that_failed_says_why(
    home: Home, harbour: UseCase, source: str, status: str, exit_code: int, error: str
) -> None:
    with pytest.raises(GoldlakeError):
        ingest(harbour, home, source, silent)
    [row] = runs(home)
    assert (row.status, row.exit_code, row.landed) == (status, exit_code, None)
    assert (row.error or "").rstrip(".") == error


def test_an_interrupted_run_says_so(home: Home, harbour: UseCase) -> None:
    def interrupting(event: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest(harbour, home, "live", interrupting)
    [row] = runs(home)
    assert (row.status, row.exit_code, row.error) == ("interrupted", 130, None)


def test_nothing_is_recorded_where_no_run_began(home: Home) -> None:
    @recorded("ingest")
    def failing() -> None:
        raise GateRefused("No")

    with pytest.raises(GateRefused):
        failing()
    assert runs(home) == []
    assert not Path(home.root).exists()


SCRIPT = """
import sys
from tests.workflows.test_history import ingest, silent
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.storage.home import Home
ingest(load_usecase(sys.argv[1]), Home.at(sys.argv[2]), sys.argv[3], silent)
"""


def _started(home: Home, usecase: Path, source: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", SCRIPT, str(usecase), home.root, source]
    paths = f"{ROOT}:{os.environ['PYTHONPATH']}"
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": paths})


def _sleeping(home: Home, usecase: Path) -> tuple[subprocess.Popen[bytes], int]:
    """A run that is killed soon, and the process of its stage."""
    process = _started(home, usecase, "sleeping")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for file in Path(home.root).glob("runs/*/land.events.jsonl"):
            lines = file.read_bytes().splitlines()
            if lines:
                return process, int(msgspec.json.decode(lines[0])["message"])
        time.sleep(0.05)
    raise AssertionError("the stage did not begin")


def _notifying(folder: Path, text: str) -> Path:
    """The toy use case with another end of its contract."""
    usecase = folder / "toy_harbour"
    shutil.copytree(HARBOUR, usecase)
    contract = usecase / "contract.yaml"
    contract.write_text(contract.read_text(encoding="utf-8") + text, encoding="utf-8")
    return usecase


def test_a_killed_run_is_found_by_the_next_command_once(home: Home, tmp_path: Path) -> None:
    told = tmp_path / "told.jsonl"
    usecase = _notifying(tmp_path, f'\nnotify: {{command: [sh, -c, "cat >> {told}"]}}\n')
    process, stage = _sleeping(home, usecase)
    try:
        recorded_runs.recover(home)
        assert list(Path(home.root).glob("runs/*/ended*.json")) == [], "it is still going on"
        process.kill()
        process.wait()
        assert [(r.status, r.exit_code, r.ended_at) for r in runs(home)] == [("killed", None, None)]
        ingest(load_usecase(str(usecase)), home, "live", silent)
        assert [row.status for row in runs(home)] == ["ok", "killed"]
    finally:
        os.kill(stage, signal.SIGKILL)
    [line] = told.read_bytes().splitlines()
    assert msgspec.json.decode(line, type=RunRow).status == "killed"


def test_a_row_that_did_not_reach_the_table_is_appended_once(
    home: Home, harbour: UseCase, monkeypatch: pytest.MonkeyPatch, caplog
) -> None:
    append = table.append
    for when in ("before", "after"):

        def dying(*arguments, _when: str = when) -> None:
            if _when == "after":
                append(*arguments)
            raise StoreError("The disk is full")

        with monkeypatch.context() as patch:
            patch.setattr(table, "append", dying)
            ingest(harbour, home, "live", silent)
        assert "is not in the history yet: The disk is full" in caplog.text
    assert [row.status for row in runs(home)] == ["ok", "ok"]
    assert len({row.run_id for row in runs(home)}) == 2
    assert not list(Path(home.root).glob("runs/*/ended.new.json"))


def test_a_lost_or_damaged_table_is_made_again_from_the_runs(
    home: Home, harbour: UseCase, caplog
) -> None:
    first = ingest(harbour, home, "live", silent)
    place = Path(table.location(home, harbour.name))
    shutil.rmtree(place)
    second = ingest(harbour, home, "live", silent)
    assert [row.run_id for row in runs(home)] == [second, first]
    newest = sorted(place.glob("_delta_log/*.json"))[-1]
    newest.write_bytes(b'{"torn')
    with pytest.raises(StoreError, match="The history of .* is damaged: .*Next: .*--remake"):
        history.history(str(HARBOUR), home, 1)
    third = ingest(harbour, home, "live", silent)
    assert "is not in the history yet" in caplog.text
    aside = history.remake(str(HARBOUR), home)
    assert Path(aside, "_delta_log", newest.name).read_bytes() == b'{"torn'
    found = [row.run_id for row in runs(home)]
    assert sorted(found) == sorted([first, second, third])
    assert history.remake(str(HARBOUR), home) != aside
    assert [row.run_id for row in runs(home)] == found


def test_runs_of_before_the_history_are_recorded_as_far_as_they_tell(
    home: Home, harbour: UseCase
) -> None:
    ingest(harbour, home, "live", silent)
    with pytest.raises(GoldlakeError):
        ingest(harbour, home, "refusing", silent)
    good, refused = runs(home)[::-1]
    for file in Path(home.root).glob("runs/*/*"):
        if file.name in ("run.json", "ended.json", "alive.lock"):
            file.unlink()
    shutil.rmtree(table.location(home, harbour.name))
    (Path(home.root) / "runs" / "20200101-000000-0000").mkdir()
    assert not table.exists(home, harbour.name)
    # Their documents tell the second in which they began, and no more.
    found = sorted(runs(home), key=lambda row: row.run_id != good.run_id)
    assert [row.run_id for row in found] == [good.run_id, refused.run_id]
    assert [(row.command, row.status, row.error) for row in found] == [
        ("ingest", "ok", None),
        ("ingest", "refused", refused.error),
    ]
    assert (found[0].landed, found[0].source, found[0].contract) == (
        good.landed,
        good.source,
        good.contract,
    )
    assert abs((found[0].began_at - good.began_at).total_seconds()) < 2
    again = sorted(runs(home), key=lambda row: row.run_id != good.run_id)
    assert again == found, "they are recorded once"


def test_two_runs_at_once_are_two_rows(home: Home) -> None:
    processes = [_started(home, HARBOUR, "live") for _ in range(3)]
    assert [process.wait(120) for process in processes] == [0, 0, 0]
    assert [row.status for row in runs(home)] == ["ok", "ok", "ok"]


def test_a_gate_that_refused_a_model_is_a_refused_run() -> None:
    report = recorded_document("run", RunReport)
    [(name, part)] = report.models.items()
    assert history.verdict(report) == ("ok", 0, None)
    unblessed = msgspec.structs.replace(part, promotion=None)
    one = msgspec.structs.replace(report, models={name: unblessed})
    assert history.verdict(one) == ("refused", 3, f"{name}: not blessed")
    assert history.verdict(train_report()) == ("ok", 0, None)
    assert history.verdict(train_report(blessed=False)) == ("refused", 3, f"{name}: not blessed")
    told = train_report(blessed=False, reasons=("auc is 0.69, below the bound 0.7", "b"))
    expected = f"{name}: not blessed: auc is 0.69, below the bound 0.7 (and 1 more)"
    assert history.verdict(told) == ("refused", 3, expected)
