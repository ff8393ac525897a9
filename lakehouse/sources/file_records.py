"""The records of one file as lines of JSON, one after the other, whatever its size.

- JSON lines: each line as it is, whether it is JSON or not; bronze finds out.
- JSON: each element of the array, as its bytes; or of the only array of objects in an object.
- Parquet: an object per row, missing values left out.
- anything else is CSV: an object by the header's names, all values text. Nothing between two
  delimiters is a missing key, and ``""`` is the empty text. A row of the wrong width is landed as
  the text it is.

A column without a name is ``column_N``, and the second one of a name ``NAME#2``.
"""

from __future__ import annotations

import codecs
import io
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import IO, Any, BinaryIO, cast

import msgspec
import xxhash

from goldlake_core.contracts.errors import PermanentError
from goldlake_core.contracts.fields import COPY_FIELD, FILE_FIELD, placed
from goldlake_core.contracts.sections import Format
from goldlake_core.datafiles import csvs, opened, sniff
from goldlake_core.datafiles.opened import SourceFile
from lakehouse.sources import document_records, split
from lakehouse.sources.base import json_line

SAMPLE_ROWS = 10_000
"""Rows at the beginning of a file that are looked at before any is landed."""
FEWEST_JUDGED = 20
"""Rows below which some of the wrong width say nothing about a file."""
MAX_LINE_BYTES = 64 * 2**20
MAX_JSON_BYTES = 1024 * 2**20
"""Largest JSON array, which is read whole."""
PARQUET_ROWS = 10_000
_LINES = (".jsonl", ".ndjson")
_JSON = (".json", ".geojson")
_PARQUET = ".parquet"


@dataclass(frozen=True)
class Wanted:
    """What a contract wants of files.

    Attributes:
        format: How texts are written.
        keys: Prefix of the contract's keys that say so, for hints: ``source.format.``.
        skip_key: The key for lines before the header.
        fields: Fields of the records that the contract reads; () where any will do.
        has_file: Whether each record gets the name of its file.
        is_documents: Whether each file is one record, a document.
        has_copies: Whether records tell how many of their like came before in their file.
    """

    format: Format = Format()
    keys: str = "source.format."
    skip_key: str = "skip_lines"
    fields: tuple[str, ...] = ()
    has_file: bool = False
    is_documents: bool = False
    has_copies: bool = False


@dataclass
class Records:
    """The records of an open file.

    Attributes:
        lines: The records, one line each.
        notes: What a person should know, one sentence each.
        names: Names of the columns, where the file tells them.
        odd: Number of the records read so far that have another width than the header.
    """

    lines: Iterator[bytes]
    notes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    odd: list[str] = field(default_factory=list)


@contextmanager
def reading(file: SourceFile, wanted: Wanted, *, is_surveyed: bool = True) -> Iterator[Records]:
    """The records of a file, from its first.

    Args:
        file: The file that is read.
        wanted: What the contract says.
        is_surveyed: Whether the file is looked at as a whole first: that it can be unpacked and
            decoded to its end, and that its rows are records.

    Raises:
        PermanentError: It cannot be read as what its name says, or as the contract says.
        RetryableError: Another machine did not answer.
    """
    repeated: frozenset[int] = frozenset()
    if is_surveyed and not wanted.is_documents:
        _survey(file, wanted)
    if wanted.has_copies:
        with _opened(file, wanted) as records:
            repeated = _repeated(records.lines)
    with _opened(file, wanted) as records:
        if repeated:
            records.lines = _numbered(records.lines, repeated)
        if wanted.has_file:
            name = json_line(file.name)
            records.lines = (with_field(line, FILE_FIELD, name) for line in records.lines)
        yield records


@contextmanager
def _opened(file: SourceFile, wanted: Wanted) -> Iterator[Records]:
    with opened.unpacked(file) as (stream, name):
        bare = opened.bare_name(name)
        if wanted.is_documents:
            content = stream.read(document_records.MOST_BYTES + 1)
            yield Records(iter([document_records.record(name, content, wanted.format.encoding)]))
        elif bare.endswith(_LINES):
            yield Records(_json_lines(stream, file, wanted))
        elif bare.endswith(_JSON):
            yield Records(iter(_json_elements(stream, file, wanted)))
        elif bare.endswith(_PARQUET):
            yield _parquet_rows(stream, file)
        else:
            yield _csv_rows(stream, file, _of_name(wanted, bare))


def _of_name(wanted: Wanted, name: str) -> Wanted:
    """A ``.tsv`` file has tabs where the contract does not say otherwise."""
    if not name.endswith(".tsv") or wanted.format.delimiter != ",":
        return wanted
    written = msgspec.structs.replace(wanted.format, delimiter="tab")
    return Wanted(**{**vars(wanted), "format": written})


