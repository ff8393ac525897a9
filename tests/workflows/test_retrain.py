"""When another training is due, who is refused meanwhile, and the reason on record."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from goldlake.cli.main import main
from goldlake.workflows import due, names, retrainings, train
from goldlake.workflows.conditions import parsed
from goldlake.workflows.jobs.queue import Queue
from goldlake.workflows.jobs.work import work
from goldlake.workflows.monitor import monitor
from goldlake.workflows.retrain import retrain
from goldlake_core.contracts.errors import LockedError, StoreError
from goldlake_core.contracts.heads import HEADS
from goldlake_core.documents.monitoring import ConditionResult
from goldlake_core.documents.reports import TrainReport
from goldlake_core.storage.locks import FileLock
from metadata import retraining
from metadata.store import Store
from serving import config
from tests.cli.documents import train_report
from tests.goldlake_core.storage.test_deltalog import add, commit
from tests.tfx_pipeline.toy_export import TOY
from tests.workflows.live_home import NAME, LiveHome

MODEL = f"{TOY}:overdue"
ALL = "rows>=500, age>=30d, drift, metric:auc<0.8"


@pytest.fixture
def live(tmp_path: Path) -> LiveHome:
    return LiveHome(tmp_path)


def _nothing(event: object) -> None:
    """Takes events."""


def _results(live: LiveHome, conditions: str) -> tuple[ConditionResult, ...]:
    wanted = parsed(conditions, HEADS["binary"].metrics)
    return due.Standing(MODEL, live.usecase, live.model, live.home, None, wanted).results()


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
        "requests of 2024-05 are as @1 learned",
        "1.0000 of 840 answers of @1",
    ]


def test_a_metric_of_a_window_is_told_with_its_answers(live: LiveHome) -> None:
    lines = live.asked(1500)
    for line in lines[900:]:
        line["outputs"] = {"probability": 0.5}
    live.log("1.jsonl", lines)
    wanted = "metric:auc<0.8, metric:auc[2w]<0.8, metric:auc[28d]<0.2, metric:auc[6h]<0.8"
    results = _results(live, wanted)
    assert [each.holds for each in results] == [False, True, False, None]
    assert [each.answers for each in results][:3] == [1380, 420, 840]
    whole, fortnight, _, hours = (each.found for each in results)
    assert whole.endswith(" of 1,380 answers of @1")
    assert fortnight == "0.5000 of 420 answers of @1 up to 2024-06-17"
    assert re.fullmatch(
        r"\d+ answers of @1 with a ripe label up to 2024-06-17, which are too few: "
        "at least 30 of each class",
        hours,
    )


def test_drift_is_that_of_the_newest_requests_that_can_be_judged(live: LiveHome) -> None:
    def found(odd: range) -> ConditionResult:
        lines = live.asked(1700)
        for place in odd:
            lines[place]["inputs"]["vessel_type"] = "TANKER"
        live.log("1.jsonl", lines)
        return _results(live, "drift")[0]

    of_may = found(range(870))
    assert (of_may.holds, of_may.found) == (False, "requests of 2024-06 are as @1 learned")
    assert monitor(MODEL, live.home).alarms[0].startswith("requests of 2024-05 drift in vessel")
    of_june = found(range(900, 1700))
    assert of_june.holds
    assert of_june.found.startswith("requests of 2024-06 drift in vessel_type")


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


class Trainings:
    """Takes the place of a training, which takes a minute; counts and refuses."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count, self.is_blessed = 0, False
        monkeypatch.setattr(train, "train", self)

    def __call__(self, *_: object) -> TrainReport:
        self.count += 1
        reasons = () if self.is_blessed else ("auc is 0.51, and the contract wants 0.6",)
        version = 1 if self.is_blessed else None
        return train_report(blessed=self.is_blessed, model_version=version, reasons=reasons)


def test_a_refused_candidate_is_not_trained_again_from_the_same_rows(
    live: LiveHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Trainings(monkeypatch)
    live.more(600, 184)
    assert retrain(MODEL, live.home, "rows>=500", _nothing).outcome == "refused"
    command = ["retrain", MODEL, "--if", "rows>=500", "--home", live.home.root]
    ran = CliRunner().invoke(main, command)
    assert (ran.exit_code, made.count) == (0, 1), ran.output
    told = " ".join(ran.output.split())
    assert "Due, because: rows>=500 Not trained again: a candidate of the same rows" in told
    assert "auc is 0.51, and the contract wants 0.6" in told
    assert len(Store(live.home).artifacts_of_type(retraining.REASON)) == 1
    # Another condition that holds changes nothing about the candidate.
    known = retrain(MODEL, live.home, "rows>=400, age>=1d", _nothing)
    assert (known.outcome, made.count) == ("refused_before", 1)
    assert known.reason == "rows>=400; age>=1d"
    assert known.refused_before is not None
    assert known.refused_before.reason == "rows>=500"
    assert retrain(MODEL, live.home, "rows>=5000", _nothing).outcome == "quiet"
    again = CliRunner().invoke(main, [*command, "--again"])
    assert (again.exit_code, made.count) == (3, 2), again.output


def test_a_refused_candidate_is_due_again_with_what_it_is_made_of(
    live: LiveHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Trainings(monkeypatch)
    live.more(600, 184)

    def outcome() -> str:
        return retrain(MODEL, live.home, "rows>=500", _nothing).outcome

    assert (outcome(), outcome()) == ("refused", "refused_before")
    # A commit that writes files again, as `goldlake maintain` does, changes no row.
    folder = Path(live.home.table("toy_harbour", "gold", live.model.table))
    commit(folder, 3, {"remove": {"path": "2.parquet", "dataChange": False}})
    same = add("2.parquet", 600)["add"]
    commit(folder, 4, {"add": {**same, "dataChange": False}})
    assert outcome() == "refused_before"
    live.write(5, live.rows[:1], 184)
    assert (outcome(), outcome(), made.count) == ("refused", "refused_before", 2)
    usecase = msgspec.structs.replace(
        live.usecase, hashes={**live.usecase.hashes, "model.overdue.training": "other"}
    )
    monkeypatch.setattr(names, "load_model", lambda name: (usecase, live.model))
    assert (outcome(), outcome(), made.count) == ("refused", "refused_before", 3)
    # What it is compared with is another version.
    config.update(live.home.models_config, lambda found: config.ModelsConfig())
    assert (outcome(), outcome(), made.count) == ("refused", "refused_before", 4)
    made.is_blessed = True
    live.write(6, live.rows[:1], 184)
    assert outcome() == "blessed"
    assert retrainings.refused(live.home, "toy_harbour", "overdue").read() is None


def test_a_job_says_that_a_candidate_was_refused_before(
    live: LiveHome, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    Trainings(monkeypatch)
    live.more(600, 184)
    retrain(MODEL, live.home, "rows>=500", _nothing)
    job = Queue(live.home).add("retrain", MODEL, {"if": "rows>=500"}, "click")
    outcome = work(job, live.home, tmp_path / "log", _nothing)
    told = r"due because of rows>=500, but a candidate of the same rows was refused at \S+: auc is "
    assert re.match(told, outcome.text), outcome.text
    assert (outcome.exit_code, outcome.run_id) == (0, None)


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
