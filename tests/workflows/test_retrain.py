"""When another training is due, who is refused meanwhile, and the reason on record."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from goldlake.cli.main import main
from goldlake.workflows import train
from goldlake.workflows.jobs.queue import Queue
from goldlake.workflows.jobs.work import work
from goldlake.workflows.retrain import retrain
from goldlake_core.contracts.errors import LockedError, StoreError
from goldlake_core.storage.locks import FileLock
from metadata import retraining
from metadata.store import Store
from tests.cli.documents import train_report
from tests.tfx_pipeline.toy_export import TOY
from tests.workflows.live_home import NAME, LiveHome

MODEL = f"{TOY}:overdue"
ALL = "rows>=500, age>=30d, drift, metric:auc<0.8"


@pytest.fixture
def live(tmp_path: Path) -> LiveHome:
    return LiveHome(tmp_path)


def _nothing(event: object) -> None:
    """Takes events."""


def test_nothing_is_due(live: LiveHome) -> None:
    live.log("1.jsonl", live.asked(840))
    live.more(60, 184)
    found = retrain(MODEL, live.home, ALL, _nothing)
    assert found.outcome == "quiet"
    assert found.train is None
    assert not found.reason
    assert [each.holds for each in found.conditions] == [False] * 4
    assert [each.found for each in found.conditions] == [
        "60 rows more than @1 learned from",
        "data 2.0 days newer than those of @1",
        "requests are as @1 learned",
        "1.0000 of 840 answers of @1",
    ]


def test_a_job_says_that_nothing_is_due(live: LiveHome, tmp_path: Path) -> None:
    options = {"if": "rows>=5000"}
    job = Queue(live.home).add("retrain", MODEL, options, "click")
    outcome = work(job, live.home, tmp_path / "log", _nothing)
    assert outcome.text.startswith("nothing is due. rows>=5000: 0 rows more than @1 learned from")
    assert (outcome.exit_code, outcome.run_id) == (0, None)


def test_what_is_not_known_does_not_hold(live: LiveHome) -> None:
    found = retrain(MODEL, live.home, "drift, metric:auc<0.8", _nothing)
    assert [each.holds for each in found.conditions] == [None, None]
    assert found.outcome == "quiet"


def test_another_one_is_refused_meanwhile(live: LiveHome) -> None:
    path = f"{live.home.pipeline('toy_harbour', 'overdue')}/retrain.lock"
    script = (
        "import sys; from goldlake_core.storage.locks import FileLock\n"
        f"with FileLock({path!r}, work='retrain'):\n    print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(LockedError, match=f"Retraining {NAME} is in use by retrain, process"):
            retrain(MODEL, live.home, "drift", _nothing)
        other.communicate()
    with FileLock(path):
        assert retrain(MODEL, live.home, "drift", _nothing).outcome == "quiet"


def test_a_refused_model_changes_nothing_but_the_record(
    live: LiveHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The training itself is not run here."""
    live.more(600, 184)
    refused = train_report(blessed=False, model_version=None, reasons=("group=a: auc falls",))
    monkeypatch.setattr(train, "train", lambda *_: refused)
    before = Path(live.home.models_config).read_bytes()
    command = ["retrain", MODEL, "--if", "rows>=500", "--promote", "--home", live.home.root]
    ran = CliRunner().invoke(main, command)
    assert ran.exit_code == 3, ran.output
    assert Path(live.home.models_config).read_bytes() == before
    (artifact,) = Store(live.home).artifacts_of_type(retraining.REASON)
    kept = ("outcome", "reason", "why", "run_id")
    assert [artifact.properties[name] for name in kept] == [
        "refused",
        "rows>=500",
        "group=a: auc falls",
        refused.run_id,
    ]
    assert retrain(MODEL, live.home, "rows>=5000", _nothing).outcome == "quiet"


def test_what_was_cut_off_is_due_until_it_ends(
    live: LiveHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal ends the first one in the middle, the second one fails, and then all is quiet."""
    live.more(60, 184)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    def failing(*_: object) -> None:
        raise StoreError("The disk is full")

    monkeypatch.setattr(train, "train", interrupted)
    with pytest.raises(KeyboardInterrupt):
        retrain(MODEL, live.home, "rows>=50", _nothing)
    assert not Store(live.home, is_writer=True).artifacts_of_type(retraining.REASON)
    monkeypatch.setattr(train, "train", failing)
    with pytest.raises(StoreError, match="The disk is full"):
        retrain(MODEL, live.home, "rows>=500", _nothing)
    (artifact,) = Store(live.home).artifacts_of_type(retraining.REASON)
    assert artifact.properties["outcome"] == "failed"
    reason = str(artifact.properties["reason"])
    assert re.fullmatch(r"the retraining of \S+ was cut off \(rows>=50\)", reason)
    assert retrain(MODEL, live.home, "rows>=500", _nothing).outcome == "quiet"


def test_nothing_to_do_imports_no_tensorflow_and_no_spark(live: LiveHome) -> None:
    live.log("1.jsonl", live.asked(840))
    script = (
        "import sys\nfrom goldlake.workflows.retrain import retrain\n"
        "from goldlake_core.storage.home import Home\n"
        f"r = retrain({MODEL!r}, Home.at({live.home.root!r}), {ALL!r}, print)\n"
        "assert r.outcome == 'quiet'\n"
        "print([m for m in ('tensorflow', 'tfx', 'pyspark', 'apache_beam') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_the_reason_is_an_artifact(live: LiveHome) -> None:
    found = {"rows>=500": "600 rows more"}
    number = retraining.record(live.home, NAME, "rows>=500", found, "refused", why="auc fell")
    (artifact,) = Store(live.home).artifacts_of_type(retraining.REASON)
    assert artifact.id == number
    assert artifact.properties["reason"] == "rows>=500"
    assert artifact.properties["found"] == "rows>=500: 600 rows more"
    assert (artifact.properties["outcome"], artifact.properties["why"]) == ("refused", "auc fell")
