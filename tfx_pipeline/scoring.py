"""The stage ``score``: batch inference over Parquet, in Beam; keys go along with the answers.

TFX's BulkInferrer writes answers without ids. Here each row group of the input is one element: the
model answers it in batches, and its scores become one file whose name is its place, so that a
repeated element writes the same file again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from goldlake_core.contracts import registry
from goldlake_core.contracts.errors import InstanceError, UsageError
from goldlake_core.contracts.sections import Model, UseCase
from goldlake_core.documents.scoring import Scored, ScoreRequest
from goldlake_core.stages import Emit, require_same_contract
from goldlake_core.storage.home import Home
from tfx_pipeline.heads.registry import HEADS
from tfx_pipeline.spec import ColumnSpec

if TYPE_CHECKING:
    import numpy as np

BATCH_ROWS = 4096
"""Rows of one call of the model."""


def score(request: ScoreRequest, emit: Emit) -> Scored:
    """Answers every row of a Parquet file; writes below ``request.out``. Idempotent.

    Args:
        request: The model and the rows.
        emit: Takes progress events.

    Raises:
        UsageError: There is no such model or version, or the file lacks an input.
        InstanceError: A row has a missing value where none may be.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    import pyarrow.parquet as pq

    home = Home.at(request.home)
    usecase = registry.load_usecase(request.usecase)
    model = usecase.models[request.model]
    require_same_contract(request, usecase, f"gold.{model.table}", f"model.{model.name}.features")
    columns = columns_of(usecase, model)
    file = pq.ParquetFile(request.rows)
    lacking = {c.name for c in columns if not c.nullable} - set(file.schema_arrow.names)
    if lacking:
        raise UsageError(
            f"The rows lack {', '.join(sorted(lacking))}, which {usecase.name}.{model.name} reads",
            valid=", ".join(column.name for column in columns),
        )
    metadata = file.metadata
    groups = [n for n in range(metadata.num_row_groups) if metadata.row_group(n).num_rows]
    folder = home.model(usecase.name, model.name, str(request.model_version))
    os.makedirs(request.out, exist_ok=True)
    emit("progress", f"{file.metadata.num_rows:,} rows", done=0, total=file.metadata.num_rows)
    _run(groups, _Scorer(request, folder, columns, model))
    files = tuple(_part(request.out, group) for group in groups)
    rows = sum(pq.ParquetFile(each).metadata.num_rows for each in files)
    if rows != file.metadata.num_rows:
        raise RuntimeError(f"{file.metadata.num_rows} rows were asked, and {rows} were answered")
    return Scored(rows=rows, files=files, outputs=HEADS[model.head.kind].scored)


def columns_of(usecase: UseCase, model: Model) -> list[ColumnSpec]:
    """The columns that a model reads, as its contract has them."""
    table = usecase.gold[model.table]
    return [ColumnSpec.of(table.column(name)) for name in model.feature_columns]


def _run(groups: list[int], scorer: _Scorer) -> None:
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    from tfx_pipeline.pipeline import BEAM_ARGS

    class Score(beam.DoFn):  # type: ignore[misc]
        def setup(self) -> None:
            scorer.open()

        def process(self, group: int) -> Iterator[int]:
            yield scorer.write(group)

        def teardown(self) -> None:
            scorer.close()

    with beam.Pipeline(options=PipelineOptions(list(BEAM_ARGS))) as pipeline:
        _ = pipeline | beam.Create(groups) | beam.Reshuffle() | beam.ParDo(Score())


class _Scorer:
    """Answers row groups with a model that is loaded once per worker."""

    def __init__(
        self, request: ScoreRequest, folder: str, columns: list[ColumnSpec], model: Model
    ) -> None:
        self._request = request
        self._folder = folder
        self._columns = columns
        self._head = HEADS[model.head.kind]
        self._model: Any = None

    def open(self) -> None:
        from serving.loader import load

        self._model = load(self._folder, is_warm=False)

    def close(self) -> None:
        if self._model is not None:
            self._model.close()
            self._model = None

    def write(self, group: int) -> int:
        """Writes the scores of one row group whole or not at all; returns their number."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        file = pq.ParquetFile(self._request.rows)
        names = set(file.schema_arrow.names)
        wanted = [c.name for c in self._columns if c.name in names]
        first = sum(file.metadata.row_group(n).num_rows for n in range(group))
        table = file.read_row_group(group, list(dict.fromkeys([*self._request.keep, *wanted])))
        answered = [
            self._answers(table.slice(start, BATCH_ROWS), wanted, first + start)
            for start in range(0, table.num_rows, BATCH_ROWS)
        ]
        kept = table.select(list(self._request.keep))
        for name in self._head.scored:
            values = pa.chunked_array([part[name] for part in answered])
            kept = kept.append_column(name, values)
        target = _part(self._request.out, group)
        pq.write_table(kept, f"{target}.unfinished")
        os.replace(f"{target}.unfinished", target)
        return int(kept.num_rows)

    def _answers(self, table: Any, wanted: list[str], first: int) -> Mapping[str, Any]:
        import pyarrow as pa

        from tfx_pipeline.modules.raw_rows import wire_arrays
        from tfx_pipeline.modules.saved_model import SERVING_DEFAULT

        rows = table.select(wanted).to_pylist()
        try:
            inputs = wire_arrays(rows, self._columns)
        except InstanceError as error:
            raise error.at(first + error.index, f"row {first + error.index + 1}") from error
        found = self._head.flat(self._model.run(SERVING_DEFAULT, inputs))
        return {name: pa.array(_plain(found.get(name), len(rows))) for name in self._head.scored}


def _plain(values: np.ndarray | None, rows: int) -> list[Any]:
    """Python values of an output; nothing where the model does not answer it."""
    if values is None:
        return [None] * rows
    return [v.decode() if isinstance(v, bytes) else v for v in values.tolist()]


def _part(folder: str, group: int) -> str:
    return os.path.join(folder, f"part-{group:06}.parquet")
