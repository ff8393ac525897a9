"""`goldlake run`: end to end."""

from __future__ import annotations

import sys
from typing import Any

import click

from goldlake.cli import completion
from goldlake.cli.common import accepts_rejected, report, reports, used_home


@click.command()
@click.argument("usecase", shell_complete=completion.usecases)
@click.option(
    "--source",
    metavar="embedded|live|URL",
    help="Where the data comes from. By default embedded for a use case with a generator of rows, "
    "else live. The embedded source has a separate home, ./var/demo.",
)
@click.option(
    "--rows",
    type=click.IntRange(min=1),
    default=20_000,
    show_default=True,
    help="Rows the embedded source generates.",
)
@click.option("--seed", type=int, default=7, show_default=True, help="Seed of the generated rows.")
@click.option(
    "--model", "models", multiple=True, metavar="NAME", help="Train only this model (repeatable)."
)
@click.option("--since", metavar="DAY", help="First day wanted, YYYY-MM-DD.")
@click.option("--until", metavar="DAY", help="First day no longer wanted, YYYY-MM-DD.")
@accepts_rejected
@reports
def run(usecase: str, home: str | None, as_json: bool, **options: Any) -> None:
    """Run end to end: ingest, refine, export, train, push, promote, and ask the served model.

    Nothing that is already done is done again: without new data the second run changes nothing.
    """
    from goldlake.cli import account
    from goldlake.cli.progress import Progress
    from goldlake.workflows.run import EMBEDDED, RunRequest, default_source, run_whole
    from goldlake_core.storage.home import DEMO_HOME

    options["source"] = options["source"] or default_source(usecase)
    request = RunRequest(usecase=usecase, **options)
    default = DEMO_HOME if request.source == EMBEDDED else None
    place = used_home(home, default, is_made=True)
    with Progress(account.SUMMARIES) as progress:
        document = run_whole(request, place, progress)
    report(document, as_json, account.print_account)
    sys.exit(document.exit_code)
