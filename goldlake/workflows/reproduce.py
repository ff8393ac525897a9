"""Making a pushed model again in another home, and comparing the two by value.

From the rows of its export, or from the landed pages: then these are refined into tables and
exported again before the training, and each step is compared.
"""

from __future__ import annotations

import os
import posixpath
import shutil
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace as changed

from goldlake.workflows.history import recorded
from goldlake.workflows.ingest import usecase_reference
from goldlake.workflows.landed_again import Landed, copied, landed_of, require_room
from goldlake.workflows.lineage import of_model
from goldlake.workflows.names import load_model, pushed_version
from goldlake.workflows.processes import OnEvent, Run, StageFailed
from goldlake_core.contracts.errors import StoreError, UsageError
from goldlake_core.contracts.ids import ModelId
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents.export import ExportManifest
from goldlake_core.documents.reproducing import (
    Remade,
    RemakeRequest,
    Reproduced,
    ReproduceReport,
    ReproduceRequest,
    Step,
)
from goldlake_core.documents.training import PushedVersion
from goldlake_core.environment import environment
from goldlake_core.storage.exports import Damage, examined
from goldlake_core.storage.files import writing
from goldlake_core.storage.home import Home
from goldlake_core.storage.model_versions import pushed_versions
from tfx_pipeline.exports import read_manifest


@recorded("reproduce")
def reproduce(
    model: str, home: Home, place: str | None, on_event: OnEvent, *, from_pages: bool = False
) -> ReproduceReport:
    """Makes a version again from the rows of its export. Changes nothing in the home.

    Args:
        model: Such as ``city_bikes.is_late@7``; without a version the one that serves now.
        home: Where the version was pushed to.
        place: An empty or new folder that becomes the other home and stays, or None for one that
            is removed in the end.
        on_event: Called with the stages' events.
        from_pages: Whether the rows are made again, too, from the landed pages.

    Returns:
        What is equal, what is not, and why.

    Raises:
        UsageError: There is no such version, or the folder holds something.
        StoreError: The rows or pages of the version are changed, damaged or gone, it has no
            recipe, or the disk has no room.
        StageFailed: A stage ended with an error.
    """
    name, at, number = model.partition("@")
    usecase, contract = load_model(name)
    model_id = ModelId(usecase.name, contract.name)
    version = pushed_version(model_id, number if at else None, home)
    made_of = _rows_of(
        pushed_versions(home, usecase.name, contract.name)[version], model_id.at(version)
    )
    landed = landed_of(usecase, home, model_id.at(version), made_of.table) if from_pages else None
    manifest = _require_whole(home, made_of, model_id, has_parts=landed is None)
    if place is not None:
        _require_empty(place)
    run = Run.new(home)
    other = Home.at(place or str(run.directory.path / "home"))
    reference = usecase_reference(name, usecase.name)
    again = _Again(run, reference, usecase, contract.name, version, home, other, on_event)
    remade, learned_from = None, made_of
    try:
        if landed is None:
            _copy(home, other, made_of.export_id)
        else:
            remade = again.rows(made_of, landed, manifest)
            learned_from = _Rows(remade.export_id, remade.manifest_sha256)
            if place is None:  # the training needs the room of the tables
                for part in ("tables", "landing"):
                    shutil.rmtree(other.path(part), ignore_errors=True)
        reproduced, problem = again.model(learned_from, remade)
    finally:
        if place is None:
            shutil.rmtree(other.root, ignore_errors=True)
    return ReproduceReport(
        run_id=run.run_id,
        logs=str(run.logs),
        model=str(model_id.at(version)),
        parts=sum(len(split.parts) for split in manifest.splits.values()),
        place=other.root if place is not None else None,
        remade=_with_code(remade, home, model_id.at(version)),
        reproduced=reproduced,
        problem=problem,
        begins=begins(remade, reproduced),
    )


@dataclass(frozen=True)
class _Rows:
    """The export that a version learned from, or that was made again.

    Attributes:
        export_id: Id of the export.
        manifest_sha256: The sha256 of its manifest.
        table: Id of the gold table at its version.
    """

    export_id: str
    manifest_sha256: str
    table: str = ""


