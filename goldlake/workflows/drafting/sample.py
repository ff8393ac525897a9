"""The first records of some files, and how the files are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import msgspec

from goldlake_core.contracts.errors import PermanentError, UsageError
from goldlake_core.contracts.sections import Format
from goldlake_core.datafiles import opened, sniff
from goldlake_core.datafiles.opened import SourceFile
from lakehouse.sources.base import DataSet
from lakehouse.sources.file_records import Wanted, is_text_file, reading
from lakehouse.sources.files import KINDS, OTHERS
from lakehouse.sources.plugins import data_set

ROWS = 20_000
MOST_FILES = 20
"""Files of a folder that are looked at; each gives its share of the rows."""
_SNIFFED_BYTES = 4 * 2**20
_Text = str | None


@dataclass
class Sample:
    """Records as texts by field.

    Attributes:
        files: The files at the place, in the order of landing.
        format: How they are written.
        texts: Per field the texts of all records; None where one has none. In the file's order.
        rows: Number of records.
        is_whole: Whether there are no further records.
        odd: Lines that are not records, such as those of another width.
        nested: Fields that hold lists, which no column can.
        is_text: Whether the files are CSV, whose header names each field.
        origin: The data set of an API that the records are of, or None.
    """

    files: tuple[SourceFile, ...]
    format: Format = Format()
    texts: dict[str, list[_Text]] = field(default_factory=dict)
    rows: int = 0
    is_whole: bool = True
    odd: int = 0
    nested: list[str] = field(default_factory=list)
    is_text: bool = True
    origin: DataSet | None = None


def read_sample(where: str, rows: int = ROWS, named: str | None = None) -> Sample:
    """The first records at a place. Read-only.

    Args:
        where: A file, a folder, a pattern, or a URL of such or of an API's data set.
        rows: Most records to read.
        named: A column that a person named; a first row that has it is a header.

    Raises:
        UsageError: There are no files, or no record in them.
        PermanentError: A file cannot be read.
        RetryableError: Another machine did not answer.
    """
    origin = data_set(where, rows)
    if origin is not None:
        return _of_data_set(origin, where)
    files = opened.found(where, KINDS, OTHERS)
    found = Sample(tuple(files), is_whole=len(files) <= MOST_FILES)
    read = files[:MOST_FILES]
    found.is_text = is_text_file(read[0])
    if found.is_text:
        found.format = format_of(read[0], named)
    for file in read:
        _read(file, found, rows // len(read))
    if not found.rows:
        raise UsageError(
            f"There is no record in {where}", valid="a file with rows below its header"
        )
    return found


def _of_data_set(origin: DataSet, where: str) -> Sample:
    file = SourceFile(f"data set {origin.dataset}", where)
    found = Sample((file,), is_whole=origin.is_whole, is_text=False, origin=origin)
    for record in origin.records:
        _take(record, found)
    # The fields of the API's own are the last.
    for name in (origin.key, origin.version):
        found.texts[name] = found.texts.pop(name)
    return found


def format_of(file: SourceFile, named: str | None = None) -> Format:
    """How a file of text seems to be written.

    Args:
        file: A file whose lines are rows of text.
        named: A column that a person named, or None.

    Raises:
        PermanentError: There is no row in it.
    """
    with opened.unpacked(file) as (stream, _):
        start = stream.read(_SNIFFED_BYTES)
    encoding = sniff.encoding_of(start)
    text = start.decode(encoding, "replace").removeprefix("\ufeff")
    lines = text.splitlines(keepends=True)[: sniff.SAMPLE_LINES]
    layout = sniff.layout_of(lines, named)
    if layout is None:
        raise PermanentError(f"{file.place} is empty", valid="a file with a header and rows")
    return Format(
        delimiter=layout.delimiter,
        encoding="utf-8" if encoding == "utf-8-sig" else encoding,
        skip_lines=layout.skip_lines,
        header=layout.header,
    )


def _read(file: SourceFile, found: Sample, rows: int) -> None:
    wanted = Wanted(format=found.format)
    with reading(file, wanted, is_surveyed=False) as records:
        for name in records.names:
            found.texts.setdefault(name, [None] * found.rows)
        for line in islice(records.lines, rows):
            try:
                record = msgspec.json.decode(line, type=dict[str, Any])
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                found.odd += 1
                continue
            _take(record, found)
        found.is_whole &= next(records.lines, None) is None


def _take(record: Mapping[str, Any], found: Sample) -> None:
    """Adds a record to a sample."""
    texts: dict[str, _Text] = {}
    _flatten(record, "", texts, found.nested)
    for name in texts:
        if name not in found.texts:
            found.texts[name] = [None] * found.rows
    for name, column in found.texts.items():
        column.append(texts.get(name))
    found.rows += 1


def _flatten(
    record: Mapping[str, Any], above: str, texts: dict[str, _Text], nested: list[str]
) -> None:
    """The texts of a record by path; lists are left out and named."""
    for name, value in record.items():
        path = above + name
        if isinstance(value, dict):
            _flatten(value, f"{path}.", texts, nested)
        elif isinstance(value, list):
            if path not in nested:
                nested.append(path)
        elif isinstance(value, bool):
            texts[path] = "true" if value else "false"
        else:
            texts[path] = None if value is None else str(value)
