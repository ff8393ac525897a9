"""What a home knows of one model version, as typed answers. Read-only but for `examined`; no JVM.

`examined` answers the test split once, with TensorFlow in another process, and keeps what it found
in the home's folder ``examined``, so that report and app never compute it twice.
"""

from __future__ import annotations

import os
import posixpath
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from goldlake.workflows import artifact_places, names
from goldlake.workflows.ingest import usecase_reference
from goldlake.workflows.processes import OnEvent, Run
from goldlake_core.contracts.errors import GoldlakeError, StoreError, UsageError
from goldlake_core.contracts.ids import ModelId
from goldlake_core.contracts.sections import SPLITS, Model, UseCase
from goldlake_core.documents import codec
from goldlake_core.documents.examining import Examined, ExamineRequest
from goldlake_core.documents.export import ExportManifest
from goldlake_core.documents.lineage import ModelLineage
from goldlake_core.documents.stages import Failed, StageError, TrainRequest
from goldlake_core.documents.training import Anomaly, PushedVersion, Trained
from goldlake_core.documents.tuning import Tuned, TuneRequest
from goldlake_core.storage.files import read_bytes, write_atomic
from goldlake_core.storage.home import Home
from goldlake_core.storage.model_versions import pushed_versions
from metadata.store import Artifact, Store
from metadata.walk import Graph, backwards, made_directly
from tfx_pipeline.event_files import scalars
from tfx_pipeline.exports import read_manifest
from tfx_pipeline.statistics import ColumnStatistics, read_statistics

Asked = TypeVar("Asked", bound=TrainRequest)
Found = TypeVar("Found")
Curve = tuple[tuple[int, float], ...]
"""Value by epoch."""


@dataclass(frozen=True)
class Subject:
    """A model version, or the newest candidate that was not pushed.

    Attributes:
        home: Home that holds it.
        usecase: The use case as its contract is now.
        reference: Name or path by which another process finds the use case.
        model: The model as its contract is now.
        version: Number of the version, or None for a candidate that was not pushed.
        about: What the version says about itself, or None.
        trained: Result of the training run, or None where it is not on record any more.
        request: What that run was asked, or None.
        served: Version that serves now, or None.
        versions: All pushed versions.
        refusal: Why the candidate was not trained, where the gate refused its data, or None.
    """

    home: Home
    usecase: UseCase
    reference: str
    model: Model
    version: int | None
    about: PushedVersion | None
    trained: Trained | None
    request: TrainRequest | None
    served: int | None
    versions: tuple[int, ...]
    refusal: StageError | None = None

    @property
    def anomalies(self) -> tuple[Anomaly, ...]:
        """What the gate found in the data."""
        if self.refusal is not None:
            return self.refusal.anomalies
        return self.trained.anomalies if self.trained else ()

    @property
    def model_id(self) -> ModelId:
        """Name of the model and its version."""
        return ModelId(self.usecase.name, self.model.name, self.version)

    @property
    def export_id(self) -> str | None:
        """The export that the model learned from."""
        if self.about is not None:
            return self.about.export_id
        return self.request.export_id if self.request else None


class Training(msgspec.Struct, frozen=True, kw_only=True):
    """Curves of a training.

    Attributes:
        train: Value by epoch, by metric, on the train split.
        eval: The same on the eval split.
    """

    train: dict[str, Curve]
    eval: dict[str, Curve]


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """A search for training parameters.

    Attributes:
        run_id: Run that made it.
        export_id: The export that its trials learned from.
        found: Its trials, and the best of them.
    """

    run_id: str
    export_id: str
    found: Tuned


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """TFDV's statistics of the splits of one export.

    Attributes:
        splits: Statistics by column, by split.
    """

    splits: dict[str, dict[str, ColumnStatistics]]


