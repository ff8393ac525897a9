"""`goldlake erase`: one record's data out of everything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from goldlake.cli import completion
from goldlake.cli.common import report, reports, used_home
from goldlake.cli.printing import say

if TYPE_CHECKING:
    from goldlake_core.documents.keeping import ErasureReport


@click.command()
@click.argument("usecase", shell_complete=completion.usecases)
@click.option("--key", multiple=True, metavar="VALUE|COLUMN=VALUE", help="The silver key.")
@click.option("--because", default="", metavar="TEXT", help="Why, for the record.")
@click.option("--dry-run", is_flag=True, help="Only say what would be erased.")
@reports
def erase(
    usecase: str, key: tuple[str, ...], because: str, dry_run: bool, home: str | None, as_json: bool
) -> None:
    """Take the records of one key out of pages, tables, exports, examples and request logs.

    Models that were trained on them are named and kept. The key is not landed again. A key of
    several columns is given as one --key COLUMN=VALUE each. An erasure that was interrupted is
    completed by the command without --key.
    """
    from goldlake.cli import account
    from goldlake.cli.progress import Progress
    from goldlake.workflows.erase import erase as run_erase

    with Progress(account.SUMMARIES) as progress:
        place = used_home(home)
        document = run_erase(usecase, place, key, because, progress, is_dry_run=dry_run)
    report(document, as_json, _print)


def _print(document: ErasureReport) -> None:
    will = "would be " if document.is_dry_run else ""
    say((f"{document.usecase}: {_count(document.records, 'record')} {will}erased", "bold"))
    say(f"  {_count(document.pages, 'landed page')} {will}written again")
    say(f"  bronze, silver ({_count(document.epochs, 'epoch')}) and gold {will}made again")
    for export in document.exports:
        say(f"  export {export} {will}removed")
    for folder in document.examples:
        say(f"  training examples {will}removed from {folder}")
    if document.requests:
        say(f"  {_count(document.requests, 'row')} of request logs {will}removed")
    for model in document.models:
        say("  ", ("!", "yellow"), f" {model} learned from the record and is kept")
    if not document.is_dry_run:
        say(f"  on record as number {document.id}, without the key")
        say(f"Copies of the home still hold it: goldlake backup DIR --home {document.home}")


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
