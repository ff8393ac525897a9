"""Rows of any kind as mappings, in batches: dicts, Arrow, pandas, Polars. Imports none of them.

A value that is missing becomes None, a NumPy scalar the Python value that it holds.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from goldlake_core.contracts.errors import UsageError

Rows: TypeAlias = Any
"""An iterable of mappings or plain values; a Table, RecordBatch or RecordBatchReader of pyarrow; a
DataFrame of pandas or Polars."""
_PLAIN = frozenset({str, int, float, bool, bytes, type(None), list, dict})


def in_batches(rows: Rows, size: int, whole: Collection[str] = ()) -> Iterator[list[Any]]:
    """Yields lists of rows in order; reads no further than the list that is asked for.

    Args:
        rows: The rows, see `Rows`.
        size: Most rows in a list.
        whole: Columns of whole numbers. pandas keeps them as floats where one is missing.

    Raises:
        UsageError: It holds no rows, such as a text or a column.
    """
    library = type(rows).__module__.partition(".")[0]
    if library in ("pyarrow", "polars", "pandas"):
        reader = _READERS.get((library, type(rows).__name__))
        if reader is None:
            kinds = ", ".join(sorted({f"{lib}.{kind}" for lib, kind in _READERS}))
            raise UsageError(f"{library}.{type(rows).__name__} holds no rows", valid=kinds)
        yield from reader(rows, size, whole)
        return
    if isinstance(rows, str | bytes | Mapping) or not isinstance(rows, Iterable):
        raise UsageError(
            f"A {type(rows).__name__} holds no rows", valid="a list of mappings, or a table"
        )
    iterator = iter(rows)
    while batch := list(itertools.islice(iterator, size)):
        yield [_native(row) for row in batch]


def _native(row: Any) -> Any:
    if not isinstance(row, Mapping):
        return _python(row)
    if all(type(value) in _PLAIN for value in row.values()):
        return row
    return {name: _python(value) for name, value in row.items()}


def _python(value: Any) -> Any:
    # NumPy's scalars and no others have a dtype and no length.
    if type(value) not in _PLAIN and hasattr(value, "dtype") and hasattr(value, "item"):
        return value.item() if getattr(value, "ndim", 0) == 0 else value.tolist()
    return value


def _record_batches(rows: Any, size: int, whole: Collection[str]) -> Iterator[list[Any]]:
    batches = rows.to_batches() if hasattr(rows, "to_batches") else rows
    for batch in batches:
        yield from _record_batch(batch, size, whole)


def _record_batch(rows: Any, size: int, whole: Collection[str]) -> Iterator[list[Any]]:
    for start in range(0, rows.num_rows, size):
        yield rows.slice(start, size).to_pylist()


def _polars_frame(rows: Any, size: int, whole: Collection[str]) -> Iterator[list[Any]]:
    for start in range(0, rows.height, size):
        yield rows.slice(start, size).to_dicts()


def _pandas_frame(rows: Any, size: int, whole: Collection[str]) -> Iterator[list[Any]]:
    names = [str(name) for name in rows.columns]
    if len(set(names)) < len(names):
        raise UsageError(f"The frame names a column twice: {', '.join(names)}")
    for start in range(0, len(rows), size):
        part = rows.iloc[start : start + size]
        columns = []
        for place, name in enumerate(names):
            column = part.iloc[:, place]
            values = column.astype(object).where(column.notna(), None).tolist()
            if name in whole and column.dtype.kind == "f":
                values = [_whole(value) for value in values]
            columns.append(values)
        yield [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


_Reader: TypeAlias = Callable[[Any, int, Collection[str]], Iterator[list[Any]]]
_READERS: Mapping[tuple[str, str], _Reader] = {
    ("pyarrow", "Table"): _record_batches,
    ("pyarrow", "RecordBatchReader"): _record_batches,
    ("pyarrow", "RecordBatch"): _record_batch,
    ("polars", "DataFrame"): _polars_frame,
    ("pandas", "DataFrame"): _pandas_frame,
}
