"""Data that tries to be markup or to steer the terminal is printed as what it is."""

from __future__ import annotations

import ast
import json
import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

import goldlake.cli
from goldlake.cli import printing
from goldlake.cli.main import main
from goldlake.workflows.check import CheckReport
from goldlake.workflows.drafting.draft import Drafted, Told
from goldlake.workflows.pages import json_documents
from goldlake.workflows.processes import StageFailed
from goldlake_core.contracts import findings as check_findings
from goldlake_core.contracts.errors import UsageError
from goldlake_core.documents.compiling import Compiled, CompileReport, Parameter
from goldlake_core.documents.conformance import Conformance, Difference
from goldlake_core.documents.examples import ExamplesReport
from goldlake_core.documents.export import ExportChecked, ExportsVerified
from goldlake_core.documents.gate import (
    Acceptance,
    FindingReport,
    GateValue,
    PeriodReport,
    PeriodVerdict,
    ValidationReport,
)
from goldlake_core.documents.history import HistoryView
from goldlake_core.documents.keeping import BackupReport, ErasureReport, PartCopy
from goldlake_core.documents.lakehouse import Exported, QuarantineView, Rejected
from goldlake_core.documents.lineage import (
    Change,
    ModelDiff,
    ModelLineage,
    SliceChange,
    TableLineage,
)
from goldlake_core.documents.maintain import MaintainReport, RestoreReport
from goldlake_core.documents.monitoring import (
    ConditionResult,
    LabelAccount,
    LogAccount,
    MonitorReport,
    RefusedBefore,
    RetrainReport,
    Unjudged,
)
from goldlake_core.documents.planning import IngestPlan, Reconciled
from goldlake_core.documents.replay import ReplayReport
from goldlake_core.documents.reports import (
    Finding,
    Findings,
    IngestReport,
    ModelsView,
    ModelVersions,
    Predictions,
    Promotion,
    RebuildReport,
    Refusal,
    ReportWritten,
    RunReport,
    ServerAnswer,
    SourceAddress,
    TablesView,
    TrainReport,
)
from goldlake_core.documents.reproducing import (
    Environment,
    Remade,
    Reproduced,
    ReproduceReport,
    RowsCompared,
    StepCompared,
    VariableCompared,
)
from goldlake_core.documents.scoring import ScoreReport
from goldlake_core.documents.stages import StageError
from goldlake_core.documents.training import SliceReport
from goldlake_core.documents.tuning import Trial, Tuned, TuneReport
from lakehouse.rows import Rows
from tests.cli.documents import (
    MODEL,
    examples_report,
    history_view,
    ingest_report,
    maintain_report,
    planned,
    rebuild_report,
    reconciled,
    recorded,
    restore_report,
    train_report,
)

HOSTILE = "[red]x[/red][link=http://a]y[/link]:smile:\x1b[31m\x07\r\x9b2J\x7f\u202e"
PLAIN = "[red]x[/red][link=http://a]y[/link]:smile:"
STYLES = re.compile(r"\x1b\[[0-9;]*m")
COLORS = re.compile(r"\x1b\[(?:[0-9;]*;)?[34][0-9]m")
WIDE = "100000"


@dataclass(frozen=True)
class Case:
    """One command with the document that it prints.

    Attributes:
        arguments: The command line.
        function: Function of `goldlake.workflows` that makes the document.
        document: The document.
        kind: Its type.
        unpacked: What the function returns, made of the document; None: the document.
        exit_code: Exit code of the command.
    """

    arguments: tuple[str, ...]
    function: str
    document: Any
    kind: Any
    unpacked: Callable[[Any], Any] | None = None
    exit_code: int = 0


def checked() -> CheckReport:
    remark = check_findings.error("there is no column", "a, b")
    finding = check_findings.Finding(
        severity="error",
        file="contract.yaml",
        line=3,
        key="silver.key",
        problem=remark.problem,
        valid=remark.valid,
        hint="look",
    )
    return CheckReport("toy", "toy", 1, 0, 0, 0, 0, (finding,))


