"""Copies the pushed versions of a home to an MLflow server: runs, figures, reports, versions."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import TypeGuard

import msgspec

from goldlake.workflows import model_views, views
from goldlake.workflows.model_views import Subject
from goldlake.workflows.processes import OnEvent
from goldlake.workflows.report.write import report
from goldlake_core.contracts.errors import UsageError
from goldlake_core.documents.reports import MlflowCopies, ModelVersion
from goldlake_core.documents.training import PushedVersion
from goldlake_core.instants import of_text
from goldlake_core.storage.home import Home
from goldlake_core.storage.locks import FileLock
from goldlake_core.storage.model_versions import pushed_versions
from metadata.mlflow import Content, Mlflow, Point, VersionCopy

_WAIT_S = 600.0
REPORT_FILE = "report.html"
_FACTS = ("table", "table_version", "content_hash", "as_of", "export_id", "fingerprint")


def copy_to_mlflow(home: Home, uri: str, on_event: OnEvent) -> MlflowCopies:
    """Copies every pushed version that MLflow does not have, and gives it the labels as aliases.

    Versions that were put into the home by hand are left out: nothing is known of them. A copy that
    was cut off is completed by the next.

    Args:
        home: Home with the versions.
        uri: Address of the MLflow server.
        on_event: Called with progress.

    Returns:
        What MLflow has of each version.

    Raises:
        UsageError: The home is not local, or the URI is not one of an MLflow server.
        MlflowRefused: MLflow answered with an error.
        RetryableError: MLflow did not answer.
    """
    if not home.is_local:
        raise UsageError(
            f"The versions of {home.root} cannot be copied to MLflow", valid="a home on this disk"
        )
    server = Mlflow(uri)
    with tempfile.TemporaryDirectory() as folder:
        versions = [
            _version(home, name, entry, about, Path(folder), on_event)
            for name, found in views.models(home).models.items()
            for about_of in [pushed_versions(home, *name.split(".", 1))]
            for entry in found.versions
            if (about := about_of.get(entry.version)) is not None
        ]
        if not versions:
            return MlflowCopies(uri=server.uri, copies=())
        with FileLock(home.path("metadata", "mlflow.lock"), "the copy to MLflow", wait_s=_WAIT_S):
            copies = tuple(server.copy(version) for version in versions)
    return MlflowCopies(uri=server.uri, copies=copies)


def _version(
    home: Home,
    name: str,
    entry: ModelVersion,
    about: PushedVersion,
    folder: Path,
    on_event: OnEvent,
) -> VersionCopy:
    facts = {key: str(getattr(about, key)) for key in _FACTS}
    return VersionCopy(
        model=name,
        version=entry.version,
        model_sha256=about.model_sha256,
        pushed_ms=int(of_text(about.pushed_at).timestamp() * 1000),
        description=about.why or "",
        tags={f"goldlake.{key}": value for key, value in facts.items()},
        aliases=entry.labels,
        content=lambda: _content(f"{name}@{entry.version}", home, folder, on_event),
    )


def _content(name: str, home: Home, folder: Path, on_event: OnEvent) -> Content:
    """Parameters, figures and files of a version, its report among them."""
    file = folder / f"{name}.html"
    report(name, home, None, str(file), on_event)
    of = model_views.subject(name, home)
    base = Path(home.path("models", str(of.model_id.at(None)), str(of.version)))
    files = {f"model/{path.relative_to(base)}": path for path in _files(base)}
    return Content(
        parameters=_parameters(of), metrics=_points(of), files={REPORT_FILE: file, **files}
    )


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _parameters(of: Subject) -> dict[str, str]:
    """Parameters of the training, as the contract has them now and sized by its export."""
    manifest = model_views.manifest(of)
    parameters = of.model.training
    if manifest is not None:
        parameters = parameters.sized(manifest.rows.get("train", 0))
    found = msgspec.to_builtins(parameters)
    return {key: str(value) for key, value in found.items() if value is not None}


def _points(of: Subject) -> list[Point]:
    metrics = of.about.metrics if of.about else {}
    points = [Point(key, value) for key, value in metrics.items() if _is_number(value)]
    curves = model_views.training(of)
    for split, by_metric in (("train", curves.train), ("eval", curves.eval)):
        for metric, curve in by_metric.items():
            points += [Point(f"{split}.{metric}", v, step) for step, v in curve if _is_number(v)]
    return points


def _is_number(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)