def is_text_file(file: SourceFile) -> bool:
    """Whether a file is CSV by its name, or by that of the file in a zip."""
    with opened.unpacked(file) as (_, name):
        return not opened.bare_name(name).endswith((*_LINES, *_JSON, _PARQUET))


def with_field(record: bytes, name: str, value: bytes) -> bytes:
    """A record with one more field at its front; what is not an object stays as it is."""
    inner = record.lstrip()
    if inner[:1] != b"{":
        return record
    rest = inner[1:].lstrip()
    comma = b"" if rest[:1] == b"}" else b","
    return b"{" + json_line(name) + b":" + value + comma + rest


def _survey(file: SourceFile, wanted: Wanted) -> None:
    """Raises PermanentError where no record of the file could be landed rightly."""
    with opened.unpacked(file) as (stream, name):
        bare = opened.bare_name(name)
        is_text = not bare.endswith((*_LINES, *_JSON, _PARQUET))
        decoder = codecs.getincrementaldecoder(wanted.format.encoding)() if is_text else None
        while part := stream.read(opened.PART):
            if decoder is not None:
                _decoded(decoder.decode, part, file, wanted)
        if decoder is not None:
            _decoded(lambda rest: decoder.decode(rest, final=True), b"", file, wanted)
    with _opened(file, wanted) as records:
        lines = list(islice(records.lines, SAMPLE_ROWS))
        if not lines:
            return
        if is_text:
            _require_rows(file, wanted, records, len(lines))
        elif not any(line.lstrip()[:1] == b"{" for line in lines):
            raise PermanentError(
                f"No record of {file.place} is a JSON object: it begins with {lines[0][:80]!r}",
                valid='{"field": "value"} on each line',
            )
        _require_fields(file, wanted, records, lines)


def _decoded(decode: Callable[[bytes], str], part: bytes, file: SourceFile, wanted: Wanted) -> None:
    try:
        decode(part)
    except UnicodeError as error:
        raise _undecoded(file, wanted, error) from error


def _undecoded(file: SourceFile, wanted: Wanted, error: UnicodeError) -> PermanentError:
    name = wanted.format.encoding
    what = "a CSV file in UTF-8" if name == "utf-8" else f"text in {name}"
    return PermanentError(
        f"{file.place} is not {what}: {error}",
        hint=f"name its encoding in {wanted.keys}encoding of the contract, such as cp1252",
    )


def _require_rows(file: SourceFile, wanted: Wanted, records: Records, rows: int) -> None:
    odd = len(records.odd)
    if odd == rows or (odd * 2 > rows >= FEWEST_JUDGED):
        how_many = "No row" if odd == rows else f"Only {rows - odd:,} of the first {rows:,} rows"
        header = wanted.format.delimiter.join(records.names)
        raise PermanentError(
            f"{how_many} of {file.place} {'are' if odd < rows else 'is'} as wide as its first "
            f"line, {header[:80]!r}",
            hint=_cure(file, wanted)
            or f"if lines come before the header, {wanted.keys}{wanted.skip_key} is their number",
        )


def _cure(file: SourceFile, wanted: Wanted) -> str | None:
    """How the file seems to be written, where the contract says something else."""
    with opened.unpacked(file) as (stream, _):
        text = _text(stream, wanted.format.encoding)
        lines = list(islice(_limited(text, file), sniff.SAMPLE_LINES))
    layout = sniff.layout_of(lines)
    if layout is None or layout.width < 2:
        return None
    said = {"delimiter": wanted.format.delimiter, wanted.skip_key: wanted.format.skip_lines}
    seems = {"delimiter": layout.delimiter, wanted.skip_key: layout.skip_lines}
    differing = [f"{wanted.keys}{k} to {v!r}" for k, v in seems.items() if said[k] != v]
    return f"set {' and '.join(differing)} in the contract" if differing else None


def _require_fields(
    file: SourceFile, wanted: Wanted, records: Records, lines: Sequence[bytes]
) -> None:
    """Raises PermanentError where the contract reads none of the file's fields."""
    if not wanted.fields:
        return
    names = set(records.names) or _names_of(lines)
    if not names or names & {part for each in wanted.fields for part in (each, each.split(".")[0])}:
        return
    listed = ", ".join(sorted(names)[:12])
    raise PermanentError(
        f"{file.place} has none of the fields that the contract reads, but {listed}",
        valid=", ".join(wanted.fields[:12]),
        hint=_cure(file, wanted) or "correct silver.columns of the contract, or its source.path",
    )


