"""The ML engineer's commands: train, models, promote."""

from __future__ import annotations

import sys

import click

from goldlake.cli.common import home_option, json_option, print_json, report_errors


@click.command()
@click.argument("model")
@click.option("--version", type=int, help="Version of the gold table; default the newest.")
@home_option
@json_option
@report_errors
def train(model: str, version: int | None, home: str | None, as_json: bool) -> None:
    """Run the TFX pipeline on one gold version and push what is blessed. Promotes nothing."""
    from goldlake.cli import account
    from goldlake.cli.progress import Progress
    from goldlake.workflows.train import train as run_train
    from goldlake_core.storage.home import Home

    with Progress(account.SUMMARIES) as progress:
        document = run_train(model, Home.at(home), version, progress)
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
    from goldlake.workflows import views
    from goldlake_core.storage.home import Home

    document = views.models(Home.at(home))
    if as_json:
        print_json(document)
    else:
        account.print_models(document)


@click.command()
@click.argument("model")
@click.option("--label", default="stable", show_default=True, help="Label to move.")
@click.option(
    "--url", metavar="URL", help="A running server: wait there until the version is AVAILABLE."
)
@home_option
@json_option
@report_errors
def promote(model: str, label: str, url: str | None, home: str | None, as_json: bool) -> None:
    """Make MODEL@VERSION the one that serves under a label, without a gap."""
    from goldlake.workflows.promote import promote as run_promote
    from goldlake_core.storage.home import Home

    document = run_promote(Home.at(home), model, label, url)
    if as_json:
        print_json(document)
    else:
        click.echo(
            f"{document.model}@{document.version} serves as {document.label!r}"
            + (f" (before: @{document.before})" if document.before else "")
        )
