"""`goldlake check`: what is wrong with a use case, without Spark or TensorFlow."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from goldlake.cli import completion
from goldlake.cli.common import json_option, report, report_errors
from goldlake.cli.printing import say, say_lines, say_wrapped
from goldlake.workflows import homes

if TYPE_CHECKING:
    from goldlake.workflows.check import CheckReport
    from goldlake.workflows.trial import Trial
    from goldlake_core.documents.planning import Outlook

CONTRACT_EXIT_CODE = 2
GATE_EXIT_CODE = 3


@click.command()
@click.argument("usecase", shell_complete=completion.usecases)
@click.option("--home", metavar="HOME", help="Also say what the contract means for this home.")
@click.option("--data", "has_data", is_flag=True, help="Also type the source's first records.")
@json_option
@report_errors
def check(usecase: str, home: str | None, has_data: bool, as_json: bool) -> None:
    """Check the contracts of a use case (exit code 2 if there are errors).

    Nothing of the use case is run, and neither Spark nor TensorFlow is started. A warning is about
    what is valid but probably not intended. With --home, each key that differs from the contract
    that the home was made under is named, with its consequence; exit code 2 if the home cannot
    follow. With --data, the first 20,000 records are typed as the run would type them, and what
    would be rejected is named with its likely cure; exit code 3 if it is more than the contract
    accepts.
    """
    from goldlake.workflows.check import check_usecase
    from goldlake_core.storage.home import Home

    checked = check_usecase(usecase, Home.at(home) if home else None, has_data=has_data)
    report(checked, as_json, _print_findings)
    is_refused = checked.outlook is not None and checked.outlook.is_refused
    if checked.errors or is_refused:
        sys.exit(CONTRACT_EXIT_CODE)
    sys.exit(GATE_EXIT_CODE if checked.trial and not checked.trial.is_accepted else 0)


def _print_findings(checked: CheckReport) -> None:
    for finding in checked.findings:
        say_lines(finding.message)
    say(summary(checked))
    if checked.trial is not None:
        _print_trial(checked.trial)
    if checked.outlook is not None:
        print_outlook(checked.outlook)


def _print_trial(trial: Trial) -> None:
    mark = ("✓", "green") if trial.is_accepted else ("✗", "red")
    reasons = ", ".join(f"{code} {count:,}" for code, count in list(trial.reasons.items())[:5])
    told = f": {reasons}" if reasons else ""
    say_wrapped(mark, f" {trial.rejected:,} of {trial.records:,} records would be rejected{told}")
    for model, counts in trial.labels.items():
        listed = ", ".join(f"{value} {count:,}" for value, count in counts.items())
        say_wrapped(f"  label of {model}: {listed}")


def print_outlook(outlook: Outlook) -> None:
    """Prints what a contract means for a home."""
    say((f"home: {homes.short(outlook.home)}", "dim"))
    for change in outlook.changes:
        say_wrapped(f"  {change}")
    if outlook.is_refused:
        say("The home cannot follow: undo the edit, or use another --home")
    elif outlook.is_new or outlook.why:
        what = "begins, beside the tables that answer" if outlook.is_new else "is continued"
        say_wrapped(f"Epoch {outlook.epoch} {what}: {outlook.why}")
    else:
        changes = "follow" if outlook.changes else "are made under this contract"
        say(f"The tables of epoch {outlook.epoch} {changes}")


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
