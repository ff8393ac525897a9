"""The embedded server on a home, and a client of any server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from goldlake_core.contracts.errors import UsageError
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
        UsageError: There is no such file.
    """
    from serving import server

    path = model_config_file or home.models_config
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
    """
    name, _, version = model.partition("@")
    rows: Sequence[Instance] = instances
    inputs = _inputs(name)
    if inputs is not None:
        rows = fill_nulls(inputs, instances)
    return client.predict(url, name, rows, version=int(version) if version else None, label=label)


def _inputs(name: str) -> tuple[RawInput, ...] | None:
    try:
        usecase, model = load_model(name)
    except UsageError:
        return None
    return raw_inputs(model, usecase.gold[model.table])
