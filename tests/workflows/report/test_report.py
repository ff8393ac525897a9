"""The report is one file that asks the network for nothing, and shows every text as a text."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from markupsafe import escape

from goldlake.workflows import erase, model_views
from goldlake.workflows.model_views import Search
from goldlake.workflows.processes import StageEnded
from goldlake.workflows.report import (
    card,
    data,
    evaluation,
    explanation,
    gate,
    gathered,
    lineage,
    live,
    map,
    markup,
    page,
    slices,
    training,
    trials,
    validation,
    verdict,
)
from goldlake.workflows.report.gathered import GatheredModel
from goldlake.workflows.report.write import report
from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.ids import TableId
from goldlake_core.documents import codec
from goldlake_core.documents.examining import NumberAnswers
from goldlake_core.documents.gate import Acceptance, GateValue, PeriodState
from goldlake_core.documents.training import Bound, DecisionReport, SliceReport
from goldlake_core.stages import Event
from goldlake_core.storage.gatefiles import GateFiles
from goldlake_core.storage.home import Home
from tests.tfx_pipeline.toy_export import TOY
from tests.workflows.live_home import LiveHome
from tests.workflows.report import made

SECTIONS = (
    "verdict",
    "data",
    "validation",
    "training",
    "evaluation",
    "live",
    "explanation",
    "map",
    "lineage",
    "card",
)
UNASKED = tuple(each for each in SECTIONS if each != "live")
"""Sections of a model of which no request was ever kept."""
MOST_BYTES = 3_000_000
VOID = {"meta", "br", "hr", "img", "link", "input"}


def silent(event: Event | StageEnded) -> None:
    """Tells nobody."""


class Page(HTMLParser):
    """What a page holds."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.ids: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.unnamed_images = 0
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        found = {name: value or "" for name, value in attrs}
        self.ids += [found["id"]] if "id" in found else []
        self.attributes += found.items()
        self.unnamed_images += tag == "svg" and not found.get("aria-label")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, (tag, self.getpos())

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home.at(tmp_path / "home")
    made.put_version(home, 1)
    return home


@pytest.fixture
def text(home: Home) -> str:
    found = made.gathered(home)
    modules = (
        verdict,
        data,
        validation,
        training,
        evaluation,
        live,
        explanation,
        map,
        lineage,
        card,
    )
    parts = [part for each in modules if (part := each.part(found))]
    return page.page(made.EVIL, made.EVIL, made.EVIL, parts)


def test_a_page_has_all_sections_in_order_and_links_to_each(text: str) -> None:
    found = Page(text)
    assert found.open == []
    assert tuple(each for each in found.ids if each in SECTIONS) == SECTIONS
    assert {f"#{each}" for each in SECTIONS} <= {v for n, v in found.attributes if n == "href"}
    assert [name for name, count in Counter(found.ids).items() if count > 1] == []


def test_links_lead_to_places_of_the_page(text: str) -> None:
    found = Page(text)
    targets = {value for name, value in found.attributes if name == "href"}
    assert {each[0] for each in targets} == {"#"}
    assert {each[1:] for each in targets} <= set(found.ids)


def test_nothing_is_asked_of_the_network(text: str) -> None:
    found = Page(text)
    assert not {
        "script",
        "link",
        "img",
        "iframe",
        "object",
        "embed",
        "base",
        "form",
        "use",
        "image",
    } & set(found.tags)
    names = {name for name, _ in found.attributes}
    assert not {"src", "srcset", "data", "xlink:href", "action", "background", "poster"} & names
    assert not [name for name in names if name.startswith("on")]
    assert not re.search(r"url\(|@import|https?:", text.partition("</style>")[0])
    assert ("content", page.POLICY) in found.attributes


def test_a_script_in_the_data_is_a_text(text: str) -> None:
    assert "<script" not in text
    shown = "".join(Page(text).texts)
    # Title, description, licence, a quarantined record, a slice, an area, an anomaly and more.
    assert shown.count(made.EVIL) >= 10


def test_a_chart_has_a_name_for_screen_readers(text: str) -> None:
    found = Page(text)
    assert found.tags["svg"] >= 8
    assert found.unnamed_images == 0


def test_no_number_is_nan(text: str) -> None:
    assert not re.search(r"\b(nan|inf|None)\b", "".join(Page(text).texts))


