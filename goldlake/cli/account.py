"""Texts of results: one line per stage, and the accounts that commands end with."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from goldlake.cli.progress import Summary
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
    """Prints the account of `goldlake run`."""
    console = Console(highlight=False)
    _print_fates(console, document.refine.totals, document.refine.reasons)
    _print_rows(console, document.refine.tables)
    for model, part in document.models.items():
        _print_model(console, model, part)
    _print_next(console, document)
    console.print(
        f"\n{document.seconds:.0f} s in all. Logs: {homes.short(document.logs)}", soft_wrap=True
    )


def print_ingest(document: IngestReport) -> None:
    """Prints the account of `goldlake ingest`."""
    console = Console(highlight=False)
    _print_fates(console, document.refine.totals, document.refine.reasons)
    _print_rows(console, document.refine.tables)


def print_export(document: Exported) -> None:
    """Prints where an export is and what is in it."""
    console = Console(highlight=False)
    limits, rows = document.boundaries, document.rows
    table = _table(console, f"Export {document.export_id}", "left", "right", "left")
    spans = {
        "train": f"before {_day(limits.eval_from)}",
        "eval": f"from {_day(limits.eval_from)}",
        "test": f"from {_day(limits.test_from)} to before {_day(limits.until)}",
        "immature": "left out: the label is not mature yet",
    }
    for split, span in spans.items():
        table.add_row(split, f"{rows.get(split, 0):,}", f"[dim]{span}[/dim]")
    console.print(table)
    console.print(f"  {document.uri}", soft_wrap=True)


def print_training(document: TrainReport) -> None:
    """Prints the account of `goldlake train`."""
    console = Console(highlight=False)
    _print_model(console, document.model, ModelReport(export=document.export, train=document.train))


def print_tables(document: TablesView) -> None:
    """Prints `goldlake tables`."""
    console = Console(highlight=False)
    if not document:
        console.print("No tables yet. Next: goldlake run USECASE")
    for usecase, part in document.items():
        table = _table(console, usecase, "left", "right", "right", "right")
        for entry in part.tables:
            size = f"{entry.bytes / 2**20:,.1f} MiB"
            table.add_row(entry.id, f"{entry.rows:,}", f"@{entry.version}", size)
        console.print(table)
        _print_fates(console, part, {})


def print_models(document: ModelsView) -> None:
    """Prints `goldlake models`."""
    console = Console(highlight=False)
    if not document.models:
        console.print("No models yet. Next: goldlake run USECASE")
    for model, part in document.models.items():
        table = _table(console, model, "left", "left", "left", "left", "left")
        for entry in part.versions:
            labels = ", ".join(entry.labels)
            metrics = "  ".join(f"{k} {v:.4f}" for k, v in entry.metrics.items() if k == "auc")
            data = f"{entry.table}@{entry.table_version}"
            table.add_row(f"@{entry.version}", labels, data, metrics, entry.pushed_at)
        console.print(table)


def _print_fates(console: Console, totals: Totals, reasons: Mapping[str, int]) -> None:
    table = _table(
        console, f"What became of {totals.landed:,} landed records", "left", "right", "left"
    )
    for fate in FATES:
        if count := getattr(totals, fate):
            table.add_row(fate, f"{count:,}", f"[dim]{FATE_MEANINGS[fate]}[/dim]")
    console.print(table)
    if reasons:
        counts = ", ".join(f"{code} {n:,}" for code, n in sorted(reasons.items()))
        console.print(f"    [dim]reasons in this run: {counts}[/dim]", soft_wrap=True)


def _print_rows(console: Console, tables: Mapping[str, TableState]) -> None:
    table = _table(console, "Tables", "left", "right", "right")
    for name, entry in tables.items():
        table.add_row(name, f"{entry.rows:,}", f"@{entry.version}")
    console.print(table)


def _print_model(console: Console, model: str, part: ModelReport) -> None:
    if part.refused is not None:
        console.print(f"\n[bold]{model}[/bold]: [red]stopped by the validation gate[/red]")
        console.print(f"  {part.refused.message}", soft_wrap=True)
        return
    train = part.train
    assert train is not None, "a model that was not refused was trained"
    verdict = "[green]blessed[/green]" if train.blessed else "[red]not blessed[/red]"
    title = f"{model}, evaluated on the test split: {verdict}"
    table = _table(console, title, "left", "left", "right", "left")
    for metric, bounds in _by_metric(train.thresholds).items():
        mark = "[green]✓[/green]" if all(bound.ok for bound in bounds) else "[red]✗[/red]"
        wanted = ", ".join(_bound(bound) for bound in bounds)
        table.add_row(mark, metric, _number(bounds[0].value), f"[dim]{wanted}[/dim]")
    console.print(table)
    if train.serving_problem:
        console.print(f"  It cannot be served: {train.serving_problem}", soft_wrap=True)
    count = len(train.anomalies)
    console.print(f"  Anomalies: {count or 'none'}")
    for anomaly in train.anomalies:
        console.print(f"    {anomaly.column}: {anomaly.description}", soft_wrap=True)
    if part.answers and part.promotion is not None:
        version = part.promotion.version
        console.print(f"\n[bold]What {model}@{version} answers[/bold]")
        for entry in part.answers:
            console.print(f"  [cyan]{_answer(entry.answer)}[/cyan]  {_instance(entry.instance)}")


def _print_next(console: Console, document: RunReport) -> None:
    # Run by make, the command is in the environment but not on the person's PATH.
    goldlake = "goldlake" if shutil.which("goldlake") else homes.short(sys.argv[0])
    # The run has made its home the one that commands from this folder take.
    home = "" if homes.choose().home.root == document.home else f" --home {document.home}"
    console.print("\n[bold]Next[/bold]")
    for model, part in document.models.items():
        if part.promotion is not None:
            version = part.promotion.version
            console.print(f"  {goldlake} lineage {model}@{version}{home}", soft_wrap=True)
            console.print(f"  {goldlake} serve{home}", soft_wrap=True)
    console.print(f"  {goldlake} tables{home}", soft_wrap=True)
    console.print(f"  {goldlake} tensorboard{home}", soft_wrap=True)


def _by_metric(bounds: Sequence[Bound]) -> dict[str, list[Bound]]:
    metrics: dict[str, list[Bound]] = {}
    for bound in bounds:
        # The number of rows is bounded too, so that a lost row is seen. People look for quality.
        if bound.metric != "example_count" or not bound.ok:
            metrics.setdefault(bound.metric, []).append(bound)
    return metrics


def _bound(bound: Bound) -> str:
    if bound.kind == "max_drop":
        return f"at least {_number(bound.bound)} (what serves now, less the drop allowed)"
    return f"{'at least' if bound.kind == 'minimum' else 'at most'} {bound.bound:g}"


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"


def _table(console: Console, title: str, *sides: Literal["left", "right"]) -> Table:
    """Prints a heading and returns the table to fill below it, one side per column."""
    console.print(f"\n[bold]{title}[/bold]", soft_wrap=True)
    table = Table(box=None, show_header=False, padding=(0, 1))
    for side in sides:
        table.add_column(justify=side, overflow="fold")
    return table


def _answer(answer: Any) -> str:
    return f"{answer:.3f}" if isinstance(answer, float) else str(answer)


def _instance(instance: Mapping[str, Any]) -> str:
    values = [str(value) for value in instance.values()][:4]
    return ", ".join(values) + (", …" if len(instance) > len(values) else "")


def _day(instant: str) -> str:
    return str(instant)[:10]
