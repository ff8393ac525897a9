"""The server's command: serve."""

from __future__ import annotations

import sys
from typing import Any

import click

from goldlake.cli.common import home_option, report_errors, settled
from goldlake.cli.printing import say


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
@click.option("--request-log", metavar="FOLDER", help="Default: requests of the home.")
@click.option(
    "--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes."
)
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
