"""Texts of results: one line per stage, and the accounts that commands end with."""

from __future__ import annotations

import json
import math
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.text import Text

from goldlake.cli.printing import Part, aligned, console, say, say_all, styled, wrapped
from goldlake.cli.progress import Summary
from goldlake.cli.sections import MOST_LINES, Section, fitted, height
from goldlake.workflows import homes
from goldlake_core.contracts.heads import COST, HEADS
from goldlake_core.contracts.sections import SPLITS
from goldlake_core.documents.lakehouse import (
    Exported,
    Followed,
    Landed,
    Refined,
    TableState,
    Totals,
)
from goldlake_core.documents.maintain import Maintained
from goldlake_core.documents.reports import (
    IngestReport,
    MlflowCopies,
    ModelReport,
    ModelsView,
    ModelVersion,
    Promotion,
    RebuildReport,
    RunReport,
    TablesView,
    TrainReport,
)
from goldlake_core.documents.reproducing import Remade
from goldlake_core.documents.scoring import ScoreReport
from goldlake_core.documents.stages import Stage
from goldlake_core.documents.training import Bound, SliceReport, Trained
from goldlake_core.documents.tuning import TuneReport

# Between two tables on one line.
_GAP = "  "


FATE_MEANINGS = {
    "inserted": "new key",
    "amended": "newer version of a known key",
    "unchanged": "sent again, same content",
    "stale": "older than what is known",
    "quarantined": "kept aside with a reason code",
    "deleted": "gone at the source",
}
FATES = tuple(FATE_MEANINGS)
MOST_TRIALS = 10
"""Trials that are printed."""
_REASONS = 3
"""Reasons of a refusal that are printed."""
_FIRST = ("recall", COST)
_LEFT_OUT = {
    "immature": "the label is not mature yet",
    "outside": "the split has no place for them",
    "gap": "they are in the gap between two splits",
    "unlabeled": "there is no label",
}


def _land(result: Landed) -> str:
    if not result.rows:
        return "nothing new at the source"
    return f"{result.rows:,} records in {result.pages:,} pages"


def _follow(result: Followed) -> str:
    return f"{result.rows:,} records in {result.batches:,} batches of {result.polls:,} polls"


def _refine(result: Refined) -> str:
    if not result.new_records:
        return "nothing new to refine"
    parts = [f"{n:,} {fate}" for fate in FATES if (n := getattr(result.fates, fate))]
    return ", ".join(parts)


def _maintain(result: Maintained) -> str:
    files = sum(result.compacted.values())
    return f"{files:,} small files became larger ones" if files else "old files are removed"


def _export(result: Exported) -> str:
    rows = result.rows
    how = "already exported" if result.reused else "exported"
    counts = ", ".join(f"{rows[split]:,} {split}" for split in SPLITS)
    unlabeled = rows.get("unlabeled", 0)
    left = f"; {unlabeled:,} have no label" if unlabeled else ""
    return f"{result.table}@{result.version} {how}: {counts}{left}"


def _steps(result: Remade) -> str:
    other = [each.step for each in result.steps if each.state == "differs"]
    return f"other rows from {other[0]} on" if other else "equal rows"


def _train(result: Trained) -> str:
    cached = len(result.cached)
    if result.recorded is not None:
        verdict = "blessed" if result.blessed else "not blessed"
        return f"{verdict}: recorded answer of run {result.recorded}, nothing changed since"
    reuse = f", {cached} of {len(result.nodes)} steps from cache" if cached else ""
    verdict = "blessed" if result.blessed else "not blessed"
    return f"{verdict}{reuse}"


def _promote(result: Promotion) -> str:
    """That a version serves, if every server says so; else only that it has the label."""
    is_served = result.servers and result.is_confirmed
    verb = "serves as" if is_served else "has the label"
    return f"{result.model}@{result.version} {verb} {result.label!r}"


def _promote_summary(result: Promotion) -> str:
    doubts = [f"{s.url} did not confirm it: {s.problem}" for s in result.servers if s.problem]
    return "; ".join([_promote(result), *doubts])


