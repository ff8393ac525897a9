"""What the pipeline needs to know of a model contract, as plain JSON.

A TFX definition may hold only JSON values, and a node's cache key is made of them. The contract is
therefore cut into the parts that nodes depend on: an edited threshold changes `EvaluationSpec` and
nothing that Transform or Trainer reads. Executors receive these documents as ``custom_config`` and
read them with ``from_json``; no path of a machine is ever in one of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, TypeVar

import msgspec

from goldlake_core.contracts.column_types import COLUMN_TYPES, ColumnType, ExampleType
from goldlake_core.contracts.errors import PermanentError
from goldlake_core.contracts.heads import HeadKind
from goldlake_core.contracts.sections import (
    Column,
    Costs,
    Decision,
    DriftLimit,
    Explain,
    Feature,
    Head,
    Model,
    Threshold,
    Training,
    UseCase,
    WireNull,
)
from goldlake_core.documents.export import ExportedColumn, ExportManifest
from goldlake_core.documents.training import Anomaly

USECASE_PATH = "GOLDLAKE_USECASE_PATH"
"""Environment variable that tells executors the folder (or name) of the use case."""

JsonObject: TypeAlias = dict[str, object]
"""A part of the definition as TFX keeps it: a JSON object."""

S = TypeVar("S", bound="Spec")


class Spec(msgspec.Struct, frozen=True):
    """A part of the definition; msgspec writes it as JSON and reads it again."""

    def to_json(self) -> JsonObject:
        """A JSON object (lists for tuples)."""
        return dict(msgspec.to_builtins(self))

    @classmethod
    def from_json(cls: type[S], document: JsonObject) -> S:
        """Reads what `to_json` wrote; other keys are left out."""
        return msgspec.convert(document, cls)


class ColumnSpec(Spec, frozen=True):
    """One column of the export.

    Attributes:
        name: Column name in the gold table, the export, tf.Example and the signature.
        type: The contract's type.
        nullable: Whether a value may be missing (an absent feature in tf.Example).
        wire_null: How a missing value travels to the served model, or None.
        domain: Allowed values, or None.
        range: Lowest and highest allowed value, or None.
        pad: Width of a zero-padded code, or None.
    """

    name: str
    type: ColumnType
    nullable: bool
    wire_null: WireNull | None = None
    domain: tuple[str, ...] | None = None
    range: tuple[int | float | None, int | float | None] | None = None
    pad: int | None = None

    @property
    def example_type(self) -> ExampleType:
        """Kind of tf.Example feature that carries the column."""
        return COLUMN_TYPES[self.type].example

    @classmethod
    def of(cls, column: Column) -> ColumnSpec:
        """The part of a contract's column that a model depends on (no comment, no source field)."""
        return cls(
            name=column.name,
            type=column.type,
            nullable=column.nullable,
            wire_null=column.wire_null,
            domain=column.domain,
            range=column.range,
            pad=column.pad,
        )


class FeatureSpec(Spec, frozen=True):
    """What preprocessing, trainer and signatures read: Transform's ``custom_config``.

    Attributes:
        model_id: ``usecase.model``, the served name.
        label: Column to predict.
        inputs: The gold columns the model reads, in the contract's order. Without domain and range:
            those belong to validation.
        features: The contract's features, in model order.
        preprocessing: Dotted function of the use-case folder, or None.
        preprocessing_hash: sha256 of that function's module, or "".
        head: What kind of answer the model gives.
        preprocessing_fn: Dotted name of the function in place of goldlake's, or None.
        part_hash: sha256 of its code, or "".
        encoders_hash: sha256 of the files of all encoders, or "".
    """

    model_id: str
    label: str
    inputs: tuple[ColumnSpec, ...]
    features: tuple[Feature, ...]
    preprocessing: str | None = None
    preprocessing_hash: str = ""
    head: Head = Head("binary")
    preprocessing_fn: str | None = None
    part_hash: str = ""
    encoders_hash: str = ""

    def input(self, name: str) -> ColumnSpec:
        """The input called ``name``; raises KeyError."""
        return {column.name: column for column in self.inputs}[name]


class TrainingSpec(Spec, frozen=True):
    """The Trainer's ``custom_config``.

    Attributes:
        features: As Transform had it.
        training: Parameters of the contract.
        rows: Rows of the train and eval split, from the export's manifest: lets the trainer count
            steps without reading the data twice.
        explain: How the signature ``explain`` is made, or None for no such signature.
        decision: How the model decides that a row is positive, or None.
        build_model: Dotted name of the function in place of goldlake's, or None.
        run_fn: The same of the trainer.
        part_hash: sha256 of the code of both, or "".
    """

    features: FeatureSpec
    training: Training
    rows: Mapping[str, int]
    explain: Explain | None = None
    decision: Decision | None = None
    build_model: str | None = None
    run_fn: str | None = None
    part_hash: str = ""


