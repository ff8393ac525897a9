"""`goldlake report`: a model or the data of a use case as one HTML file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from goldlake.cli import completion
from goldlake.cli.common import report as print_report
from goldlake.cli.common import reports

if TYPE_CHECKING:
    from goldlake_core.documents.reports import ReportWritten


@click.command()
@click.argument("name", metavar="MODEL[@V]|USECASE", shell_complete=completion.versions)
@click.option(
    "--against",
    type=click.IntRange(min=1),
    metavar="V",
    help="Version to compare with; default the one that the gate compared with.",
)
@click.option("--out", metavar="FILE", help="File to write; default NAME-V.html here.")
@reports
def report(
    name: str, against: int | None, out: str | None, home: str | None, as_json: bool
) -> None:
    """Write one HTML file about a model, or about the data of a use case. Starts no JVM.

    The file opens from disk without a network. MODEL without a version is what was trained last,
    also where the gate refused it. The first report of a binary model answers its test split with
    TensorFlow; what that shows is kept in the home.
    """
    from goldlake.cli import account
    from goldlake.cli.progress import Progress
    from goldlake.workflows import homes
    from goldlake.workflows.report.write import report as made

    chosen = homes.choose(home)
    with Progress(account.SUMMARIES) as progress:
        document = made(name, chosen.home, against, out, progress)
    print_report(document, as_json, _print, chosen)


def _print(document: ReportWritten) -> None:
    from goldlake.cli.printing import say, say_wrapped

    say(
        (document.subject, "bold"),
        f": {len(document.sections)} sections, ",
        f"{document.bytes / 1000:,.0f} kB",
    )
    say_wrapped("Open ", document.file)