@dataclass(frozen=True)
class _Again:
    """The stages that make a model again: where the model is, and where it is made."""

    run: Run
    reference: str
    usecase: UseCase
    name: str
    version: int
    home: Home
    other: Home
    on_event: OnEvent

    def rows(self, then: _Rows, landed: Landed, manifest: ExportManifest) -> Remade:
        """The rows of a model, made again from its landed pages in the other home."""
        parts = (part for split in manifest.splits.values() for part in split.parts)
        require_room(self.usecase, landed, sum(part.bytes for part in parts), self.other)
        copied(self.usecase, landed, self.other)
        request = self.run.request(
            RemakeRequest,
            self.reference,
            self.usecase,
            model=self.name,
            place=self.other.root,
            export_id=then.export_id,
            manifest_sha256=then.manifest_sha256,
            epoch=landed.epoch,
            through=landed.through,
        )
        made: Remade = self.run.stages("lakehouse", [request], self.on_event)["remake"]
        return made

    def model(self, rows: _Rows, remade: Remade | None) -> tuple[Reproduced | None, str]:
        """The model of an export of the other home; None and why where that cannot be trained."""
        if remade is not None and not remade.has_same_columns:
            return None, "the rows have other columns than the model learned from"
        request = self.run.request(
            ReproduceRequest,
            self.reference,
            self.usecase,
            model=self.name,
            model_version=self.version,
            place=self.other.root,
            export_id=rows.export_id,
            manifest_sha256=rows.manifest_sha256,
        )
        try:
            done = self.run.stages("tfx_pipeline", [request], self.on_event)
        except StageFailed as error:
            if remade is None or remade.is_equal:
                raise
            return None, error.message
        reproduced: Reproduced = done["reproduce"]
        return reproduced, ""


def begins(remade: Remade | None, reproduced: Reproduced | None) -> Step | None:
    """The first step whose results differ, or None where all that was compared is equal. Pure."""
    for each in remade.steps if remade is not None else ():
        if each.state == "differs":
            return each.step
    if reproduced is None or reproduced.is_equal:
        return None
    if reproduced.assets or any(each.step == "transform" for each in reproduced.outputs):
        return "transform"
    return "variables" if any(v.differing for v in reproduced.variables) else "answers"


def _with_code(remade: Remade | None, home: Home, model: ModelId) -> Remade | None:
    """Adds to what came of the pages that goldlake's own code changed, where they differ."""
    if remade is None or remade.is_equal:
        return remade
    run = of_model(home, model, most=0).run
    then, now = run.environment if run else None, environment()
    if then is None or then.code_sha256 == now.code_sha256:
        return remade
    names = [each.commit[:12] or "unknown" for each in (then, now)]
    cause = f"goldlake's code changed since: its commit was {names[0]}, and is {names[1]}"
    return changed(remade, causes=(*remade.causes, cause))


def _rows_of(about: PushedVersion | None, model: ModelId) -> _Rows:
    if about is None or about.export_id is None or about.manifest_sha256 is None:
        raise StoreError(
            f"{model} does not say which rows it learned from: another program put it there",
            valid="a version that goldlake pushed",
            hint=f"goldlake train {model.at(None)}",
        )
    table = f"{about.table}@{about.table_version}"
    return _Rows(about.export_id, about.manifest_sha256, table)


def _require_whole(home: Home, rows: _Rows, model: ModelId, *, has_parts: bool) -> ExportManifest:
    """The manifest of an export; if its parts are needed, all of them are as they were."""
    try:
        if not has_parts:
            return read_manifest(rows.export_id, rows.manifest_sha256, home)[0]
        found = examined(home, rows.export_id, rows.manifest_sha256)
    except StoreError as error:
        found = Damage(error.problem)
    if isinstance(found, Damage):
        raise StoreError(
            f"The rows of {model} cannot be read. In its export {rows.export_id}, {found.problem}",
            hint=f"goldlake export {model.at(None)} --verify writes it again while it can",
        )
    return found


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
