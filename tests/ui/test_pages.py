"""Every page shows what the home holds, and every text as a text."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from starlette.testclient import TestClient

from goldlake.ui import sources
from goldlake.ui.pages import drift, models, predict, runs
from goldlake.ui.render import ago, duration, size
from goldlake.ui.security import Access
from goldlake.workflows import views
from goldlake.workflows.jobs.queue import Queue
from goldlake.workflows.jobs.work import report_file
from goldlake.workflows.monitor import monitor
from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.documents.reports import Refusal
from goldlake_core.storage.home import Home
from tests.tfx_pipeline.toy_export import TOY
from tests.ui import made
from tests.ui.conftest import client_of, csrf_of
from tests.workflows.live_home import LiveHome

PAGES = {
    "/": "Rows in silver",
    "/tables": "chicago_crime.silver.crimes",
    "/tables/chicago_crime.silver.crimes": "Sample rows",
    "/tables/chicago_crime.silver.crimes@0": "version @0",
    "/quarantine": "id.missing",
    "/quarantine?reason=id.missing": "3 records",
    "/map": "Rows by area",
    "/map?month=2024-02": "2024-02",
    "/drift": "primary_type",
    "/models": "chicago_crime.arrest",
    "/models/chicago_crime.arrest": "Compare",
    "/models/chicago_crime.arrest?requests=1": "the contract has no serving.request_log",
    "/predict": "primary_type",
    "/lineage": "chicago_crime.arrest@2",
    "/runs": "History: 2 runs",
    "/runs/20260101-000001-beef": "Seconds by step",
}


@pytest.mark.parametrize("path", PAGES)
def test_a_page_shows_what_the_home_holds(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    assert PAGES[path] in answer.text


@pytest.mark.parametrize("path", PAGES)
def test_what_data_say_is_a_text(client: TestClient, path: str) -> None:
    text = client.get(path).text
    assert "<script>alert" not in text
    assert not re.search(r"\son\w+=|\sstyle=|javascript:", text)


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/tables/chicago_crime.silver.crimes", "&lt;script&gt;alert"),
        ("/quarantine", "&lt;script&gt;alert"),
        ("/runs", "&lt;script&gt;alert"),
        ("/", "the gate says &lt;script&gt;"),
    ],
)
def test_evil_data_are_shown(client: TestClient, path: str, shown: str) -> None:
    assert shown in client.get(path).text


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("/tables/chicago_crime.silver.nothing", "There is no table"),
        ("/tables/../../etc/passwd", "is not a page"),
        ("/tables/nonsense", "names no table"),
        ("/models/chicago_crime.nobody", "There is no model"),
        ("/models/chicago_crime.arrest@1/report", "There is no report"),
        ("/models/chicago_crime.arrest?one=9", "There is no version @9"),
        ("/map?month=1999-01", "There is no event"),
        ("/drift?table=x.silver.y", "The gate has judged no table"),
        ("/predict?model=a.b", "There is no pushed model"),
        ("/quarantine?limit=1000000", "cannot be shown"),
        ("/quarantine?reason=nope", "No record of chicago_crime"),
        ("/runs/nope", "There is no run"),
        ("/jobs/nope", "is not a job"),
        ("/jobs/20260101-000000-000000-beef", "There is no job"),
        ("/?usecase=nope", "holds nothing of a use case"),
        ("/nope", "is not a page"),
    ],
)
def test_what_is_not_there_is_said(client: TestClient, path: str, problem: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert problem in answer.text


def test_requests_are_shown_beside_labels_and_what_was_learned(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = LiveHome(tmp_path)
    live.log("1.jsonl", live.asked(840))
    found = monitor(f"{TOY}:overdue", live.home)
    assert found.total is not None
    monkeypatch.setattr(models, "monitor", lambda name, home: found)
    text = client.get("/models/chicago_crime.arrest?requests=1").text
    assert "840 answers of toy_harbour.overdue@1: nothing is beyond its limit." in text
    assert f"Requests of {found.drift[0].period} beside" in text
    assert re.search(r'<th scope="row">All</th><td class="n">840</td>', text)
    assert f'<th scope="row">{next(iter(found.weeks[0].slice.values()))}</th>' in text


def test_a_retraining_is_asked_for_with_conditions_that_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "start_workers", lambda app: None)
    home = Home.at(tmp_path)
    client = client_of(home, Access())
    form = {"csrf": csrf_of(client), "kind": "retrain", "subject": "chicago_crime.arrest"}
    answer = client.post("/jobs", data={**form, "if": "rows>=many"})
    assert answer.status_code == 400
    assert "many" in answer.text
    assert Queue(home).jobs() == []
    client.post("/jobs", data={**form, "if": "age>=30d", "promote": "yes"})
    (job,) = Queue(home).jobs()
    assert (job.kind, job.subject) == ("retrain", "chicago_crime.arrest")
    assert job.options == {"if": "age>=30d", "promote": "yes"}


def test_an_empty_home_offers_what_to_begin_with(tmp_path: Path) -> None:
    client = client_of(Home.at(tmp_path), Access())
    text = client.get("/").text
    assert "This home is empty" in text
    assert "20,000 generated rows, seed 7" in text
    for path in ("/tables", "/quarantine", "/map", "/drift", "/models", "/predict", "/lineage"):
        assert client.get(path).status_code == 200, path
    assert client.get("/runs").status_code == 200
    assert list(tmp_path.iterdir()) == []


def test_a_generated_home_takes_only_its_generated_rows() -> None:
    case = load_usecase(made.USECASE)
    runs = [made.run(1, "ok", None)]
    assert [each.id for each in sources.choices(case, runs, runs)] == ["generated-400-7"]
    with pytest.raises(UsageError, match=r"There is no source 'live' to choose\. Valid: generated"):
        sources.chosen("live", sources.choices(case, runs, runs))


def test_a_column_is_as_far_as_its_worst_statistic(home: Home) -> None:
    from goldlake_core.contracts.ids import TableId
    from goldlake_core.storage.gatefiles import GateFiles

    table = TableId(made.USECASE, "silver", "crimes")
    periods = drift.judged(GateFiles(home, table).verdicts())
    heat = drift.heat_of(list(periods.values()))
    assert heat.periods == ("2024-01", "2024-02")
    assert heat.rows == (("primary_type", (0.3, 1.8)),)


def test_rows_of_an_explanation_differ_in_one_input_each() -> None:
    row: dict[str, object] = {"hour": 3, "type": "THEFT", "domestic": False}
    typical = {"hour": 12, "type": "THEFT"}
    assert list(predict.changed_rows(row, typical)) == [("hour", 12, {**row, "hour": 12})]


@pytest.mark.parametrize(
    ("answer", "figure"),
    [
        (0.25, 0.25),
        ([0.25], 0.25),
        (True, 1.0),
        ({"is_positive": True, "probability": 0.25}, 0.25),
        ({"class": "A", "scores": [0.5]}, 0.5),
        ("A", None),
        ([1, 2], None),
    ],
)
def test_the_figure_of_an_answer(answer: object, figure: float | None) -> None:
    assert predict.figure_of(answer) == figure


def test_figures_for_people() -> None:
    assert [duration(each) for each in (None, 3.21, 125, 7330)] == [
        "–",
        "3.2 s",
        "2 min 5 s",
        "2 h 2 min",
    ]
    assert [size(each) for each in (12, 1500, 2e13)] == ["12 B", "1.5 kB", "20.0 TB"]
    assert ago(None) == "–"
    assert ago("2020-01-01T00:00:00Z").endswith("days ago")


def test_a_refused_candidate_can_be_looked_at(
    own_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = views.models(own_home)
    refused = Refusal(
        artifact=1,
        time="2024-02-01T00:00:00Z",
        baseline_version=1,
        reasons=(f"rmse: {made.EVIL}",),
        evaluation="evaluation.json",
    )
    versions = msgspec.structs.replace(held.models[made.MODEL], refused=(refused,))
    found = msgspec.structs.replace(held, models={made.MODEL: versions})
    monkeypatch.setattr(views, "models", lambda home: found)
    client = client_of(own_home, Access())
    path = f"/models/{made.MODEL}"
    text = client.get(path).text
    assert "Make a report of what was trained last" in text
    assert f'href="{path}/report"' not in text
    file = report_file(made.MODEL, own_home)
    file.parent.mkdir(parents=True)
    file.write_text("<p>it was refused</p>", encoding="utf-8")
    assert f'href="{path}/report"' in client.get(path).text
    assert "it was refused" in client.get(f"{path}/report").text
    read_only = client_of(own_home, Access(is_read_only=True)).get(path).text
    assert "Make a report of what" not in read_only


@pytest.mark.parametrize(
    ("metrics", "shown"),
    [
        ({"auc": 12.5, "recall": 0.5}, "AUC"),
        ({"rmse": 12.5, "mae": 9.0, "r2": 0.7}, "RMSE"),
        (
            {"rmse": 1.0, "mae": 9.0, "calibration": 1.0, "poisson_deviance": 12.5},
            "Poisson deviance",
        ),
    ],
)
def test_versions_are_listed_by_the_metric_of_their_head(
    own_home: Home, monkeypatch: pytest.MonkeyPatch, metrics: dict[str, float | None], shown: str
) -> None:
    held = views.models(own_home)
    versions = tuple(
        msgspec.structs.replace(each, metrics=metrics) for each in held.models[made.MODEL].versions
    )
    models = {made.MODEL: msgspec.structs.replace(held.models[made.MODEL], versions=versions)}
    found = msgspec.structs.replace(held, models=models)
    monkeypatch.setattr(views, "models", lambda home: found)
    for path in ("/", "/models", f"/models/{made.MODEL}"):
        text = client_of(own_home, Access()).get(path).text
        assert shown in text, path
        assert "12.5" in text, path