def _names_of(lines: Sequence[bytes]) -> set[str]:
    names: set[str] = set()
    for line in lines[:100]:
        try:
            names |= msgspec.json.decode(line, type=dict[str, msgspec.Raw]).keys()
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
    return names


def _repeated(lines: Iterator[bytes]) -> frozenset[int]:
    """Hashes of the records that a file has more than once.

    Two different records with one hash are numbered as well, which does no harm.
    """
    import numpy as np

    hashes = array("Q", (xxhash.xxh3_64_intdigest(line) for line in lines))
    ordered = np.sort(np.frombuffer(hashes, dtype=np.uint64))
    return frozenset(map(int, ordered[1:][ordered[1:] == ordered[:-1]]))


def _numbered(lines: Iterator[bytes], repeated: frozenset[int]) -> Iterator[bytes]:
    seen = dict.fromkeys(repeated, 0)
    for line in lines:
        code = xxhash.xxh3_64_intdigest(line)
        if code in seen:
            seen[code] += 1
            if seen[code] > 1:
                line = with_field(line, COPY_FIELD, json_line(str(seen[code])))
        yield line


def _json_lines(stream: BinaryIO, file: SourceFile, wanted: Wanted) -> Iterator[bytes]:
    encoding = codecs.lookup(wanted.format.encoding).name
    if encoding != "utf-8":
        for text in _limited(_text(stream, encoding), file):
            if text.strip():
                yield split.one_line(text.rstrip("\r\n").encode())
        return
    is_first = True
    buffered = io.BufferedReader(stream) if isinstance(stream, io.RawIOBase) else stream
    while line := buffered.readline(MAX_LINE_BYTES + 1):
        if len(line) > MAX_LINE_BYTES:
            raise _too_long(file)
        if is_first:
            line, is_first = line.removeprefix(codecs.BOM_UTF8), False
        line = line.rstrip(b"\n").rstrip(b"\r")
        if line.strip():
            yield line if split.is_text(line) else split.envelope(line)


def _json_elements(stream: BinaryIO, file: SourceFile, wanted: Wanted) -> list[bytes]:
    body = stream.read(MAX_JSON_BYTES + 1)
    if len(body) > MAX_JSON_BYTES:
        raise PermanentError(
            f"{file.place} is larger than {MAX_JSON_BYTES >> 20} MiB, and JSON is read whole",
            valid="one object per line, in a file that ends with .jsonl",
        )
    encoding = codecs.lookup(wanted.format.encoding).name
    if encoding != "utf-8":
        try:
            body = body.decode(encoding).encode()
        except UnicodeError as error:
            raise _undecoded(file, wanted, error) from error
    body = body.removeprefix(codecs.BOM_UTF8)
    try:
        return split.records(_only_array(body) or body)
    except split.Unreadable as error:
        raise PermanentError(
            f"{file.place} holds no JSON array: {error}", valid='[{"field": "value"}, …]'
        ) from error


def _only_array(body: bytes) -> bytes | None:
    """The only array of objects in an object, such as the features of GeoJSON; None without one."""
    if body.lstrip()[:1] != b"{":
        return None
    try:
        members = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    arrays = [raw for raw in map(bytes, members.values()) if raw[:1] == b"["]
    of_objects = [raw for raw in arrays if raw[1:].lstrip()[:1] == b"{"]
    return of_objects[0] if len(of_objects) == 1 else None


def _parquet_rows(stream: BinaryIO, file: SourceFile) -> Records:
    """Rows of a Parquet file; times are ISO 8601 texts, and missing values are left out."""
    import polars as pl

    source: Any = stream
    if not stream.seekable():  # packed once more
        source = io.BytesIO(stream.read(MAX_JSON_BYTES + 1))
    try:
        frame = pl.scan_parquet(source if isinstance(source, io.BytesIO) else _path(source, file))
        names = frame.collect_schema().names()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise PermanentError(f"{file.place} is not a Parquet file: {error}") from error

    def rows() -> Iterator[bytes]:
        start = 0
        while True:
            part = frame.slice(start, PARQUET_ROWS).collect()
            for row in part.iter_rows(named=True):
                yield json_line({n: _plain(v) for n, v in row.items() if v is not None})
            if part.height < PARQUET_ROWS:
                return
            start += PARQUET_ROWS

    return Records(rows(), names=tuple(names))


def _path(stream: BinaryIO, file: SourceFile) -> Any:
    return file.place if file.is_local else stream