class Shown(msgspec.Struct):
    """Rows of a table as a document that can be poisoned."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def as_rows(shown: Shown) -> Rows:
    return Rows("toy.silver.calls@1", shown.columns, shown.rows, len(shown.rows))


REPRODUCED = Reproduced(
    is_equal=False,
    variables=(VariableCompared(name="deep/bias", numbers=4, differing=1, largest=0.5),),
    outputs=(StepCompared(step="answers", output="probability", differing=2, largest=None),),
    rows=9,
    assets=("words",),
    causes=("numpy was 1, and is 2",),
    environment=Environment(
        python="3.10.13",
        packages={"numpy": "2"},
        machine="x86_64",
        cpu="A processor",
        instructions=("avx2",),
        intra_op_threads=2,
        inter_op_threads=2,
    ),
    model_uri="/other/model",
)
REMADE = Remade(
    pages=2,
    records=9,
    export_id="toy/late/0-b1",
    manifest_sha256="0" * 64,
    steps=(
        RowsCompared(step="bronze", state="equal", then=9, now=9),
        RowsCompared(step="silver", state="not compared", then=None, now=9, note="it is gone"),
        RowsCompared(step="gold", state="differs", then=9, now=8, only_then=2, only_now=1),
        RowsCompared(
            step="export", state="differs", then=9, now=8, files=("train/part-0000.csv", "b")
        ),
    ),
    causes=("the contract changed since in silver.columns.x",),
    has_same_columns=True,
)


VALUE = GateValue(
    statistic="never_seen",
    columns=("berth",),
    value=0.2,
    low=None,
    high=0.01,
    strain=9.5,
    stops=True,
    detail="b-9",
)
VALIDATION = ValidationReport(
    table="toy.silver.calls@1",
    against=None,
    periods=(
        PeriodReport(
            verdict=PeriodVerdict(
                period="2024-07",
                rows=900,
                is_closed=True,
                has_limits=False,
                earlier=2,
                values=(VALUE,),
            ),
            run_id="r1",
            is_refused=True,
            findings=(
                FindingReport(
                    value=VALUE,
                    accepted=None,
                    examples=({"berth": "b-9"},),
                    accept="silver:\n  columns:\n    berth:\n      gate: 9.69\n",
                ),
            ),
        ),
    ),
)
ACCEPTANCE = Acceptance(
    run_id="r1",
    table="toy.silver.calls",
    column="berth",
    periods=("2024-07",),
    because="right",
    who="a@b",
    at="2024-08-01T00:00:00Z",
)
SHOWN = Shown(("id", "name"), (("1", "a"),))
QUARANTINE = QuarantineView(
    usecase="toy",
    total=2,
    reasons={"id.missing": 2},
    records=(
        Rejected(
            record="p:1",
            key=None,
            reasons=("id.missing",),
            landed_at="2026-01-01T00:00:00.000Z",
            value='{"a": 1}',
        ),
    ),
)
REPLAY = ReplayReport(
    usecase="toy",
    home="/home/you/lake",
    run_id="20260401-093000-7f3a",
    changes=("silver.columns.ward.range: [1, 50] -> [1, 55] (rebuild)",),
    quarantined=3,
    reasons={"ward.range": 2, "json.invalid": 1},
    concerned=2,
    let_in=1,
    stayed={"ward.range": 1, "json.invalid": 1},
    rejected=1,
    epoch=2,
)
FINDINGS = Findings(findings=(Finding("Java", False, "none", "17", "install it"),))
BACKUP = BackupReport(
    home="/lake",
    target="/copy",
    usecase=None,
    made_at="2026-01-01T00:00:00Z",
    is_dry_run=False,
    parts={"landing": PartCopy(files=2, bytes=10, new_files=1, new_bytes=5)},
    tables={"tables/toy/gold/colors": 3},
    removed_files=1,
)
ERASURE = ErasureReport(
    usecase="toy",
    home="/lake",
    is_dry_run=False,
    id="1",
    records=2,
    pages=1,
    epochs=1,
    exports=("toy/color/1-a",),
    examples=("/lake/pipelines/toy.color/Examples/1",),
    models=("toy.color@1",),
    silver=4,
)
DRAFTED = Drafted(
    usecase="toy",
    folder="toy",
    files=("toy.csv",),
    rows=3,
    is_whole=True,
    told=(Told(what="key", text="content", is_guess=True),),
    written=("toy/contract.yaml",),
    next=("goldlake check toy",),
)
LIVE = SliceReport(
    slice={"week": "2024-W30"}, rows=900, positives=90, is_judged=True, metrics={"auc": 0.8}
)
MONITORED = MonitorReport(
    model=f"{MODEL}@7",
    log=LogAccount(
        folder="requests",
        files=2,
        lines=900,
        first_at="2024-07-22T00:00:00.000000Z",
        last_at="2024-07-28T00:00:00.000000Z",
        refused=1,
        others=2,
        damaged=3,
        is_cut=True,
    ),
    labels=LabelAccount(scored=900, unripe=4),
    table="toy.gold.calls@3",
    total=msgspec.structs.replace(LIVE, slice={}),
    weeks=(LIVE,),
    slices=(msgspec.structs.replace(LIVE, slice={"berth": "b-9"}),),
    tested={"auc": 0.9},
    learned="toy.gold.calls@2",
    drift=(VALIDATION.periods[0].verdict,),
    unjudged=(Unjudged(what="drift of latitude", why="the log does not keep it"),),
    alarms=("requests of 2024-07 drift in berth",),
)
CASES = {
    "init": Case(("init", "toy", "--from", "toy.csv"), "drafting.draft.draft", DRAFTED, Drafted),
    "backup": Case(("backup", "copy"), "backup.backup", BACKUP, BackupReport),
    "backup_damaged": Case(
        ("backup", "copy", "--verify"),
        "backup.verify",
        msgspec.structs.replace(BACKUP, problems=("a is missing",)),
        BackupReport,
        exit_code=3,
    ),
    "erase": Case(("erase", "toy", "--key", "5"), "erase.erase", ERASURE, ErasureReport),
    "run": Case(("run", "chicago_crime"), "run.run_whole", recorded("run", RunReport), RunReport),
    "ingest": Case(
        ("ingest", "chicago_crime", "--source", "live"),
        "ingest.ingest",
        ingest_report(),
        IngestReport,
    ),
    "ingest_plan": Case(
        ("ingest", "toy", "--source", "live", "--plan"), "ingest.plan", planned(), IngestPlan
    ),
    "backfill": Case(
        ("backfill", "toy", "--since", "2024-01-01", "--until", "2024-02-01"),
        "ingest.backfill",
        ingest_report(),
        IngestReport,
    ),
    "reconcile": Case(("reconcile", "toy"), "reconcile.reconcile", reconciled(), Reconciled),
    "tables": Case(("tables",), "views.tables", recorded("tables", TablesView), TablesView),
    "quarantine": Case(
        ("quarantine", "list", "toy"), "ingest.quarantine", QUARANTINE, QuarantineView
    ),
    "quarantine_record": Case(
        ("quarantine", "show", "toy", "p:1"), "ingest.quarantine", QUARANTINE, QuarantineView
    ),
    "rebuild": Case(
        ("rebuild", "chicago_crime"), "ingest.rebuild", rebuild_report(), RebuildReport
    ),
    "maintain": Case(
        ("maintain", "chicago_crime"), "maintain.maintain", maintain_report(), MaintainReport
    ),
    "restore": Case(
        ("restore", "chicago_crime", "--to", "2026-01-01"),
        "maintain.restore_to",
        restore_report(),
        RestoreReport,
    ),
    "history": Case(("history",), "history.history", history_view(), HistoryView),
    "replay": Case(("quarantine", "replay", "toy"), "replay.replay", REPLAY, ReplayReport),
    "test": Case(
        ("test", "toy"), "examples.run_examples", examples_report(), ExamplesReport, exit_code=3
    ),
    "models": Case(("models",), "views.models", recorded("models", ModelsView), ModelsView),
    "models_refused": Case(
        ("models",),
        "views.models",
        ModelsView(
            models={
                MODEL: ModelVersions(
                    versions=recorded("models", ModelsView).models[MODEL].versions,
                    refused=(
                        Refusal(
                            artifact=9,
                            time="2026-11-28T20:00:00Z",
                            baseline_version=2,
                            reasons=("group=a: auc falls",),
                            evaluation="e/evaluation.json",
                        ),
                    ),
                )
            }
        ),
        ModelsView,
    ),
    "diff": Case(
        ("diff", f"{MODEL}@1", f"{MODEL}@2"),
        "diff.diff",
        ModelDiff(
            before=f"{MODEL}@1",
            after=f"{MODEL}@2",
            data=(Change(name="as of", before="a", after="b"),),
            metric="auc",
            slices=(
                SliceChange(slice={"a": "b"}, metric="auc", before=0.1, after=0.2, rows=(1, 2)),
            ),
            not_recorded=("something",),
        ),
        ModelDiff,
    ),
    "lineage": Case(
        ("lineage", MODEL), "views.lineage", recorded("lineage", ModelLineage), ModelLineage
    ),
    "lineage_forwards": Case(
        ("lineage", MODEL),
        "views.lineage",
        recorded("lineage_forwards", TableLineage),
        TableLineage,
    ),
    "promote": Case(
        ("promote", f"{MODEL}@1"), "promote.promote", recorded("promote", Promotion), Promotion
    ),
    "promote_unconfirmed": Case(
        ("promote", f"{MODEL}@1"),
        "promote.promote",
        Promotion(
            model=MODEL,
            version=2,
            label="stable",
            before=1,
            servers=(ServerAnswer(url="http://127.0.0.1:1", version=1, problem="it loads"),),
            notes=("what was left",),
        ),
        Promotion,
        exit_code=3,
    ),
    "rollback": Case(
        ("rollback", MODEL), "promote.rollback", recorded("promote", Promotion), Promotion
    ),
    "export_verify": Case(
        ("export", MODEL, "--verify"),
        "exports.verify",
        ExportsVerified(
            model=MODEL,
            exports=(
                ExportChecked(
                    export_id="toy/late/3-a1",
                    state="lost",
                    problem="train/part-0000.csv is missing; there is no version 3",
                    models=(f"{MODEL}@7",),
                ),
            ),
        ),
        ExportsVerified,
        exit_code=3,
    ),
    "reproduce": Case(
        ("reproduce", f"{MODEL}@7"),
        "reproduce.reproduce",
        ReproduceReport(
            run_id="r",
            logs="logs",
            model=f"{MODEL}@7",
            parts=3,
            place="/other",
            reproduced=REPRODUCED,
            begins="variables",
        ),
        ReproduceReport,
        exit_code=3,
    ),
    "reproduce_from_pages": Case(
        ("reproduce", f"{MODEL}@7", "--from-pages"),
        "reproduce.reproduce",
        ReproduceReport(
            run_id="r",
            logs="logs",
            model=f"{MODEL}@7",
            parts=3,
            place=None,
            remade=REMADE,
            reproduced=None,
            problem="reproduce: there is no column 'x'",
            begins="gold",
        ),
        ReproduceReport,
        exit_code=3,
    ),
    "export": Case(("export", MODEL), "ingest.export", recorded("export", Exported), Exported),
    "train": Case(("train", MODEL), "train.train", train_report(), TrainReport),
    "train_unblessed": Case(
        ("train", MODEL),
        "train.train",
        train_report(
            blessed=False,
            serving_problem="no signature",
            reasons=("group=a: auc falls",),
            worst_slices=(
                SliceReport(
                    slice={"group": "a"}, rows=9, positives=4, is_judged=True, metrics={"auc": 0.5}
                ),
            ),
        ),
        TrainReport,
        exit_code=3,
    ),
    "show": Case(("show", "toy.silver.calls"), "views.rows", SHOWN, Shown, as_rows),
    "doctor": Case(
        ("doctor",),
        "doctor.findings",
        FINDINGS,
        Findings,
        lambda document: list(document.findings),
        exit_code=3,
    ),
    "check": Case(("check", "toy"), "check.check_usecase", checked(), CheckReport, exit_code=2),
    "predict": Case(
        ("predict", MODEL),
        "predict.answers",
        Predictions(predictions=("NARCOTICS", {"label": "a", "odds": [0.5] * 40})),
        Predictions,
        lambda document: list(document.predictions),
    ),
    "compile": Case(
        ("compile", MODEL, "--target", "kubeflow"),
        "compile.compile_model",
        CompileReport(
            run_id="r",
            logs="logs",
            model=MODEL,
            target="kubeflow",
            export=train_report().export,
            compile=Compiled(
                pipeline="toy-late",
                file="toy.late.kubeflow.yaml",
                bytes=60_000,
                sha256="00",
                is_changed=True,
                steps=("SnapshotExampleGen", "Trainer", "Pusher"),
                images=("registry.example.com/goldlake:1.0",),
                home="gs://bucket/goldlake",
                parameters=(Parameter(name="epochs", default=4.0),),
                baseline_version=7,
                kfp="2.5.0",
            ),
        ),
        CompileReport,
    ),
    "tune": Case(
        ("tune", MODEL),
        "tune.tune",
        TuneReport(
            run_id="r",
            logs="logs",
            model=MODEL,
            export=train_report().export,
            tune=Tuned(
                metric="val_auc",
                is_better_high=True,
                trials=(
                    Trial(
                        number=1,
                        parameters={"hidden_units": [16], "dropout": 0.1},
                        result=None,
                        epochs=2,
                        is_stopped=True,
                        seconds=1.5,
                    ),
                ),
                best=1,
                logs="logs",
            ),
            diff="--- a\n+++ b\n",
        ),
        TuneReport,
    ),
    "score": Case(
        ("score", MODEL, "--input", "toy.gold.calls"),
        "score.score",
        ScoreReport(
            run_id="r",
            logs="logs",
            model=f"{MODEL}@7",
            source="toy.gold.calls@3",
            rows=1200,
            table="toy.scores.late@1",
            file=None,
        ),
        ScoreReport,
    ),
    "conformance": Case(
        ("conformance", "http://127.0.0.1:1"),
        "conformance.compare",
        Conformance(
            url="http://127.0.0.1:1",
            asked=2,
            equal=1,
            skipped=("cors/off",),
            differences=(
                Difference(
                    case="json/nothing",
                    request="POST /v1/models/echo:predict",
                    problems=("status is 500, not 400",),
                    answer="oh",
                ),
            ),
        ),
        Conformance,
        exit_code=3,
    ),
    "report": Case(
        ("report", MODEL),
        "report.write.report",
        ReportWritten(subject=MODEL, file="out.html", bytes=1000, sections=("data",)),
        ReportWritten,
    ),
    "validate": Case(
        ("validate", "toy.silver.calls"),
        "validate.validate",
        VALIDATION,
        ValidationReport,
        exit_code=3,
    ),
    "accept": Case(
        ("accept", "r1", "berth", "--because", "right"), "validate.accept", ACCEPTANCE, Acceptance
    ),
    "monitor": Case(("monitor", MODEL), "monitor.monitor", MONITORED, MonitorReport, exit_code=3),
    "retrain": Case(
        ("retrain", MODEL, "--if", "rows>=5000"),
        "retrain.retrain",
        RetrainReport(
            model=MODEL,
            learned=7,
            served=6,
            conditions=(
                ConditionResult(text="rows>=5000", holds=False, found="60 rows more"),
                ConditionResult(text="drift", holds=None, found="no request is in the log"),
            ),
            outcome="quiet",
        ),
        RetrainReport,
    ),
    "retrain, refused before": Case(
        ("retrain", MODEL, "--if", "metric:auc[28d]<0.9", "--promote"),
        "retrain.retrain",
        RetrainReport(
            model=MODEL,
            learned=7,
            served=7,
            conditions=(
                ConditionResult(
                    text="metric:auc[28d]<0.9", holds=True, found="0.5 of 900 answers", answers=900
                ),
            ),
            outcome="refused_before",
            reason="metric:auc[28d]<0.9",
            refused_before=RefusedBefore(
                at="2026-04-01T00:00:00Z",
                reason="drift",
                why="auc is 0.5, and the contract wants at least 0.6",
                run_id="20260401-000000-1a2b",
                table="toy.gold.calls@4",
                reason_id=12,
            ),
        ),
        RetrainReport,
    ),
    "source": Case(("source", "toy"), "", SourceAddress(url="http://127.0.0.1:1"), SourceAddress),
}


def test_every_documented_command_is_here() -> None:
    named = {" ".join(case.arguments[:2]) for case in CASES.values()}
    named |= {case.arguments[0] for case in CASES.values()}
    assert set(json_documents.COMMANDS) <= named


def leaves(plain: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of the texts in a document."""
    items: Any = ()
    if isinstance(plain, dict):
        items = plain.items()
    elif isinstance(plain, list):
        items = enumerate(plain)
    for key, value in items:
        yield from leaves(value, (*path, key))
        if isinstance(value, str):
            yield (*path, key)