class SearchSpec(Spec, frozen=True):
    """What a search for training parameters needs beside `TrainingSpec`.

    Attributes:
        trials: Number of trials, the contract's own parameters among them.
        seed: Seed of the parameters that are tried.
        folder: Where the search is kept, inside the home.
        run_id: The run that asks. It keeps a search from TFX's cache: its folder says what is left
            to try.
    """

    trials: int
    seed: int
    folder: str
    run_id: str


class EvaluationSpec(Spec, frozen=True):
    """What the Evaluator depends on.

    Attributes:
        model_id: Id of the model, ``usecase.model``.
        label: Column to predict.
        thresholds: Bounds on the test split that a candidate must keep to be blessed.
        slices: Column lists; the whole split is always evaluated.
        head: What kind of answer the model gives.
        decision: How the model decides that a row is positive, or None.
        eval_config: Dotted name of the function that changes TFMA's configuration, or None.
        part_hash: sha256 of its code, or "".
    """

    model_id: str
    label: str
    thresholds: tuple[Threshold, ...]
    slices: tuple[tuple[str, ...], ...]
    head: HeadKind = "binary"
    decision: Decision | None = None
    eval_config: str | None = None
    part_hash: str = ""

    @property
    def costs(self) -> Costs | None:
        """What wrong answers cost, or None."""
        return None if self.decision is None else self.decision.costs


class ValidationSpec(Spec, frozen=True):
    """What the curated schema and the gate depend on.

    Attributes:
        label: Present in the environment TRAINING only.
        columns: The export's columns with domain, range and nullability.
        features: Names of the columns the model reads.
        limits: Skew and drift limits.
        min_domain_mass: Least share of a column's values that must lie in its domain.
    """

    label: str
    columns: tuple[ColumnSpec, ...]
    features: tuple[str, ...]
    limits: tuple[DriftLimit, ...]
    min_domain_mass: float


class ServingSpec(Spec, frozen=True):
    """How large and how slow a model may be to be pushed.

    Attributes:
        most_megabytes: Largest size of its files, or None.
        most_milliseconds: Longest median time of a call with one row, or None.
    """

    most_megabytes: float | None = None
    most_milliseconds: float | None = None


class PipelineSpec(Spec, frozen=True):
    """One pipeline run's whole description: a model contract and the export it trains on.

    Attributes:
        usecase: Name of the use case.
        model: Name of the model.
        export_id: ``usecase/model/EXPORT``, resolved against GOLDLAKE_HOME by the executors.
        manifest_sha256: sha256 of the export's ``manifest.json``, which names the exact rows.
        rows: Rows per split (``train``, ``eval``, ``test``), from the manifest.
        columns: Of the export, in CSV order, with what the contract says about each.
        event_time: Column of the time of an event, or "".
        handoff: Component that reads the export.
        features: What Transform depends on.
        training: What the Trainer depends on.
        evaluation: What the Evaluator depends on.
        validation: What the curated schema and the gate depend on.
        serving: What the serving check depends on.
        baseline_version: Version the label serves now, which a candidate is compared with; or None.
        not_compared: Why it cannot be compared with it, or "".
        gate: What the gate's last judgement of the gold table found.
    """

    usecase: str
    model: str
    export_id: str
    manifest_sha256: str
    rows: Mapping[str, int]
    columns: tuple[ColumnSpec, ...]
    event_time: str
    handoff: Literal["snapshot_example_gen", "csv_example_gen"]
    features: FeatureSpec
    training: TrainingSpec
    evaluation: EvaluationSpec
    validation: ValidationSpec
    serving: ServingSpec = ServingSpec()
    baseline_version: int | None = None
    not_compared: str = ""
    gate: tuple[Anomaly, ...] = ()

    @property
    def model_id(self) -> str:
        """``usecase.model``, the served name and the pipeline's name."""
        return f"{self.usecase}.{self.model}"

    @property
    def compared_version(self) -> int | None:
        """Version whose answers a candidate's are compared with, or None."""
        return None if self.not_compared else self.baseline_version

    def alone(self) -> PipelineSpec:
        """What makes the model, without the version that it is compared with."""
        return msgspec.structs.replace(self, baseline_version=None, not_compared="")