def subject(name: str, home: Home) -> Subject:
    """Finds a model version. Without ``@V`` it is what was trained last.

    That is a candidate without a version where its gate refused it, or its data.

    Args:
        name: ``USECASE.MODEL[@V]``, or ``PATH:MODEL[@V]``.
        home: Home that holds it.

    Raises:
        UsageError: There is no such model or version, or nothing was trained yet.
    """
    text, at, number = name.partition("@")
    usecase, model = names.load_model(text)
    model_id = ModelId(usecase.name, model.name)
    pushed = pushed_versions(home, usecase.name, model.name)
    runs = _training_runs(home, model_id)
    refusal = _newest_refusal(home, model_id, runs)
    if at:
        if not number.isdecimal() or int(number) not in pushed:
            problem = f"{name} is not a version that was pushed to {home.root}"
            known = [str(model_id.at(each)) for each in pushed]
            raise names.unknown(problem, name, known, home=home, hint=f"goldlake train {text}")
        version: int | None = int(number)
        refusal = None
    elif refusal is not None or runs and runs[0][1].model_version is None:
        version = None
    elif pushed:
        version = max(pushed)
    else:
        problem = f"No version of {model_id} was trained in {home.root}"
        raise names.unknown(problem, text, [], home=home, hint=f"goldlake train {text}")
    if refusal is not None:
        found = []
    elif version is None:
        found = runs[:1]
    else:
        found = [each for each in runs if each[1].model_version == version][:1]
    served = names.served_version(str(model_id), home)
    return Subject(
        home=home,
        usecase=usecase,
        reference=usecase_reference(text, usecase.name),
        model=model,
        version=version,
        about=pushed[version] if version is not None else None,
        trained=found[0][1] if found else None,
        request=refusal[0] if refusal else found[0][0] if found else None,
        served=served,
        versions=tuple(pushed),
        refusal=refusal[1] if refusal else None,
    )


def manifest(of: Subject) -> ExportManifest | None:
    """The manifest of the export that a model learned from, or None where it is gone."""
    try:
        return read_manifest(of.export_id, None, of.home)[0] if of.export_id else None
    except StoreError:
        return None


def training(of: Subject) -> Training:
    """Curves of the training; empty where its event files are gone."""
    runs = [a for a in _ancestors(of) if a.type == "ModelRun"]
    for run in runs[-1:]:
        folder = artifact_places.inside(of.home, run.uri)
        return Training(train=_curves(folder, "train"), eval=_curves(folder, "validation"))
    return Training(train={}, eval={})


def search(of: Subject) -> Search | None:
    """The newest search for parameters on the model's export, else the newest, or None."""
    found = _runs_of(of.home, of.model_id, "tune", TuneRequest, Tuned)
    same = [each for each in found if each[0].export_id == of.export_id]
    for asked, tuned in (same or found)[:1]:
        return Search(run_id=asked.run_id, export_id=asked.export_id or "", found=tuned)
    return None


def statistics(of: Subject) -> Statistics:
    """TFDV's statistics of what a model learned from; empty where they are gone."""
    if of.refusal is not None:
        return _refused_statistics(of)
    examples = [a for a in _ancestors(of) if a.type == "Examples"]
    if examples:
        for found in made_directly(Store(of.home), examples, "ExampleStatistics"):
            folder = artifact_places.inside(of.home, found.uri)
            splits = {split: read_statistics(folder, split) for split in SPLITS}
            if any(splits.values()):
                return Statistics(splits=splits)
    return Statistics(splits={})


def lineage(of: Subject) -> ModelLineage | None:
    """Where a pushed version came from, or None where that is not on record."""
    from goldlake.workflows import views

    if of.version is None:
        return None
    try:
        found = views.lineage(of.home, str(of.model_id))
        return found if isinstance(found, ModelLineage) else None
    except GoldlakeError:
        return None


def examined(of: Subject, on_event: OnEvent) -> Examined:
    """What a model's answers to its test split show; kept in the home.

    Args:
        of: The model version or candidate.
        on_event: Called with the stage's events, where the split has to be answered.

    Raises:
        UsageError: The model is no longer in the home.
        GoldlakeError: The stage failed, for example because the export is gone.
    """
    if of.refusal is not None:
        raise UsageError("the gate refused the data, so that nothing was trained")
    folder = _model_folder(of)
    if folder is None or of.export_id is None:
        raise UsageError("the model or its export is not on record in this home any more")
    key = posixpath.basename(folder.removesuffix("/Format-Serving"))
    kind = "candidate-" if of.version is None else ""
    place = of.home.path("examined", str(of.model_id.at(None)), f"{kind}{key}.json")
    kept = read_bytes(of.home.fs, place)
    if kept is not None:
        try:
            found = codec.decode(kept, Examined, place)
        except StoreError:
            found = None  # of another release, or damaged: it is made again
        if found is not None and found.export_id == of.export_id:
            return found
    _, sha256 = read_manifest(of.export_id, None, of.home)
    run = Run.new(of.home)
    asked = run.request(
        ExamineRequest,
        of.reference,
        of.usecase,
        model=of.model.name,
        folder=folder,
        export_id=of.export_id,
        manifest_sha256=sha256,
    )
    made: Examined = run.stages("tfx_pipeline", [asked], on_event)["examine"]
    write_atomic(of.home.fs, place, codec.encode(made))
    # It names rows, and `goldlake erase` looks for those in one place.
    run.directory.result_file("examine").unlink(missing_ok=True)
    return made


