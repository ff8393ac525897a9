"""A small data set with every feature kind, and its records as a hand-off component writes them."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from goldlake_core.contracts.sections import Feature, Training, WireNull
from tfx_pipeline.evaluation.serving_check import serialize
from tfx_pipeline.spec import ColumnSpec, FeatureSpec, TrainingSpec

LABEL = "late"
COLUMNS = (
    ColumnSpec("vehicle", "string", True, WireNull("text", "(none)")),
    ColumnSpec("note", "string", True, WireNull("text", "(none)")),
    ColumnSpec("stops", "long", True, WireNull("flag", "has_stops")),
    ColumnSpec("urgent", "boolean", True, WireNull("flag", "has_urgent")),
    ColumnSpec("hour", "long", False),
    ColumnSpec("weight", "double", True, WireNull("flag", "has_weight")),
    ColumnSpec("north", "double", True, WireNull("nan")),
    ColumnSpec("east", "double", True, WireNull("nan")),
    ColumnSpec("price", "double", False),
)
ONE_HOT = {"embedding": 0, "min_count": 1, "oov_buckets": 1}
EMBEDDED = {"embedding": 4, "min_count": 1, "oov_buckets": 1}
FREQUENT = {"embedding": 4, "min_count": 20, "oov_buckets": 2}
FEATURES = (
    Feature("vehicle", "categorical", ("vehicle",), EMBEDDED),
    Feature("stops", "categorical", ("stops",), FREQUENT),
    Feature("urgent", "categorical", ("urgent",), ONE_HOT),
    Feature("hour", "cyclic", ("hour",), {"period": 24}),
    Feature("weight", "numeric", ("weight",), {"buckets": 4}),
    Feature("price", "numeric", ("price",), {"buckets": 0}),
    Feature("place", "position", ("north", "east"), {"cells": 4, "embedding": 3}),
    Feature("vehicle_x_stops", "crossed", ("vehicle", "stops"), {"buckets": 64, "embedding": 0}),
    Feature("words", "text", ("note",), {"max_tokens": 3, "embedding": 4}),
)
SPEC = FeatureSpec("parcels.late", LABEL, COLUMNS, FEATURES)
ROWS = {"train": 3000, "eval": 800, "test": 800}
TRAINING = Training(
    hidden_units=(16,),
    dropout=0.1,
    learning_rate=0.01,
    batch_rows=128,
    epochs=6,
    patience=1,
    seed=3,
)

Row = dict[str, Any]


def training_spec(training: Training = TRAINING) -> TrainingSpec:
    return TrainingSpec(SPEC, training, {"train": ROWS["train"], "eval": ROWS["eval"]})


def rows(count: int, seed: int) -> list[Row]:
    """Parcels: late by vehicle, hour and a missing weight; everything else is noise."""
    chance = random.Random(seed)
    made = []
    for _ in range(count):
        row: Row = {
            "vehicle": chance.choice(["bike", "bike", "bike", "van", "van", "", None]),
            "note": chance.choice(["Ring TWICE", "ring, please", "leave it", "", None]),
            "stops": chance.choice([0, 0, 1, 2, None]),
            "urgent": chance.choice([True, False, None]),
            "hour": chance.randrange(24),
            "weight": chance.choice([0.0, 1.0, 2.5, 4.0, None]),
            "north": chance.uniform(50, 51),
            "east": chance.uniform(8, 9),
            "price": chance.gauss(10, 2),
        }
        if chance.random() < 0.1:
            row["north"] = row["east"] = None
        logit = {"bike": -1.5, "van": 1.5, "": 0.5, None: 2.5}[row["vehicle"]]
        logit += 1.2 * math.sin(2 * math.pi * row["hour"] / 24) - 2.0 * (row["weight"] is None)
        row[LABEL] = chance.random() < 1 / (1 + math.exp(-logit))
        made.append(row)
    return made


def write_split(folder: Path, split: str, records: Iterable[Mapping[str, Any]]) -> None:
    """Writes ``Split-NAME/part-0.gz`` below an Examples artifact's folder."""
    import tensorflow as tf

    (folder / f"Split-{split}").mkdir(parents=True)
    columns = [*COLUMNS, ColumnSpec(LABEL, "boolean", False)]
    with tf.io.TFRecordWriter(str(folder / f"Split-{split}" / "part-0.gz"), "GZIP") as file:
        for record in records:
            file.write(serialize(record, columns))


def schema() -> Any:
    """The curated schema: what may be missing has no shape."""
    from tensorflow_metadata.proto.v0 import schema_pb2

    made = schema_pb2.Schema()
    types = {
        "bytes": schema_pb2.FeatureType.BYTES,
        "int64": schema_pb2.FeatureType.INT,
        "float": schema_pb2.FeatureType.FLOAT,
    }
    for column in (*COLUMNS, ColumnSpec(LABEL, "boolean", False)):
        feature = made.feature.add(name=column.name, type=types[column.example_type])
        if column.nullable:
            feature.value_count.max = 1
        else:
            feature.presence.min_fraction = 1.0
            feature.shape.dim.add(size=1)
    return made


def analyze(examples: Path, folder: Path, spec: FeatureSpec = SPEC) -> None:
    """What the Transform node does with the train split, without TFX around it."""
    import functools

    import apache_beam as beam
    import tensorflow_transform.beam as tft_beam
    from tensorflow_transform.tf_metadata import dataset_metadata, metadata_io
    from tfx_bsl.public import tfxio

    from tfx_pipeline.modules.preprocessing import preprocessing_fn

    records = tfxio.TFExampleRecord(str(examples / "Split-train" / "*"), schema=schema())
    function = functools.partial(preprocessing_fn, custom_config=spec.to_json())
    with (
        beam.Pipeline() as pipeline,
        tft_beam.Context(temp_dir=str(folder.parent / "tft_temporary")),
    ):
        data = (pipeline | records.BeamSource(), records.TensorAdapterConfig())
        transform = data | tft_beam.AnalyzeDataset(function)
        transform | tft_beam.WriteTransformFn(str(folder))
    metadata_io.write_metadata(dataset_metadata.DatasetMetadata(schema()), str(folder / "metadata"))
