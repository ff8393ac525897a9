"""The reviewer's commands: lineage, tensorboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from goldlake.cli import completion
from goldlake.cli.common import home_option, report, report_errors, reports
from goldlake.cli.printing import say_wrapped

if TYPE_CHECKING:
    from goldlake_core.documents.reports import Lineage


@click.command()
@click.argument("name", metavar="MODEL[@V]|TABLE[@V]", shell_complete=completion.versions)
@reports
def lineage(name: str, home: str | None, as_json: bool) -> None:
    """Which rows made this model, or which models this table version made."""
    from goldlake.workflows import homes, views

    chosen = homes.choose(home)
    document = views.lineage(chosen.home, name)
    report(document, as_json, _print_lineage, chosen)


def _print_lineage(document: Lineage) -> None:
    from goldlake.cli.lineage_text import lineage_text

    for line in lineage_text(document).split("\n"):
        say_wrapped(line)


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=6006, show_default=True)
@home_option
@report_errors
def tensorboard(port: int, home: str | None) -> None:
    """Open TensorBoard over all training runs of the home, until Ctrl-C."""
    from goldlake.workflows import homes
    from goldlake.workflows.review import run_tensorboard

    run_tensorboard(homes.choose(home).home, port)