def poisoned(document: Any, kind: Any) -> Any:
    """The document with a hostile end in every text that its type lets vary."""
    plain = json.loads(msgspec.json.encode(document))
    count = 0
    for path in list(leaves(plain)):
        place = plain
        for step in path[:-1]:
            place = place[step]
        kept = place[path[-1]]
        place[path[-1]] = kept + HOSTILE
        try:
            msgspec.convert(plain, kind)
            count += 1
        except msgspec.ValidationError:
            place[path[-1]] = kept
    assert count, "nothing was poisoned"
    return msgspec.convert(renamed(plain), kind)


def renamed(plain: Any) -> Any:
    """The document with hostile names of models, tables and reasons, which are keys."""
    if isinstance(plain, dict):
        ends = {key: HOSTILE if "." in key else "" for key in plain}
        return {f"{key}{ends[key]}": renamed(value) for key, value in plain.items()}
    return [renamed(item) for item in plain] if isinstance(plain, list) else plain


def said(
    name: str, monkeypatch: pytest.MonkeyPatch, *more: str, poison: bool = True, **env: str
) -> Result:
    # Without the home that `make run` leaves in this folder.
    monkeypatch.chdir(tempfile.gettempdir())
    case = CASES[name]
    document = poisoned(case.document, case.kind) if poison else case.document
    answer = case.unpacked(document) if case.unpacked else document
    arguments = [*case.arguments, *more]
    if name == "source":
        serve = lambda usecase, *, on_ready, **options: on_ready(document.url)  # noqa: E731
        monkeypatch.setattr("goldlake_simulators.server.serve", serve)
        monkeypatch.setattr("goldlake_core.contracts.registry.load_usecase", str)
    else:
        monkeypatch.setattr(f"goldlake.workflows.{case.function}", lambda *a, **k: answer)
    result = CliRunner().invoke(main, arguments, input='{"a": 1}', env=env, color=True)
    assert result.exit_code == case.exit_code, result.output
    return result


