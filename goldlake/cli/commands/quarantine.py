"""`goldlake quarantine`: rejected records, why, and another try."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from goldlake.cli import completion
from goldlake.cli.common import report, reports, used_home
from goldlake.cli.printing import aligned, console, say, say_all, say_wrapped

if TYPE_CHECKING:
    from goldlake_core.documents.lakehouse import QuarantineView
    from goldlake_core.documents.replay import ReplayReport


@click.group()
def quarantine() -> None:
    """Show the records that a contract rejects, and why, and try them again."""


@quarantine.command("list")
@click.argument("usecase", shell_complete=completion.usecases)
@click.option("--reason", metavar="CODE", help="Only records with this reason code.")
@click.option(
    "--limit", type=click.IntRange(min=0), default=10, show_default=True, help="Most records."
)
@reports
def list_records(
    usecase: str, reason: str | None, limit: int, home: str | None, as_json: bool
) -> None:
    """Show how many records were rejected for which reason, and the newest of them."""
    from goldlake.workflows import homes
    from goldlake.workflows.ingest import quarantine as read

    document = read(usecase, homes.choose(home).home, reason, None, limit)
    report(document, as_json, _print_list)


@quarantine.command("show")
@click.argument("usecase", shell_complete=completion.usecases)
@click.argument("record", metavar="PAGE:LINE")
@reports
def show_record(usecase: str, record: str, home: str | None, as_json: bool) -> None:
    """Show one rejected record as it came."""
    from goldlake.workflows import homes
    from goldlake.workflows.ingest import quarantine as read

    document = read(usecase, homes.choose(home).home, None, record, 1)
    report(document, as_json, _print_record)


@quarantine.command("replay")
@click.argument("usecase", shell_complete=completion.usecases)
@click.option("--dry-run", is_flag=True, help="Say what would be tried, and change nothing.")
@reports
def replay_records(usecase: str, dry_run: bool, home: str | None, as_json: bool) -> None:
    """Try rejected records again where the contract changed so that some may be let in.

    It is the rebuild that such a change asks for. Without one nothing is run.
    """
    from goldlake.cli import account
    from goldlake.cli.progress import Progress
    from goldlake.workflows.replay import replay

    with Progress(account.SUMMARIES) as progress:
        document = replay(usecase, used_home(home), dry_run, progress)
    report(document, as_json, _print_replay)


def _print_replay(document: ReplayReport) -> None:
    width = console().width
    say((f"{document.usecase}: {document.quarantined:,} records in quarantine", "bold"))
    say_all(aligned([(code, f"{n:,}") for code, n in document.reasons.items()], "lr", width))
    for change in document.changes:
        say_wrapped(change)
    if document.why:
        say_wrapped(f"Nothing to try: {document.why}.")
        return
    say(f"The changes concern {document.concerned:,} of them.")
    if document.let_in is None:
        say("To try them: the same command without --dry-run")
        return
    say((f"{document.let_in:,} got in", "bold"))
    if document.stayed:
        say("Still in quarantine:")
        say_all(aligned([(code, f"{n:,}") for code, n in document.stayed.items()], "lr", width))
    if document.rejected:
        say((f"{document.rejected:,} records that were in silver are rejected now", "yellow"))


def _print_list(document: QuarantineView) -> None:
    width = console().width
    say((f"{document.usecase}: {document.total:,} records in quarantine", "bold"))
    if document.reasons:
        counts = [(code, f"{count:,}") for code, count in document.reasons.items()]
        say_all(aligned(counts, "lr", width))
    if document.records:
        say()
        rows = [(r.record, r.key or "no key", ", ".join(r.reasons)) for r in document.records]
        say_all(aligned(rows, "lll", width))
        left = document.total - len(document.records)
        if left > 0:
            say((f"  and {left:,} more: --limit {document.total}", "dim"))
        say()
        name, first = document.usecase, document.records[0].record
        say(f"One record as it came: goldlake quarantine show {name} {first}")
        say(f"After a change of the contract: goldlake quarantine replay {name}")


def _print_record(document: QuarantineView) -> None:
    for record in document.records:
        say((record.record, "bold"), f"  landed {record.landed_at}")
        say_wrapped(f"  key      {record.key or 'none'}")
        say_wrapped(f"  reasons  {', '.join(record.reasons)}")
        say_wrapped(f"  record   {record.value}")