def pipeline_spec(
    usecase: UseCase,
    model: Model,
    manifest: ExportManifest,
    *,
    export_id: str,
    manifest_sha256: str,
    baseline_version: int | None = None,
    preprocessing_hash: str = "",
    part_hashes: Mapping[str, str] = MappingProxyType({}),
    encoders_hash: str = "",
) -> PipelineSpec:
    """Cuts a contract and an export's manifest into the parts that nodes depend on.

    Args:
        usecase: The use case.
        model: One of its models.
        manifest: The export's ``manifest.json``.
        export_id: Id of the export, ``usecase/model/EXPORT``.
        manifest_sha256: sha256 of the manifest's bytes.
        baseline_version: What serves now.
        preprocessing_hash: sha256 of the module that ``model.preprocessing`` names, or "".
        part_hashes: sha256 of the code of each part that the contract names, by its key.
        encoders_hash: sha256 of the files of the encoders of text features, or "".

    Raises:
        PermanentError: The export lacks a column the contract names, or has it with another type.
    """
    columns = tuple(
        _agreed_column(usecase, model, exported, export_id) for exported in manifest.columns
    )
    by_name = {column.name: column for column in columns}
    for name in (*model.feature_columns, model.label, model.event_time):
        if name and name not in by_name:
            raise PermanentError(
                f"The export {export_id} has no column {name!r}, "
                f"which {usecase.name}.{model.name} needs",
                valid=", ".join(by_name),
                hint=f"goldlake export {usecase.name}.{model.name}",
            )
    model_id = f"{usecase.name}.{model.name}"
    rows = {split: part.rows for split, part in manifest.splits.items()}
    features = FeatureSpec(
        model_id=model_id,
        label=model.label,
        inputs=tuple(
            msgspec.structs.replace(by_name[name], domain=None, range=None, pad=None)
            for name in model.feature_columns
        ),
        features=model.features,
        preprocessing=model.preprocessing,
        preprocessing_hash=preprocessing_hash,
        head=model.head,
        preprocessing_fn=model.parts.preprocessing_fn,
        part_hash=part_hashes.get("preprocessing_fn", ""),
        encoders_hash=encoders_hash,
    )
    return PipelineSpec(
        usecase=usecase.name,
        model=model.name,
        export_id=export_id,
        manifest_sha256=manifest_sha256,
        rows=rows,
        columns=columns,
        event_time=model.event_time,
        handoff=model.handoff,
        features=features,
        training=TrainingSpec(
            features=features,
            training=model.training,
            rows={split: rows[split] for split in ("train", "eval")},
            explain=model.serving.explain,
            decision=model.decision,
            build_model=model.parts.build_model,
            run_fn=model.parts.run_fn,
            part_hash="".join(part_hashes.get(key, "") for key in ("build_model", "run_fn")),
        ),
        evaluation=EvaluationSpec(
            model_id,
            model.label,
            model.thresholds,
            model.slices,
            model.head.kind,
            model.decision,
            model.parts.eval_config,
            part_hashes.get("eval_config", ""),
        ),
        validation=ValidationSpec(
            label=model.label,
            columns=columns,
            features=model.feature_columns,
            limits=model.limits,
            min_domain_mass=model.min_domain_mass,
        ),
        serving=ServingSpec(model.serving.most_megabytes, model.serving.most_milliseconds),
        baseline_version=baseline_version,
    )


def preprocessing_function(spec: FeatureSpec) -> Callable[..., Any] | None:
    """The use case's own preprocessing function, or None where the contract names none.

    The folder is found through the environment (`USECASE_PATH`; else the use case's name), never
    through the definition.
    """
    if spec.preprocessing is None:
        return None
    from goldlake_core.contracts import registry

    name = spec.model_id.partition(".")[0]
    usecase = registry.load_usecase(os.environ.get(USECASE_PATH) or name)
    return registry.resolve(usecase, spec.preprocessing, "preprocessing")


def encoder_folder(spec: FeatureSpec, feature: Feature) -> str:
    """The folder of a text feature's encoder, inside that of the use case.

    Raises:
        PermanentError: There is no SavedModel.
    """
    from goldlake_core.contracts import registry

    name = spec.model_id.partition(".")[0]
    root = registry.find_usecase(os.environ.get(USECASE_PATH) or name).resolve()
    folder = (root / str(feature.params["encoder"])).resolve()
    if not folder.is_relative_to(root) or not (folder / "saved_model.pb").is_file():
        raise PermanentError(
            f"features.{feature.name}.encoder of {spec.model_id}: there is no SavedModel in "
            f"{folder}",
            valid=f"a folder inside {root} that holds saved_model.pb",
        )
    return str(folder)


def _agreed_column(
    usecase: UseCase, model: Model, exported: ExportedColumn, export_id: str
) -> ColumnSpec:
    table = usecase.gold[model.table]
    name = exported.name
    if name not in table.names:
        raise PermanentError(
            f"The export {export_id} has a column {name!r}, "
            f"which {usecase.name}.gold.{table.name} lacks",
            valid=", ".join(table.names),
            hint=f"goldlake export {usecase.name}.{model.name}",
        )
    column = table.column(name)
    if (column.type, column.nullable) != (exported.type, exported.nullable):
        raise PermanentError(
            f"Column {name!r} of the export {export_id} is {exported.type}, "
            f"nullable {exported.nullable}; the contract says {column.type}, "
            f"nullable {column.nullable}",
            hint=f"goldlake export {usecase.name}.{model.name}",
        )
    return ColumnSpec.of(column)
