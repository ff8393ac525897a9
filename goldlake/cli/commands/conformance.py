"""`goldlake conformance`: whether a server answers as TensorFlow Serving does."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from goldlake.cli.common import json_option, report, report_errors
from goldlake.cli.printing import say, say_wrapped

if TYPE_CHECKING:
    from goldlake_core.documents.conformance import Conformance, ConformanceModels


@click.command()
@click.argument("url", required=False)
@click.option(
    "--write-models",
    "folder",
    metavar="FOLDER",
    help="Write the models that the cases ask, with a models.config, instead.",
)
@json_option
@report_errors
def conformance(url: str | None, folder: str | None, as_json: bool) -> None:
    """Ask a server at URL what TensorFlow Serving's answers are known for, and compare.

    The server has to serve the models that --write-models writes. It is asked on either side of a
    switch, such as --cors, whichever way it was started. Exit code 3: some answers are different.
    """
    from goldlake.workflows import conformance as work
    from goldlake_core.contracts.errors import UsageError

    if (url is None) == (folder is None):
        raise UsageError(
            "There has to be a URL or --write-models, and not both",
            valid="goldlake conformance http://127.0.0.1:8501",
            hint=work.WRITE_MODELS,
        )
    if folder is not None:
        report(work.write_models(folder), as_json, _print_models)
        return
    document = work.compare(str(url))
    report(document, as_json, _print)
    if document.differences:
        sys.exit(3)


def _print_models(document: ConformanceModels) -> None:
    folder = document.folder
    say(f"The models are in {folder}. Serve them, here or by TensorFlow Serving:")
    say(f"  goldlake serve --model-config-file {document.models_config}")
    say(f'  docker run -p 8501:8501 -v "{folder}:{folder}:ro" tensorflow/serving \\')
    say(f"    --model_config_file={document.models_config} \\")
    say("    --allow_version_labels_for_unavailable_models=true")
    say("Then: goldlake conformance http://127.0.0.1:8501")


def _print(document: Conformance) -> None:
    say(f"{document.url}: {document.equal} of {document.asked} answers as TensorFlow Serving's")
    if document.skipped:
        say_wrapped(
            f"  not asked, the server is switched the other way: {', '.join(document.skipped)}"
        )
    for difference in document.differences:
        say((difference.case, "bold"), f"  {difference.request}")
        for problem in difference.problems:
            say_wrapped(f"  {problem}")
        say_wrapped(f"  answer: {difference.answer}")
