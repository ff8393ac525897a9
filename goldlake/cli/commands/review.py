"""`goldlake tensorboard`: TensorBoard over the training runs of a home."""

from __future__ import annotations

import click

from goldlake.cli.common import home_option, report_errors
from goldlake.cli.printing import say


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=6006, show_default=True)
@home_option
@report_errors
def tensorboard(port: int, home: str | None) -> None:
    """Run TensorBoard over all trainings of the home, until Ctrl-C.

    Runs are named MODEL@V, and trials of `goldlake tune` by their search. The page that it says to
    open compares train with eval; the others show precision and recall, weights, the projector of
    embeddings and, after `goldlake tune`, HParams.
    """
    from goldlake.workflows import homes
    from goldlake.workflows.review import run_tensorboard

    address = f"http://127.0.0.1:{port}/" if port else "the address below, with "
    hint = f"Begin at {address}#custom_scalars: train and eval by epoch"
    run_tensorboard(homes.choose(home).home, port, lambda: say(hint, is_error=True))
