"""ValidationVerdict: decides whether the data may train a model, and publishes the decision.

Stock ExampleValidator leaves environments, skew and drift comparators out;
`tfdv.validate_statistics` takes them. A node that raises publishes nothing, so this one only
publishes, and `validation_stop` stops.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Literal, TypeAlias

import msgspec
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2
from tfx import types
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils, standard_artifacts
from tfx.types.artifact import Property, PropertyType

from goldlake_core.contracts.errors import StoreError
from goldlake_core.contracts.sections import SPLITS
from goldlake_core.documents import codec
from goldlake_core.documents.training import Anomaly, Distance
from goldlake_core.storage.home import Home
from tfx_pipeline.components.base import ExecProperties, component_class
from tfx_pipeline.components.curated_schema import TRAINING, read_schema
from tfx_pipeline.components.data_snapshot import DataSnapshot

VERDICT_FILE = "verdict.json"
ANOMALIES_FILE = "anomalies.pbtxt"
"""All anomalies as TFDV's own message, for ``tfdv.display_anomalies``."""
PASSED: Literal["passed"] = "passed"
REFUSED: Literal["refused"] = "refused"
ERROR = "error"
"""Severity of the anomalies that refuse the data."""
STATISTICS_FILE = "FeatureStats.pb"
_Statistics: TypeAlias = statistics_pb2.DatasetFeatureStatisticsList
_COMPARATORS = {
    anomalies_pb2.AnomalyInfo.COMPARATOR_L_INFTY_HIGH,
    anomalies_pb2.AnomalyInfo.COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH,
    anomalies_pb2.AnomalyInfo.COMPARATOR_CONTROL_DATA_MISSING,
    anomalies_pb2.AnomalyInfo.COMPARATOR_TREATMENT_DATA_MISSING,
}


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The file ``verdict.json``: what the validation gate decided and why.

    Attributes:
        verdict: Whether the data may train a model.
        anomalies: What the schema does not allow. One of severity ``error`` refuses the data.
        distances: The distances that were measured.
        has_baseline: Whether train was compared with the data of an earlier model.
    """

    verdict: Literal["passed", "refused"]
    anomalies: tuple[Anomaly, ...]
    distances: tuple[Distance, ...]
    has_baseline: bool


class ValidationVerdict(types.Artifact):
    """The gate's decision; its ``verdict.json`` holds the anomalies and measured distances.

    Properties: ``verdict`` (``passed`` or ``refused``), ``anomalies`` (their number).
    """

    TYPE_NAME = "ValidationVerdict"
    PROPERTIES = {
        "verdict": Property(type=PropertyType.STRING),
        "anomalies": Property(type=PropertyType.INT),
    }


def verdict_document(
    statistics: Mapping[str, _Statistics],
    schema: schema_pb2.Schema,
    previous: _Statistics | None = None,
    gate: tuple[Anomaly, ...] = (),
) -> Verdict:
    """Validates all splits, skew of test against train, and drift of train. Pure.

    Args:
        statistics: Statistics by split.
        schema: The curated schema.
        previous: Train statistics of the data that the promoted model learned from, or None.
        gate: What the gate found in periods of the gold table.
    """
    anomalies: list[Anomaly] = []
    distances: list[Distance] = []
    for split in SPLITS:
        # Only train is compared with others: each comparison is made, and reported, once.
        others = (
            {"previous_statistics": previous, "serving_statistics": statistics["test"]}
            if split == "train"
            else {}
        )
        found = tfdv.validate_statistics(statistics[split], schema, environment=TRAINING, **others)
        anomalies += _anomalies(found, split)
        distances += _distances(found)
    anomalies += gate
    is_refused = any(anomaly.severity == ERROR for anomaly in anomalies)
    return Verdict(
        verdict=REFUSED if is_refused else PASSED,
        anomalies=tuple(anomalies),
        distances=tuple(distances),
        has_baseline=previous is not None,
    )


def check_rows(
    statistics: Mapping[str, _Statistics], rows: Mapping[str, int], export_id: str
) -> None:
    """Compares the examples that StatisticsGen counted with the rows of the export.

    Raises:
        StoreError: A split has another number; rows were lost or doubled on the way.
    """
    for split, listed in rows.items():
        counted = int(statistics[split].datasets[0].num_examples)
        if counted != listed:
            raise StoreError(
                f"Split {split!r} has {counted} examples, and export {export_id!r} has {listed} "
                "rows: some were lost or doubled on the way"
            )


class Executor(BaseExecutor):
    """Decides and publishes; anomalies never make it fail."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: ExecProperties,
    ) -> None:
        """Writes ``verdict.json``.

        Raises:
            StoreError: The statistics count other rows than the export has: rows were lost.
        """
        snapshot = artifact_utils.get_single_instance(input_dict["snapshot"])
        statistics_artifact = artifact_utils.get_single_instance(input_dict["statistics"])
        statistics = {
            split: stats_artifact_utils.load_statistics(statistics_artifact, split).proto()
            for split in SPLITS
        }
        rows = {split: getattr(snapshot, f"{split}_rows") for split in SPLITS}
        check_rows(statistics, rows, snapshot.export_id)
        schema = read_schema(artifact_utils.get_single_instance(input_dict["schema"]))
        document = verdict_document(
            statistics,
            schema,
            _previous(str(exec_properties["baseline_statistics"])),
            msgspec.json.decode(str(exec_properties["gate"]), type=tuple[Anomaly, ...]),
        )
        verdict = artifact_utils.get_single_instance(output_dict["verdict"])
        verdict.verdict = document.verdict
        verdict.anomalies = len(document.anomalies)
        with fileio.open(os.path.join(verdict.uri, VERDICT_FILE), "wb") as file:
            file.write(codec.encode(document))
        shown = anomalies_message(document, schema)
        tfdv.write_anomalies_text(shown, os.path.join(verdict.uri, ANOMALIES_FILE))


