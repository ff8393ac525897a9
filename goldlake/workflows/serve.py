"""The embedded server on a home."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import fsspec

from goldlake.workflows import homes
from goldlake.workflows.launch import module_command
from goldlake.workflows.names import unknown
from goldlake.workflows.processes import Run
from goldlake.workflows.servers import embedded_server
from goldlake_core.contracts.errors import UsageError
from goldlake_core.storage.home import Home
from serving import config, registry

_NAME = re.compile(r"[^/:\s]+")


@dataclass(frozen=True)
class Serving:
    """What to serve and how, as the command line says.

    Attributes:
        model_config_file: A ``models.config``, or None for the one of the home.
        model_base_path: Folder of the versions of one model to serve instead, or None.
        model_name: Name that this model is served under.
        rest_port: TCP port; 0 for a free one.
        grpc_port: TCP port for gRPC, 0 for a free one, or None for no gRPC.
        host: Address to listen on.
        has_cors: Whether browsers may read answers from pages of anywhere.
        monitoring_config_file: A ``MonitoringConfig`` in TF Serving's text format, or None.
        batching_parameters_file: ``BatchingParameters`` in TF Serving's text format, or None.
        tls_cert: Chain in PEM for TLS, or None.
        tls_key: Its private key in PEM, or None.
        token_file: File with a token in each line, one of which clients bring, or None.
        request_log: Folder of the request log; None for the one of the home, where the home's
            models are served.
        workers: How many processes answer.
    """

    model_config_file: str | None = None
    model_base_path: str | None = None
    model_name: str = "default"
    rest_port: int = 0
    grpc_port: int | None = None
    host: str = "127.0.0.1"
    has_cors: bool = False
    monitoring_config_file: str | None = None
    batching_parameters_file: str | None = None
    tls_cert: str | None = None
    tls_key: str | None = None
    token_file: str | None = None
    request_log: str | None = None
    workers: int = 1


def serve_models(
    home: Home,
    options: Serving,
    on_ready: Callable[[str], None],
    on_grpc: Callable[[str], None],
) -> int | None:
    """Serves the models of a ``models.config`` in the foreground until SIGINT or SIGTERM.

    Args:
        home: Whose ``models/models.config`` is the default.
        options: What to serve and how.
        on_ready: Called with the server's URL.
        on_grpc: Called with host and port of gRPC.

    Returns:
        Number of the signal that ended it.

    Raises:
        UsageError: There is no such file, it does not hold what it should, or nothing is promoted.
        PermanentError: A file does not hold what TF Serving takes.
        WorkerEnded: One of several processes could not begin to serve.
    """
    from serving import access, parameters, server, workers

    allowed = access.read_access(options.tls_cert, options.tls_key, options.token_file)
    files = parameters.read_files(options.monitoring_config_file, options.batching_parameters_file)
    with _models_config(home, options) as path:
        config.read(path, is_strict=False)
        if options.workers > 1:
            together = workers.Workers(
                module_command(
                    "serving", *_worker_options(path, _request_log(home, options), options)
                ),
                options.workers,
                host=options.host,
                rest_port=options.rest_port,
                grpc_port=options.grpc_port,
                scheme=allowed.scheme,
                on_ready=on_ready,
                on_grpc=on_grpc,
            )
            return workers.serve(together)
        return server.serve(
            path,
            rest_port=options.rest_port,
            host=options.host,
            on_ready=on_ready,
            on_grpc=on_grpc,
            grpc_port=options.grpc_port,
            has_cors=options.has_cors,
            metrics_path=files.metrics_path,
            threads=files.threads,
            max_batch_rows=files.max_batch_rows,
            access=allowed,
            request_log=_request_log(home, options),
        )


def _worker_options(path: str, request_log: str | None, options: Serving) -> list[str]:
    """The command line of one process of several, without ports."""
    values = {
        "--model-config-file": path,
        "--request-log": request_log,
        "--host": options.host,
        "--monitoring-config-file": options.monitoring_config_file,
        "--batching-parameters-file": options.batching_parameters_file,
        "--tls-cert": options.tls_cert,
        "--tls-key": options.tls_key,
        "--token-file": options.token_file,
    }
    given = [part for name, value in values.items() if value is not None for part in (name, value)]
    return given + ["--cors"] * options.has_cors


def _request_log(home: Home, options: Serving) -> str | None:
    if options.request_log is not None:
        return os.path.abspath(options.request_log)
    is_home = options.model_config_file is None and options.model_base_path is None
    return home.path("requests") if is_home and home.is_local else None


@contextlib.contextmanager
def _models_config(home: Home, options: Serving) -> Iterator[str]:
    """The ``models.config`` to follow; for a single model one that lives as long as the block."""
    if options.model_base_path is None:
        path = options.model_config_file or home.models_config
        if options.model_config_file is None and not home.fs.exists(path):
            hint = "goldlake run USECASE, or goldlake promote MODEL@VERSION"
            raise unknown(f"Nothing is promoted in {home.root}", "", (), home=home, hint=hint)
        yield path
        return
    if options.model_config_file is not None:
        raise UsageError(
            "There are both a file of models and the folder of one model",
            valid="--model-config-file or --model-base-path",
        )
    base_path = options.model_base_path
    fs, place = fsspec.core.url_to_fs(base_path)
    if not fs.isdir(place):
        raise UsageError(f"There is no folder {base_path}", valid="a folder of version folders")
    if not _NAME.fullmatch(options.model_name):
        valid = "a name without '/', ':' and white space"
        raise UsageError(f"{options.model_name!r} cannot be served", valid=valid)
    base_path = base_path if "://" in base_path else os.path.abspath(base_path)
    with tempfile.TemporaryDirectory(prefix="goldlake-serve-") as folder:
        path = os.path.join(folder, "models.config")
        model = config.ServedModel(options.model_name, base_path)
        config.write(path, config.ModelsConfig((model,)))
        yield path


@contextlib.contextmanager
def served(home: Home) -> Iterator[str]:
    """Serves what is promoted in a home on a free loopback port, in another process.

    Yields:
        URL of the server, once it has loaded what ``models.config`` says.

    Raises:
        UsageError: Nothing is promoted.
        ServerDied: The server ended before it was ready.
    """
    with _models_config(home, Serving()) as path:
        log = Run.new(home).logs / "serving.log"
        with embedded_server(path, log) as url:
            yield url


def running_server(home: Home, model: str) -> str:
    """URL of a server of a home that runs now, of several one that is ready.

    Raises:
        UsageError: None runs.
    """
    found = registry.living_servers(home.models_config).values()
    for about in sorted(found, key=lambda each: (not each.is_ready, each.url)):
        return about.url
    raise UsageError(
        f"No server of {home.root} is running, and {model} is asked by a server",
        valid="a URL of a server, or `with home.serve():` in Python",
        hint=f"goldlake serve --home {homes.short(home.root)}",
    )