SUMMARIES: dict[Stage, Summary] = {
    "source": lambda r: f"embedded: {r.rows:,} generated rows, seed {r.seed}",
    "land": _land,
    "refine": _refine,
    "follow": _follow,
    "audit": lambda r: r.problem or "all contents agree",
    "erase": lambda r: f"{r.pages:,} pages, epoch {r.epoch}, {r.totals.silver:,} rows in silver",
    "maintain": _maintain,
    "restore": _refine,
    "examples": lambda r: f"{len(r.problems)} with a problem" if r.problems else "",
    "export": _export,
    "train": _train,
    "remake": lambda r: f"{r.records:,} records refined again: {_steps(r)}",
    "reproduce": lambda r: "equal to the bit" if r.is_equal else "not equal",
    "tune": lambda r: f"the best of {len(r.trials)} trials is trial {r.best}",
    "compile": lambda r: f"{len(r.steps)} steps, read by kfp {r.kfp}",
    "score": lambda r: f"{r.rows:,} rows answered",
    "keep": lambda r: f"{r.rows:,} rows in {r.table}@{r.version}",
    "promote": _promote_summary,
}


def print_account(document: RunReport) -> None:
    """Prints the account of `goldlake run`; it fits the smallest common terminal."""
    width = console().width
    command = _command(document.home)
    before = _records(document.usecase, document.refine, width, command)
    end = styled(f"{document.seconds:.0f} s in all. Logs: {homes.short(document.logs)}")
    after = [_next(document, command, width), Section(end, is_apart=False)]
    # What a gate refused comes first, so that it is not what a short terminal leaves out.
    models = sorted(document.models.items(), key=lambda item: item[1].promotion is not None)
    parts = [_model(model, part, width, command(f"train {model}")) for model, part in models]
    lines: list[Text] = []
    for count in range(len(parts), 0, -1) or [0]:
        chosen = [section for part in parts[:count] for section in part]
        if left := len(parts) - count:
            text = f"and {left} more {'model' if left == 1 else 'models'}: {command('models')}"
            chosen.append(Section(styled((text, "dim")), is_apart=False))
        lines = fitted([*before, *chosen, *after], width)
        if height(lines, width) <= MOST_LINES:
            break
    say_all(lines)


def print_ingest(document: IngestReport | RebuildReport) -> None:
    """Prints the account of `goldlake ingest` or `goldlake rebuild`."""
    width = console().width
    for section in _records(document.usecase, document.refine, width, _command(document.home)):
        say_all(section.lines())


def print_export(document: Exported) -> None:
    """Prints where an export is and what is in it."""
    limits, rows = document.boundaries, document.rows
    spans = dict.fromkeys(SPLITS, "")
    if limits is not None:
        spans = {
            "train": f"before {(limits.train_until or limits.eval_from)[:10]}",
            "eval": f"from {limits.eval_from[:10]}"
            + (f" to before {limits.eval_until[:10]}" if limits.eval_until else ""),
            "test": f"from {limits.test_from[:10]} to before {limits.until[:10]}",
        }
    told = {reason for reason, number in rows.items() if number}
    told |= set() if limits is None else {"immature"}
    spans |= {reason: f"left out: {why}" for reason, why in _LEFT_OUT.items() if reason in told}
    cells = [(split, f"{rows.get(split, 0):,}", (span, "dim")) for split, span in spans.items()]
    _say_table(f"Export {document.export_id}", cells, "lrl")
    say(f"  {document.uri}")


def print_training(document: TrainReport) -> None:
    """Prints the account of `goldlake train`."""
    part = ModelReport(export=document.export, train=document.train)
    for section in _model(document.model, part, console().width, ""):
        say_all(section.lines())


def print_trials(document: TuneReport) -> None:
    """Prints the trials, the best first, and the edit of the model's file."""
    tuned = document.tune
    sign = -1 if tuned.is_better_high else 1
    ranked = sorted(tuned.trials, key=lambda t: math.inf if t.result is None else sign * t.result)
    cells = [
        (
            f"trial {trial.number}",
            _number(trial.result),
            f"{trial.epochs} epochs{', stopped' if trial.is_stopped else ''}",
            (", ".join(f"{key} {value}" for key, value in trial.parameters.items()), "dim"),
        )
        for trial in ranked[:MOST_TRIALS]
    ]
    _say_table(f"{document.model} by {tuned.metric} on eval", cells, "lrll")
    if len(ranked) > MOST_TRIALS:
        say(f"  and {len(ranked) - MOST_TRIALS} more: --json")
    if not document.diff:
        say("The contract's own parameters are the best.")
    for line in document.diff.splitlines():
        say(line)


