"""CuratedSchema: the TFX schema that the contract declares, not one inferred from the data.

Columns that are never null are dense with shape [1] (``FixedLenFeature``); nullable ones hold at
most one value (``VarLenFeature``, a SparseTensor). The environments are TRAINING, with all columns,
and SERVING, with the model's features only.
"""

from __future__ import annotations

import json
import os

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx import types
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils, standard_artifacts

from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.sections import DriftLimit
from tfx_pipeline.components.base import ExecProperties, component_class
from tfx_pipeline.spec import ColumnSpec, ValidationSpec

TRAINING, SERVING = "TRAINING", "SERVING"
SCHEMA_FILE = "schema.pbtxt"
_TYPES = {"bytes": schema_pb2.BYTES, "int64": schema_pb2.INT, "float": schema_pb2.FLOAT}


def curated_schema(spec: ValidationSpec) -> schema_pb2.Schema:
    """The schema of an export's tf.Examples, with domains, ranges, environments and comparators.

    Args:
        spec: The parts of the contract that validation reads.

    Raises:
        UsageError: A limit compares a column in a way its type does not allow.
    """
    schema = schema_pb2.Schema(default_environment=[TRAINING, SERVING])
    for column in spec.columns:
        feature = schema.feature.add(name=column.name, type=_TYPES[column.example_type])
        if column.nullable:
            feature.presence.min_count = 0
            feature.value_count.min = feature.value_count.max = 1
        else:
            feature.presence.min_fraction = 1.0
            feature.presence.min_count = 1
            feature.shape.dim.add(size=1)
        if column.name not in spec.features:
            feature.not_in_environment.append(SERVING)
        _set_domain(feature, column, spec.min_domain_mass)
        for limit in spec.limits:
            if limit.column == column.name:
                _set_comparator(feature, column, limit)
    return schema


class Executor(BaseExecutor):
    """Writes the curated schema."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: ExecProperties,
    ) -> None:
        """Writes ``schema.pbtxt``."""
        spec = ValidationSpec.from_json(json.loads(str(exec_properties["validation"])))
        uri = artifact_utils.get_single_uri(output_dict["schema"])
        with fileio.open(os.path.join(uri, SCHEMA_FILE), "w") as file:
            file.write(text_format.MessageToString(curated_schema(spec)))


CuratedSchema = component_class(
    "CuratedSchema",
    Executor,
    inputs={},
    outputs={"schema": standard_artifacts.Schema},
    parameters={"validation": str},
    doc="Publishes the contract's schema; ``validation`` is `ValidationSpec` as JSON text.",
)


def read_schema(schema: types.Artifact) -> schema_pb2.Schema:
    """The schema of a Schema artifact."""
    with fileio.open(os.path.join(schema.uri, SCHEMA_FILE), "r") as file:
        return text_format.Parse(file.read(), schema_pb2.Schema())


def _set_domain(feature: schema_pb2.Feature, column: ColumnSpec, min_domain_mass: float) -> None:
    if column.type == "boolean":
        feature.int_domain.min, feature.int_domain.max = 0, 1
    if column.domain is not None:
        feature.string_domain.name = column.name
        feature.string_domain.value.extend(column.domain)
        feature.distribution_constraints.min_domain_mass = min_domain_mass
    if column.range is not None:
        domain = feature.float_domain if column.type == "double" else feature.int_domain
        number = float if column.type == "double" else int
        for end, bound in zip(("min", "max"), column.range, strict=True):
            if bound is not None:
                setattr(domain, end, number(bound))


def _set_comparator(feature: schema_pb2.Feature, column: ColumnSpec, limit: DriftLimit) -> None:
    if limit.infinity_norm is not None and column.example_type != "bytes":
        raise UsageError(
            f"The {limit.compare} limit of column {column.name!r} is an infinity_norm, and its "
            f"type {column.type} has no categories",
            valid="jensen_shannon",
        )
    is_drift = limit.compare == "drift"
    comparator = feature.drift_comparator if is_drift else feature.skew_comparator
    if limit.infinity_norm is not None:
        comparator.infinity_norm.threshold = limit.infinity_norm
    if limit.jensen_shannon is not None:
        comparator.jensen_shannon_divergence.threshold = limit.jensen_shannon