@pytest.mark.parametrize("name", CASES)
def test_data_is_never_markup_and_never_reaches_the_terminal_raw(name, monkeypatch) -> None:
    text = said(name, monkeypatch, FORCE_COLOR="1", COLUMNS=WIDE).stdout
    bare = STYLES.sub("", text)
    assert bare.replace("\n", "").isprintable()
    if name != "train":  # whose printed texts are metrics
        assert PLAIN in bare
        assert r"\x1b[31m" in bare or r"\u001b[31m" in bare
    narrow = STYLES.sub("", said(name, monkeypatch, FORCE_COLOR="1").stdout)
    assert narrow.replace("\n", "").isprintable()


@pytest.mark.parametrize("name", sorted(CASES.keys() - {"show"}))
def test_json_escapes_what_steers_a_terminal(name, monkeypatch) -> None:
    text = said(name, monkeypatch, "--json").stdout
    assert text.replace("\n", "").isprintable()
    document = poisoned(CASES[name].document, CASES[name].kind)
    assert json.loads(text) == json.loads(msgspec.json.encode(document))


def test_shown_rows_as_json(monkeypatch) -> None:
    text = said("show", monkeypatch, "--json").stdout
    assert text.replace("\n", "").isprintable()
    assert json.loads(text)["rows"][0] == {
        f"id{HOSTILE}": f"1{HOSTILE}",
        f"name{HOSTILE}": f"a{HOSTILE}",
    }


