"""The data engineer's commands: ingest, tables, export."""

from __future__ import annotations

import click

from goldlake.cli import completion
from goldlake.cli.common import home_option, json_option, print_home, print_json, report_errors


@click.command()
@click.argument("usecase", shell_complete=completion.usecases)
@click.option("--source", required=True, metavar="URL|live", help="The API to read.")
@click.option("--since", metavar="DAY", help="First day wanted, YYYY-MM-DD.")
@click.option("--until", metavar="DAY", help="First day no longer wanted, YYYY-MM-DD.")
@home_option
@json_option
@report_errors
def ingest(
    usecase: str,
    source: str,
    since: str | None,
    until: str | None,
    home: str | None,
    as_json: bool,
) -> None:
    """Land what is new at the source and refine it: bronze, silver, gold."""
    from goldlake.cli import account
    from goldlake.cli.progress import Progress
    from goldlake.workflows import homes
    from goldlake.workflows.ingest import ingest as run_ingest

    place = homes.choose(home).home
    homes.remember(place)
    with Progress(account.SUMMARIES) as progress:
        document = run_ingest(usecase, place, source, since, until, progress)
    if as_json:
        print_json(document)
    else:
        account.print_ingest(document)


@click.command()
@click.argument("usecase", required=False, shell_complete=completion.usecases)
@click.option("--as-of", metavar="T", help="Versions of that instant, ISO 8601.")
@home_option
@json_option
@report_errors
def tables(usecase: str | None, as_of: str | None, home: str | None, as_json: bool) -> None:
    """Show every table with rows, version, size and URI, and what became of all records."""
    from goldlake.cli import account
    from goldlake.workflows import homes, views

    chosen = homes.choose(home)
    document = views.tables(usecase, chosen.home, as_of)
    if as_json:
        print_json(document)
    else:
        print_home(chosen, is_empty=not document)
        account.print_tables(document)


@click.command()
@click.argument("model", shell_complete=completion.models)
@click.option("--version", type=int, help="Version of the gold table; default the newest.")
@click.option("--out", metavar="DIR", help="Copy the export there as well.")
@home_option
@json_option
@report_errors
def export(
    model: str, version: int | None, out: str | None, home: str | None, as_json: bool
) -> None:
    """Write one gold version as the CSV hand-off: parts by split, and a manifest."""
    from goldlake.cli import account
    from goldlake.cli.progress import Progress
    from goldlake.workflows import homes
    from goldlake.workflows.ingest import export as run_export

    place = homes.choose(home).home
    homes.remember(place)
    with Progress(account.SUMMARIES) as progress:
        document = run_export(model, place, version, out, progress)
    if as_json:
        print_json(document)
    else:
        account.print_export(document)
