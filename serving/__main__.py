"""``python -m serving``: the embedded server as a process, for other programs to start.

Once it answers it prints one line of JSON to standard output, ``{"url": …, "port": …, "pid": …}``,
with gRPC also ``"grpc": "HOST:PORT"``, and nothing else; its log (`--log-level`) goes to standard
error. It ends with 128 + the signal's number.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import warnings
from urllib.parse import urlsplit

from goldlake_core.contracts.errors import GoldlakeError
from serving import parameters
from serving.access import read_access
from serving.limits import MAX_BODY_BYTES, Limits
from serving.server import DEFAULT_REST_PORT, serve
from serving.workers import end_with_parent


def main(argv: list[str] | None = None) -> int:
    """Runs the server; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m serving", description=__doc__)
    parser.add_argument("--model-config-file", required=True, help="path or URL of models.config")
    parser.add_argument(
        "--rest-port", type=int, default=DEFAULT_REST_PORT, help="0 chooses a free port"
    )
    parser.add_argument("--shared-rest-port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--grpc-port", type=int, help="none without it; 0 chooses a free port")
    parser.add_argument("--cors", action="store_true", help="browsers may read the answers")
    parser.add_argument("--monitoring-config-file", help="path or URL of a MonitoringConfig")
    parser.add_argument("--batching-parameters-file", help="path or URL of BatchingParameters")
    parser.add_argument("--request-log", help="folder of the request log; none without it")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at")
    parser.add_argument("--tls-cert", help="chain in PEM: HTTPS, and gRPC over TLS")
    parser.add_argument("--tls-key", help="its private key in PEM")
    parser.add_argument("--token-file", help="a token in each line; clients bring one of them")
    parser.add_argument("--model-config-file-poll-wait-seconds", type=float, default=1.0)
    parser.add_argument("--max-body-bytes", type=int, default=MAX_BODY_BYTES)
    parser.add_argument("--log-level", default="WARNING", help="DEBUG, INFO, WARNING or ERROR")
    options = parser.parse_args(argv)
    logging.basicConfig(
        level=options.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    if options.log_level != "DEBUG":
        # Packages that TensorFlow imports warn about future versions.
        warnings.simplefilter("ignore")
    if options.shared_rest_port is not None:
        end_with_parent()
    grpc: list[str] = []

    def print_ready(url: str) -> None:
        line = {"url": url, "port": urlsplit(url).port, "pid": os.getpid()}
        print(json.dumps({**line, "grpc": grpc[0]} if grpc else line), flush=True)

    try:
        files = parameters.read_files(
            options.monitoring_config_file, options.batching_parameters_file
        )
        number = serve(
            options.model_config_file,
            options.rest_port if options.shared_rest_port is None else 0,
            options.host,
            shared_rest_port=options.shared_rest_port,
            on_ready=print_ready,
            on_grpc=grpc.append,
            grpc_port=options.grpc_port,
            has_cors=options.cors,
            metrics_path=files.metrics_path,
            threads=files.threads,
            max_batch_rows=files.max_batch_rows,
            access=read_access(options.tls_cert, options.tls_key, options.token_file),
            request_log=options.request_log,
            poll_wait_s=options.model_config_file_poll_wait_seconds,
            limits=Limits(max_body_bytes=options.max_body_bytes),
        )
    except GoldlakeError as error:
        print(error.message, file=sys.stderr)
        return error.exit_code
    return 0 if number is None else 128 + number


if __name__ == "__main__":
    sys.exit(main())
