"""`goldlake doctor`: what this machine lacks."""

from __future__ import annotations

import sys

import click

from goldlake.cli import printing
from goldlake.cli.common import home_option, json_option, print_json, report_errors


@click.command()
@home_option
@json_option
@report_errors
def doctor(home: str | None, as_json: bool) -> None:
    """Say what this machine lacks, and the command that fixes it (exit code 3 if anything)."""
    from goldlake.workflows import homes
    from goldlake.workflows.doctor import findings
    from goldlake_core.documents.reports import Findings

    found = findings(homes.choose(home).home)
    if as_json:
        print_json(Findings(findings=tuple(found)))
    else:
        for finding in found:
            mark = ("✓", "green") if finding.is_ok else ("✗", "red")
            printing.say("  ", mark, f" {finding.name:<13} {finding.found}")
            if not finding.is_ok:
                printing.say(f"      wanted: {finding.wanted}. Next: {finding.fix}")
    sys.exit(0 if all(finding.is_ok for finding in found) else 3)
