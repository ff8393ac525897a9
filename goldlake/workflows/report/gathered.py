"""Everything that a report shows, read once from the home as typed views."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from goldlake.workflows import data_views, model_views
from goldlake.workflows.data_views import AreasView, DataView
from goldlake.workflows.lineage import report_of
from goldlake.workflows.model_views import Search, Statistics, Subject, Training
from goldlake.workflows.monitor import monitor
from goldlake.workflows.names import unknown
from goldlake.workflows.processes import OnEvent
from goldlake_core.contracts.errors import GoldlakeError
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents.examining import (
    BinaryAnswers,
    ClassAnswers,
    Examined,
    NumberAnswers,
)
from goldlake_core.documents.export import ExportManifest
from goldlake_core.documents.lineage import ModelLineage
from goldlake_core.documents.monitoring import MonitorReport
from goldlake_core.documents.training import SliceReport
from goldlake_core.storage.home import Home

Answers = TypeVar("Answers", BinaryAnswers, ClassAnswers, NumberAnswers)


@dataclass(frozen=True)
class Gathered:
    """What is known of a use case's data.

    Attributes:
        home: Home that is shown.
        usecase: The use case.
        data: Data of the use case.
        areas: Its map, or why there is none.
    """

    home: Home
    usecase: UseCase
    data: DataView
    areas: AreasView | str


@dataclass(frozen=True)
class GatheredModel(Gathered):
    """What is known of a model version, too.

    Attributes:
        subject: The model version or candidate.
        manifest: Manifest of its export, or None where that is gone.
        training: Curves of its training.
        statistics: Statistics of its splits.
        examined: What its answers to the test split show, or why that is not known.
        slices: The evaluation of the whole test split and of slices, of every head.
        lineage: Where it came from, or None where that is not on record.
        live: What logged requests say of it, or why that is not known; None where none is kept.
        against: The version that it is compared with, or None.
        against_examined: What the answers of that version show, or why that is not known.
        search: The newest search for training parameters, or None.
    """

    subject: Subject
    manifest: ExportManifest | None
    training: Training
    statistics: Statistics
    examined: Examined | str
    slices: tuple[SliceReport, ...]
    lineage: ModelLineage | None
    live: MonitorReport | str | None
    against: Subject | None
    against_examined: Examined | str
    search: Search | None = None

    @property
    def on_same_rows(self) -> Examined | None:
        """What the other version shows, where it answered the same test split."""
        one, other = self.examined, self.against_examined
        if isinstance(one, str) or isinstance(other, str) or one.export_id != other.export_id:
            return None
        return other

    def theirs(self, kind: type[Answers]) -> Answers | None:
        """Answers of this kind that the other version gave to the same rows, or None."""
        other = self.on_same_rows
        answers = other.answers if other is not None else None
        return answers if isinstance(answers, kind) else None


def of_usecase(usecase: UseCase, home: Home) -> Gathered:
    """What a home knows of the data of a use case."""
    label = next((model.label for model in usecase.models.values()), None)
    return Gathered(home, usecase, data_views.data(usecase, home), _areas(usecase, home, label))


def of_model(name: str, against: int | None, home: Home, on_event: OnEvent) -> GatheredModel:
    """What a home knows of a model version.

    Args:
        name: Name of the model, ``USECASE.MODEL[@V]``.
        against: Version to compare with, or None for the one that its gate compared it with.
        home: Home that holds both.
        on_event: Called with events where a test split has to be answered first.

    Raises:
        UsageError: There is no such model or version.
    """
    subject = model_views.subject(name, home)
    other = _against(subject, name.partition("@")[0], against)
    usecase, model = subject.usecase, subject.model
    return GatheredModel(
        home=home,
        usecase=usecase,
        data=data_views.data(usecase, home),
        areas=_areas(usecase, home, model.label),
        subject=subject,
        manifest=model_views.manifest(subject),
        training=model_views.training(subject),
        statistics=model_views.statistics(subject),
        examined=_examined(subject, on_event),
        slices=_slices(subject),
        lineage=model_views.lineage(subject),
        live=_live(subject, name.partition("@")[0]),
        against=other,
        against_examined=_examined(other, on_event) if other else "there is no other version",
        search=model_views.search(subject),
    )


def _against(subject: Subject, text: str, wanted: int | None) -> Subject | None:
    if wanted is not None and wanted not in subject.versions:
        model = subject.model_id.at(None)
        raise unknown(
            f"{model}@{wanted} is not a version that was pushed to {subject.home.root}",
            f"{model}@{wanted}",
            [str(model.at(each)) for each in subject.versions],
            hint="goldlake models",
        )
    version = wanted
    if version is None and subject.trained is not None:
        version = subject.trained.baseline_version
    if version is None and subject.about is not None:
        version = subject.about.baseline_version
    if version is None or version not in subject.versions or version == subject.version:
        return None
    return model_views.subject(f"{text}@{version}", subject.home)


def _live(subject: Subject, text: str) -> MonitorReport | str | None:
    """A candidate answers nobody, and of many models no request is kept."""
    keeps = subject.model.serving.request_log is not None
    if subject.version is None or not (keeps or subject.home.is_local):
        return None
    try:
        found = monitor(f"{text}@{subject.version}", subject.home)
    except GoldlakeError as error:
        return error.problem
    return found if keeps or found.log.files else None


def _examined(subject: Subject, on_event: OnEvent) -> Examined | str:
    """The report shows why a part is missing; it does not fail for want of one."""
    try:
        return model_views.examined(subject, on_event)
    except GoldlakeError as error:
        return error.problem
    except OSError as error:
        return f"{subject.home.root} cannot be written: {error.strerror}"


def _slices(subject: Subject) -> tuple[SliceReport, ...]:
    """All slices of a pushed version; of a candidate that was not pushed, the worst."""
    if subject.version is not None:
        report = report_of(subject.home, subject.model_id)
        return report.slices if report else ()
    return subject.trained.worst_slices if subject.trained else ()


def _areas(usecase: UseCase, home: Home, label: str | None) -> AreasView | str:
    try:
        found = data_views.areas(usecase, home, label)
    except GoldlakeError as error:
        return error.problem
    if found is not None:
        return found
    if usecase.map is None:
        return "The contract names no boundaries (key map), so there is no map."
    return f"Silver has no rows with the column {usecase.map.column} yet, so there is no map."
