"""What `goldlake monitor` says of logged requests: beside labels, and beside what was learned."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import msgspec
import polars as pl
import pytest

from goldlake.workflows import live_metrics
from goldlake.workflows.live_log import KEY, OUTPUTS
from goldlake.workflows.monitor import monitor
from goldlake_core.contracts.errors import UsageError
from goldlake_core.storage.home import Home
from tests.tfx_pipeline.toy_export import TOY
from tests.workflows.live_home import MAY, LiveHome, Row
from tfx_pipeline.heads.registry import HEADS

MODEL = f"{TOY}:overdue"


@pytest.fixture
def live(tmp_path: Path) -> LiveHome:
    return LiveHome(tmp_path)


def test_answers_are_scored_by_their_records_labels(live: LiveHome) -> None:
    lines = live.asked(840)
    lines += [{**lines[0], "outputs": {"probability": 0.5}}]
    lines += [{**lines[1], "record_key": None}, {**lines[2], "record_key": "nobody"}]
    lines += [{**lines[3], "record_key": "C5459"}, {**lines[4], "version": 2}]
    lines += [{"request_id": "x", "at": lines[0]["at"], "status": "INVALID_ARGUMENT", "row": None}]
    live.log("1.jsonl", lines)
    found = monitor(MODEL, live.home)
    labels = found.labels
    assert (labels.scored, labels.repeated, labels.without_key) == (840, 1, 1)
    assert (labels.unknown, labels.unripe) == (1, 1)
    assert (found.log.lines, found.log.others, found.log.refused) == (844, 1, 1)
    assert found.total is not None
    assert found.total.metrics["auc"] == 1
    assert sum(week.rows for week in found.weeks) == 840
    assert len(found.weeks) >= 5
    assert sum(each.rows for each in found.slices) == 840
    assert [round(b.predicted, 1) for b in found.calibration][::9] == [0.2, 0.8]
    assert found.tested == {"auc": 0.9}
    assert not found.alarms


def test_a_model_that_answers_the_contrary_breaks_the_bounds(live: LiveHome) -> None:
    lines = live.asked(840)
    for line in lines:
        line["outputs"] = {"probability": 1 - line["outputs"]["probability"]}
    live.log("1.jsonl", lines)
    found = monitor(f"{MODEL}@1", live.home)
    assert found.alarms[0] == "auc is 0, and the contract wants at least 0.6"


def test_a_window_is_about_the_newest_records_with_a_ripe_label(live: LiveHome) -> None:
    """Labels are ripe until 17 June; the model is wrong about what came after 2 June."""
    bad = datetime(2024, 6, 3, tzinfo=timezone.utc)
    lines = live.asked(1500)
    for line, row in zip(lines, live.rows[MAY * live.per_day :], strict=False):
        # When somebody asks does not matter.
        line["at"] = "2024-06-30T12:00:00.000+00:00"
        if row["arrived"] >= bad:
            line["outputs"] = {"probability": 1 - line["outputs"]["probability"]}
    live.log("1.jsonl", lines)
    found = monitor(MODEL, live.home, windows=("2w", "28d", "1h", "120d", "999999w"))
    fortnight, month, hour, all_, ages = found.windows
    assert (fortnight.since, fortnight.until) == (
        "2024-06-03T00:00:00.000Z",
        "2024-06-17T00:00:00.000Z",
    )
    assert fortnight.total is not None
    assert (fortnight.total.rows, fortnight.total.metrics["auc"]) == (420, 0)
    assert month.total is not None
    assert month.total.rows == 840
    assert month.total.metrics["auc"] == pytest.approx(0.5, abs=0.1)
    assert hour.total is None or not hour.total.is_judged
    assert hour.fewest == "30 of each class"
    assert all_.total == ages.total == found.total
    assert ages.since == "0001-01-01T00:00:00.000Z"


def test_without_event_time_a_window_is_of_the_newest_requests(live: LiveHome) -> None:
    model = msgspec.structs.replace(live.model, event_time=None)
    lines = live.asked(1800)
    live.log("1.jsonl", lines)
    found = live_metrics.live(
        live.usecase, model, live.read().frame, live.home, windows=("2w",), with_slices=False
    )
    (fortnight,) = found.windows
    newest = max(line["at"] for line in lines)
    assert fortnight.until == newest.replace("+00:00", "Z")
    assert fortnight.total is not None
    begin = datetime.fromisoformat(newest) - timedelta(days=14)
    asked = sum(datetime.fromisoformat(line["at"]) > begin for line in lines)
    assert fortnight.total.rows == asked > 400


def test_a_window_without_ripe_labels_is_not_there(live: LiveHome) -> None:
    lines = live.asked(1800)[1500:]
    live.log("1.jsonl", lines)
    found = monitor(MODEL, live.home, windows=("28d",))
    assert found.windows == ()
    assert [each.why for each in found.unjudged if each.what == "metrics"] == [
        "no logged answer has a ripe label yet"
    ]


def test_requests_like_the_training_rows_do_not_drift(live: LiveHome) -> None:
    live.log("1.jsonl", live.asked(840))
    found = monitor(MODEL, live.home)
    (period,) = found.drift
    assert (period.rows, period.has_limits) == (840, True)
    assert period.values
    assert not period.beyond
    assert found.learned == "toy_harbour.gold.call_features@1"
    assert not found.alarms


def test_requests_of_another_season_drift(live: LiveHome) -> None:
    def storm(row: Row) -> Row:
        return {**row, "vessel_type": "TANKER"}

    live.log("1.jsonl", live.asked(840, storm))
    (alarm,) = monitor(MODEL, live.home).alarms
    assert alarm.startswith("requests of 2024-05 drift in ")
    assert "vessel_type" in alarm


def test_a_few_requests_are_not_judged_and_the_report_says_why(live: LiveHome) -> None:
    live.log("1.jsonl", live.asked(60))
    found = monitor(MODEL, live.home)
    whys = {each.what: each.why for each in found.unjudged}
    assert whys["bounds"] == "60 answers have a ripe label, which are too few"
    assert any("500 requests on seven days (there are 60 on " in why for why in whys.values())


def test_what_is_redacted_and_what_has_no_key_is_told(live: LiveHome) -> None:
    lines = live.asked(600)
    for line in lines:
        del line["inputs"]["latitude"]
        line["redacted"], line["record_key"] = ["latitude"], None
    live.log("1.jsonl", lines)
    whys = {each.what: each.why for each in monitor(MODEL, live.home).unjudged}
    assert whys["drift of latitude"] == "the log does not keep it"
    assert whys["metrics"].startswith("the contract names no serving.record_key")


def test_an_empty_log_is_told(live: LiveHome) -> None:
    found = monitor(MODEL, live.home)
    assert found.log.lines == 0
    (each,) = found.unjudged
    assert each.why == "the contract has no serving.request_log, so no request is kept"


def test_a_log_of_another_version_is_told(live: LiveHome) -> None:
    live.log("1.jsonl", [{**line, "version": 2} for line in live.asked(3)])
    (each,) = monitor(MODEL, live.home).unjudged
    assert each.why.endswith(
        "has no answer of version 1: 3 lines are of other versions or signatures"
    )


def test_the_log_of_a_remote_home_has_to_be_named(live: LiveHome) -> None:
    remote = Home.at("memory://live")
    remote.fs.put(live.home.path("models"), remote.path("models"), recursive=True)
    text = "The request log of a server is on its own disk, and memory://live is not"
    with pytest.raises(UsageError, match=text):
        monitor(f"{MODEL}@1", remote)


def test_a_version_that_is_not_there_is_refused(live: LiveHome) -> None:
    with pytest.raises(UsageError, match="@7 is not a version that was pushed"):
        monitor(f"{MODEL}@7", live.home)


def test_rotated_open_and_damaged_files_are_read(live: LiveHome) -> None:
    lines = live.asked(90)
    live.log("2.jsonl.open", lines[60:], half=b'{"at": "2024-05')
    live.log("1.jsonl", lines[:60], half=b"no json\n")
    found = live.read()
    assert found.frame[KEY].to_list() == [line["record_key"] for line in lines]
    assert (found.files, found.damaged, found.is_cut) == (2, 1, False)
    newest = live.read(most=20)
    assert newest.frame[KEY].to_list() == [line["record_key"] for line in lines[60:]]
    assert newest.is_cut


def test_answers_of_classes_are_texts_in_the_log_and_bytes_in_the_head() -> None:
    ripe = pl.DataFrame(
        {
            KEY: ["1", "2", "2", "3", "3"],
            "_label": ["gull", "tern", "tern", "gull", "gull"],
            OUTPUTS: [
                '{"classes": ["gull", "tern"], "scores": [0.9, 0.1]}',
                '{"classes": ["gull", "tern"]}',
                '{"classes": ["gull", "tern"], "scores": [0.7, 0.3]}',
                '{"classes": ["gull", "tern"], "scores": ["NaN", "NaN"]}',
                "{}",
            ],
        }
    )
    places, (true, found, *_), unusable = live_metrics._records(HEADS["multiclass"], ripe)
    assert (places, unusable) == ([0, 2], 3)
    assert (list(true), list(found)) == ([0, 1], [0, 0])