def print_scores(document: ScoreReport) -> None:
    """Prints what was scored, and where the scores are."""
    say(f"{document.model} answered {document.rows:,} rows of {document.source}")
    if document.table is not None:
        say(f"  in {document.table}. Next: goldlake show {document.table}")
    else:
        say(f"  in {document.file}")


def print_promotion(document: Promotion) -> None:
    """Prints what has a label now, what had it before, and what each server answers."""
    version = f"{document.model}@{document.version}"
    before = f"before: @{document.before}" if document.before is not None else "the label is new"
    if document.is_dry_run:
        say(f"{version} would get the label {document.label!r} ({before}); nothing is changed")
    else:
        say(f"{_promote(document)} ({before})")
    doubt = "says" if document.is_dry_run else "did not confirm it"
    for server in document.servers:
        answer = (
            f"{doubt}: {server.problem}" if server.problem else f"answers with @{server.version}"
        )
        say(f"  {server.url} {answer}")
    if not document.servers:
        say("  No server of this home is running. Next: goldlake serve")
    for note in document.notes:
        say(f"  {note}")


def print_tables(document: TablesView) -> None:
    """Prints `goldlake tables`."""
    if not document:
        say("No tables yet. Next: goldlake run USECASE")
    for usecase, part in document.items():
        cells = [
            (e.id, f"{e.rows:,}", f"@{e.version}", f"{e.bytes / 2**20:,.1f} MiB")
            for e in part.tables
        ]
        _say_table(usecase, cells, "lrrr")
        say_all(_fates(part, {}, console().width).lines())


def print_copies(document: MlflowCopies) -> None:
    """Prints `goldlake models --mlflow`."""
    if not document.copies:
        say("No models yet. Next: goldlake run USECASE")
        return
    cells = [
        (
            copy.id,
            "copied" if copy.is_new else "is there",
            f"version {copy.version}",
            f"run {copy.run_id}",
            (", ".join(copy.aliases), "green"),
        )
        for copy in document.copies
    ]
    _say_table(document.uri, cells, "lllll")


def print_models(document: ModelsView) -> None:
    """Prints `goldlake models`."""
    from serving.exchange import SHADOW

    if not document.models:
        say("No models yet. Next: goldlake run USECASE")
    for model, part in document.models.items():
        usecase = model.partition(".")[0] + "."
        cells = [
            (
                f"@{entry.version}",
                (", ".join(entry.labels), "green"),
                _headline(entry.metrics),
                f"{entry.table.removeprefix(usecase)}@{entry.table_version}"
                if entry.table
                else "put there by hand",
                (entry.pushed_at or "", "dim"),
            )
            for entry in part.versions
        ]
        _say_table(model, cells, "lllll")
        answering = [v.version for v in part.versions if {*v.labels} - {SHADOW}]
        newest = max(answering, default=0)
        for entry in part.versions:
            _say_wrapped(styled((f"  @{entry.version} ", "bold"), _standing(entry, newest)))
        for refusal in part.refused:
            against = refusal.baseline_version
            compared = f" against @{against}" if against is not None else ""
            why = "; ".join(refusal.reasons)
            _say_wrapped(styled(("  refused", "red"), f"{compared} at {refusal.time}: {why}"))


def _standing(entry: ModelVersion, newest: int) -> str:
    """Whether a version serves and is blessed, and why.

    Args:
        entry: The version.
        newest: The newest version with a label other than ``shadow``: it answers requests that
            name neither version nor label.
    """
    verdict = "put there by hand: no evaluation blessed it"
    if entry.blessed:
        verdict = f"blessed: {entry.why or 'an earlier goldlake did not record why'}"
    if entry.serves and entry.version != newest:
        return f"serves requests for stable (those without a label reach @{newest}); {verdict}"
    return f"serves; {verdict}" if entry.serves else verdict


def _say_wrapped(text: Text) -> None:
    say_all(wrapped(text, console().width))


def _headline(metrics: Mapping[str, float | None]) -> str:
    """The most telling metric of a version, with its value."""
    telling = next((name for law in HEADS.values() for name in law.metrics if name in metrics), "")
    value = metrics.get(telling)
    return "" if value is None else f"{telling} {value:.4f}"


def _say_table(heading: str, cells: Sequence[Sequence[Part]], sides: str) -> None:
    rows = aligned(cells, sides, console().width)
    say_all(Section(styled((heading, "bold")), rows).lines())


def _records(
    usecase: str, refined: Refined, width: int, command: Callable[[str], str]
) -> list[Section]:
    return [
        _fates(refined.totals, refined.reasons, width),
        _tables(usecase, refined.tables, width, command),
    ]


