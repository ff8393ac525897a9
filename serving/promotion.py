"""Moves a label to a version, in two phases, so that no request goes unanswered.

First the version is added to ``models.config`` and loaded; once every running server has it
AVAILABLE the label moves; then versions without a label are let go. Without a running server the
file is simply written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import fsspec

from goldlake.contracts.errors import UsageError
from serving import client, config
from serving.config import STABLE


@dataclass(frozen=True)
class Promotion:
    """What a promotion did.

    Attributes:
        model: Served name.
        version: The version that has the label now.
        label: The label.
        previous: The version that had it before, or None.
    """

    model: str
    version: int
    label: str
    previous: int | None


def promote(
    models_config: str,
    model: str,
    version: int,
    base_path: str,
    *,
    label: str = STABLE,
    servers: Sequence[str] = (),
    timeout_s: float = 120.0,
) -> Promotion:
    """Gives a version a label. Writes ``models.config``; the same call again changes nothing.

    Args:
        models_config: Path or URL of the file; made where there is none.
        model: Served name.
        version: A version that was pushed.
        base_path: Folder of the model's version folders.
        label: The label to move.
        servers: URLs of the servers that follow the file now, embedded or TF Serving.
        timeout_s: How long each server may take to load the version.

    Raises:
        UsageError: There is no such version in ``base_path``.
        NotAvailable: A server did not load it (the label stays where it was and the version is
            taken out of the file again), or did not move the label in time.
    """
    _require_version(model, version, base_path)
    before = config.read_or_empty(models_config)
    previous = config.served_version(before, model, label)
    if servers:
        config.write(models_config, config.with_version(before, model, version, base_path))
        try:
            for url in servers:
                client.wait_available(url, model, version, timeout_s)
        except client.NotAvailable:
            config.write(models_config, before)
            raise
    config.write(models_config, config.with_label(before, model, version, label, base_path))
    for url in servers:
        client.wait_label(url, model, label, version, timeout_s)
    return Promotion(model, version, label, previous)


def _require_version(model: str, version: int, base_path: str) -> None:
    fs, base = fsspec.core.url_to_fs(base_path)
    fs.invalidate_cache(base)
    names = [str(p).rstrip("/").rpartition("/")[2] for p in fs.ls(base)] if fs.exists(base) else []
    versions = sorted(int(name) for name in names if name.isdecimal())
    if version not in versions:
        raise UsageError(
            f"{model} has no version {version} in {base_path}",
            valid=", ".join(map(str, versions)) or "none yet",
            hint=f"goldlake train {model}",
        )
