"""Batch inference: rows of a table or a file, answered by a pushed version and kept by key."""

from __future__ import annotations

import io
import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from goldlake.workflows import answer_files
from goldlake.workflows.history import recorded
from goldlake.workflows.ingest import usecase_reference
from goldlake.workflows.names import load_model, pushed_version, require_table
from goldlake.workflows.processes import OnEvent, Run
from goldlake.workflows.row_files import RowFile
from goldlake_core.contracts.column_types import COLUMN_TYPES
from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.ids import LAYERS, ModelId, TableId
from goldlake_core.contracts.sections import Column, Model, UseCase
from goldlake_core.contracts.wire import raw_inputs
from goldlake_core.documents.scoring import KeepRequest, Kept, Scored, ScoreReport, ScoreRequest
from goldlake_core.instants import now_text
from goldlake_core.storage.home import Home

if TYPE_CHECKING:
    import polars as pl

ROWS_PER_GROUP = 50_000
"""Rows that are answered, and written, at once."""


@recorded("score")
def score(model: str, source: str, home: Home, out: str | None, on_event: OnEvent) -> ScoreReport:
    """Scores all rows of a table or a file.

    Args:
        model: Such as ``city_bikes.is_late``, the version that serves now, or ``…@7``.
        source: A table such as ``city_bikes.gold.rentals@3``, or a file of CSV, JSON lines or
            Parquet.
        home: Where everything is kept.
        out: File for the scores (.jsonl, .csv or .parquet), or None for the table
            ``USECASE.scores.MODEL``.
        on_event: Called with the stages' events.

    Returns:
        What was scored, and where the scores are.

    Raises:
        UsageError: There is no such model, version, table or file; the rows lack a column.
        StageFailed: A stage ended with an error.
    """
    if out is not None:
        answer_files.check_path(out)
    name, at, number = model.partition("@")
    usecase, contract = load_model(name)
    model_id = ModelId(usecase.name, contract.name)
    version = pushed_version(model_id, number if at else None, home)
    table = _table(source)
    if table is not None:
        require_table(table, home)
    elif not os.path.isfile(source):
        raise UsageError(f"There is no file {source}", valid="a file, or USECASE.LAYER.NAME")
    run = Run.new(home)
    rows = run.directory.path / "rows.parquet"
    if table is not None:
        table, keep = _of_table(usecase, contract, table, home, rows)
        source = str(table)
    else:
        keep = _of_file(usecase, contract, source, rows)
    _require_keys(usecase, contract, keep, out)
    reference = usecase_reference(name, usecase.name)
    asked = run.request(
        ScoreRequest,
        reference,
        usecase,
        model=contract.name,
        model_version=version,
        rows=str(rows),
        keep=keep,
        out=str(run.directory.path / "scores"),
    )
    scored: Scored = run.stages("tfx_pipeline", [asked], on_event)["score"]
    if not scored.rows:
        raise UsageError(f"{source} has no rows", valid="a table or a file with rows")
    kept: Kept | None = None
    if out is not None:
        answer_files.write_all(out, _records(scored))
    else:
        keeping = run.request(
            KeepRequest,
            reference,
            usecase,
            model=contract.name,
            model_version=version,
            source=source,
            scored_at=now_text(),
            files=scored.files,
        )
        kept = run.stages("lakehouse", [keeping], on_event)["keep"]
    for file in (str(rows), *scored.files):
        os.unlink(file)
    return ScoreReport(
        run_id=run.run_id,
        logs=str(run.logs),
        model=str(model_id.at(version)),
        source=source,
        rows=scored.rows,
        table=f"{kept.table}@{kept.version}" if kept is not None else None,
        file=out,
    )


def _table(source: str) -> TableId | None:
    """The table that a text names, or None for a file."""
    parts = source.partition("@")[0].split(".")
    is_table = len(parts) == 3 and parts[1] in LAYERS and not os.path.exists(source)
    return TableId.parse(source) if is_table else None


def _of_table(
    usecase: UseCase, model: Model, table: TableId, home: Home, target: Path
) -> tuple[TableId, tuple[str, ...]]:
    """Writes the columns that scoring needs; returns the table at its version, and its keys."""
    from lakehouse import rows

    frame, version = rows.all_rows(table, home)
    names = frame.collect_schema().names()
    keep = tuple(name for name in usecase.gold[model.table].key if name in names)
    needed = dict.fromkeys([*keep, *(n for n in model.feature_columns if n in names)])
    frame.select(list(needed)).sink_parquet(target, row_group_size=ROWS_PER_GROUP)
    return table.at(version), keep


def _of_file(usecase: UseCase, model: Model, source: str, target: Path) -> tuple[str, ...]:
    """Writes the rows of a file with the contract's types; returns the keys that it has."""
    import polars as pl

    table = usecase.gold[model.table]
    inputs = raw_inputs(model, table)
    types = {each.name: each.dtype.replace("float32", "float") for each in inputs}
    key = [table.column(name) for name in table.key]
    types |= {column.name: _TYPES.get(column.type, "string") for column in key}
    columns = [table.column(name) for name in model.feature_columns]
    rows = iter(RowFile(source, io.BytesIO(), None, lambda: types))
    first = next(rows, None)
    if not isinstance(first, dict):
        raise UsageError(f"{source} has no rows with names", valid="JSON objects, CSV or Parquet")
    keep = tuple(column.name for column in key if column.name in first)
    wanted = {c.name: c for c in [*key, *columns] if c.name in keep or c in columns}
    frames = _frames(itertools.chain([first], rows), wanted)
    pl.concat(list(frames)).write_parquet(target, row_group_size=ROWS_PER_GROUP)
    return keep


_TYPES = {"long": "int64", "double": "double", "boolean": "bool"}


def _frames(rows: Iterator[Any], columns: dict[str, Column]) -> Iterator[pl.DataFrame]:
    import polars as pl

    schema = {
        name: pl.String if c.type in ("timestamp", "date") else getattr(pl, _polars(c))
        for name, c in columns.items()
    }
    while batch := list(itertools.islice(rows, ROWS_PER_GROUP)):
        try:
            yield pl.DataFrame(
                {name: [row.get(name) for row in batch] for name in schema}, schema=schema
            )
        except (TypeError, pl.exceptions.PolarsError, AttributeError) as error:
            problem = str(error).partition("\n")[0]
            raise UsageError(f"A row does not have the contract's types: {problem}") from error


def _polars(column: Column) -> str:
    return COLUMN_TYPES[column.type].polars


def _require_keys(usecase: UseCase, model: Model, keep: tuple[str, ...], out: str | None) -> None:
    key = usecase.gold[model.table].key
    if out is None and keep != tuple(key):
        lacking = ", ".join(name for name in key if name not in keep)
        raise UsageError(
            f"The rows lack the key {lacking}, by which the table of scores tells them apart",
            valid=f"rows with {', '.join(key)}",
            hint="--out FILE writes scores in the order of the rows",
        )


def _records(scored: Scored) -> Iterator[dict[str, object]]:
    import polars as pl

    for file in scored.files:
        yield from pl.read_parquet(file).iter_rows(named=True)
