"""The data engineer's commands: rebuild, tables, export."""

from __future__ import annotations

import sys

import click

from goldlake.cli import completion
from goldlake.cli.common import accepts_rejected, report, reports, used_home
from goldlake.cli.printing import say


@click.command()
@click.argument("usecase", shell_complete=completion.usecases)
@accepts_rejected
@click.option("--refit", is_flag=True, help="Fit the clusters of gold tables anew, too.")
@reports
def rebuild(
    usecase: str, home: str | None, as_json: bool, accept_rejected: bool, refit: bool
) -> None:
    """Make silver and gold again from bronze, under the contract as it is now."""
    from goldlake.cli import account
    from goldlake.cli.progress import Progress
    from goldlake.workflows.ingest import rebuild as run_rebuild

    with Progress(account.SUMMARIES) as progress:
        document = run_rebuild(
            usecase, used_home(home), progress, accept_rejected=accept_rejected, refit=refit
        )
    report(document, as_json, account.print_ingest)


@click.command()
@click.argument("usecase", required=False, shell_complete=completion.usecases)
@click.option("--as-of", metavar="T", help="What was known at that instant, ISO 8601.")
@click.option("--happened-by", metavar="T", help="Only what had happened by that instant.")
@reports
def tables(
    usecase: str | None,
    as_of: str | None,
    happened_by: str | None,
    home: str | None,
    as_json: bool,
) -> None:
    """Show every table with rows, version, size and URI, and what became of all records.

    With --as-of, tables are at the versions of that instant, and the records are those that were
    landed by then. With --happened-by, only records of events up to that instant are counted. No
    JVM is started.
    """
    from goldlake.cli import account
    from goldlake.workflows import homes, views

    chosen = homes.choose(home)
    document = views.tables(usecase, chosen.home, as_of, happened_by)
    if not as_json and (as_of or happened_by):
        known = f"what was known at {as_of}" if as_of else "what is known now"
        happened = f" of what had happened by {happened_by}" if happened_by else ""
        say((f"{known}{happened}", "dim"))
    report(document, as_json, account.print_tables, chosen, is_empty=not document)


@click.command()
@click.argument("model", shell_complete=completion.models)
@click.option("--version", type=int, help="Version of the gold table; default the newest.")
@click.option("--out", metavar="DIR", help="Copy the export there as well.")
@click.option(
    "--verify",
    "is_verifying",
    is_flag=True,
    help="Compare all exports of the model (or that of --version) with their manifests.",
)
@reports
def export(
    model: str,
    version: int | None,
    out: str | None,
    is_verifying: bool,
    home: str | None,
    as_json: bool,
) -> None:
    """Write one gold version as the CSV hand-off: parts by split, and a manifest.

    With --verify, a damaged export is written again as long as its gold version can be read. Else
    it is lost: the models that learned from it are named, and the exit code is 3.
    """
    from goldlake.cli import account
    from goldlake.cli.export_text import print_verified
    from goldlake.cli.progress import Progress
    from goldlake.workflows.exports import verify
    from goldlake.workflows.ingest import export as run_export

    if is_verifying and out is not None:
        raise click.UsageError("--verify writes no copy: leave out --out, or --verify.")
    with Progress(account.SUMMARIES) as progress:
        if is_verifying:
            verified = verify(model, used_home(home), version, progress)
        else:
            document = run_export(model, used_home(home), version, out, progress)
    if not is_verifying:
        report(document, as_json, account.print_export)
        return
    report(verified, as_json, print_verified)
    sys.exit(3 if any(each.state == "lost" for each in verified.exports) else 0)