def _plain(value: Any) -> Any:
    """A value of Parquet as JSON has it."""
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return str(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _text(stream: BinaryIO, encoding: str) -> IO[str]:
    """A text with its line ends as they are, without a byte-order mark."""
    name = "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding
    return io.TextIOWrapper(cast(Any, stream), encoding=name, newline="")


def _limited(text: IO[str], file: SourceFile) -> Iterator[str]:
    """The lines of a text with their ends; none is longer than a record may be."""
    while line := text.readline(MAX_LINE_BYTES + 1):
        if len(line) > MAX_LINE_BYTES:
            raise _too_long(file)
        yield line


def _too_long(file: SourceFile) -> PermanentError:
    return PermanentError(
        f"{file.place} has a line of more than {MAX_LINE_BYTES >> 20} MiB", valid="shorter lines"
    )


def _csv_rows(stream: BinaryIO, file: SourceFile, wanted: Wanted) -> Records:
    lines = _limited(_text(stream, wanted.format.encoding), file)
    for _ in range(wanted.format.skip_lines):
        next(lines, None)
    rows = csvs.rows(_checked(lines, file, wanted), csvs.Dialect(wanted.format))
    first = next(rows, None)
    if first is None:
        raise PermanentError(f"{file.place} is empty", valid="a CSV file with a header line")
    if wanted.format.header:
        names, notes = _header(file, wanted, *first)
    else:
        names, notes = [placed(n) for n in range(1, len(first[1]) + 1)], ()
        rows = _again(first, rows)
    records = Records(iter(()), notes, tuple(names))
    records.lines = _objects(rows, names, records.odd)
    return records


def _again(
    first: tuple[str, list[str | None]], rows: Iterator[tuple[str, list[str | None]]]
) -> Iterator[tuple[str, list[str | None]]]:
    yield first
    yield from rows


def _checked(lines: Iterator[str], file: SourceFile, wanted: Wanted) -> Iterator[str]:
    try:
        yield from lines
    except UnicodeError as error:
        raise _undecoded(file, wanted, error) from error


def _objects(
    rows: Iterator[tuple[str, list[str | None]]], names: Sequence[str], odd: list[str]
) -> Iterator[bytes]:
    for written, fields in rows:
        if len(fields) == len(names):
            values = zip(names, fields, strict=True)
            yield json_line({name: value for name, value in values if value is not None})
        else:
            if len(odd) < SAMPLE_ROWS:
                odd.append(written[:80])
            yield split.one_line(written.encode())


def _header(
    file: SourceFile, wanted: Wanted, line: str, header: list[str | None]
) -> tuple[list[str], tuple[str, ...]]:
    """The names of the columns, and what is odd about them."""
    only = header[0] or ""
    others = [d for d in (";", "\t", "|", ",") if d in only and d != wanted.format.delimiter]
    if len(header) == 1 and others:
        name = "tab" if others[0] == "\t" and wanted.keys.endswith("format.") else others[0]
        raise PermanentError(
            f"{file.place} has one column called {only!r} between {wanted.format.delimiter!r}",
            hint=f"set {wanted.keys}delimiter to {name!r} in the contract",
        )
    written_names = [name for name in header if name]
    is_of_values = all(map(sniff.is_value, written_names)) and bool(written_names)
    if is_of_values and not set(written_names) & set(wanted.fields):
        _refuse_values(file, wanted, line)
    names, unnamed, twice = list[str](), list[str](), list[str]()
    counts: dict[str, int] = {}
    for number, written in enumerate(header, start=1):
        name = written or placed(number)
        unnamed += [] if written else [name]
        counts[name] = counts.get(name, 0) + 1
        if counts[name] > 1:
            name = f"{name}#{counts[name]}"
            twice.append(name)
        names.append(name)
    notes = []
    if unnamed:
        notes.append(f"{file.name} does not name every column: landed as {', '.join(unnamed)}")
    if twice:
        notes.append(f"{file.name} names a column twice: landed as {', '.join(twice)}")
    misplaced = {placed(n): name for n, name in enumerate(names, 1) if name != placed(n)}
    for each in wanted.fields:
        if each in misplaced and each not in names:
            raise PermanentError(
                f"The contract reads {each} of {file.place}, and that column has a name",
                hint=f"write field: {misplaced[each]} in the contract",
            )
    return names, tuple(notes)


def _refuse_values(file: SourceFile, wanted: Wanted, line: str) -> None:
    """Raises PermanentError where the first line of new-style contracts is a row of values."""
    if not wanted.fields:
        return
    raise PermanentError(
        f"The first line of {file.place} names no columns, it has values: {line[:80]!r}",
        hint=_cure(file, wanted) or f"set {wanted.keys}header to false in the contract",
    )
