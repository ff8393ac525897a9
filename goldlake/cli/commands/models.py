"""The ML engineer's commands: train, models, promote, rollback."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from goldlake.cli import completion
from goldlake.cli.common import report, reports, used_home

Command = TypeVar("Command", bound=Callable[..., Any])


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
@click.option(
    "--mlflow",
    "mlflow_uri",
    metavar="URI",
    help="Copy the versions to this MLflow server, such as http://127.0.0.1:5000, and say what it "
    "has of them.",
)
@reports
def models(mlflow_uri: str | None, home: str | None, as_json: bool) -> None:
    """Show every pushed version, its data and figures, and which one serves now.

    With --mlflow each version is copied as a run and a registered version, and labels as aliases.
    What is there already is left as it is.
    """
    from goldlake.cli import account
    from goldlake.workflows import homes, views

    chosen = homes.choose(home)
    if mlflow_uri is not None:
        from goldlake.cli.progress import Progress
        from goldlake.workflows.mlflow import copy_to_mlflow

        with Progress(account.SUMMARIES) as progress:
            copied = copy_to_mlflow(chosen.home, mlflow_uri, progress)
        report(copied, as_json, account.print_copies, chosen, is_empty=not copied.copies)
        return
    document = views.models(chosen.home)
    report(document, as_json, account.print_models, chosen, is_empty=not document.models)


def promotes(command: Command) -> Command:
    """Adds the options that `promote` and `rollback` have in common."""
    options = (
        click.option("--label", default="stable", show_default=True, help="Label to move."),
        click.option(
            "--url",
            metavar="URL",
            help="A server that does not follow this home by itself, such as a real TF Serving: "
            "the label moves when the version is AVAILABLE there.",
        ),
        click.option("--because", default="", metavar="TEXT", help="Why; it goes on record."),
        click.option(
            "--wait",
            "wait_s",
            type=click.FloatRange(0),
            default=120.0,
            show_default=True,
            metavar="SECONDS",
            help="How long to wait for the servers, in each phase.",
        ),
        click.option("--token-file", metavar="FILE", help="Bearer token for servers that ask."),
        click.option(
            "--ca-file", metavar="FILE", help="Certificates to trust in place of the system's."
        ),
        click.option("--dry-run", "is_dry_run", is_flag=True, help="Say what would be done."),
    )
    for option in reversed(options):
        command = option(command)
    return reports(command)


@click.command()
@click.argument("model", shell_complete=completion.versions)
@promotes
def promote(model: str, label: str, home: str | None, as_json: bool, **options: Any) -> None:
    """Make MODEL@VERSION the one that serves under a label, without a gap.

    Waits for every server of the home and asks each what it answers with. Exit code 3: the label
    has moved, and a server did not confirm it.
    """
    _promote("promote", model, label, home, as_json, options)


@click.command()
@click.argument("model", shell_complete=completion.models)
@promotes
def rollback(model: str, label: str, home: str | None, as_json: bool, **options: Any) -> None:
    """Move a label back to the version of MODEL that it served before, as `promote` moves it.

    The record of promotions says which version that is; another rollback goes further back.
    """
    _promote("rollback", model, label, home, as_json, options)


def _promote(
    name: str, model: str, label: str, home: str | None, as_json: bool, options: dict[str, object]
) -> None:
    from goldlake.cli import account
    from goldlake.cli.progress import Progress
    from goldlake.workflows import promote as workflow
    from goldlake_core.stages import event_now

    chosen = workflow.Options(**options)  # type: ignore[arg-type]
    with Progress(account.SUMMARIES) as progress:
        progress(event_now("promote", "begin"))
        document = getattr(workflow, name)(used_home(home), model, label, chosen, progress)
    report(document, as_json, account.print_promotion)
    sys.exit(0 if document.is_confirmed or document.is_dry_run else 3)
