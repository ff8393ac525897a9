"""`goldlake test`: a use case's own examples."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from goldlake.cli import completion
from goldlake.cli.common import json_option, report, report_errors
from goldlake.cli.printing import say, say_wrapped

if TYPE_CHECKING:
    from goldlake_core.documents.examples import Difference, ExamplesReport

GATE_EXIT_CODE = 3


@click.command()
@click.argument("usecase", shell_complete=completion.usecases)
@click.option(
    "--example", "only", multiple=True, metavar="NAME", help="Run only this one (repeatable)."
)
@json_option
@report_errors
def test(usecase: str, only: tuple[str, ...], as_json: bool) -> None:
    """Run a use case's own examples (exit code 3 if one differs from what it expects).

    An example is a file examples/NAME.yaml in the use case's folder: records as the source sends
    them, and the rows of silver and gold, or the reasons, that have to come of them. Each goes
    through Spark in an empty home.
    """
    from goldlake.cli import account
    from goldlake.cli.progress import Progress
    from goldlake.workflows.examples import run_examples

    with Progress(account.SUMMARIES) as progress:
        document = run_examples(usecase, only, progress)
    report(document, as_json, _print_examples)
    sys.exit(GATE_EXIT_CODE if document.failed else 0)


def _print_examples(document: ExamplesReport) -> None:
    for example in document.examples:
        mark = ("✓", "green") if example.is_ok else ("✗", "red")
        say_wrapped("  ", mark, f" {example.name}  ", (example.about, "dim"))
        if example.problem:
            say_wrapped(f"      {example.problem}")
        for difference in example.differences:
            say_wrapped(f"      {_difference(difference)}")
    count = document.passed + document.failed
    say(f"{document.usecase}: {document.passed} of {count} examples are as they expect")


def _difference(difference: Difference) -> str:
    what = "record" if difference.table == "rejected" else f"{difference.table} row"
    where = f"{difference.place}: {what} {difference.row}"
    if difference.column is not None:
        where += f": {difference.column}"
    expected, found = difference.expected, difference.found
    if difference.table == "rejected":
        expected, found = expected or "no reason", found or "no reason"
    return f"{where}: expected {expected or 'no such row'}, found {found or 'no such row'}"