ValidationVerdictGen = component_class(
    "ValidationVerdictGen",
    Executor,
    inputs={
        "statistics": standard_artifacts.ExampleStatistics,
        "schema": standard_artifacts.Schema,
        "snapshot": DataSnapshot,
    },
    outputs={"verdict": ValidationVerdict},
    parameters={"baseline_statistics": str, "gate": str},
    doc="""Publishes a `ValidationVerdict`. ``baseline_statistics`` is the folder, inside the home,
    of the ExampleStatistics that the promoted model learned from, or "". ``gate`` is a JSON list of
    what the gate found in periods of the gold table.""",
)


def read_verdict(uri: str) -> Verdict:
    """The document of a ValidationVerdict artifact.

    Raises:
        StoreError: The file does not hold what it should.
    """
    name = os.path.join(uri, VERDICT_FILE)
    with fileio.open(name, "rb") as file:
        return codec.decode(file.read(), Verdict, name)


def anomalies_message(verdict: Verdict, schema: schema_pb2.Schema) -> anomalies_pb2.Anomalies:
    """The whole verdict as TFDV's message: ``tfdv.display_anomalies`` shows it. Pure.

    Args:
        verdict: What the gate decided.
        schema: The curated schema.
    """
    severities = {"error": anomalies_pb2.AnomalyInfo.ERROR}
    message = anomalies_pb2.Anomalies(baseline=schema)
    for found in verdict.anomalies:
        info = message.anomaly_info[found.column or "(the table)"]
        # A column is as severe as the worst that was found of it.
        info.severity = max(
            info.severity, severities.get(found.severity, anomalies_pb2.AnomalyInfo.WARNING)
        )
        place = f"{found.kind} in {found.split}"
        if not info.reason:
            info.path.step.append(found.column or "(the table)")
            info.short_description = place
        elif place not in info.short_description:
            info.short_description += f", {place}"
        info.reason.add(short_description=place, description=found.description)
        info.description = "; ".join(reason.description for reason in info.reason)
    return message


def _previous(folder: str) -> _Statistics | None:
    if not folder:
        return None
    file = os.path.join(Home.at().path(folder), "Split-train", STATISTICS_FILE)
    return tfdv.load_stats_binary(file)


def _anomalies(found: anomalies_pb2.Anomalies, split: str) -> Iterator[Anomaly]:
    severity = anomalies_pb2.AnomalyInfo.Severity
    for column, info in sorted(found.anomaly_info.items()):
        for reason in info.reason:
            yield Anomaly(
                column=column,
                split=split,
                kind=_kind(reason),
                severity=severity.Name(info.severity).lower(),
                description=reason.description or info.description,
            )
    if found.HasField("dataset_anomaly_info"):
        for reason in found.dataset_anomaly_info.reason:
            yield Anomaly(
                column="",
                split=split,
                kind=_kind(reason),
                severity=severity.Name(found.dataset_anomaly_info.severity).lower(),
                description=reason.description,
            )


def _kind(reason: anomalies_pb2.AnomalyInfo.Reason) -> str:
    """``drift`` or ``skew`` (TFDV tells them apart by its text only), else TFDV's own name."""
    if reason.type in _COMPARATORS:
        return "skew" if "serving" in reason.description else "drift"
    return anomalies_pb2.AnomalyInfo.Type.Name(reason.type).lower()


def _distances(found: anomalies_pb2.Anomalies) -> Iterator[Distance]:
    measure = anomalies_pb2.DriftSkewInfo.Measurement
    for info in found.drift_skew_info:
        column = ".".join(info.path.step)
        for compare, measured in (
            ("drift", info.drift_measurements),
            ("skew", info.skew_measurements),
        ):
            for item in measured:
                yield Distance(
                    column=column,
                    compare=compare,
                    measure=measure.Type.Name(item.type).lower(),
                    value=item.value,
                    limit=item.threshold,
                )
