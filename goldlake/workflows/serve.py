"""The embedded server on a home, and a client of any server."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import fsspec

from goldlake.workflows import homes
from goldlake.workflows.names import contract_models, unknown
from goldlake_core.contracts.errors import GoldlakeError, UsageError
from goldlake_core.contracts.registry import load_model
from goldlake_core.contracts.wire import Instance, RawInput, fill_nulls, raw_inputs
from goldlake_core.storage.home import Home
from serving import client, config

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
    """
    from serving import access, parameters, server

    allowed = access.read_access(options.tls_cert, options.tls_key, options.token_file)
    files = parameters.read_files(options.monitoring_config_file, options.batching_parameters_file)
    with _models_config(home, options) as path:
        config.read(path, is_strict=False)
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
        )


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


def predictions(
    model: str, instances: Sequence[Instance], url: str, label: str | None
) -> list[Any]:
    """What a served model answers.

    Args:
        model: Such as ``city_bikes.is_late`` or ``…@7``. Missing keys of one of goldlake's own
            models are filled as its contract says; any other model gets the rows as they are.
        instances: Rows as JSON objects.
        url: Base URL of the server.
        label: Ask the version with this label, or None.

    Returns:
        One answer per row.

    Raises:
        UsageError: The server has no such model, version or label.
        ServerRefused: The server answered with another error.
        ServerUnreachable: No answer.
    """
    name, at, number = model.partition("@")
    if at and not number.isdecimal():
        raise UsageError(f"{model!r} has no version {number!r}", valid="a whole number, 1 or more")
    version = int(number) if at else None
    rows: Sequence[Instance] = instances
    inputs = _inputs(name)
    if inputs is not None:
        rows = fill_nulls(inputs, instances)
    try:
        return client.predict(url, name, rows, version=version, label=label)
    except client.ServerRefused as error:
        _refuse_unknown(url, name, version, label, error)
        raise


def _refuse_unknown(
    url: str, name: str, version: int | None, label: str | None, error: client.ServerRefused
) -> None:
    """Raises where the server refused a name that it does not serve, and returns otherwise."""
    here = _served_here()
    try:
        states = client.status(url, name)
    except client.ServerRefused as refused:
        if refused.status != 404:
            return
        problem = f"{url} serves no model {name!r}"
        known = [*(served.name for served in here.models), *contract_models()]
        raise unknown(problem, name, known, hint="goldlake models") from error
    served = [number for number, state in sorted(states.items()) if state == "AVAILABLE"]
    if version is not None and version not in served:
        problem = f"{url} serves no version {version} of {name}"
        known = [f"{name}@{number}" for number in served]
        raise unknown(problem, f"{name}@{version}", known, hint="goldlake models") from error
    if label is not None and label in error.text:
        problem = f"{url} serves no version of {name} with the label {label!r}"
        model = here.model(name)
        labels = model.labels if model is not None else ()
        raise unknown(problem, label, labels, hint="goldlake models") from error


def _served_here() -> config.ModelsConfig:
    """What the home of this folder serves; a server does not say which models and labels it has."""
    with contextlib.suppress(GoldlakeError):
        return config.read_or_empty(homes.choose().home.models_config)
    return config.ModelsConfig()


def _inputs(name: str) -> tuple[RawInput, ...] | None:
    try:
        usecase, model = load_model(name)
    except UsageError:
        return None
    return raw_inputs(model, usecase.gold[model.table])
