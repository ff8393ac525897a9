"""From an answer to the pages and back, on a home that was written without Spark and TFX."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import msgspec
import pytest

from goldlake.cli.diff_text import diff_text
from goldlake.cli.lineage_text import continued_at, lineage_text
from goldlake.workflows import diff, lineage, reach
from goldlake.workflows.report import boxes, lineage_page
from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.ids import ModelId, TableId
from goldlake_core.documents.lineage import RequestStep
from goldlake_core.documents.provenance import EXPORT, PAGES, TABLE, export_name
from goldlake_core.documents.stages import ExportRequest, RefineRequest
from goldlake_core.storage.home import Home
from lakehouse import __main__ as command
from metadata import database, stages
from metadata.store import Store
from tests.lakehouse.lineage_home import FIRST, MODEL, SECOND, LineageHome


@pytest.fixture
def made(tmp_path: Path) -> LineageHome:
    found = LineageHome(tmp_path)
    for version, keys in ((1, {"train": ["7,1", "8,0"]}), (2, {"train": ["8,0"], "test": ["7,1"]})):
        found.push(found.export(version, keys), version)
    return found


def _record(made: LineageHome, run: str = SECOND) -> list[str]:
    said: list[str] = []
    request = RefineRequest(
        usecase=str(made.usecase), home=made.home.root, run_id=run, contract={"silver": "abc"}
    )
    command.record("refine", request, None, lambda kind, message, **_: said.append(message))
    return said


def _events(home: Home) -> set[tuple[str, str, bool]]:
    """Execution type, key, and whether it is an output, of all events of the lakehouse."""
    store = Store(home)
    found = set()
    for kind in ("goldlake.Land", "goldlake.Refine", "goldlake.Export"):
        for execution in store.executions_of_type(kind):
            events = store.events_of_executions([execution.id])
            found |= {(kind, event.key, event.is_output) for event in events}
    return found


def test_stages_are_recorded_once_and_those_of_a_killed_run_later(made: LineageHome) -> None:
    assert _record(made) == []
    store = Store(made.home)
    assert [a.properties["last"] for a in store.artifacts_of_type(PAGES)] == [2, 3]
    versions = store.artifacts_of_type(TABLE)
    assert len(versions) == 8
    assert {a.uri for a in versions} == {
        f"tables/toy/{each}"
        for each in ("bronze/colors", "silver/colors_versions", "silver/colors", "gold/colors")
    }
    refined = {e.properties["run_id"]: e for e in store.executions_of_type("goldlake.Refine")}
    assert set(refined) == {FIRST, SECOND}
    # Only of the run that is recorded as it ends it is known under which code it ran.
    assert refined[SECOND].properties["contract"] == '{"silver":"abc"}'
    assert len(str(refined[SECOND].properties["code_sha256"])) == 64
    assert "code_sha256" not in refined[FIRST].properties
    assert ("goldlake.Refine", "pages", False) in _events(made.home)
    assert ("goldlake.Refine", "previous", False) in _events(made.home)
    before = sqlite3.connect(made.home.mlmd).execute("SELECT count(*) FROM Event").fetchone()
    assert _record(made) == []
    after = sqlite3.connect(made.home.mlmd).execute("SELECT count(*) FROM Event").fetchone()
    assert before == after


def test_an_export_is_an_input_of_the_pipeline(made: LineageHome, tmp_path: Path) -> None:
    _record(made)
    shutil.rmtree(made.home.path("exports"))
    exported = made.export(2, {"train": ["8,0"]})
    request = ExportRequest(
        usecase=str(made.usecase), home=made.home.root, run_id=SECOND, model="color", version=2
    )
    command.record("export", request, exported, lambda kind, message, **_: None)
    name = export_name(exported.export_id, exported.manifest_sha256)
    store = Store(made.home)
    snapshot = store.executions_of_type("DataSnapshotGen")[-1].id
    for _ in range(2):
        stages.complete(made.home, "no run", snapshot, name, {"stack": "1"})
    found = store.named(EXPORT, name)
    assert found is not None
    inputs = [e for e in store.events_of_executions([snapshot]) if not e.is_output]
    assert [(e.artifact, e.key) for e in inputs] == [(found.id, "export")]
    # So the walk from the model reaches the landed pages.
    document = lineage.of_model(made.home, ModelId.parse(f"{MODEL}@2"))
    types = {artifact.type for artifact in document.artifacts}
    assert {PAGES, TABLE, EXPORT, "DataSnapshot"} <= types


def test_what_cannot_be_recorded_is_said_and_the_stage_goes_on(made: LineageHome) -> None:
    Path(made.home.mlmd).write_bytes(b"no database")
    [said] = _record(made)
    assert said.startswith(f"refine is not on record in {made.home.mlmd} yet: ")


def test_names_of_a_home_without_metadata(tmp_path: Path) -> None:
    with database.Names(Home.at(tmp_path)) as names:
        assert not names.has(TABLE, "x")
        assert names.between(TABLE, "a", "b") == []


def test_a_model_leads_to_its_tables_and_pages(made: LineageHome) -> None:
    _record(made)
    found = lineage.of_model(made.home, ModelId.parse(f"{MODEL}@1"))
    assert [(s.table, s.version, s.through, s.recorded) for s in found.tables] == [
        ("toy.gold.colors", 1, 2, True),
        ("toy.silver.colors", 1, 2, True),
        ("toy.silver.colors_versions", 1, 2, True),
        ("toy.bronze.colors", 1, 2, True),
    ]
    assert (found.landed.total, [p.sequence for p in found.landed.pages]) == (2, [2, 1])
    assert found.landed.pages[0].url == "http://source/2"
    assert len(found.landed.pages[0].sha256) == 64
    newest = lineage.of_model(made.home, ModelId.parse(MODEL), most=1)
    assert (newest.id, newest.landed.total, len(newest.landed.pages)) == (f"{MODEL}@2", 3, 1)
    lines = lineage_text(newest).splitlines()
    assert lines[0] == f"{MODEL}@2: does not serve now"
    assert any("and 2 more; --all shows them" in line for line in lines)


def test_a_home_of_an_earlier_version_says_what_is_not_on_record(made: LineageHome) -> None:
    found = lineage.of_model(made.home, ModelId.parse(f"{MODEL}@1"))
    assert [step.recorded for step in found.tables] == [False] * 4
    assert found.landed.total == 2
    text = "\n".join(found.not_recorded)
    assert "toy.gold.colors, toy.silver.colors, toy.silver.colors_versions" in text
    assert "not in ML Metadata; read from the logs of the tables." in text
    assert "The run that trained it is not on record." in text
    assert "The verdict on its data is not an input of its training" in text
    shutil.rmtree(made.home.path("tables"))
    bare = lineage.of_model(made.home, ModelId.parse(f"{MODEL}@1"))
    assert bare.tables == ()
    assert "What toy.gold.colors@1 was made from is not on record." in bare.not_recorded


def test_metadata_answers_where_the_logs_are_gone(made: LineageHome) -> None:
    _record(made)
    shutil.rmtree(made.home.table("toy", "gold", "colors"))
    [gold, *_] = lineage.of_model(made.home, ModelId.parse(f"{MODEL}@1")).tables
    assert (gold.version, gold.through, gold.rows, gold.recorded) == (1, 2, None, True)


def test_a_home_that_was_moved_answers_the_same(made: LineageHome, tmp_path: Path) -> None:
    _record(made)
    there = Home.at(tmp_path / "moved")
    before = lineage.of_model(made.home, ModelId.parse(f"{MODEL}@2"))
    shutil.move(made.home.root, there.root)
    assert lineage.of_model(there, ModelId.parse(f"{MODEL}@2")) == before


def test_a_page_leads_to_the_models_that_knew_it(made: LineageHome) -> None:
    first = reach.of_page(str(made.usecase), "1", made.home)
    assert (first.reached, first.others, first.fates) == (2, 0, {"inserted": 1})
    splits = {each.id: each.splits for each in first.models}
    none = {"train": 0, "eval": 0, "test": 0, "left out": 0}
    # Its only record was amended before the second model.
    assert splits == {f"{MODEL}@1": {**none, "train": 1}, f"{MODEL}@2": none}
    third = reach.of_page(str(made.usecase), "http://source/3", made.home)
    assert ([m.id for m in third.models], third.others) == ([f"{MODEL}@2"], 1)
    with pytest.raises(UsageError, match="toy has no landed page '9'"):
        reach.of_page(str(made.usecase), "9", made.home)


def test_a_row_leads_to_the_record_that_each_model_saw(made: LineageHome) -> None:
    found = reach.of_row(str(made.usecase), "7", made.home)
    assert {m.id: m.record for m in found.models} == {
        f"{MODEL}@1": "page-1:1",
        f"{MODEL}@2": "page-3:1",
    }
    assert [each.fate for each in found.shown] == ["amended", "inserted"]
    with pytest.raises(UsageError, match="No landed record of toy has the key 'x'"):
        reach.of_row(str(made.usecase), "x", made.home)


def test_a_reason_leads_to_the_models_that_lack_the_rows(made: LineageHome) -> None:
    found = reach.of_reason(str(made.usecase), "x.range", made.home, most=1)
    assert (found.records, found.reached, len(found.models)) == (1, 2, 1)
    assert found.models[0].records == 1
    text = lineage_text(found)
    assert "records kept out of its data: 1" in text
    assert "and 1 more; --all shows them" in text
    with pytest.raises(UsageError, match="was rejected for 'x.rang'") as caught:
        reach.of_reason(str(made.usecase), "x.rang", made.home)
    assert "x.range (nearest)" in caught.value.message


def test_nothing_refined_is_refused(tmp_path: Path) -> None:
    usecase = tmp_path / "toy"
    usecase.mkdir()
    (usecase / "contract.yaml").write_text("")
    with pytest.raises(UsageError, match="No records of toy were refined in the home"):
        reach.of_row(str(usecase), "7", Home.at(tmp_path / "home"))


def test_a_table_version_leads_to_models_of_it_and_of_later_ones(made: LineageHome) -> None:
    def models(name: str) -> list[str]:
        return [each.id for each in reach.of_table(TableId.parse(name), made.home).models]

    assert models("toy.silver.colors@2") == [f"{MODEL}@2"]
    assert models("toy.bronze.colors@1") == [f"{MODEL}@2", f"{MODEL}@1"]


def test_a_request_leads_to_the_version_that_answered(made: LineageHome) -> None:
    folder = Path(made.home.path("requests", MODEL))
    folder.mkdir(parents=True)
    base = {"at": "2026-01-03T00:00:00.000+00:00", "model": MODEL, "label": None, "rows": 1}
    lines = [
        {**base, "request_id": "a-1", "version": 1, "status": "OK", "outputs": {"p": 0.5}},
        {**base, "request_id": "a-2", "status": "INVALID_ARGUMENT", "rows": 0},
    ]
    (folder / "1.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))
    found = lineage.of_request(ModelId.parse(MODEL), "a-1", made.home)
    assert found.request is not None
    assert (found.id, found.request.outputs) == (f"{MODEL}@1", {"p": 0.5})
    assert lineage_text(found).startswith("request a-1\n")
    with pytest.raises(UsageError, match="No version answered the request 'a-2': INVALID_ARG"):
        lineage.of_request(ModelId.parse(MODEL), "a-2", made.home)
    with pytest.raises(UsageError, match="The request 'b' of toy.color is not in the request log"):
        lineage.of_request(ModelId.parse(MODEL), "b", made.home)


def test_diff_names_what_differs_in_the_data(made: LineageHome) -> None:
    found = diff.diff(ModelId.parse(f"{MODEL}@1"), ModelId.parse(f"{MODEL}@2"), made.home)
    data = {change.name: (change.before, change.after) for change in found.data}
    assert data["gold.colors version"] == (1, 2)
    assert data["pages"] == (2, 3)
    assert data["train rows"] == (2, 1)
    assert (found.metric, found.slices) == (None, ())
    assert "  train rows: 2 -> 1" in diff_text(found).splitlines()


def test_the_page_has_no_script_and_escapes_what_data_say(
    made: LineageHome, tmp_path: Path
) -> None:
    document = lineage.of_model(made.home, ModelId.parse(f"{MODEL}@1"))
    written = lineage_page.written(document, made.home, str(tmp_path / "model.html"))
    text = Path(written.file).read_text(encoding="utf-8")
    assert written.sections == ("way", "missing", "steps", "pages", "artifacts")
    assert "default-src &#39;none&#39;" in text
    assert "<script" not in text
    row = reach.of_row(str(made.usecase), "7", made.home)
    row = msgspec.structs.replace(row, subject="<b>7")
    data = lineage_page.written(row, made.home, str(tmp_path / "row.html"))
    assert "Row &lt;b&gt;7 reached" in Path(data.file).read_text(encoding="utf-8")
    assert data.sections == ("models", "missing", "records")


def test_what_is_too_long_for_a_box_is_cut_there_and_whole_in_the_details() -> None:
    long = "train 1,199, eval 400, test 801, immature 400, outside 6,300, unlabeled 7"
    box = boxes.Box("step-export", "Export", long, (("Rows", long),))
    assert "train 1,199, eval 400, test 801, immature 400, outside …" in boxes.graph([box])
    assert long not in boxes.graph([box])
    assert long in boxes.details([box])


def test_of_many_record_keys_the_text_shows_some(made: LineageHome) -> None:
    keys = tuple(f"K{number}" for number in range(20))
    asked = RequestStep(
        request_id="a-1",
        at="2026-01-03T00:00:00Z",
        model=MODEL,
        version=1,
        label=None,
        status="OK",
        rows=64,
        record_keys=keys,
        outputs={"probability": 0.25},
    )
    found = lineage.of_model(made.home, ModelId.parse(f"{MODEL}@1"), request=asked)
    lines = lineage_text(found).splitlines()
    assert lines[1:3] == [
        "  answered    2026-01-03T00:00:00Z, OK, rows 64, record K0, K1, K2, …",
        "  answer      probability 0.25 (its first row)",
    ]


@pytest.mark.parametrize(
    ("line", "indent"),
    [
        ("  run         20261129-003427-70cc (goldlake run)", 12),
        ("  not a name of a step", 2),
        ("              auc 0.8", 2),
        ("└─ Pusher 17", 2),
        ("", 2),
    ],
)
def test_the_rest_of_a_long_line_stands_below_its_text(line: str, indent: int) -> None:
    assert continued_at(line) == indent
