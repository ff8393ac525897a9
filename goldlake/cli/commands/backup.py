"""`goldlake backup`: a consistent copy of a home."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from goldlake.cli import completion
from goldlake.cli.common import report, reports
from goldlake.cli.printing import aligned, console, say, say_all

if TYPE_CHECKING:
    from goldlake_core.documents.keeping import BackupReport

GATE_EXIT_CODE = 3


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False))
@click.option(
    "--usecase", metavar="USECASE", help="Only this one.", shell_complete=completion.usecases
)
@click.option("--dry-run", is_flag=True, help="Only say what would be copied.")
@click.option("--verify", is_flag=True, help="Copy nothing: compare DIR with what it should hold.")
@reports
def backup(
    folder: str, usecase: str | None, dry_run: bool, verify: bool, home: str | None, as_json: bool
) -> None:
    """Copy a home into the folder DIR, beside running commands and servers.

    A second call copies only what is new, and one that was killed is completed by the same command.
    The copy is a home: any command works on it with --home DIR.
    """
    from goldlake.cli.progress import Progress
    from goldlake.workflows import backup as copies
    from goldlake.workflows import homes

    if verify:
        document = copies.verify(folder)
    else:
        with Progress({}) as progress:
            place = homes.choose(home).home
            document = copies.backup(place, folder, usecase, progress, is_dry_run=dry_run)
    report(document, as_json, _print_verified if verify else _print_copied)
    sys.exit(GATE_EXIT_CODE if document.problems else 0)


def _print_copied(document: BackupReport) -> None:
    what = "would be copied" if document.is_dry_run else "is copied"
    say((f"{document.home} {what} to {document.target}", "bold"))
    _print_parts(document)
    files = sum(part.new_files for part in document.parts.values())
    size = _mib(sum(part.new_bytes for part in document.parts.values()))
    say(f"  of these {files:,} files, {size}, {'are' if document.is_dry_run else 'were'} new")
    if document.removed_files:
        what = "would leave" if document.is_dry_run else "left"
        say(f"  {document.removed_files:,} files {what} the copy: the home holds them no more")
    if not document.is_dry_run:
        say(f"Use it as a home: --home {document.target}")


def _print_verified(document: BackupReport) -> None:
    say((f"{document.target}, copied from {document.home} at {document.made_at}", "bold"))
    _print_parts(document)
    for problem in document.problems:
        say("  ", ("✗", "red"), f" {problem}")
    if document.problems:
        say(f"Next: remove these files, then goldlake backup {document.target} again")
    else:
        say("  ", ("✓", "green"), " every file is as it was copied")


def _print_parts(document: BackupReport) -> None:
    rows = [(part, f"{p.files:,} files", _mib(p.bytes)) for part, p in document.parts.items()]
    say_all(aligned(rows, "lrr", console().width))


def _mib(size: int) -> str:
    return f"{size / 2**20:,.1f} MiB"
