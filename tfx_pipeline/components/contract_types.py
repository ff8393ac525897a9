"""ContractTypes: gives the records of stock CsvExampleGen the types of the contract.

CsvExampleGen guesses types from the cells of each split: a padded code becomes a number, a boolean
a text, a whole double an integer, and an empty string is missing. All but one of these can be
undone: in a nullable text column nobody can know any more which empty cells were empty texts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf
from tfx import types
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types import artifact_utils, standard_artifacts
from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

from goldlake_core.contracts.errors import PermanentError, StoreError
from goldlake_core.contracts.sections import SPLITS
from goldlake_core.documents.export import ExportManifest
from tfx_pipeline.components.base import ExecProperties, component_class
from tfx_pipeline.components.data_snapshot import DataSnapshot, manifest_of
from tfx_pipeline.components.snapshot_example_gen import (
    ARROW_TYPES,
    csv_batches,
    describe_examples,
    write_examples,
)
from tfx_pipeline.spec import ColumnSpec

BATCH_ROWS = 4096


class Executor(BaseExecutor):
    """Rewrites every split with the contract's types."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: ExecProperties,
    ) -> None:
        """Converts batch by batch.

        Raises:
            StoreError: A split has another number of rows than the manifest says.
            PermanentError: A text column was read as numbers and cannot be restored.
        """
        snapshot = artifact_utils.get_single_instance(input_dict["snapshot"])
        guessed = artifact_utils.get_single_instance(input_dict["examples"])
        typed = artifact_utils.get_single_instance(output_dict["typed_examples"])
        columns = [ColumnSpec.from_json(c) for c in json.loads(str(exec_properties["columns"]))]
        manifest = manifest_of(snapshot)
        describe_examples(typed)
        for split in SPLITS:
            listed = manifest.splits[split].rows
            restorer = _Restorer(snapshot.export_id, manifest, split)
            source = artifact_utils.get_split_uri([guessed], split)
            target = artifact_utils.get_split_uri([typed], split)
            batches = (restorer.batch(batch, columns) for batch in _read(source))
            written = write_examples(batches, target, listed)
            if written != listed:
                raise StoreError(
                    f"CsvExampleGen gave {written} records for split {split!r}, and export "
                    f"{snapshot.export_id!r} has {listed} rows"
                )


ContractTypes = component_class(
    "ContractTypes",
    Executor,
    inputs={"examples": standard_artifacts.Examples, "snapshot": DataSnapshot},
    outputs={"typed_examples": standard_artifacts.Examples},
    parameters={"columns": str},
    doc="Republishes CsvExampleGen's Examples with the types of ``columns`` (JSON text).",
)


class _Restorer:
    """Undoes CsvExampleGen's guesses for one split; remembers which columns it has checked."""

    def __init__(self, export_id: str, manifest: ExportManifest, split: str) -> None:
        self._export_id = export_id
        self._manifest = manifest
        self._split = split
        self._restorable: set[str] = set()

    def batch(self, batch: pa.RecordBatch, columns: list[ColumnSpec]) -> pa.RecordBatch:
        arrays = [self._column(batch, column) for column in columns]
        return pa.RecordBatch.from_arrays(arrays, names=[column.name for column in columns])

    def _column(self, batch: pa.RecordBatch, column: ColumnSpec) -> pa.Array:
        target = ARROW_TYPES[column.example_type]
        index = batch.schema.get_field_index(column.name)
        if index < 0 or pa.types.is_null(batch.column(index).type):
            values = pa.nulls(batch.num_rows, target)
        else:
            values = self._typed(_flat(batch.column(index)), column, target)
        if column.type == "string" and not column.nullable:
            values = pc.fill_null(values, pa.scalar(b"", target))
        return pa.array([None if v is None else [v] for v in values.to_pylist()], pa.list_(target))

    def _typed(self, values: pa.Array, column: ColumnSpec, target: pa.DataType) -> pa.Array:
        if column.type == "boolean":
            return pc.cast(pc.equal(pc.cast(values, pa.string()), "true"), target)
        is_number = pa.types.is_integer(values.type) or pa.types.is_floating(values.type)
        if column.example_type == "bytes" and is_number:
            self._check_restorable(column)
            text = pc.cast(values, pa.string())
            return pc.cast(pc.utf8_lpad(text, column.pad or 0, "0"), target)
        return pc.cast(values, target)

    def _check_restorable(self, column: ColumnSpec) -> None:
        if column.name in self._restorable:
            return
        for batch in csv_batches(self._export_id, self._manifest, self._split, [column.name]):
            cells = batch.column(0).drop_null()
            number = pc.utf8_ltrim(cells, "0") if column.pad else cells
            restored = pc.utf8_lpad(number, column.pad or 0, "0")
            is_plain = pc.match_substring_regex(cells, "^(0|[1-9][0-9]*)$")
            is_same = pc.and_(
                pc.equal(restored, cells), pc.match_substring_regex(cells, "^[0-9]+$")
            )
            is_fine = is_same if column.pad else is_plain
            wrong = cells.filter(pc.invert(pc.or_(is_fine, pc.equal(cells, ""))))
            if len(wrong):
                raise PermanentError(
                    f"CsvExampleGen read the text column {column.name!r} as numbers, from which "
                    f"{wrong[0].as_py()!r} cannot be restored",
                    hint="set handoff: snapshot_example_gen in the model's contract",
                )
        self._restorable.add(column.name)


def _flat(values: pa.Array) -> pa.Array:
    """One value or null per row, from lists of at most one value."""
    return pa.array([row[0] if row else None for row in values.to_pylist()], values.type.value_type)


def _read(folder: str) -> Iterator[pa.RecordBatch]:
    decoder = ExamplesToRecordBatchDecoder()
    files = sorted(tf.io.gfile.glob(f"{folder}/*"))
    records = tf.data.TFRecordDataset(files, compression_type="GZIP").batch(BATCH_ROWS)
    for batch in records.as_numpy_iterator():
        yield decoder.DecodeBatch(batch.tolist())
