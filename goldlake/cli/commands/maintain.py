"""`goldlake maintain` and `goldlake restore`: a home that stays small, and a way back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from goldlake.cli import completion
from goldlake.cli.common import report, reports, used_home
from goldlake.cli.printing import aligned, console, say, say_all, say_wrapped

if TYPE_CHECKING:
    from goldlake_core.documents.maintain import MaintainReport, RestoreReport

_MIB = 2**20


@click.command()
@click.argument("usecase", shell_complete=completion.usecases)
@click.option(
    "--keep", metavar="TIME", default="30d", show_default=True, help="What is younger stays."
)
@click.option("--short", is_flag=True, help="Allow --keep below a week, when nobody reads.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--drop-aside", is_flag=True, help="Remove damaged pages that were set aside.")
@click.option("--drop-orphans", is_flag=True, help="Remove tables that the contract does not name.")
@reports
def maintain(usecase: str, short: bool, home: str | None, as_json: bool, **options: Any) -> None:
    """Make tables and the home smaller: files, old versions, small pages, exports, runs.

    No row changes. Every landed page stays, and every export that a pushed model learned from.
    """
    from goldlake.cli import account
    from goldlake.cli.progress import Progress
    from goldlake.workflows.maintain import maintain as run_maintain

    with Progress(account.SUMMARIES) as progress:
        document = run_maintain(
            usecase, used_home(home), progress, is_short_allowed=short, **options
        )
    report(document, as_json, _print_maintained)


@click.command()
@click.argument("usecase", shell_complete=completion.usecases)
@click.option("--to", required=True, metavar="RUN|T", help="A run, or an instant in ISO 8601.")
@click.option("--dry-run", is_flag=True, help="Say what would change, and do nothing.")
@reports
def restore(usecase: str, to: str, dry_run: bool, home: str | None, as_json: bool) -> None:
    """Go back to what had been landed by a run or an instant; tables follow.

    Pages that were landed later count no more. They stay on disk: the same command with a later run
    goes forward again. The next ingest asks the source for what came after.
    """
    from goldlake.cli import account
    from goldlake.cli.progress import Progress
    from goldlake.workflows.maintain import restore_to

    with Progress(account.SUMMARIES) as progress:
        document = restore_to(usecase, used_home(home), to, progress, dry_run=dry_run)
    report(document, as_json, _print_restored)


def _print_maintained(document: MaintainReport) -> None:
    width = console().width
    what = "would be done" if document.dry_run else "was done"
    say((f"{document.usecase}: what {what}, keeping {document.keep_days:g} days", "bold"))
    rows = [
        (
            part.part.removeprefix(f"{document.usecase}."),
            f"{part.files_before:,} files",
            f"to {part.files_after:,}",
            f"{part.bytes_before / _MIB:,.1f} MiB",
            f"to {part.bytes_after / _MIB:,.1f}",
        )
        for part in document.parts
        if part.files_before or part.files_after
    ]
    say_all(aligned(rows, "lrrrr", width))
    for part in document.parts:
        for sentence in part.done:
            say_wrapped(f"  {part.part.removeprefix(f'{document.usecase}.')}: {sentence}")
    say(("Versions that can be read", "bold"))
    cells = [
        (t.table.removeprefix(f"{document.usecase}."), f"@{t.oldest} to @{t.newest}", t.oldest_at)
        for t in document.readable
    ]
    say_all(aligned(cells, "lll", width))
    for pin in document.pinned:
        labels = f" ({', '.join(pin.labels)})" if pin.labels else ""
        say_wrapped(f"Kept: export {pin.export_id} of {', '.join(pin.models)}{labels}")


def _print_restored(document: RestoreReport) -> None:
    from goldlake.workflows.upkeep import counted

    is_done = not document.leaving_pages and not document.coming_pages
    if is_done:
        say(f"{document.usecase} is there already, with {document.records:,} records")
        return
    verb = "would count" if document.dry_run else "count"
    held = f"{counted(document.records, 'record')} in {counted(document.pages, 'page')}"
    say((f"{document.usecase}: {held} {verb}", "bold"))
    pairs = (
        ("no more", document.leaving_records, document.leaving_pages),
        ("again", document.coming_records, document.coming_pages),
    )
    for word, number, of_pages in pairs:
        if of_pages:
            say(f"  {counted(number, 'record')} in {counted(of_pages, 'page')} {verb} {word}")
    for model in document.models:
        say(f"  {model} learned from rows that leave; it is not touched")
    if document.refine is not None:
        say(f"  silver has {document.refine.totals.silver:,} rows")
    if document.leaving_pages:
        say(f"The next goldlake ingest {document.usecase} asks the source for what came after.")
