"""`goldlake score`: batch inference."""

from __future__ import annotations

import click

from goldlake.cli import completion
from goldlake.cli.common import report, reports, used_home


@click.command()
@click.argument("model", shell_complete=completion.versions)
@click.option(
    "--input",
    "source",
    required=True,
    metavar="TABLE|FILE",
    help="A table, also TABLE@V, or a file of CSV, JSON lines or Parquet.",
)
@click.option("--out", metavar="FILE", help="Write to .jsonl, .csv or .parquet, not to a table.")
@reports
def score(model: str, source: str, out: str | None, home: str | None, as_json: bool) -> None:
    """Answer all rows of a table or a file, and keep the scores with their keys.

    Without --out they are added to the table USECASE.scores.MODEL, with the version of the model
    and the time. MODEL is the version that serves now, MODEL@7 its version 7.
    """
    from goldlake.cli import account
    from goldlake.cli.progress import Progress
    from goldlake.workflows.score import score as run_score

    with Progress(account.SUMMARIES) as progress:
        document = run_score(model, source, used_home(home), out, progress)
    report(document, as_json, account.print_scores)
