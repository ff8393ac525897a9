"""The client's commands: serve, predict."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, TextIO

import click

from goldlake.cli import completion
from goldlake.cli.common import home_option, json_option, report, report_errors, settled
from goldlake.cli.printing import say, say_wrapped

if TYPE_CHECKING:
    from goldlake_core.documents.reports import Predictions


@click.command()
@click.option("--rest-port", type=click.IntRange(0, 65535), default=8501, show_default=True)
@click.option("--grpc-port", type=click.IntRange(0, 65535), help="Default: no gRPC.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--model-config-file", metavar="F", help="Default: models/models.config of the home.")
@click.option("--model-base-path", metavar="FOLDER", help="One model to serve: its newest version.")
@click.option("--model-name", default="default", show_default=True, help="Name of this one model.")
@click.option("--cors", "has_cors", is_flag=True, help="Let pages of anywhere read the answers.")
@click.option("--monitoring-config-file", metavar="F", help="TF Serving's; switches metrics on.")
@click.option("--batching-parameters-file", metavar="F", help="TF Serving's: threads, batch size.")
@click.option("--tls-cert", metavar="F", help="Chain in PEM: HTTPS, and gRPC over TLS.")
@click.option("--tls-key", metavar="F", help="Its private key in PEM.")
@click.option("--token-file", metavar="F", help="A token in each line; clients bring one of them.")
@home_option
@report_errors
def serve(home: str | None, **options: Any) -> None:
    """Serve the promoted models over TF Serving's REST and gRPC APIs, until Ctrl-C."""
    from goldlake.workflows import homes
    from goldlake.workflows.serve import Serving, serve_models

    def ready(url: str) -> None:
        say(f"Serving at {url}/v1/models. Stop with Ctrl-C.")

    def grpc_ready(address: str) -> None:
        say(f"gRPC at {address}.")

    place, serving = homes.choose(home).home, Serving(**options)
    if serving.model_config_file is None and serving.model_base_path is None:
        settled(place)
    signal_number = serve_models(place, serving, ready, grpc_ready)
    sys.exit(128 + signal_number if signal_number else 0)


@click.command()
@click.argument("model", shell_complete=completion.versions)
@click.option(
    "--input",
    "source",
    type=click.File("r", encoding="utf-8"),
    default="-",
    metavar="FILE|-",
    help='Rows: {"instances": […]}, a JSON list, or one JSON object per line.',
)
@click.option("--url", default="http://127.0.0.1:8501", show_default=True, metavar="URL")
@click.option("--label", metavar="L", help="Ask the version with this label.")
@json_option
@report_errors
def predict(model: str, source: TextIO, url: str, label: str | None, as_json: bool) -> None:
    """Ask a served model; a missing key of a row travels as its contract says."""
    from goldlake.workflows.serve import predictions
    from goldlake_core.documents.reports import Predictions

    answers = predictions(model, _instances(source.read()), url, label)
    report(Predictions(predictions=tuple(answers)), as_json, _print_answers)


def _print_answers(document: Predictions) -> None:
    for answer in document.predictions:
        say_wrapped(json.dumps(answer))


def _instances(text: str) -> list[dict[str, Any]]:
    from goldlake_core.contracts.errors import UsageError

    hint = "echo '{\"instances\": [{…}]}' | goldlake predict MODEL"
    try:
        document = json.loads(text)
    except ValueError:
        try:
            document = [json.loads(line) for line in text.splitlines() if line.strip()]
        except ValueError as error:
            raise UsageError(
                f"The input is not JSON: {error}", valid="rows as JSON", hint=hint
            ) from error
    if isinstance(document, dict):
        document = document.get("instances", [document])
    if not isinstance(document, list) or not all(isinstance(row, dict) for row in document):
        raise UsageError("The input is not a list of JSON objects", valid="rows", hint=hint)
    return document
