"""`goldlake doctor`: what this machine lacks, and what is damaged in a home."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from goldlake.cli import completion
from goldlake.cli.common import report, reports
from goldlake.cli.printing import aligned, console, say, say_all

if TYPE_CHECKING:
    from goldlake_core.documents.reports import Findings


@click.command()
@click.option("--deep", is_flag=True, help="Read all contents of the home as well.")
@click.option("--repair", is_flag=True, help="Make again what the home itself can tell.")
@click.option(
    "--source",
    metavar="USECASE",
    shell_complete=completion.usecases,
    help="Ask this use case's source instead: address, secret, proxy and one page.",
)
@reports
def doctor(deep: bool, repair: bool, source: str | None, home: str | None, as_json: bool) -> None:
    """Say what this machine lacks and what is damaged in the home, and the command that fixes it.

    Exit code 3 if there is anything. With --deep the home is read whole: landed pages, bronze,
    versions and silver have to agree record by record, gold has to equal a rebuild, pages and
    exports have to be what they were written as. With --repair what is damaged or lost is made
    again from what is there; what cannot be is named. With --source the home is not looked at.
    """
    from goldlake.cli import account
    from goldlake.cli.progress import Progress
    from goldlake.workflows import checkup, homes
    from goldlake.workflows.doctor import findings
    from goldlake.workflows.ingest import audits
    from goldlake_core.documents.reports import Findings

    if source is not None:
        from goldlake.workflows.source_check import source_findings
        from goldlake_core.contracts.registry import load_usecase

        asked = Findings(findings=tuple(source_findings(load_usecase(source))))
        report(asked, as_json, _print_findings)
        sys.exit(0 if all(finding.is_ok for finding in asked.findings) else 3)
    place = homes.choose(home).home
    found = findings(place)
    with Progress(account.SUMMARIES) as progress:
        repaired = checkup.repair(place, progress, is_deep=deep) if repair else []
        found += [each.finding for each in checkup.ailments(place, is_deep=deep)]
        if deep:
            found += audits(place, progress)
    document = Findings(
        findings=tuple(found), sizes=checkup.part_sizes(place), repaired=tuple(repaired)
    )
    report(document, as_json, _print_findings)
    sys.exit(0 if all(finding.is_ok for finding in found) else 3)


def _print_findings(document: Findings) -> None:
    for sentence in document.repaired:
        say("  ", ("repaired", "bold"), f": {sentence}")
    for finding in document.findings:
        mark = ("✓", "green") if finding.is_ok else ("✗", "red")
        say("  ", mark, f" {finding.name:<13} {finding.found}")
        if not finding.is_ok:
            next_step = f" Next: {finding.fix}" if finding.fix else ""
            say(f"      wanted: {finding.wanted}.{next_step}")
    sizes = [(part, f"{size / 2**20:,.1f} MiB") for part, size in document.sizes.items()]
    say_all(aligned(sizes, "lr", console().width))