@pytest.mark.parametrize("name", CASES)
def test_no_color_is_respected(name, monkeypatch) -> None:
    text = said(name, monkeypatch, poison=False, FORCE_COLOR="1", NO_COLOR="1").stdout
    assert not COLORS.search(text)


@pytest.mark.parametrize("name", CASES)
def test_printed_lines_fit_80_columns(name, monkeypatch) -> None:
    lines = said(name, monkeypatch, poison=False, COLUMNS="80").stdout.splitlines()
    # What people copy is never broken: addresses, paths and commands.
    # The answers of predict are lines of JSON for the next program.
    long = [line for line in lines if len(line) > 80 and "--home" not in line]
    long = long if name != "predict" else []
    assert long == []


def test_errors_are_escaped_line_by_line(monkeypatch) -> None:
    def failing(*arguments: Any, **options: Any) -> None:
        raise UsageError(f"one {HOSTILE}\ntwo")

    monkeypatch.setattr("goldlake.workflows.views.models", failing)
    result = CliRunner().invoke(main, ["models"], color=True, env={"FORCE_COLOR": "1"})
    first, second = STYLES.sub("", result.stderr).splitlines()
    assert first == f"error: one {printing.printable(HOSTILE)}"
    assert second == "two."


def test_a_remote_traceback_is_escaped(monkeypatch, tmp_path: Path) -> None:
    error = StageError(type="E", message="m", exit_code=1, traceback=f"far\n{HOSTILE}")

    def failing(*arguments: Any, **options: Any) -> None:
        raise StageFailed("land", tmp_path / "log", error)

    monkeypatch.setattr("goldlake.workflows.views.models", failing)
    result = CliRunner().invoke(main, ["models", "--debug"])
    assert printing.printable(HOSTILE) in result.stderr
    assert "\x07" not in result.stderr


def test_all_output_goes_through_one_module() -> None:
    """Only `printing` writes; the CSV of `show` and a shell's script are for other programs."""
    allowed = {"printing.py": {"write", "Console"}, "completion.py": {"echo"}}
    for file in sorted(Path(goldlake.cli.__file__).parent.rglob("*.py")):
        calls = {
            node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name)
        }
        found = calls & {"echo", "secho", "style", "print_json", "Console", "write"}
        assert found <= allowed.get(file.name, set()), file


def test_csv_is_raw_for_programs_and_escaped_for_a_terminal(monkeypatch) -> None:
    assert "\x1b[31m" in said("show", monkeypatch, "--csv").stdout
    monkeypatch.setattr(
        "click.testing._NamedTextIOWrapper.isatty", lambda self: True, raising=False
    )
    assert "\x1b[31m" not in said("show", monkeypatch, "--csv").stdout
