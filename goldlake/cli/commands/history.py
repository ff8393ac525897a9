"""`goldlake history`: the runs of a home."""

from __future__ import annotations

import csv
import sys
from typing import TYPE_CHECKING

import click

from goldlake.cli import completion
from goldlake.cli.common import report, reports
from goldlake.cli.printing import aligned, console, say, say_all, say_wrapped

if TYPE_CHECKING:
    from goldlake_core.documents.history import HistoryView, RunRow

STYLES = {"ok": "green", "refused": "yellow"}


@click.command()
@click.argument("usecase", required=False, shell_complete=completion.usecases)
@click.option(
    "--limit", type=click.IntRange(min=0), default=20, show_default=True, help="Most runs to show."
)
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV with a header line.")
@click.option(
    "--remake", is_flag=True, help="First make the table of runs again from the runs' documents."
)
@reports
def history(
    usecase: str | None, limit: int, as_csv: bool, remake: bool, home: str | None, as_json: bool
) -> None:
    """Show the runs on record: what came when, what became of it, and how each run ended.

    The table is USECASE.audit.runs, which any reader of Delta tables can query. It also has the
    limits of the contract that applied. No JVM is started.
    """
    from goldlake.workflows import history as runs
    from goldlake.workflows import homes
    from goldlake_core.contracts.errors import UsageError

    if as_csv and as_json:
        raise UsageError("--csv and --json exclude each other", valid="one of the two")
    if remake and usecase is None:
        raise UsageError("--remake needs a use case", valid="goldlake history USECASE --remake")
    chosen = homes.choose(home)
    if remake and usecase is not None:
        aside = runs.remake(usecase, chosen.home)
        if aside:
            say_wrapped(f"The table that was there is now {aside}", is_error=True)
    document = runs.history(usecase, chosen.home, limit)
    if as_csv:
        _print_csv(document)
    else:
        report(document, as_json, _print_runs, chosen, is_empty=not document.total)


def _print_csv(document: HistoryView) -> None:
    import json

    import msgspec

    from goldlake.cli.printing import printable
    from goldlake_core.documents.history import RunRow

    text = printable if sys.stdout.isatty() else str
    writer = csv.writer(sys.stdout, lineterminator="\r\n")
    writer.writerow(RunRow.__struct_fields__)
    for run in document.runs:
        values = msgspec.to_builtins(run).values()
        cells = (json.dumps(v, ensure_ascii=False) if isinstance(v, dict) else v for v in values)
        writer.writerow("" if cell is None else text(str(cell)) for cell in cells)


def _print_runs(document: HistoryView) -> None:
    if not document.total:
        say("No runs yet. Next: goldlake ingest USECASE --source URL|live")
        return
    shown = f"{len(document.runs):,} of {document.total:,} runs, newest first"
    say((shown, "bold"))
    cells = [
        (
            run.began_at.strftime("%Y-%m-%d %H:%M:%S"),
            run.usecase,
            run.command,
            (run.status, STYLES.get(run.status, "red")),
            "" if run.seconds is None else f"{run.seconds:,.1f} s",
            _what(run),
        )
        for run in document.runs
    ]
    say_all(aligned(cells, "llllrl", console().width))
    for run in document.runs:
        if run.error:
            say_wrapped((f"  {run.run_id}  ", "dim"), run.error)


def _what(run: RunRow) -> str:
    """What a run landed and decided, in one line."""
    parts = [] if run.landed is None else [f"{run.landed:,} landed"]
    fates = ("inserted", "amended", "unchanged", "stale", "quarantined", "deleted")
    parts += [f"{count:,} {fate}" for fate in fates if (count := getattr(run, fate))]
    return ", ".join(parts)
