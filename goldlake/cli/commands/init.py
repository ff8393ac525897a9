"""`goldlake init`: a use case drafted from data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from goldlake.cli.common import json_option, report, report_errors
from goldlake.cli.printing import say, say_wrapped

if TYPE_CHECKING:
    from goldlake.workflows.drafting.draft import Drafted


@click.command()
@click.argument("name")
@click.option(
    "--from",
    "where",
    required=True,
    metavar="FILE",
    help="A file, a folder, a pattern or a URL: CSV, JSON, JSON lines or Parquet, also packed; or "
    "the address of a portal's data set, https://HOST/resource/ID.json.",
)
@click.option("--label", metavar="COLUMN", help="The column that a model is to predict.")
@click.option(
    "--rows",
    type=click.IntRange(1, 1_000_000),
    default=20_000,
    show_default=True,
    help="Most records to look at.",
)
@json_option
@report_errors
def init(name: str, where: str, label: str | None, rows: int, as_json: bool) -> None:
    """Draft a use case from data: the folder NAME with a contract and a model.

    It looks at the first records, and writes NAME/contract.yaml and, with --label,
    NAME/models/LABEL.yaml. Lines with ? are guesses to look at. Nothing is written over a file that
    is there, and neither Spark nor TensorFlow is started.
    """
    from goldlake.workflows.drafting.draft import draft

    report(draft(name, where, label, rows), as_json, _print_drafted)


def _print_drafted(drafted: Drafted) -> None:
    files = drafted.files[0] if len(drafted.files) == 1 else f"{len(drafted.files)} files"
    first = "" if drafted.is_whole else "the first "
    say(f"{drafted.usecase}: {first}{drafted.rows:,} records of {files}")
    for told in drafted.told:
        mark = ("?", "yellow") if told.is_guess else ("✓", "green")
        say_wrapped("  ", mark, f" {told.what:<9} {told.text}")
    say(f"Wrote {' and '.join(drafted.written)}")
    say(f"Next: {', then '.join(drafted.next)}")
