"""What every command prints, and its JSON document, from recorded documents.

`tests.cli.record` says where they come from, and records them again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import jsonschema
import msgspec
import pytest
from click.testing import CliRunner, Result

from goldlake.cli import account
from goldlake.cli.main import main
from goldlake.workflows.pages import json_documents
from goldlake.workflows.processes import StageEnded, StageFailed
from goldlake.workflows.run import exit_code
from goldlake_core.documents import codec
from goldlake_core.documents.history import HistoryView
from goldlake_core.documents.lakehouse import Exported
from goldlake_core.documents.lineage import ModelLineage, TableLineage
from goldlake_core.documents.replay import ReplayReport
from goldlake_core.documents.reports import (
    Answer,
    Finding,
    IngestReport,
    ModelsView,
    Promotion,
    Refusal,
    RunReport,
    ServerAnswer,
    TablesView,
    TrainReport,
)
from goldlake_core.documents.stages import StageError
from goldlake_core.documents.training import Anomaly, DecisionReport, PairedChange, SliceReport
from goldlake_core.stages import event_now
from tests.cli.documents import (
    MODEL,
    RECORDED,
    examples_report,
    history_view,
    ingest_report,
    rebuild_report,
    recorded,
    train_report,
)


@pytest.fixture
def report() -> RunReport:
    return recorded("run", RunReport)


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Any], None]:
    """Lets a workflow's function answer with a document, or raise an error."""

    def replaced(function: str, document: Any) -> None:
        def answering(*arguments: Any, **options: Any) -> Any:
            if isinstance(document, Exception):
                raise document
            return document

        monkeypatch.setattr(f"goldlake.workflows.{function}", answering)

    return replaced


def run(*arguments: str, exit_code: int = 0) -> Result:
    result = CliRunner().invoke(main, [*arguments, "--home", "lake"])
    assert result.exit_code == exit_code, result.output
    return result


def printed(*arguments: str, exit_code: int = 0) -> list[str]:
    lines = run(*arguments, exit_code=exit_code).output.splitlines()
    return [line.rstrip() for line in lines]


def _schema(command: str) -> Any:
    return json.loads((json_documents.FOLDER / f"{command}.json").read_text(encoding="utf-8"))


def _with_model(report: RunReport, **changes: Any) -> RunReport:
    model = msgspec.structs.replace(report.models[MODEL], **changes)
    code = 0 if model.promotion else 3
    return msgspec.structs.replace(report, models={MODEL: model}, exit_code=code)


JSON = [
    (("run", "chicago_crime"), "run.run_whole", "run", RunReport),
    (("tables",), "views.tables", "tables", TablesView),
    (("models",), "views.models", "models", ModelsView),
    (("lineage", MODEL), "views.lineage", "lineage", ModelLineage),
    (("lineage", f"{MODEL}_features"), "views.lineage", "lineage_forwards", TableLineage),
    (("promote", f"{MODEL}@1"), "promote.promote", "promote", Promotion),
    (("rollback", MODEL), "promote.rollback", "promote", Promotion),
    (("export", MODEL), "ingest.export", "export", Exported),
]


@pytest.mark.parametrize(("command", "function", "name", "kind"), JSON, ids=lambda v: str(v)[:12])
def test_json_is_the_document(command, function, name, kind, answer) -> None:
    answer(function, recorded(name, kind))
    text = run(*command, "--json").stdout
    assert text == (RECORDED / f"{name}.json").read_text(encoding="utf-8")
    jsonschema.validate(json.loads(text), _schema(command[0]))


def test_run_prints_the_account_and_what_to_type_next(report: RunReport, answer) -> None:
    instance = {"primary_type": "THEFT", "ward": 3, "hour": 4, "beat": "0111", "iucr": "0820"}
    given = (Answer(instance=instance, answer=0.125),)
    answer("run.run_whole", _with_model(report, answers=given))
    lines = printed("run", "chicago_crime")
    assert "What became of 20,000 landed records" in lines
    totals = report.refine.totals
    assert f"  inserted     {totals.inserted:,}  new key" in lines
    assert not any("stale" in line for line in lines), "a fate without records is not told"
    assert any(line.startswith("    this run: date.unparsable 8, id.missing 8") for line in lines)
    assert f"{MODEL}, evaluated on the test split: blessed, no anomalies" in lines
    trained = report.models[MODEL].train
    assert trained is not None
    auc = f"{trained.metrics['auc']:.4f}"
    assert any(line.split() == ["✓", "auc", auc, "at", "least", "0.75"] for line in lines)
    assert not any("example_count" in line for line in lines), "a met row count is not told"
    assert f"What {MODEL}@1 answers" in lines
    assert "  0.125  THEFT, 3, 4, 0111, …" in lines
    assert any(f"lineage {MODEL}@1 --home /home/you/lake" in line for line in lines)
    assert lines[-1] == f"{report.seconds:.0f} s in all. Logs: {report.logs}"


