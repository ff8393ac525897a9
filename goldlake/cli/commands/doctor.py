"""`goldlake doctor`: what this machine lacks."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from goldlake.cli.common import report, reports
from goldlake.cli.printing import say

if TYPE_CHECKING:
    from goldlake_core.documents.reports import Findings


@click.command()
@click.option("--deep", is_flag=True, help="Compare all contents of the home's tables as well.")
@reports
def doctor(deep: bool, home: str | None, as_json: bool) -> None:
    """Say what this machine lacks, and the command that fixes it (exit code 3 if anything).

    With --deep the tables of the home are read whole: landed pages, bronze, versions and silver
    have to agree record by record, and gold has to equal a rebuild.
    """
    from goldlake.cli import account
    from goldlake.cli.progress import Progress
    from goldlake.workflows import homes
    from goldlake.workflows.doctor import findings
    from goldlake.workflows.ingest import audits
    from goldlake_core.documents.reports import Findings

    place = homes.choose(home).home
    found = findings(place)
    if deep:
        with Progress(account.SUMMARIES) as progress:
            found += audits(place, progress)
    report(Findings(findings=tuple(found)), as_json, _print_findings)
    sys.exit(0 if all(finding.is_ok for finding in found) else 3)


def _print_findings(document: Findings) -> None:
    for finding in document.findings:
        mark = ("✓", "green") if finding.is_ok else ("✗", "red")
        say("  ", mark, f" {finding.name:<13} {finding.found}")
        if not finding.is_ok:
            say(f"      wanted: {finding.wanted}. Next: {finding.fix}")
