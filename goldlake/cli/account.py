"""Texts of results: one line per stage, and the accounts that commands end with."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.text import Text

from goldlake.cli.printing import aligned, console, say, styled, wrapped
from goldlake.cli.progress import Summary
from goldlake.cli.sections import MOST_LINES, Section, fitted, height, print_lines, whole
from goldlake.workflows import homes
from goldlake_core.documents.lakehouse import Exported, Landed, Refined, TableState, Totals
from goldlake_core.documents.reports import (
    IngestReport,
    ModelReport,
    ModelsView,
    Promotion,
    RunReport,
    TablesView,
    TrainReport,
)
from goldlake_core.documents.stages import Stage
from goldlake_core.documents.training import Bound, Trained

# Between two tables on one line.
_GAP = "  "

Command = Callable[[str], str]
"""What a person types to run a command of goldlake on the home of the document."""

FATES = ("inserted", "amended", "unchanged", "stale", "quarantined", "deleted")
FATE_MEANINGS = {
    "inserted": "new key",
    "amended": "newer version of a known key",
    "unchanged": "sent again, same content",
    "stale": "older than what is known",
    "quarantined": "kept aside with a reason code",
    "deleted": "gone at the source",
}


def _land(result: Landed) -> str:
    if not result.rows:
        return "nothing new at the source"
    return f"{result.rows:,} records in {result.pages:,} pages"


def _refine(result: Refined) -> str:
    if not result.new_records:
        return "nothing new to refine"
    parts = [f"{n:,} {fate}" for fate in FATES if (n := getattr(result.fates, fate))]
    return ", ".join(parts)


def _export(result: Exported) -> str:
    rows = result.rows
    how = "already exported" if result.reused else "exported"
    counts = ", ".join(f"{rows[split]:,} {split}" for split in ("train", "eval", "test"))
    return f"{result.table}@{result.version} {how}: {counts}"


def _train(result: Trained) -> str:
    cached = len(result.cached)
    reuse = f", {cached} of {len(result.nodes)} steps from cache" if cached else ""
    verdict = "blessed" if result.blessed else "not blessed"
    return f"{verdict}{reuse}"


def _promote(result: Promotion) -> str:
    return f"{result.model}@{result.version} serves as {result.label!r}"


SUMMARIES: dict[Stage, Summary] = {
    "source": lambda r: f"embedded: {r.rows:,} generated rows, seed {r.seed}",
    "land": _land,
    "refine": _refine,
    "export": _export,
    "train": _train,
    "promote": _promote,
}


def print_account(document: RunReport) -> None:
    """Prints the account of `goldlake run`; it fits the smallest common terminal."""
    out = console()
    command = _command(document.home)
    before = _records(document.usecase, document.refine, out.width, command)
    after = [_next(document, command, out.width), _end(document)]
    # What a gate refused comes first, so that it is not what a short terminal leaves out.
    models = sorted(document.models.items(), key=lambda item: item[1].promotion is not None)
    parts = [_model(model, part, out.width, command) for model, part in models]
    lines: list[Text] = []
    for count in range(len(parts), 0, -1):
        chosen = [section for part in parts[:count] for section in part]
        if left := len(parts) - count:
            text = f"and {left} more {'model' if left == 1 else 'models'}: {command('models')}"
            chosen.append(Section(styled((text, "dim")), is_apart=False))
        lines = fitted([*before, *chosen, *after], out.width)
        if height(lines, out.width) <= MOST_LINES:
            break
    print_lines(out, lines)


def print_ingest(document: IngestReport) -> None:
    """Prints the account of `goldlake ingest`."""
    out = console()
    sections = _records(document.usecase, document.refine, out.width, _command(document.home))
    print_lines(out, whole(sections))


def print_export(document: Exported) -> None:
    """Prints where an export is and what is in it."""
    out = console()
    limits, rows = document.boundaries, document.rows
    spans = {
        "train": f"before {_day(limits.eval_from)}",
        "eval": f"from {_day(limits.eval_from)}",
        "test": f"from {_day(limits.test_from)} to before {_day(limits.until)}",
        "immature": "left out: the label is not mature yet",
    }
    cells = [
        (styled(split), styled(f"{rows.get(split, 0):,}"), styled((span, "dim")))
        for split, span in spans.items()
    ]
    heading = styled((f"Export {document.export_id}", "bold"))
    section = Section(heading, tuple(aligned(cells, "lrl", out.width)))
    print_lines(out, [*whole([section]), styled(f"  {document.uri}")])


def print_training(document: TrainReport) -> None:
    """Prints the account of `goldlake train`."""
    out = console()
    part = ModelReport(export=document.export, train=document.train)
    print_lines(out, whole(_model(document.model, part, out.width, _unnamed)))


def print_promotion(document: Promotion) -> None:
    """Prints what serves under a label now, and what did before."""
    before = f"before: @{document.before}" if document.before else "the label is new"
    say(f"{_promote(document)} ({before})")


def print_tables(document: TablesView) -> None:
    """Prints `goldlake tables`."""
    out = console()
    if not document:
        say("No tables yet. Next: goldlake run USECASE")
    for usecase, part in document.items():
        cells = [
            (
                styled(entry.id),
                styled(f"{entry.rows:,}"),
                styled(f"@{entry.version}"),
                styled(f"{entry.bytes / 2**20:,.1f} MiB"),
            )
            for entry in part.tables
        ]
        tables = Section(styled((usecase, "bold")), tuple(aligned(cells, "lrrr", out.width)))
        print_lines(out, whole([tables, _fates(part, {}, out.width)]))


def print_models(document: ModelsView) -> None:
    """Prints `goldlake models`."""
    out = console()
    if not document.models:
        say("No models yet. Next: goldlake run USECASE")
    for model, part in document.models.items():
        usecase = model.partition(".")[0]
        cells = [
            (
                styled(f"@{entry.version}"),
                styled((", ".join(entry.labels), "green")),
                styled(f"auc {entry.metrics['auc']:.4f}" if "auc" in entry.metrics else ""),
                styled(f"{_below(usecase, entry.table)}@{entry.table_version}")
                if entry.table
                else Text("put there by hand"),
                styled((entry.pushed_at or "", "dim")),
            )
            for entry in part.versions
        ]
        section = Section(styled((model, "bold")), tuple(aligned(cells, "lllll", out.width)))
        print_lines(out, whole([section]))


def _records(usecase: str, refined: Refined, width: int, command: Command) -> list[Section]:
    return [
        _fates(refined.totals, refined.reasons, width),
        _tables(usecase, refined.tables, width, command),
    ]


def _fates(totals: Totals, reasons: Mapping[str, int], width: int) -> Section:
    cells = [
        (styled(fate), styled(f"{count:,}"), styled((FATE_MEANINGS[fate], "dim")))
        for fate in FATES
        if (count := getattr(totals, fate))
    ]
    rows = aligned(cells, "lrl", width)
    if reasons and totals.quarantined:
        place = 1 + [fate for fate in FATES if getattr(totals, fate)].index("quarantined")
        rows.insert(place, styled((_reasons(reasons, width), "dim")))
    heading = styled((f"What became of {totals.landed:,} landed records", "bold"))
    return Section(heading, tuple(rows), is_whole=True)


def _reasons(reasons: Mapping[str, int], width: int) -> str:
    """The reasons of a run, most frequent first, as many as fit one line."""
    counts = [
        f"{code} {n:,}" for code, n in sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    ]
    start = "    this run: "
    for shown in range(len(counts), 0, -1):
        left = len(counts) - shown
        end = f", and {left} more" if left else ""
        line = start + ", ".join(counts[:shown]) + end
        if len(line) <= width:
            return line
    return f"{start}{len(counts)} reasons"


def _tables(
    usecase: str, tables: Mapping[str, TableState], width: int, command: Command
) -> Section:
    cells = [
        (styled(_below(usecase, name)), styled(f"{entry.rows:,}"), styled(f"@{entry.version}"))
        for name, entry in tables.items()
    ]
    widest = max((line.cell_len for line in aligned(cells, "lrr", width)), default=width)
    per_row = max(1, min(len(cells), width // (widest + len(_GAP))))
    empty = (Text(), Text(), Text())
    rows = []
    for first in range(0, len(cells), per_row):
        beside = [*cells[first : first + per_row], *[empty] * per_row][:per_row]
        row = list(beside[0])
        for name, *others in beside[1:]:
            row += [Text(_GAP).append_text(name), *others]
        rows.append(row)
    heading = styled((f"Tables of {usecase}, with rows and version", "bold"))
    lines = tuple(aligned(rows, "lrr" * per_row, width))
    show = command(f"tables {usecase}")
    return Section(heading, lines, show, "tables", per_row, len(cells), is_apart=False)


def _model(model: str, part: ModelReport, width: int, command: Command) -> list[Section]:
    """What became of a model, and what it answers."""
    show = command(f"train {model}")
    if part.refused is not None:
        heading = styled((model, "bold"), ": ", ("stopped by the validation gate", "red"))
        lines = wrapped(styled(f"  {part.refused.message}"), width)
        return [Section(heading, tuple(lines), show, "results")]
    train = part.train
    assert train is not None, "a model that was not refused was trained"
    verdict = ("blessed", "green") if train.blessed else ("not blessed", "red")
    anomalies = (
        f"{len(train.anomalies) or 'no'} {'anomaly' if len(train.anomalies) == 1 else 'anomalies'}"
    )
    heading = styled((f"{model}, evaluated on the test split: ", "bold"), verdict, f", {anomalies}")
    rows = []
    if train.serving_problem:
        rows += wrapped(styled(f"  It cannot be served: {train.serving_problem}"), width)
    rows += aligned(_metrics(train.thresholds), "llrl", width)
    for anomaly in train.anomalies:
        rows += wrapped(styled(f"  {anomaly.column}: {anomaly.description}"), width)
    sections = [Section(heading, tuple(rows), show, "results")]
    if part.answers and part.promotion is not None:
        title = f"What {model}@{part.promotion.version} answers"
        cells = [
            (styled((_answer(entry.answer), "cyan")), styled(_instance(entry.instance)))
            for entry in part.answers
        ]
        answers = tuple(aligned(cells, "ll", width))
        sections.append(Section(styled((title, "bold")), answers, is_apart=False))
    return sections


def _metrics(thresholds: Sequence[Bound]) -> list[tuple[Text, ...]]:
    """Mark, metric, value and bounds by metric; those that do not hold come first."""
    metrics: dict[str, list[Bound]] = {}
    for bound in thresholds:
        # The number of rows is bounded too, so that a lost row is seen. People look for quality.
        if bound.metric != "example_count" or not bound.ok:
            metrics.setdefault(bound.metric, []).append(bound)
    return [
        (
            styled(("✓", "green") if _holds(bounds) else ("✗", "red")),
            styled(metric),
            styled(_number(bounds[0].value)),
            styled((", ".join(map(_bound, bounds)), "dim")),
        )
        for metric, bounds in sorted(metrics.items(), key=lambda item: _holds(item[1]))
    ]


def _holds(bounds: Sequence[Bound]) -> bool:
    return all(bound.ok for bound in bounds)


def _next(document: RunReport, command: Command, width: int) -> Section:
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
        commands[command(f"show {document.usecase}.audit.quarantine")] = "rejected rows"
    commands[command("tensorboard")] = "training curves"
    longest = max(map(len, commands))
    lines = [
        styled(f"  {words:<{longest}}", (f"  # {meaning}", "dim"))
        for words, meaning in commands.items()
    ]
    if max(line.cell_len for line in lines) > width:
        lines = [styled(f"  {words}") for words in commands]
    return Section(styled(("Next", "bold")), tuple(lines))


def _end(document: RunReport) -> Section:
    line = f"{document.seconds:.0f} s in all. Logs: {homes.short(document.logs)}"
    return Section(styled(line), is_apart=False)


def _command(root: str) -> Command:
    # Run by make, the command is in the environment but not on the person's PATH.
    goldlake = "goldlake" if shutil.which("goldlake") else homes.short(sys.argv[0])
    # The run has made its home the one that commands from this folder take.
    home = "" if homes.choose().home.root == root else f" --home {root}"
    return lambda words: f"{goldlake} {words}{home}"


def _unnamed(words: str) -> str:
    """The `Command` of what is always printed whole, and hence names none."""
    return ""


def _below(usecase: str, table: str) -> str:
    """A table as it is called within its use case."""
    return table.removeprefix(f"{usecase}.")


def _bound(bound: Bound) -> str:
    if bound.kind == "max_drop":
        return f"at least {_number(bound.bound)} (what serves, less the drop allowed)"
    return f"{'at least' if bound.kind == 'minimum' else 'at most'} {bound.bound:g}"


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"


def _answer(answer: Any) -> str:
    if isinstance(answer, float):
        return f"{answer:.3f}"
    return answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)


def _instance(instance: Mapping[str, Any]) -> str:
    values = [str(value) for value in instance.values()][:4]
    return ", ".join(values) + (", …" if len(instance) > len(values) else "")


def _day(instant: str) -> str:
    return str(instant)[:10]