def test_run_says_that_the_gate_refused(report: RunReport, answer) -> None:
    anomaly = Anomaly(
        column="ward", split="train", kind="drift", severity="error", description="It moved."
    )
    error = StageError(
        type="DataRefused",
        message="The data was refused for 1 anomalies: ward",
        exit_code=3,
        anomalies=(anomaly,),
        verdict="refused",
    )
    refused = _with_model(report, train=None, promotion=None, refused=error)
    answer("run.run_whole", refused)
    lines = printed("run", "chicago_crime", exit_code=3)
    assert f"{MODEL}: stopped by the validation gate" in lines
    assert "  The data was refused for 1 anomalies: ward" in lines
    assert not any(f"{MODEL}@" in line for line in lines), "nothing was promoted"
    document = json.loads(run("run", "chicago_crime", "--json", exit_code=3).stdout)
    assert document["exit_code"] == 3
    assert document["models"][MODEL]["refused"]["verdict"] == "refused"
    assert document["models"][MODEL]["refused"]["anomalies"][0]["column"] == "ward"


def test_ingest_prints_fates_and_tables(answer) -> None:
    made = ingest_report()
    answer("ingest.ingest", made)
    lines = printed("ingest", "chicago_crime", "--source", "live")
    assert "What became of 20,000 landed records" in lines
    assert any(line.split()[:3] == ["bronze.crimes", "20,000", "@1"] for line in lines)
    text = run("ingest", "chicago_crime", "--source", "live", "--json").stdout
    assert codec.decode(text.encode(), IngestReport, "ingest") == made
    jsonschema.validate(json.loads(text), _schema("ingest"))