def _fates(totals: Totals, reasons: Mapping[str, int], width: int) -> Section:
    fates = [fate for fate in FATES if getattr(totals, fate)]
    cells = [(fate, f"{getattr(totals, fate):,}", (FATE_MEANINGS[fate], "dim")) for fate in fates]
    rows = aligned(cells, "lrl", width)
    if reasons and "quarantined" in fates:
        place = 1 + fates.index("quarantined")
        rows.insert(place, styled((_reasons(reasons, width), "dim")))
    heading = styled((f"What became of {totals.landed:,} landed records", "bold"))
    return Section(heading, rows, is_whole=True)


def _reasons(reasons: Mapping[str, int], width: int) -> str:
    """The reasons of a run, most frequent first, as many as fit one line."""
    most_first = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    counts = [f"{code} {count:,}" for code, count in most_first]
    for shown in range(len(counts), 0, -1):
        more = [f"and {len(counts) - shown} more"] if shown < len(counts) else []
        line = f"    this run: {', '.join([*counts[:shown], *more])}"
        if len(line) <= width:
            return line
    return f"    this run: {len(counts)} reasons"


def _tables(
    usecase: str, tables: Mapping[str, TableState], width: int, command: Callable[[str], str]
) -> Section:
    cells = [
        (name.removeprefix(f"{usecase}."), f"{entry.rows:,}", f"@{entry.version}")
        for name, entry in tables.items()
    ]
    widest = max((line.cell_len for line in aligned(cells, "lrr", width)), default=width)
    per_row = max(1, min(len(cells), width // (widest + len(_GAP))))
    rows: list[list[Part]] = []
    for first in range(0, len(cells), per_row):
        beside = [*cells[first : first + per_row], *[("", "", "")] * per_row][:per_row]
        rows.append(list(beside[0]))
        for name, *others in beside[1:]:
            rows[-1] += [_GAP + name, *others]

    def rest(shown: int) -> str:
        return f"{len(cells) - shown * per_row} more tables: {command(f'tables {usecase}')}"

    heading = styled((f"Tables of {usecase}, with rows and version", "bold"))
    return Section(heading, aligned(rows, "lrr" * per_row, width), rest, is_apart=False)


def _model(model: str, part: ModelReport, width: int, command: str) -> list[Section]:
    """What became of a model, and what it answers; ``command`` shows all of it."""
    rows: list[Text] = []

    def rest(shown: int) -> str:
        return f"{len(rows) - shown} more results: {command}"

    if part.refused is not None:
        heading = styled((model, "bold"), ": ", ("stopped by the validation gate", "red"))
        rows += wrapped(styled(f"  {part.refused.message}"), width)
        return [Section(heading, rows, rest)]
    train = part.train
    assert train is not None, "a model that was not refused was trained"
    verdict = ("blessed", "green") if train.blessed else ("not blessed", "red")
    count = len(train.anomalies)
    anomalies = f", {count or 'no'} {'anomaly' if count == 1 else 'anomalies'}"
    heading = styled((f"{model}, evaluated on the test split: ", "bold"), verdict, anomalies)
    if train.recorded is not None:
        text = f"  Recorded by run {train.recorded}: nothing changed since"
        rows += wrapped(styled((text, "dim")), width)
    if train.serving_problem:
        rows += wrapped(styled(f"  It cannot be served: {train.serving_problem}"), width)
    if train.not_compared:
        text = f"Not compared with {train.not_compared}. Bounds on a drop were not judged"
        rows += wrapped(styled(("  ! ", "yellow"), text), width)
    for reason in train.reasons[:_REASONS]:
        rows += wrapped(styled(("  ✗ ", "red"), reason), width)
    if len(train.reasons) > _REASONS:
        rows.append(styled(f"  and {len(train.reasons) - _REASONS} more: {train.evaluation}"))
    rows += aligned(_metrics(train.thresholds), "llrl", width)
    if train.decision is not None:
        rows += wrapped(styled(f"  Decision: {train.decision.sentence}"), width)
    if train.worst_slices:
        rows.append(styled(f"  Worst slices: rows, {_compared(train)}, calibration"))
        rows += aligned([_slice(each) for each in train.worst_slices], "llrllr", width)
    for anomaly in train.anomalies:
        rows += wrapped(styled(f"  {anomaly.column}: {anomaly.description}"), width)
    sections = [Section(heading, rows, rest)]
    if part.answers and part.promotion is not None:
        title = f"What {model}@{part.promotion.version} answers"
        if part.answers_recorded is not None:
            title += f", as recorded by run {part.answers_recorded}"
        cells = [((_answer(one.answer), "cyan"), _instance(one.instance)) for one in part.answers]
        answers = aligned(cells, "ll", width)
        sections.append(Section(styled((title, "bold")), answers, is_apart=False))
    return sections


def _compared(train: Trained) -> str:
    if train.baseline_version is None:
        return "metric"
    return f"change from @{train.baseline_version} with its z"


def _slice(report: SliceReport) -> tuple[Part, ...]:
    """Mark, slice, rows, the compared measure and its change, and calibration."""
    change, calibration = report.change, report.metrics.get("calibration")
    name = ", ".join(f"{column}={value}" for column, value in report.slice.items())
    if change is not None:
        told = f"{change.measure} {change.after:.4f}"
        moved = f"{change.value:+.4f}, z {change.z:.1f}"
    else:
        told, moved = _headline(report.metrics), ""
    return (
        ("✗", "red") if report.problem else ("✓", "green"),
        name,
        f"{report.rows:,}",
        told,
        (moved, "dim"),
        (f"{calibration:.2f}" if calibration is not None else "", "dim"),
    )


def _metrics(thresholds: Sequence[Bound]) -> list[tuple[Part, ...]]:
    """Mark, metric, value and bounds by metric; those that do not hold come first."""
    metrics: dict[str, list[Bound]] = {}
    for bound in thresholds:
        # The number of rows is bounded too, so that a lost row is seen. People look for quality.
        if bound.metric != "example_count" or not bound.ok:
            metrics.setdefault(bound.metric, []).append(bound)
    return [
        (
            ("✓", "green") if _holds(bounds) else ("✗", "red"),
            metric,
            _number(bounds[0].value),
            (", ".join(map(_bound, bounds)), "dim"),
        )
        for metric, bounds in sorted(metrics.items(), key=_place)
    ]


def _place(item: tuple[str, list[Bound]]) -> tuple[bool, bool]:
    """What does not hold comes first; of what is alike, recall, and then what errors cost."""
    metric, bounds = item
    return _holds(bounds), metric not in _FIRST


def _holds(bounds: Sequence[Bound]) -> bool:
    return all(bound.ok for bound in bounds)


def _next(document: RunReport, command: Callable[[str], str], width: int) -> Section:
    promoted = [
        f"{model}@{part.promotion.version}"
        for model, part in document.models.items()
        if part.promotion is not None
    ]
    commands = {}
    if promoted:
        commands[command(f"lineage {promoted[0]}")] = "the rows it saw"
        commands[command("serve")] = "answers over REST"
    if document.refine.totals.quarantined:
        commands[command(f"quarantine list {document.usecase}")] = "rejected records"
    commands[command("ui")] = "all of it in the browser"
    longest = max(map(len, commands))
    lines = [
        styled(f"  {words:<{longest}}", (f"  # {meaning}", "dim"))
        for words, meaning in commands.items()
    ]
    if max(line.cell_len for line in lines) > width:
        lines = [styled(f"  {words}") for words in commands]
    return Section(styled(("Next", "bold")), lines)


def _command(root: str) -> Callable[[str], str]:
    """What a person types to run a command of goldlake on that home."""
    # Run by make, the command is in the environment but not on the person's PATH.
    goldlake = "goldlake" if shutil.which("goldlake") else homes.short(sys.argv[0])
    # The run has made its home the one that commands from this folder take.
    home = "" if homes.choose().home.root == root else f" --home {root}"
    return lambda words: f"{goldlake} {words}{home}"


def _bound(bound: Bound) -> str:
    if bound.kind == "max_drop":
        return f"at least {_number(bound.bound)} (what serves, less the drop allowed)"
    return f"{'at least' if bound.kind == 'minimum' else 'at most'} {bound.bound:g}"


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"


def _answer(answer: Any) -> str:
    if isinstance(answer, float):
        return f"{answer:.3f}"
    if isinstance(answer, dict) and "class" in answer and answer.get("scores"):
        return f"{answer['class']} {max(answer['scores']):.3f}"
    return answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)


def _instance(instance: Mapping[str, Any]) -> str:
    values = [str(value) for value in instance.values()][:4]
    return ", ".join(values) + (", …" if len(instance) > len(values) else "")
