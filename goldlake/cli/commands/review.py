"""The reviewer's commands: lineage, tensorboard."""

from __future__ import annotations

import click

from goldlake.cli import completion, printing
from goldlake.cli.common import home_option, json_option, print_home, print_json, report_errors


@click.command()
@click.argument("name", metavar="MODEL[@V]|TABLE[@V]", shell_complete=completion.versions)
@home_option
@json_option
@report_errors
def lineage(name: str, home: str | None, as_json: bool) -> None:
    """Which rows made this model, or which models this table version made."""
    from goldlake.cli.lineage_text import lineage_text
    from goldlake.workflows import homes, views

    chosen = homes.choose(home)
    document = views.lineage(chosen.home, name)
    if as_json:
        print_json(document)
    else:
        print_home(chosen)
        out = printing.console()
        for line in lineage_text(document).split("\n"):
            for part in printing.wrapped(printing.styled(line), out.width):
                out.print(part, soft_wrap=True)


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=6006, show_default=True)
@home_option
@report_errors
def tensorboard(port: int, home: str | None) -> None:
    """Open TensorBoard over all training runs of the home, until Ctrl-C."""
    from goldlake.workflows import homes
    from goldlake.workflows.review import run_tensorboard

    run_tensorboard(homes.choose(home).home, port)
