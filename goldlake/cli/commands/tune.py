"""`goldlake tune`: a search for training parameters."""

from __future__ import annotations

import click

from goldlake.cli import completion
from goldlake.cli.common import report, reports, used_home


@click.command()
@click.argument("model", shell_complete=completion.models)
@click.option("--trials", type=click.IntRange(1, 10_000), default=20, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the parameters.")
@reports
def tune(model: str, trials: int, seed: int, home: str | None, as_json: bool) -> None:
    """Try training parameters by the eval split, and print the best as a diff of the model's file.

    The first trial has the contract's own parameters. No file is changed, no model is pushed, and
    the test split is not looked at. `goldlake tensorboard` shows the trials.
    """
    from goldlake.cli import account
    from goldlake.cli.progress import Progress
    from goldlake.workflows.tune import tune as run_tune

    with Progress(account.SUMMARIES) as progress:
        document = run_tune(model, trials, seed, used_home(home), progress)
    report(document, as_json, account.print_trials)
