"""Making a pushed model again in another home, and comparing the two by value."""

from __future__ import annotations

import os
import posixpath
import shutil
from pathlib import Path

from goldlake.workflows.history import recorded
from goldlake.workflows.ingest import usecase_reference
from goldlake.workflows.names import load_model, pushed_version
from goldlake.workflows.processes import OnEvent, Run
from goldlake_core.contracts.errors import StoreError, UsageError
from goldlake_core.contracts.ids import ModelId
from goldlake_core.documents.reproducing import Reproduced, ReproduceReport, ReproduceRequest
from goldlake_core.documents.training import PushedVersion
from goldlake_core.storage.exports import Damage, examined
from goldlake_core.storage.files import writing
from goldlake_core.storage.home import Home
from goldlake_core.storage.model_versions import pushed_versions


@recorded("reproduce")
def reproduce(model: str, home: Home, place: str | None, on_event: OnEvent) -> ReproduceReport:
    """Makes a version again from the rows of its export. Changes nothing in the home.

    Args:
        model: Such as ``city_bikes.is_late@7``; without a version the one that serves now.
        home: Where the version was pushed to.
        place: An empty or new folder that becomes the other home and stays, or None for one that
            is removed in the end.
        on_event: Called with the stage's events.

    Returns:
        What is equal, what is not, and why.

    Raises:
        UsageError: There is no such version, or the folder holds something.
        StoreError: The rows of the version are damaged or gone, or it has no recipe.
        StageFailed: The stage ended with an error.
    """
    name, at, number = model.partition("@")
    usecase, contract = load_model(name)
    model_id = ModelId(usecase.name, contract.name)
    version = pushed_version(model_id, number if at else None, home)
    about = pushed_versions(home, usecase.name, contract.name)[version]
    export_id, sha256 = _rows_of(about, model_id.at(version))
    parts = _require_whole(home, export_id, sha256, model_id)
    if place is not None:
        _require_empty(place)
    run = Run.new(home)
    other = Home.at(place or str(run.directory.path / "home"))
    try:
        _copy(home, other, export_id)
        request = run.request(
            ReproduceRequest,
            usecase_reference(name, usecase.name),
            usecase,
            model=contract.name,
            model_version=version,
            place=other.root,
            export_id=export_id,
            manifest_sha256=sha256,
        )
        reproduced: Reproduced = run.stages("tfx_pipeline", [request], on_event)["reproduce"]
    finally:
        if place is None:
            shutil.rmtree(other.root, ignore_errors=True)
    return ReproduceReport(
        run_id=run.run_id,
        logs=str(run.logs),
        model=str(model_id.at(version)),
        parts=parts,
        place=other.root if place is not None else None,
        reproduced=reproduced,
    )


def _rows_of(about: PushedVersion | None, model: ModelId) -> tuple[str, str]:
    """The export that a version learned from, and the sha256 of its manifest."""
    if about is None or about.export_id is None or about.manifest_sha256 is None:
        raise StoreError(
            f"{model} does not say which rows it learned from: another program put it there",
            valid="a version that goldlake pushed",
            hint=f"goldlake train {model.at(None)}",
        )
    return about.export_id, about.manifest_sha256


def _require_whole(home: Home, export_id: str, sha256: str, model: ModelId) -> int:
    """Number of the export's parts, all of which are as they were."""
    found = examined(home, export_id, sha256)
    if isinstance(found, Damage):
        raise StoreError(
            f"The rows of {model} cannot be read. In its export {export_id}, {found.problem}",
            hint=f"goldlake export {model.at(None)} --verify writes it again while it can",
        )
    return sum(len(split.parts) for split in found.splits.values())


def _require_empty(place: str) -> None:
    if os.path.isdir(place) and os.listdir(place):
        raise UsageError(
            f"{place} holds something, and a model is made again from nothing",
            valid="an empty folder, or one that does not exist",
        )


def _copy(home: Home, other: Home, export_id: str) -> None:
    source, target = home.path("exports", export_id), other.path("exports", export_id)
    for file in sorted(home.fs.find(source)):
        copy = Path(target, posixpath.relpath(file, home.fs._strip_protocol(source)))
        with writing(str(copy)):
            copy.parent.mkdir(parents=True, exist_ok=True)
            home.fs.get_file(file, str(copy))
