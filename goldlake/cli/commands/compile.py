"""`goldlake compile`: the pipeline for an orchestrator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from goldlake.cli import completion
from goldlake.cli.common import report, reports, used_home

if TYPE_CHECKING:
    from goldlake_core.documents.compiling import CompileReport


@click.command()
@click.argument("model", shell_complete=completion.models)
@click.option("--target", type=click.Choice(["kubeflow"]), required=True, help="The orchestrator.")
@click.option("--out", metavar="FILE", help="File to write; default MODEL.TARGET.yaml here.")
@reports
def compile(model: str, target: str, out: str | None, home: str | None, as_json: bool) -> None:
    """Write the pipeline of a model, on its newest export, for an orchestrator.

    The definition is that of `goldlake train`. Image, home and resources of the containers, and
    what each run may change, are the key kubeflow of the model's file. The same definition gives
    the same bytes. Compiling needs a separate environment: make kfp-env.
    """
    from goldlake.cli import account
    from goldlake.cli.progress import Progress
    from goldlake.workflows.compile import compile_model

    with Progress(account.SUMMARIES) as progress:
        document = compile_model(model, target, out, used_home(home), progress)
    report(document, as_json, _print)


def _print(document: CompileReport) -> None:
    from goldlake.cli.printing import say, say_wrapped

    made, export = document.compile, document.export
    rows = ", ".join(f"{export.rows[split]:,} {split}" for split in ("train", "eval", "test"))
    kept = "" if made.is_changed else ", unchanged"
    say((made.pipeline, "bold"), f": {len(made.steps)} steps, {made.bytes / 1000:,.0f} kB{kept}")
    say(f"  data       {export.table}@{export.version}")
    say(f"  rows       {rows}")
    compared = "no version: none serves" if made.baseline_version is None else ""
    say(f"  compared   with {compared or f'@{made.baseline_version}, which serves'}")
    say(f"  image      {', '.join(made.images)}")
    say(f"  home       {made.home}")
    given = ", ".join(f"{each.name} {each.default:g}" for each in made.parameters)
    say(f"  run time   {given or 'no parameters'}")
    say(f"  checked    by the loader of kfp {made.kfp}")
    say_wrapped("Upload ", made.file)