def _training_runs(home: Home, model: ModelId) -> list[tuple[TrainRequest, Trained]]:
    """Results of training runs that are on record, the newest first."""
    return _runs_of(home, model, "train", TrainRequest, Trained)


def _newest_refusal(
    home: Home, model: ModelId, trained: list[tuple[TrainRequest, Trained]]
) -> tuple[TrainRequest, StageError] | None:
    """The newest run of a model, if the gate refused its data; else None."""
    failed = _runs_of(home, model, "train", TrainRequest, Failed)
    refused = [(asked, each.error) for asked, each in failed if each.error.verdict == "refused"]
    is_newest = refused and (not trained or refused[0][0].run_id > trained[0][0].run_id)
    return refused[0] if is_newest else None


def _refused_statistics(of: Subject) -> Statistics:
    """Statistics of the data that the gate refused; empty where they are gone."""
    from goldlake.workflows.validations import validation

    try:
        judged = validation(str(of.model_id.at(None)), of.home)
    except GoldlakeError:
        return Statistics(splits={})
    if judged.export_id != of.export_id:
        return Statistics(splits={})
    files = judged.statistics.items()
    folders = {split: os.path.dirname(os.path.dirname(file)) for split, file in files}
    splits = {split: read_statistics(folder, split) for split, folder in folders.items()}
    return Statistics(splits=splits if any(splits.values()) else {})


def _runs_of(
    home: Home, model: ModelId, stage: str, request: type[Asked], result: type[Found]
) -> list[tuple[Asked, Found]]:
    """Requests and results of a stage about a model that are on record, the newest first."""
    found: list[tuple[Asked, Found]] = []
    if not home.is_local:
        return []
    for path in sorted(Path(home.path("runs")).glob(f"*/{stage}.result.json"), reverse=True):
        try:
            asked = codec.decode(
                path.with_name(f"{stage}.request.json").read_bytes(), request, str(path)
            )
            if asked.model != model.name or not (asked.export_id or "").startswith(
                f"{model.usecase}/{model.name}/"
            ):
                continue
            made = codec.decode(path.read_bytes(), result, str(path))
        except (StoreError, OSError):
            continue  # a failed run has another document
        found.append((asked, made))
    return found


def _ancestors(of: Subject) -> list[Artifact]:
    """Artifacts that the model was made from, with the model's own, by id."""
    if not of.home.is_local or not os.path.exists(of.home.mlmd):
        return []
    store = Store(of.home)
    graph = _graph(of, store)
    artifacts = store.artifacts(graph.artifacts | {event.artifact for event in graph.events})
    produced = {event.artifact for event in graph.events if event.is_output}
    return [a for number, a in sorted(artifacts.items()) if number in produced | graph.artifacts]


def _graph(of: Subject, store: Store) -> Graph:
    from metadata.pushed import pushed_models

    if of.version is not None:
        return backwards(store, pushed_models(store, of.model_id).get(of.version, [])[-1:])
    tail = artifact_places.tail(of.trained.tensorboard) if of.trained else ""
    roots = [
        a
        for a in store.artifacts_of_type("ModelRun")
        if tail and artifact_places.tail(a.uri) == tail
    ]
    return backwards(store, roots[-1:])


def _model_folder(of: Subject) -> str | None:
    """Folder of the SavedModel, relative to the home."""
    folder = None
    if of.version is not None:
        folder = f"models/{of.model_id.at(None)}/{of.version}"
    elif models := [a for a in _ancestors(of) if a.type == "Model"]:
        folder = f"{artifact_places.tail(models[-1].uri)}/Format-Serving"
    is_there = folder and of.home.fs.exists(of.home.path(folder, "saved_model.pb"))
    return folder if is_there else None


def _curves(folder: str, part: str) -> dict[str, Curve]:
    found = scalars(os.path.join(folder, part))
    prefix = "epoch_"
    return {
        tag.removeprefix(prefix): points
        for tag, points in found.items()
        if tag.startswith(prefix) and not tag.endswith("learning_rate")
    }
