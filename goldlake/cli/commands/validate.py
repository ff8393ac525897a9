"""The reviewer's commands at the validation gate: validate, accept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from goldlake.cli import completion
from goldlake.cli.common import report, reports
from goldlake.cli.printing import console, plain, say, say_all, say_wrapped, value_text

if TYPE_CHECKING:
    from goldlake_core.documents.gate import (
        Acceptance,
        FindingReport,
        GateValue,
        PeriodReport,
        ValidationReport,
    )

MOST_FINDINGS = 10


@click.command()
@click.argument("name", metavar="MODEL|TABLE[@V]", shell_complete=completion.versions)
@click.option(
    "--against",
    type=click.IntRange(min=0),
    metavar="V",
    help="Compare with the periods of this version, not with the earlier periods.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=12,
    show_default=True,
    help="Most values to show of a period; --json has all of them.",
)
@reports
def validate(name: str, against: int | None, limit: int, home: str | None, as_json: bool) -> None:
    """Show how far the newest periods of a table are from the earlier ones, the worst first.

    A model means its gold table. Besides the newest periods those are shown that the gate refuses,
    with example rows for each finding, and the keys of the contract that would accept it. Nothing
    is written. Exit code 3: the gate refuses a period.
    """
    from goldlake.workflows import homes
    from goldlake.workflows.validate import validate as measure
    from goldlake_core.contracts.errors import GateRefused

    chosen = homes.choose(home)
    document = measure(name, chosen.home, against)
    report(document, as_json, lambda found: _print(found, limit), chosen)
    refused = [each.verdict.period for each in document.periods if each.is_refused]
    if refused:
        raise GateRefused(f"The gate refuses {', '.join(refused)} of {document.table}")


@click.command()
@click.argument("run_id", metavar="RUN")
@click.argument("column")
@click.option("--because", required=True, metavar="TEXT", help="Why what was found is right.")
@reports
def accept(run_id: str, column: str, because: str, home: str | None, as_json: bool) -> None:
    """Accept what the gate found about a column in a run; who, when and why go on record.

    Where a finding is about no column, COLUMN is its statistic, such as rows_a_day.
    """
    from goldlake.cli.common import used_home
    from goldlake.workflows.validate import accept as record

    document = record(run_id, column, because, used_home(home))
    report(document, as_json, _print_acceptance)


def _print_acceptance(found: Acceptance) -> None:
    say(f"{found.column} of {', '.join(found.periods)} is accepted in {found.table}")
    say((f"by {found.who} at {found.at}: {found.because}", "dim"))


def _print(found: ValidationReport, limit: int) -> None:
    compared = "the earlier periods" if found.against is None else f"version {found.against}"
    say((f"{found.table}, compared with {compared}", "bold"))
    for period in found.periods:
        _print_period(period, limit)


def _print_period(period: PeriodReport, limit: int) -> None:
    verdict = period.verdict
    state = "closed" if verdict.is_closed else "open"
    word = ("refused", "bold red") if period.is_refused else ("passed", "green")
    say("")
    say((verdict.period, "bold"), f": {verdict.rows:,} rows, {state}; ", word)
    if not verdict.has_limits:
        say_wrapped(
            f"Only fixed limits were applied: {verdict.earlier} earlier periods have 500 rows or "
            "more; limits need 3 of them, and 500 rows of a whole week in this one"
        )
    rows: list[tuple[str, ...]] = [("value", "limit", "strain", "statistic", "of")]
    rows += [_cells(value) for value in verdict.values[:limit]]
    from goldlake.cli.printing import aligned

    say_all(aligned(rows, "rrrll", console().width))
    if len(verdict.values) > limit:
        say((f"  and {len(verdict.values) - limit:,} more values", "dim"))
    for finding in period.findings[:MOST_FINDINGS]:
        _print_finding(finding, period)
    if len(period.findings) > MOST_FINDINGS:
        say(f"and {len(period.findings) - MOST_FINDINGS:,} more findings; --json has all of them")


def _cells(value: GateValue) -> tuple[str, ...]:
    low = "" if value.low is None else f"{value.low:.4g} to "
    about = " x ".join(value.columns) or "the table"
    strain = "-" if value.strain > 1000 else f"{value.strain:.2f}"
    return (f"{value.value:.4g}", f"{low}{value.high:.4g}", strain, value.statistic, about)


def _print_finding(finding: FindingReport, period: PeriodReport) -> None:
    value = finding.value
    about = " x ".join(value.columns) or "the table"
    detail = f": {value.detail}" if value.detail else ""
    stops = "stops" if value.stops else "is reported only, no model reads it"
    say("")
    say_wrapped((f"{about}, {value.statistic}{detail}", "bold"), f" ({stops})")
    for row in finding.examples:
        pairs = "  ".join(f"{name}={value_text(plain(each))}" for name, each in row.items())
        say((f"  {pairs}", "dim"))
    if finding.accepted is not None:
        say(f"  accepted: {finding.accepted}")
        return
    column = (value.columns or (value.statistic,))[0]
    if period.run_id and value.stops:
        say(f'  accept it once: goldlake accept {period.run_id} {column} --because "…"')
    if finding.accept:
        say("  or for good, in contract.yaml:")
        for line in finding.accept.rstrip("\n").split("\n"):
            say(f"    {line}")