def test_the_report_of_a_version_is_written(home: Home, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    document = report(f"{made.MODEL}@1", home, None, str(out), silent)
    assert (document.subject, document.sections) == (f"{made.MODEL}@1", UNASKED)
    assert document.bytes == out.stat().st_size < MOST_BYTES
    shown = "".join(Page(out.read_text(encoding="utf-8")).texts)
    assert "is blessed: it meets all 2 bounds" in shown
    assert "No version serves." in shown
    # What this home does not hold, the report says.
    assert "Nothing was landed yet." in shown
    assert "there are no curves" in shown
    assert "TFDV's statistics are not in this home any more." in shown


def test_what_clients_were_answered_is_shown(text: str, home: Home) -> None:
    shown = " ".join("".join(Page(text).texts).split())
    assert "The request log has 900 answers of this version" in shown
    assert "800 have a ripe label, and AUC of these is 0.61, 0.9 on its test split." in shown
    assert "Not compared: 100 whose label is not ripe." in shown
    assert "All answers together have 0.61." in shown
    alarm = f"requests of 2024-05 drift in {made.EVIL}"
    found = dataclasses.replace(made.gathered(home), live=made.live(alarm))
    part = live.part(found)
    assert part is not None
    assert part.state == "bad"
    assert escape(alarm) in part.body
    assert "#live" in verdict.part(found).body
    silent_one = live.part(dataclasses.replace(found, live="the disk is gone"))
    assert silent_one is not None
    assert silent_one.lead == "What was asked is not known: the disk is gone."
    assert live.part(dataclasses.replace(found, live=None)) is None


def test_a_report_reads_the_request_log(tmp_path: Path) -> None:
    asked = LiveHome(tmp_path)
    asked.log("1.jsonl", asked.asked(840))
    out = tmp_path / "report.html"
    document = report(f"{TOY}:overdue@1", asked.home, None, str(out), silent)
    assert "live" in document.sections
    shown = " ".join("".join(Page(out.read_text(encoding="utf-8")).texts).split())
    assert "The request log has 840 answers of this version" in shown
    assert "840 requests of 2024-05 beside toy_harbour.gold.call_features@1" in shown


def test_a_refused_candidate_is_what_was_trained_last(home: Home) -> None:
    made.put_run(home, 2, made.trained(None, is_blessed=False))
    found = model_views.subject(made.MODEL, home)
    assert found.version is None
    part = verdict.part(made.gathered(home))
    assert part.state == "bad"
    assert part.lead.startswith(
        "The newest candidate is not blessed: AUC is 0.7 and has to be at least 0.75."
    )
    assert model_views.subject(f"{made.MODEL}@1", home).version == 1


def test_a_candidate_whose_data_was_refused_is_what_was_trained_last(
    home: Home, tmp_path: Path
) -> None:
    made.put_run(home, 2, made.refused())
    subject = model_views.subject(made.MODEL, home)
    assert (subject.version, subject.trained) == (None, None)
    assert subject.export_id == made.EXPORT
    assert [each.column for each in subject.anomalies] == ["hour"]
    with pytest.raises(UsageError, match="the gate refused the data, so that nothing was trained"):
        model_views.examined(subject, silent)
    out = tmp_path / "refused.html"
    document = report(made.MODEL, home, None, str(out), silent)
    assert document.sections == UNASKED
    shown = "".join(Page(out.read_text(encoding="utf-8")).texts)
    assert "The gate refused the data of the newest candidate: 1 anomaly." in shown
    assert "Nothing was trained, as the gate refused the data." in shown
    assert "Nothing was evaluated." in shown
    assert "not on record" not in shown
    assert shown.count(made.EVIL) >= 3
    # What was pushed before is not touched by it, and a newer training takes its place.
    assert model_views.subject(f"{made.MODEL}@1", home).refusal is None
    made.put_run(home, 3, made.trained(None, is_blessed=False))
    assert model_views.subject(made.MODEL, home).refusal is None


def test_the_first_training_may_be_refused(tmp_path: Path) -> None:
    home = Home.at(tmp_path)
    made.put_run(home, 1, made.refused())
    part = verdict.part(made.gathered(home))
    assert part.state == "bad"
    assert "No version serves." in part.lead


def test_the_decision_of_the_newest_candidate_is_told(home: Home) -> None:
    decision = DecisionReport(
        threshold=0.25,
        recall=0.9,
        recall_interval=(0.88, 0.92),
        precision=0.5,
        precision_interval=(0.48, 0.52),
        wanted_recall=0.95,
        outcome="missed",
    )
    assert "The decision:" not in verdict.part(made.gathered(home)).body
    result = msgspec.structs.replace(made.trained(None, is_blessed=False), decision=decision)
    made.put_run(home, 2, result)
    body = verdict.part(made.gathered(home)).body
    assert f"<p>The decision: {decision.sentence}.</p>" in body
    assert "(surely less than the 0.95 that the contract wants)" in body


def test_a_newer_run_that_was_refused_is_the_first_thing_to_look_at(home: Home) -> None:
    part = verdict.part(made.gathered(home))
    first = part.body.unescape().partition("<ol>")[2].partition("</li>")[0]
    assert "The newest run, train, is refused: the gate says" in first


def test_a_run_that_failed_or_is_of_another_model_is_not_looked_at(home: Home) -> None:
    made.put_run(home, 3, made.trained(None))
    Path(home.run("20260101-000003-aaaa"), "train.result.json").write_text("{}", encoding="utf-8")
    assert model_views.subject(made.MODEL, home).version == 1


def test_what_was_examined_is_not_examined_again(home: Home) -> None:
    subject = model_views.subject(made.MODEL, home)
    assert model_views.examined(subject, silent) == made.examined()
    assert not list(Path(home.path("runs")).glob("*/examine*"))


def test_a_look_at_another_export_does_not_count(home: Home) -> None:
    kept = Path(home.path("examined", made.MODEL, "1.json"))
    kept.write_text(kept.read_text().replace("1-aaaa", "1-bbbb"), encoding="utf-8")
    # The export is not in this home, so that the report can only say so.
    found = gathered.of_model(made.MODEL, None, home, silent)
    assert isinstance(found.examined, str)
    part = evaluation.part(found)
    assert f"There is no export '{made.EXPORT}'" in part.body.unescape()
    assert "AUC" in part.body


def test_erasing_a_record_takes_the_rows_that_were_examined(home: Home) -> None:
    cut_off = Path(home.run("20260101-000009-aaaa"), "examine.result.json")
    cut_off.parent.mkdir()
    cut_off.write_bytes(codec.encode(made.examined()))
    erase._remove(home, erase._Traces(exports=(made.EXPORT,), examples=(), models=()))
    assert not Path(home.path("examined", made.MODEL)).exists()
    assert not cut_off.exists()


def test_versions_are_compared_on_the_same_rows_only(home: Home) -> None:
    made.put_version(home, 2)
    found = gathered.of_model(f"{made.MODEL}@2", 1, home, silent)
    assert found.on_same_rows == made.examined()
    assert "Against version 1, the same test rows" in verdict.part(found).body
    assert "Wrong @1" in evaluation.part(found).body


def test_a_version_that_is_not_there_is_named(home: Home) -> None:
    with pytest.raises(UsageError, match=r"arrest@7 is not a version .*arrest@1"):
        report(f"{made.MODEL}@7", home, None, None, silent)
    with pytest.raises(UsageError, match=r"arrest@7 is not a version .*arrest@1"):
        report(made.MODEL, home, 7, None, silent)
    with pytest.raises(UsageError, match="--against goes with a model"):
        report("chicago_crime", home, 1, None, silent)


def test_a_use_case_without_a_model_has_three_sections(tmp_path: Path) -> None:
    out = tmp_path / "data.html"
    document = report("chicago_crime", Home.at(tmp_path / "none"), None, str(out), silent)
    assert document.sections == ("data", "validation", "map")
    assert "goldlake ingest chicago_crime" in out.read_text(encoding="utf-8")
    assert not (tmp_path / "none").exists()


def test_findings_of_the_gate_are_shown_until_somebody_accepts_them(home: Home) -> None:
    table = TableId("chicago_crime", "silver", "crimes")
    value = GateValue(
        statistic="never_seen",
        columns=("ward",),
        value=0.5,
        low=None,
        high=0.1,
        strain=5.0,
        stops=True,
        detail=made.EVIL,
    )
    period = PeriodState(mark="m", rows=9, is_closed=True, ripe="all", run_id="r", found=(value,))
    files = GateFiles(home, table)
    files.write_state(
        msgspec.structs.replace(files.state(), run_id="r", periods={"2024-01": period})
    )
    found = gate.standing(made.gathered(home))
    assert found.state == "bad"
    assert found.lead == "The lakehouse's gate judged 1 period of 1 table; 1 open finding."
    assert "<script" not in found.body
    files.accept(
        Acceptance(
            run_id="r",
            table=str(table),
            column="ward",
            periods=("2024-01",),
            because="a new ward",
            who="me",
            at="2024-02-01T00:00:00Z",
        )
    )
    found = gate.standing(made.gathered(home))
    assert found.state == "good"
    assert "accepted: a new ward" in found.body


def test_what_cannot_be_examined_says_why(home: Home) -> None:
    subject = model_views.subject(made.MODEL, home)
    Path(home.path("models", made.MODEL, "1", "saved_model.pb")).unlink()
    gone = "the model or its export is not on record in this home any more"
    with pytest.raises(UsageError, match=gone):
        model_views.examined(subject, silent)


def test_two_bounds_at_the_same_number_are_one_and_the_broken_one_counts() -> None:
    least = Bound(metric="example_count", kind="minimum", value=19, bound=20, ok=False)
    most = Bound(metric="example_count", kind="maximum", value=19, bound=20, ok=True)
    auc = Bound(metric="auc", kind="minimum", value=0.8, bound=0.75, ok=True)
    drop = Bound(metric="auc", kind="max_drop", value=0.8, bound=0.75, ok=True)
    shown = str(verdict._bounds((auc, drop, least, most)))
    assert shown.count("rows evaluated") == 1
    assert "exactly 20" in shown
    assert "does not hold" in shown
    assert "at least 0.75" in shown
    assert "not worse than 0.75" in shown


def _slice(place: str, rmse: float) -> SliceReport:
    return SliceReport(
        slice={"place": place} if place else {},
        rows=100,
        positives=None,
        is_judged=True,
        metrics={"rmse": rmse, "mae": rmse / 2},
        intervals={"mean_squared_error": ((rmse - 1) ** 2, (rmse + 1) ** 2)},
    )


def test_a_head_without_curves_shows_intervals_and_its_worst_slices(home: Home) -> None:
    reports = (_slice("", 4.0), _slice("north", 3.0), _slice(made.EVIL, 9.0))
    found = dataclasses.replace(made.gathered(home), examined="it has no curves", slices=reports)
    shown = str(evaluation.part(found).body)
    assert "rmse by slice, the worst 2 of 2" in shown.lower()
    assert "The whole test split has 4" in shown
    assert "8 to 10" in re.sub(r"\.0+\b", "", shown)
    assert shown.index(str(escape(made.EVIL))[:20]) < shown.index("north")
    assert made.EVIL not in shown


@pytest.fixture(params=["regression", "count", "multiclass", "many"])
def other_head(home: Home, request: pytest.FixtureRequest) -> GatheredModel:
    """What a report shows of a model that is not binary."""
    found = made.gathered(home)
    names = [f"class {n:02}" for n in range(40)]
    looks = {
        "regression": lambda: made.number_examined("regression"),
        "count": lambda: made.number_examined("count", has_exposure=True),
        "multiclass": made.class_examined,
        "many": lambda: made.class_examined(names),
    }
    reports = (_slice("", 4.0), _slice("north", 3.0))
    return dataclasses.replace(found, examined=looks[request.param](), slices=reports)


def test_every_head_has_charts_errors_and_slices(other_head: GatheredModel) -> None:
    parts = [each.part(other_head) for each in (verdict, evaluation, explanation)]
    text = page.page("t", "s", "f", parts)
    found = Page(text)
    assert found.open == []
    assert found.tags["svg"] >= 5
    assert found.unnamed_images == 0
    assert "<script" not in text
    shown = "".join(found.texts)
    assert not re.search(r"\b(nan|inf|None)\b", shown)
    assert "There are no curves" not in shown
    assert "by slice" in shown.lower()
    assert re.search(r"(largest|most confident) error", shown)


def test_numbers_are_shown_against_the_labels(home: Home) -> None:
    looked = made.number_examined("count", has_exposure=True)
    found = dataclasses.replace(made.gathered(home), examined=looked)
    part = evaluation.part(found)
    # The answers are 1.2 times what they should be.
    assert "the model expects 1.2 events for each that came" in part.lead
    assert "too high on average" in part.lead
    assert "Predicted against actual" in part.body
    assert "Rates per unit" in part.body
    assert isinstance(looked.answers, NumberAnswers)
    rows = sum(rows for *_, rows in looked.answers.density.cells)
    assert rows == looked.examined
    things = "".join(Page(str(verdict.part(found).body)).texts)
    assert "decile of the predictions" in things


def test_classes_are_shown_with_what_they_are_confused_with(home: Home) -> None:
    found = dataclasses.replace(made.gathered(home), examined=made.class_examined())
    part = evaluation.part(found)
    assert "of the answers are right" in part.lead
    assert "The most frequent error:" in part.lead
    body = part.body.unescape()
    assert body.count(made.EVIL) >= 3
    assert "Confusion matrix" in body
    assert "An even sample of the 900 test rows was answered." in body
    shown = explanation.part(found).body
    assert "Cross-entropy added" in shown
    assert "Mean probability of each class if all rows had the same place" in shown


def test_versions_of_other_heads_are_compared_on_the_same_rows(home: Home) -> None:
    found = made.gathered(home)
    for looked, name in (
        (made.number_examined("regression"), "Calibration by deciles"),
        (made.class_examined(), "The second bar is that of @1."),
    ):
        both = dataclasses.replace(
            found, examined=looked, against_examined=looked, against=found.subject
        )
        assert name in evaluation.part(both).body
        # A version of another head has nothing to compare.
        apart = dataclasses.replace(both, against_examined=made.examined())
        assert "second bar" not in evaluation.part(apart).body


def test_the_trials_of_the_models_own_export_are_shown(home: Home) -> None:
    subject = model_views.subject(made.MODEL, home)
    assert model_views.search(subject) is None
    assert "Trials" not in training.part(made.gathered(home)).body
    made.put_search(home, 1)
    made.put_search(home, 2, export_id="chicago_crime/arrest/9-bbbb")
    search = model_views.search(subject)
    assert search is not None
    assert (search.export_id, search.found) == (made.EXPORT, made.tuned())
    found = dataclasses.replace(made.gathered(home), search=search)
    shown = Page(str(training.part(found).body))
    text = "".join(shown.texts)
    assert "3 trials on the export of this model looked for better parameters." in text
    assert "Trial 2 is the best, with AUC 0.82 on eval against 0.8 of the parameters" in text
    assert "The contract has others now." in text
    assert "stopped, as others were better by then" in text
    assert shown.unnamed_images == 0
    # The best comes first, and one without a result last.
    order = [text.index(note) for note in ("Note", "the contract's own", "stopped, as")]
    assert order == sorted(order)


def test_a_search_on_another_export_says_so(home: Home) -> None:
    made.put_search(home, 2, export_id="chicago_crime/arrest/9-bbbb")
    subject = model_views.subject(made.MODEL, home)
    found = dataclasses.replace(made.gathered(home), search=model_views.search(subject))
    assert "3 trials on another export, 9-bbbb looked" in training.part(found).body


def test_trials_say_where_the_contract_has_the_best_parameters(home: Home) -> None:
    now = {"hidden_units": (64, 32), "learning_rate": 0.002}
    search = Search(run_id="r", export_id=made.EXPORT, found=made.tuned())
    found = dataclasses.replace(made.gathered(home), search=search)
    shown = markup.joined(trials.drawn(found, now))
    assert "The contract has its parameters now." in shown
    own = msgspec.structs.replace(search, found=made.tuned(best=1))
    shown = markup.joined(trials.drawn(dataclasses.replace(found, search=own), now))
    assert "The contract&#39;s own are the best, with AUC 0.8 on eval." in shown


def test_slices_too_small_to_be_judged_make_no_chart() -> None:
    small = msgspec.structs.replace(_slice("north", 3.0), is_judged=False)
    assert slices.drawn((_slice("", 4.0), small)) == ""
    assert slices.drawn(()) == ""


def test_a_slice_without_a_figure_is_not_compared_by_it() -> None:
    unknown = msgspec.structs.replace(_slice("south", 3.0), metrics={"rmse": None, "mae": 1.0})
    assert slices.drawn((_slice("north", 3.0), unknown)) == ""
