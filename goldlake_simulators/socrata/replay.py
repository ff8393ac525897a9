"""Reads portal exports: CSV by title or by API name, JSON arrays and JSON lines, each also gzipped.

A download that broke off ends in the middle of a row. That last row is left out, which a warning
says with its line. A row of the wrong width anywhere else means that the file is not an export:
it is refused.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import orjson

from goldlake_core.contracts.errors import UsageError
from goldlake_simulators.exports import Warn, file_hash, text_of
from goldlake_simulators.socrata.records import Row, Shape, api_field, api_rows, text_converter

SUFFIXES = (".csv", ".csv.gz", ".json", ".json.gz", ".jsonl", ".jsonl.gz")


def export_rows(file: Path, shape: Shape, warn: Warn) -> Iterator[tuple[str, Row]]:
    """The complete rows of an export in the API's shapes, each with its place (file hash, line).

    Args:
        file: Its suffix says the format.
        shape: Types of the declared fields.
        warn: Called with one line for each part of the data that is skipped.

    Raises:
        UsageError: The format is unknown or the content is not of this format.
    """
    kind = next((s for s in SUFFIXES if file.name.lower().endswith(s)), None)
    if kind is None:
        raise UsageError(
            f"{file} cannot be replayed: unknown file type",
            valid=f"files named *{', *'.join(SUFFIXES)}",
        )
    content = file_hash(file)
    text = text_of(file, warn)
    if kind.startswith(".csv"):
        rows = _csv_rows(file, text, shape, warn)
    elif kind.startswith(".jsonl"):
        rows = enumerate(api_rows(_json_lines(file, text, warn), shape, str(file)), start=1)
    else:
        rows = enumerate(api_rows(_json_array(file, text), shape, str(file)), start=1)
    for line, row in rows:
        yield f"{content}:{line}", row


def _csv_rows(file: Path, text: str, shape: Shape, warn: Warn) -> Iterator[tuple[int, Row]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        titles = next(reader)
    except (StopIteration, csv.Error):
        raise UsageError(f"{file} is empty", valid="a CSV file with a header line") from None
    fields = [api_field(title) for title in titles]
    if len(set(fields)) < len(fields) or "" in fields or not set(fields) & set(shape.types):
        raise UsageError(
            f"{file}:1: the header {','.join(titles)[:200]!r} is not that of an export",
            valid=f"titles or API names, such as {', '.join(list(shape.types)[:4])}",
        )
    columns = [(f, text_converter(shape.types.get(f))) for f in fields]
    broken: tuple[int, str] | None = None
    line = reader.line_num + 1
    while True:
        try:
            values = next(reader, None)
        except csv.Error as error:
            broken, values = (line, f"is not closed: {error}"), None
        if values is None:
            break
        if broken:
            _refuse(file, *broken)
        if len(values) == len(columns):
            yield (
                line,
                {f: convert(v) for (f, convert), v in zip(columns, values, strict=True) if v},
            )
        elif values:
            broken = (line, f"has {len(values)} of {len(columns)} fields")
        line = reader.line_num + 1
    if broken:
        warn(_left_out(file, *broken))


def _json_lines(file: Path, text: str, warn: Warn) -> Iterator[object]:
    lines = text.split("\n")
    last = max((i for i, line in enumerate(lines) if line.strip()), default=-1)
    for index, line in enumerate(lines):
        if not line.strip():
            continue
        try:
            value = orjson.loads(line)
        except ValueError:
            if index < last:
                _refuse(file, index + 1, "is not JSON")
            warn(_left_out(file, index + 1, "is not whole JSON"))
            return
        yield value


def _json_array(file: Path, text: str) -> list[object]:
    try:
        rows = orjson.loads(text)
    except ValueError as error:
        raise UsageError(
            f"{file} is not JSON: {error}",
            valid="a JSON array of objects, or JSON lines in *.jsonl",
        ) from error
    if not isinstance(rows, list):
        raise UsageError(f"{file} does not hold a JSON array", valid='[{"field": "value"}, …]')
    return rows


def _refuse(file: Path, line: int, problem: str) -> None:
    raise UsageError(
        f"{file}:{line}: the line {problem}, and more lines follow",
        valid="an export; only its last line may be cut off",
        hint="download the file again",
    )


def _left_out(file: Path, line: int, problem: str) -> str:
    return (
        f"{file}:{line}: the last line {problem}: the download broke off there. "
        "The complete rows before it are served"
    )
