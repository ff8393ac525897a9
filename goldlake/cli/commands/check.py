"""`goldlake check`: what is wrong with a use case, without Spark or TensorFlow."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from goldlake.cli import completion
from goldlake.cli.common import json_option, report, report_errors
from goldlake.cli.printing import say, say_lines

if TYPE_CHECKING:
    from goldlake.workflows.check import CheckReport

CONTRACT_EXIT_CODE = 2


@click.command()
@click.argument("usecase", shell_complete=completion.usecases)
@json_option
@report_errors
def check(usecase: str, as_json: bool) -> None:
    """Check the contracts of a use case (exit code 2 if there are errors).

    Nothing of the use case is run, and neither Spark nor TensorFlow is started. A warning is about
    what is valid but probably not intended.
    """
    from goldlake.workflows.check import check_usecase

    checked = check_usecase(usecase)
    report(checked, as_json, _print_findings)
    sys.exit(CONTRACT_EXIT_CODE if checked.errors else 0)


def _print_findings(checked: CheckReport) -> None:
    for finding in checked.findings:
        say_lines(finding.message)
    say(summary(checked))


def summary(report: CheckReport) -> str:
    """The last line: how many findings there are, or what was checked."""
    errors, warnings = _counted(report.errors, "error"), _counted(report.warnings, "warning")
    if report.errors:
        return f"{report.usecase}: {errors}, {warnings}"
    parts = [
        _counted(report.columns, "column"),
        _counted(report.tables, "gold table"),
        _counted(report.models, "model"),
    ]
    found = f"no errors, {warnings}" if report.warnings else "no errors"
    return f"{report.usecase}: {found}; {', '.join(parts)} checked"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")
