"""The ML engineer's commands: train, models, promote."""

from __future__ import annotations

import sys

import click

from goldlake.cli import completion
from goldlake.cli.common import home_option, json_option, print_home, print_json, report_errors


@click.command()
@click.argument("model", shell_complete=completion.models)
@click.option("--version", type=int, help="Version of the gold table; default the newest.")
@home_option
@json_option
@report_errors
def train(model: str, version: int | None, home: str | None, as_json: bool) -> None:
    """Run the TFX pipeline on one gold version and push what is blessed. Promotes nothing."""
    from goldlake.cli import account
    from goldlake.cli.progress import Progress
    from goldlake.workflows import homes
    from goldlake.workflows.train import train as run_train

    place = homes.choose(home).home
    homes.remember(place)
    with Progress(account.SUMMARIES) as progress:
        document = run_train(model, place, version, progress)
    if as_json:
        print_json(document)
    else:
        account.print_training(document)
    sys.exit(0 if document.train.blessed else 3)


@click.command()
@home_option
@json_option
@report_errors
def models(home: str | None, as_json: bool) -> None:
    """Show every pushed version, its data and figures, and which one serves now."""
    from goldlake.cli import account
    from goldlake.workflows import homes, views

    chosen = homes.choose(home)
    document = views.models(chosen.home)
    if as_json:
        print_json(document)
    else:
        print_home(chosen, is_empty=not document.models)
        account.print_models(document)


@click.command()
@click.argument("model", shell_complete=completion.versions)
@click.option("--label", default="stable", show_default=True, help="Label to move.")
@click.option(
    "--url", metavar="URL", help="A running server: wait there until the version is AVAILABLE."
)
@home_option
@json_option
@report_errors
def promote(model: str, label: str, url: str | None, home: str | None, as_json: bool) -> None:
    """Make MODEL@VERSION the one that serves under a label, without a gap."""
    from goldlake.cli import account
    from goldlake.workflows import homes
    from goldlake.workflows.promote import promote as run_promote

    place = homes.choose(home).home
    homes.remember(place)
    document = run_promote(place, model, label, url)
    if as_json:
        print_json(document)
    else:
        account.print_promotion(document)