@pytest.mark.parametrize("command", ["ingest", "rebuild"])
def test_too_many_rejected_records_are_refused_unless_accepted(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = StageError(type="GateRefused", message="7 of 60 records are rejected.", exit_code=3)

    def refusing(*arguments: Any, accept_rejected: bool = False, **options: Any) -> Any:
        if accept_rejected:
            return ingest_report() if command == "ingest" else rebuild_report()
        raise StageFailed("refine", Path("refine.log"), error)

    monkeypatch.setattr(f"goldlake.workflows.ingest.{command}", refusing)
    words = [command, "chicago_crime", *(["--source", "live"] if command == "ingest" else [])]
    assert printed(*words, exit_code=3)[-1] == (
        "error: refine: 7 of 60 records are rejected. (log: refine.log)"
    )
    assert "What became of 20,000 landed records" in printed(*words, "--accept-rejected")


def test_doctor_deep_says_whether_the_tables_agree(answer) -> None:
    wanted = "every landed record accounted for"
    whole = Finding(
        "toy", True, "all contents agree: pages, bronze, versions, silver, gold", wanted
    )
    answer("doctor.findings", [])
    answer("ingest.audits", [whole])
    assert printed("doctor", "--deep") == ["  ✓ toy           " + whole.found]
    answer("doctor.findings", [])
    problem = "silver differs from the versions (p:1 is missing)"
    answer("ingest.audits", [Finding("toy", False, problem, wanted, "goldlake rebuild toy")])
    lines = printed("doctor", "--deep", exit_code=3)
    assert lines[0] == f"  ✗ toy           {problem}"
    assert lines[1].strip() == f"wanted: {wanted}. Next: goldlake rebuild toy"


def test_tables_says_which_state_of_knowledge_it_shows(answer) -> None:
    answer("views.tables", recorded("tables", TablesView))
    lines = printed("tables", "--as-of", "2026-01-02", "--happened-by", "2026-01-01")
    assert lines[0] == "what was known at 2026-01-02 of what had happened by 2026-01-01"
    assert printed("tables", "--happened-by", "2026-01-01")[0].startswith("what is known now of")
    assert run("tables", "--as-of", "2026-01-02", "--json").stdout.startswith("{")


def test_history_prints_what_came_when_and_why_a_run_failed(answer) -> None:
    answer("history.history", history_view())
    assert printed("history") == [
        "home: lake (--home)",
        "2 of 3 runs, newest first",
        "  2026-04-01 10:30:00  toy  ingest  failed   0.5 s",
        "  2026-04-01 09:30:00  toy  ingest  ok      12.3 s  1,000 landed, 990 inserted,…",
        "  20260401-103000-1b2c  land: The source does not answer",
    ]
    text = run("history", "--json").stdout
    assert codec.decode(text.encode(), HistoryView, "history") == history_view()
    jsonschema.validate(json.loads(text), _schema("history"))
    header, failed, good = run("history", "--csv").stdout.splitlines()
    assert header.startswith("run_id,usecase,command,status,began_at,ended_at,seconds,exit_code,")
    assert failed.startswith("20260401-103000-1b2c,toy,ingest,failed,2026-04-01T10:30:00Z,")
    assert '"{""ward.range"": 10}"' in good
    assert "exclude each other" in run("history", "--csv", "--json", exit_code=2).output
    assert "--remake needs a use case" in run("history", "--remake", exit_code=2).output


def test_test_prints_what_differs_and_where(answer) -> None:
    answer("examples.run_examples", examples_report())
    result = CliRunner().invoke(main, ["test", "toy"], env={"COLUMNS": "120"})
    assert result.exit_code == 3
    assert [line.rstrip() for line in result.output.splitlines()] == [
        "  ✗ late  What is late.",
        "      toy/examples/late.yaml:9: silver row 1: ward: expected 3, found null",
        "      toy/examples/late.yaml:9: gold.calls row 2: expected id: 2, found no such row",
        "      toy/examples/late.yaml: gold.calls row 7: expected no such row, found id: 7",
        "      toy/examples/late.yaml: record 4: expected no reason, found ward.range",
        "  ✗ new  What is new.",
        "      No such column",
        "  ✓ old  What is old.",
        "toy: 1 of 3 examples are as they expect",
    ]
    text = CliRunner().invoke(main, ["test", "toy", "--json"]).stdout
    jsonschema.validate(json.loads(text), _schema("test"))


def test_replay_prints_who_got_in_and_what_stayed(answer) -> None:
    change = "silver.columns.ward.range: [1, 50] -> [1, 55] (rebuild)"
    document = ReplayReport(
        usecase="toy",
        home="lake",
        changes=(change,),
        quarantined=3,
        reasons={"ward.range": 2, "json.invalid": 1},
        concerned=2,
        epoch=1,
    )
    head = [
        "toy: 3 records in quarantine",
        "  ward.range    2",
        "  json.invalid  1",
        change,
    ]
    tried = [*head, "The changes concern 2 of them."]
    answer("replay.replay", document)
    assert printed("quarantine", "replay", "toy", "--dry-run") == [
        *tried,
        "To try them: the same command without --dry-run",
    ]
    why = msgspec.structs.replace(document, why="nothing is in quarantine")
    answer("replay.replay", why)
    assert printed("quarantine", "replay", "toy")[-1] == "Nothing to try: nothing is in quarantine."
    done = msgspec.structs.replace(
        document, run_id="r", let_in=1, stayed={"ward.range": 1}, rejected=4, epoch=2
    )
    answer("replay.replay", done)
    assert printed("quarantine", "replay", "toy") == [
        *tried,
        "1 got in",
        "Still in quarantine:",
        "  ward.range  1",
        "4 records that were in silver are rejected now",
    ]
    text = run("quarantine", "replay", "toy", "--json").stdout
    jsonschema.validate(json.loads(text), _schema("quarantine-replay"))


def test_export_prints_boundaries_and_place(answer) -> None:
    exported = recorded("export", Exported)
    answer("ingest.export", exported)
    lines = printed("export", MODEL)
    assert f"Export {exported.export_id}" in lines
    day = exported.boundaries.eval_from[:10]
    [train] = [line for line in lines if line.startswith("  train")]
    assert train.split() == ["train", f"{exported.rows['train']:,}", "before", day]
    assert lines[-1] == f"  {exported.uri}"


def test_train_prints_bounds(answer) -> None:
    answer("train.train", train_report())
    lines = printed("train", MODEL)
    assert f"{MODEL}, evaluated on the test split: blessed, no anomalies" in lines
    assert ["✓", "calibration"] in [line.split()[:2] for line in lines]
    text = run("train", MODEL, "--json").stdout
    assert codec.decode(text.encode(), TrainReport, "train") == train_report()
    jsonschema.validate(json.loads(text), _schema("train"))


def test_train_says_what_is_not_blessed(answer) -> None:
    answer("train.train", train_report(blessed=False, serving_problem="no signature"))
    lines = printed("train", MODEL, exit_code=3)
    assert f"{MODEL}, evaluated on the test split: not blessed, no anomalies" in lines
    assert "  It cannot be served: no signature" in lines


def test_train_names_the_reasons_and_the_worst_slices(answer) -> None:
    def part(value: str, z: float, problem: str = "") -> SliceReport:
        change = PairedChange(
            measure="auc", before=0.91, after=0.9, value=-0.01, z=z, low=-0.013, high=-0.007
        )
        return SliceReport(
            slice={"primary_type": value},
            rows=15_900,
            positives=1590,
            is_judged=True,
            metrics={"auc": 0.9, "calibration": 1.08},
            change=change,
            problem=problem,
        )

    reasons = tuple(f"primary_type=TYPE {n}: auc falls" for n in range(5))
    slices = (part("THEFT", -5.3, reasons[0]), part("ASSAULT", -1.7))
    changes = {"reasons": reasons, "worst_slices": slices, "evaluation": "e/evaluation.json"}
    answer("train.train", train_report(blessed=False, baseline_version=4, **changes))
    lines = printed("train", MODEL, exit_code=3)
    first = lines.index("  ✗ primary_type=TYPE 0: auc falls")
    assert lines[first + 3] == "  and 2 more: e/evaluation.json"
    place = lines.index("  Worst slices: rows, change from @4 with its z, calibration")
    assert lines[place + 1 : place + 3] == [
        "  ✗  primary_type=THEFT    15,900  auc 0.9000  -0.0100, z -5.3  1.08",
        "  ✓  primary_type=ASSAULT  15,900  auc 0.9000  -0.0100, z -1.7  1.08",
    ]
    first_model = msgspec.structs.replace(slices[1], change=None)
    answer("train.train", train_report(worst_slices=(first_model,)))
    lines = printed("train", MODEL)
    place = lines.index("  Worst slices: rows, metric, calibration")
    assert lines[place + 1] == "  ✓  primary_type=ASSAULT  15,900  auc 0.9000    1.08"


def test_train_prints_the_decision(answer) -> None:
    decision = DecisionReport(
        threshold=0.31234,
        recall=0.981,
        recall_interval=(0.975, 0.986),
        precision=0.4,
        precision_interval=(0.39, 0.41),
        wanted_recall=0.98,
        outcome="open",
    )
    answer("train.train", train_report(decision=decision))
    text = " ".join(" ".join(printed("train", MODEL)).split())
    assert (
        "Decision: from the probability 0.312 on it finds 0.981 [0.975, 0.986] of the positives "
        "(the interval holds the 0.98 that the contract wants), and 0.4 [0.39, 0.41] of its "
        "positive answers are right"
    ) in text


def test_tables_prints_every_table(answer) -> None:
    view = recorded("tables", TablesView)
    answer("views.tables", view)
    lines = printed("tables")
    for entry in view["chicago_crime"].tables:
        size = f"{entry.bytes / 2**20:,.1f}"
        expected = [entry.id, f"{entry.rows:,}", f"@{entry.version}", size, "MiB"]
        assert expected in [line.split() for line in lines]
    assert "What became of 20,000 landed records" in lines


@pytest.mark.parametrize(
    ("command", "function", "empty", "text"),
    [
        ("tables", "views.tables", {}, "No tables yet."),
        ("models", "views.models", ModelsView(models={}), "No models yet."),
    ],
)
def test_an_empty_home_says_so(
    command, function, empty, text, answer, tmp_path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)  # without the home that `make run` leaves
    answer(function, empty)
    home, said = printed(command)[:2]
    assert home == "home: lake (--home)"
    assert said.startswith(text)


def test_models_prints_versions_and_labels(answer) -> None:
    answer("views.models", recorded("models", ModelsView))
    lines = printed("models")
    assert MODEL in lines
    assert any(line.startswith("  @1  ") and "auc 0." in line for line in lines)


def test_models_says_what_is_blessed_why_what_serves_and_what_was_refused(answer) -> None:
    view = recorded("models", ModelsView)
    [version] = view.models[MODEL].versions
    why = "all bounds hold, and none of 37 slices falls from @1"
    versions = (
        msgspec.structs.replace(version, serves=False, labels=(), blessed=False, why=""),
        msgspec.structs.replace(version, version=2, serves=True, blessed=True, why=why),
        msgspec.structs.replace(version, version=3, serves=False, labels=(), blessed=True, why=""),
    )
    refusal = Refusal(
        artifact=9,
        time="2026-11-28T20:00:00Z",
        baseline_version=2,
        reasons=("district=011: calibration 0.99 → 0.01",),
        evaluation="e/evaluation.json",
    )
    part = msgspec.structs.replace(view.models[MODEL], versions=versions, refused=(refusal,))
    answer("views.models", ModelsView(models={MODEL: part}))
    text = " ".join(printed("models"))
    assert "@1 put there by hand: no evaluation blessed it" in text
    assert f"@2 serves; blessed: {why}" in text
    assert "@3 blessed: an earlier goldlake did not record why" in text
    assert "refused against @2 at 2026-11-28T20:00:00Z: district=011: calibration 0.99" in text


def test_lineage_prints_the_tree_in_both_directions(answer) -> None:
    answer("views.lineage", recorded("lineage", ModelLineage))
    lines = printed("lineage", MODEL)
    assert lines[0] == "home: lake (--home)"
    assert lines[1].startswith(f"{MODEL}@1: ")
    assert any("DataSnapshotGen" in line for line in lines)
    answer("views.lineage", recorded("lineage_forwards", TableLineage))
    lines = printed("lineage", "chicago_crime.gold.arrest_features")
    assert any(line.startswith(f"  made {MODEL}@1, pushed ") for line in lines)


@pytest.mark.parametrize(("before", "tail"), [(None, " (the label is new)"), (1, " (before: @1)")])
def test_promote_says_that_it_serves_where_servers_say_so(
    before: int | None, tail: str, answer
) -> None:
    made = Promotion(model=MODEL, version=2, label="stable", before=before)
    answer("promote.promote", made)
    assert printed("promote", f"{MODEL}@2") == [
        f"{MODEL}@2 has the label 'stable'{tail}",
        "  No server of this home is running. Next: goldlake serve",
    ]
    server = ServerAnswer(url="http://127.0.0.1:1", version=2)
    answer("promote.promote", msgspec.structs.replace(made, servers=(server,)))
    assert printed("promote", f"{MODEL}@2") == [
        f"{MODEL}@2 serves as 'stable'{tail}",
        "  http://127.0.0.1:1 answers with @2",
    ]


def test_a_promotion_that_a_server_did_not_confirm_ends_with_3(answer) -> None:
    servers = (
        ServerAnswer(url="http://127.0.0.1:1", version=2),
        ServerAnswer(url="http://127.0.0.1:2", version=None, problem="No answer"),
    )
    made = Promotion(model=MODEL, version=2, label="stable", before=3, servers=servers)
    answer("promote.rollback", made)
    assert printed("rollback", MODEL, exit_code=3) == [
        f"{MODEL}@2 has the label 'stable' (before: @3)",
        "  http://127.0.0.1:1 answers with @2",
        "  http://127.0.0.1:2 did not confirm it: No answer",
    ]


def test_a_run_says_that_a_server_did_not_confirm(report: RunReport) -> None:
    made = report.models[MODEL].promotion
    assert made is not None
    summary = account.SUMMARIES["promote"]
    assert summary(made) == f"{MODEL}@1 serves as 'stable'"
    assert exit_code(report.models) == 0
    silent = ServerAnswer(url="http://127.0.0.1:2", version=None, problem="No answer")
    unsure = msgspec.structs.replace(made, servers=(*made.servers, silent))
    assert summary(unsure) == (
        f"{MODEL}@1 has the label 'stable'; http://127.0.0.1:2 did not confirm it: No answer"
    )
    assert exit_code(_with_model(report, promotion=unsure).models) == 3
    assert exit_code(_with_model(report, promotion=None).models) == 3


def test_a_dry_run_of_a_promotion_says_what_would_be(answer) -> None:
    servers = (
        ServerAnswer(url="http://127.0.0.1:1", version=1),
        ServerAnswer(url="http://127.0.0.1:2", version=None, problem="No answer"),
    )
    made = Promotion(
        model=MODEL, version=2, label="stable", before=1, servers=servers, is_dry_run=True
    )
    answer("promote.promote", made)
    assert printed("promote", f"{MODEL}@2", "--dry-run") == [
        f"{MODEL}@2 would get the label 'stable' (before: @1); nothing is changed",
        "  http://127.0.0.1:1 answers with @1",
        "  http://127.0.0.1:2 says: No answer",
    ]


def test_predict_prints_one_answer_per_line(answer, monkeypatch: pytest.MonkeyPatch) -> None:
    long = "x" * 200
    answer("predict.answers", [0.5, {"label": "\u00e9\x1b"}, long])
    command = ["predict", MODEL, "--input", "-"]
    result = CliRunner().invoke(main, command, input="{}")
    assert result.output == f'0.5\n{{"label": "\\u00e9\\u001b"}}\n"{long}"\n'
    result = CliRunner().invoke(main, [*command, "--json"], input="{}")
    assert json.loads(result.output) == {"predictions": [0.5, {"label": "\u00e9\x1b"}, long]}
    jsonschema.validate(json.loads(result.output), _schema("predict"))


def test_a_failed_stage_ends_with_its_exit_code_and_log(answer, tmp_path: Path) -> None:
    error = StageError(type="StoreError", message="A row is lost.", exit_code=1, traceback="Far")
    answer("run.run_whole", StageFailed("refine", tmp_path / "refine.log", error))
    result = run("run", "chicago_crime", exit_code=1)
    assert result.output == f"error: refine: A row is lost. (log: {tmp_path / 'refine.log'})\n"
    assert "Far" in run("run", "chicago_crime", "--debug", exit_code=1).output


def test_progress_tells_each_step_once(report: RunReport, monkeypatch: pytest.MonkeyPatch) -> None:
    def working(request: Any, home: Any, on_event: Callable[[Any], None]) -> RunReport:
        on_event(event_now("land", "begin"))
        on_event(event_now("land", "info", "half way"))
        on_event(StageEnded("land", report.land))
        on_event(event_now("refine", "begin"))
        on_event(StageEnded("refine", report.refine))
        return report

    monkeypatch.setattr("goldlake.workflows.run.run_whole", working)
    text = run("run", "chicago_crime").stderr
    assert "half way" in text
    assert "20,000 records in 2 pages" in text
    assert f"{report.refine.fates.inserted:,} inserted, " in text


@pytest.mark.parametrize("command", sorted(json_documents.json_schemas()))
def test_published_schema_is_not_stale(command: str) -> None:
    expected = json_documents.json_schemas()[command]
    published = (json_documents.FOLDER / f"{command}.json").read_text(encoding="utf-8")
    assert published == expected, "run: python -m goldlake.workflows.pages.json_documents"


def test_every_command_with_json_has_a_schema() -> None:
    context = click.Context(main)
    found = set()
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert command is not None
        members = command.commands.values() if isinstance(command, click.Group) else (command,)
        if any("--json" in parameter.opts for each in members for parameter in each.params):
            found.add(name)
    assert found == {name.split()[0] for name in json_documents.COMMANDS}
    files = {file.stem for file in json_documents.FOLDER.iterdir()}
    assert files == set(json_documents.json_schemas())


def test_a_schema_refuses_another_document() -> None:
    document = json.loads((RECORDED / "promote.json").read_text(encoding="utf-8"))
    jsonschema.validate(document, _schema("promote"))
    with pytest.raises(jsonschema.ValidationError, match="'1' is not of type 'integer'"):
        jsonschema.validate({**document, "version": "1"}, _schema("promote"))


def test_doctor_json_is_the_document(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["doctor", "--home", str(tmp_path), "--json"])
    document = json.loads(result.stdout)
    jsonschema.validate(document, _schema("doctor"))
    assert [f["name"] for f in document["findings"]][:2] == ["Python", "Java"]
