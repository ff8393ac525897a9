"""SnapshotExampleGen: an export's CSV parts as tf.Example records, through Arrow and C++.

Types come from the manifest, never from guessing. A missing value is a feature without a value,
which every reader of tf.Example takes as absent; zero, false and the empty string are values.
Batches are streamed, so memory does not grow with the data.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf
from pyarrow import csv
from tfx import types
from tfx.components.example_gen import utils
from tfx.components.util import examples_utils
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_artifacts
from tfx_bsl.coders.example_coder import RecordBatchToExamplesEncoder

from goldlake_core.contracts.column_types import COLUMN_TYPES, TIMES
from goldlake_core.contracts.errors import StoreError
from goldlake_core.contracts.sections import SPLITS
from goldlake_core.documents.export import ExportManifest
from goldlake_core.storage.home import Home
from tfx_pipeline.components.base import ExecProperties, component_class
from tfx_pipeline.components.data_snapshot import DataSnapshot, manifest_of
from tfx_pipeline.exports import open_part

BLOCK_BYTES = 4 << 20
"""CSV bytes parsed at a time; also the longest row allowed."""
SHARD_ROWS = 250_000

# Times stay the ISO 8601 texts that they are in the export.
_READ_TYPES: dict[str, pa.DataType] = {
    name: pa.string() if name in TIMES else getattr(pa, names.arrow)()
    for name, names in COLUMN_TYPES.items()
}
ARROW_TYPES = {"bytes": pa.binary(), "int64": pa.int64(), "float": pa.float32()}
"""Arrow type of the values in tf.Example, by kind."""


class Executor(BaseExecutor):
    """Writes one gzip TFRecord shard per 250,000 rows below ``Split-train/``, and so on."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: ExecProperties,
    ) -> None:
        """Converts every split of the snapshot.

        Raises:
            StoreError: A split has another number of rows than the manifest says, or a part cannot
                be read as the manifest's columns.
        """
        snapshot = artifact_utils.get_single_instance(input_dict["snapshot"])
        examples = artifact_utils.get_single_instance(output_dict["examples"])
        manifest = manifest_of(snapshot)
        describe_examples(examples)
        for split in SPLITS:
            listed = manifest.splits[split].rows
            batches = csv_batches(snapshot.export_id, manifest, split)
            folder = artifact_utils.get_split_uri([examples], split)
            written = write_examples(map(encodable, batches), folder, listed)
            if written != listed:
                raise StoreError(
                    f"Split {split!r} of export {snapshot.export_id!r} has {written} rows; its "
                    f"manifest says {listed}"
                )


SnapshotExampleGen = component_class(
    "SnapshotExampleGen",
    Executor,
    inputs={"snapshot": DataSnapshot},
    outputs={"examples": standard_artifacts.Examples},
    parameters={},
    doc="Publishes tf.Example records in the splits train, eval and test for a `DataSnapshot`.",
)


def describe_examples(examples: types.Artifact) -> None:
    """Sets the properties by which standard components read an Examples artifact."""
    examples.split_names = artifact_utils.encode_split_names(list(SPLITS))
    examples.span = 0
    examples_utils.set_payload_format(examples, example_gen_pb2.FORMAT_TF_EXAMPLE)
    examples_utils.set_file_format(examples, "tfrecords_gzip")
    examples.set_int_custom_property(utils.SPAN_PROPERTY_NAME, 0)


def csv_batches(
    export_id: str,
    manifest: ExportManifest,
    split: str,
    columns: Iterable[str] | None = None,
    home: Home | None = None,
) -> Iterator[pa.RecordBatch]:
    """The rows of a split in the export's order, typed by the manifest.

    Args:
        export_id: Id of the export.
        manifest: Manifest of the export.
        split: ``train``, ``eval`` or ``test``.
        columns: Names of the columns to read, or None for all.
        home: Home that holds it; else the one at GOLDLAKE_HOME.

    Yields:
        Record batches with string, int64, double and bool columns; times as ISO 8601 strings.

    Raises:
        StoreError: A part is not a CSV file with these columns; the error names the part.
    """
    column_types = {c.name: _READ_TYPES[c.type] for c in manifest.columns}
    convert = csv.ConvertOptions(
        column_types=column_types,
        include_columns=list(columns if columns is not None else column_types),
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
        true_values=["true"],
        false_values=["false"],
    )
    for part in manifest.splits[split].parts:
        with open_part(export_id, part, home) as file:
            try:
                yield from csv.open_csv(
                    file,
                    read_options=csv.ReadOptions(block_size=BLOCK_BYTES),
                    parse_options=csv.ParseOptions(newlines_in_values=True),
                    convert_options=convert,
                )
            except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
                raise StoreError(
                    f"Part {part.path!r} of export {export_id!r} is not a CSV file with the "
                    f"manifest's columns: {error}"
                ) from error


def encodable(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch as the C++ encoder wants it: lists of binary, int64 or float32; null is missing."""
    arrays = []
    for column in batch.columns:
        kind = "int64" if pa.types.is_boolean(column.type) else _kind(column.type)
        arrays.append(_as_lists(pc.cast(column, ARROW_TYPES[kind])))
    return pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)


def write_examples(batches: Iterable[pa.RecordBatch], folder: str, expected_rows: int) -> int:
    """Writes encodable batches as gzip TFRecord shards; returns the number of rows written.

    Args:
        batches: Record batches from `encodable`.
        folder: The split's folder; made if missing.
        expected_rows: Number of rows, which decides the number of shards.
    """
    tf.io.gfile.makedirs(folder)
    shards = max(1, -(-expected_rows // SHARD_ROWS))
    encoder = RecordBatchToExamplesEncoder()
    options = tf.io.TFRecordOptions(compression_type="GZIP", compression_level=1)
    rows, writer = 0, None
    try:
        for batch in batches:
            for record in encoder.encode(batch):
                shard = min(rows // SHARD_ROWS, shards - 1)
                if writer is None or (rows % SHARD_ROWS == 0 and rows // SHARD_ROWS == shard):
                    if writer is not None:
                        writer.close()
                    name = f"data_tfrecord-{shard:05d}-of-{shards:05d}.gz"
                    writer = tf.io.TFRecordWriter(os.path.join(folder, name), options)
                writer.write(record)
                rows += 1
    finally:
        if writer is not None:
            writer.close()
    return rows


def _kind(arrow_type: pa.DataType) -> str:
    for name, names in COLUMN_TYPES.items():
        if _READ_TYPES[name] == arrow_type:
            return names.example
    raise AssertionError(arrow_type)


def _as_lists(values: pa.Array) -> pa.Array:
    """Each value as a list of one, each null as a null list, which encodes to no feature at all."""
    present = values.drop_null()
    is_present = pc.cast(pc.is_valid(values), pa.int32())
    ends = pc.cumulative_sum(is_present)
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends])
    lists = pa.ListArray.from_arrays(offsets, present)
    if values.null_count == 0:
        return lists
    return pc.if_else(pc.is_valid(values), lists, pa.scalar(None, lists.type))
