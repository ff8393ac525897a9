"""The embedded server on a home, and a client of any server."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

from goldlake.workflows import homes
from goldlake.workflows.names import contract_models, unknown
from goldlake_core.contracts.errors import GoldlakeError, UsageError
from goldlake_core.contracts.registry import load_model
from goldlake_core.contracts.wire import Instance, RawInput, fill_nulls, raw_inputs
from goldlake_core.storage.home import Home
from serving import client, config


def serve_models(
    home: Home,
    model_config_file: str | None,
    rest_port: int,
    host: str,
    on_ready: Callable[[str], None],
) -> int | None:
    """Serves the models of a ``models.config`` in the foreground until SIGINT or SIGTERM.

    Args:
        home: Whose ``models/models.config`` is the default.
        model_config_file: Another one, or None.
        rest_port: TCP port; 0 for a free one.
        host: Address to listen on.
        on_ready: Called with the server's URL.

    Returns:
        Number of the signal that ended it.

    Raises:
        UsageError: There is no such file, or nothing is promoted.
    """
    from serving import server

    path = model_config_file or home.models_config
    if model_config_file is None and not home.fs.exists(path):
        hint = "goldlake run USECASE, or goldlake promote MODEL@VERSION"
        raise unknown(f"Nothing is promoted in {home.root}", "", (), home=home, hint=hint)
    config.read(path, is_strict=False)
    return server.serve(path, rest_port=rest_port, host=host, on_ready=on_ready)


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
