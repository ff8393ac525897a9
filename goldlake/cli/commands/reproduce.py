"""`goldlake reproduce`: a pushed model made again, and compared by value."""

from __future__ import annotations

import sys

import click

from goldlake.cli import completion
from goldlake.cli.common import report, reports, used_home


@click.command()
@click.argument("model", metavar="MODEL@V", shell_complete=completion.versions)
@click.option(
    "--in",
    "place",
    metavar="DIR",
    help="Make it in this new folder, another home, and keep that.",
)
@reports
def reproduce(model: str, place: str | None, home: str | None, as_json: bool) -> None:
    """Make a pushed version again from its rows in another home, and compare the two by value.

    All variables, files of words and answers to rows of the test split are compared to the bit. The
    stack, the threads and the processor that made the version are on record beside it; where
    something differs, so does one of these, and it is named. The exit code is 3 then.
    """
    from goldlake.cli import account
    from goldlake.cli.progress import Progress
    from goldlake.cli.reproduce_text import print_reproduced
    from goldlake.workflows.reproduce import reproduce as run_reproduce

    with Progress(account.SUMMARIES) as progress:
        document = run_reproduce(model, used_home(home), place, progress)
    report(document, as_json, print_reproduced)
    sys.exit(0 if document.reproduced.is_equal else 3)
