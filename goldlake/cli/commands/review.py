"""`goldlake tensorboard`: TensorBoard over the training runs of a home."""

from __future__ import annotations

import click

from goldlake.cli.common import home_option, report_errors


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=6006, show_default=True)
@home_option
@report_errors
def tensorboard(port: int, home: str | None) -> None:
    """Open TensorBoard over all training runs of the home, until Ctrl-C."""
    from goldlake.workflows import homes
    from goldlake.workflows.review import run_tensorboard

    run_tensorboard(homes.choose(home).home, port)
