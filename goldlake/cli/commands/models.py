"""The ML engineer's commands: train, models, promote."""

from __future__ import annotations

import sys

import click

from goldlake.cli import completion
from goldlake.cli.common import report, reports, used_home


@click.command()
@click.argument("model", shell_complete=completion.models)
@click.option("--version", type=int, help="Version of the gold table; default the newest.")
@reports
def train(model: str, version: int | None, home: str | None, as_json: bool) -> None:
    """Run the TFX pipeline on one gold version and push what is blessed. Promotes nothing."""
    from goldlake.cli import account
    from goldlake.cli.progress import Progress
    from goldlake.workflows.train import train as run_train

    with Progress(account.SUMMARIES) as progress:
        document = run_train(model, used_home(home), version, progress)
    report(document, as_json, account.print_training)
    sys.exit(0 if document.train.blessed else 3)


@click.command()
@reports
def models(home: str | None, as_json: bool) -> None:
    """Show every pushed version, its data and figures, and which one serves now."""
    from goldlake.cli import account
    from goldlake.workflows import homes, views

    chosen = homes.choose(home)
    document = views.models(chosen.home)
    report(document, as_json, account.print_models, chosen, is_empty=not document.models)


@click.command()
@click.argument("model", shell_complete=completion.versions)
@click.option("--label", default="stable", show_default=True, help="Label to move.")
@click.option(
    "--url", metavar="URL", help="A running server: wait there until the version is AVAILABLE."
)
@reports
def promote(model: str, label: str, url: str | None, home: str | None, as_json: bool) -> None:
    """Make MODEL@VERSION the one that serves under a label, without a gap."""
    from goldlake.cli import account
    from goldlake.workflows.promote import promote as run_promote

    document = run_promote(used_home(home), model, label, url)
    report(document, as_json, account.print_promotion)
