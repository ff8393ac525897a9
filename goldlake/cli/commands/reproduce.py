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
@click.option(
    "--from-pages",
    is_flag=True,
    help="Make its rows again, too, from the landed pages that they came of.",
)
@reports
def reproduce(
    model: str, place: str | None, from_pages: bool, home: str | None, as_json: bool
) -> None:
    """Make a pushed version again from its rows in another home, and compare the two by value.

    All variables, files of words and answers to rows of the test split are compared to the bit. The
    stack, the threads and the processor that made the version are on record beside it; where
    something differs, so does one of these, and it is named. The exit code is 3 then.

    With --from-pages, the landed pages are first refined and exported in that home. The rows of
    bronze, silver, gold and the export are compared with those of then, and the step where a
    difference begins is named.
    """
    from goldlake.cli import account
    from goldlake.cli.progress import Progress
    from goldlake.cli.reproduce_text import print_reproduced
    from goldlake.workflows.reproduce import reproduce as run_reproduce

    with Progress(account.SUMMARIES) as progress:
        document = run_reproduce(model, used_home(home), place, progress, from_pages=from_pages)
    report(document, as_json, print_reproduced)
    sys.exit(0 if document.is_equal else 3)
