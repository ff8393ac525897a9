"""The plug-in ``files``: lands files, one record per line, each content once.

``source.address`` is a file, a folder or a pattern such as ``data/*.csv.gz``, relative to the use
case's folder. A file is known by the digest of its bytes: an unseen one is landed whatever its
name, a known name with other bytes is a corrected issue and is landed, and a file that was moved or
archived away changes nothing. New files are landed in the order of their names.

- ``.jsonl``: each line as it is, whether it is JSON or not; bronze finds out.
- ``.json``: each element of the array, as its bytes.
- ``.csv``: an object by the header's names, all values text. Nothing between the commas is a
  missing key, and ``""`` is the empty text. A row of the wrong width is landed as the text it is.

Each may be gzipped (``.gz``). `lakehouse.sources.split` says what becomes of lines that are not
UTF-8.

``source.options``: ``encoding`` of the text (UTF-8 by default, with or without a byte-order mark),
``delimiter`` between the fields of a CSV file, and ``skip``, the number of lines before its header.
"""

from __future__ import annotations

import codecs
import glob
import gzip
import hashlib
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from goldlake_core.contracts.errors import PermanentError, UsageError
from goldlake_core.contracts.sections import UseCase
from goldlake_core.storage.landing import Cursor, PageEntry
from lakehouse.sources import csvs, split
from lakehouse.sources.base import (
    Origin,
    Page,
    Paging,
    Partition,
    Patience,
    SourceKind,
    Traffic,
    json_line,
    options_of,
)

SUFFIXES = (".csv", ".csv.gz", ".json", ".json.gz", ".jsonl", ".jsonl.gz")
OPTIONS: Mapping[str, Any] = {"encoding": "utf-8", "delimiter": ",", "skip": 0}
_OTHER_DELIMITERS = (";", "\t", "|", ",")


class FilesConnector:
    """A `lakehouse.sources.base.Connector` over files of this machine. Read-only.

    Args:
        usecase: Its source's address, page size and options are used.
        address: Another file, folder or pattern, relative to the working folder; "" for none.

    Raises:
        UsageError: There are no such files, two have one name, or an option does not hold.
    """

    paging: Paging = "partitions"

    def __init__(self, usecase: UseCase, address: str = "") -> None:
        self.traffic = Traffic()
        self.patience = Patience(attempts=1)
        self._usecase = usecase
        self._format = _CsvFormat(options_of(usecase.source, OPTIONS))
        self._where = Path(address) if address else usecase.folder / usecase.source.address
        self._files = _found(self._where)
        self._parts = {file: _digest(file) for file in self._files}
        self._open: tuple[Path, list[bytes], tuple[str, ...]] = (Path(), [], ())

    def origin(self) -> Origin:
        """Which data set the files hold. The identity does not say where they lie."""
        dataset = self._usecase.source.dataset or self._usecase.name
        return Origin({"kind": "files", "dataset": dataset}, str(self._where.resolve()))

    def partitions(self) -> list[Partition]:
        """The files in the order of their names."""
        return [Partition(file.name, digest) for file, digest in self._parts.items()]

    def landed_before(self, entries: list[PageEntry]) -> dict[str, int]:
        """What an earlier version landed of the files that are there, by digest; -1: all.

        It kept how many records of the last file were landed, and a running digest of all files up
        to that one.
        """
        places: dict[tuple[str, str], int] = {}
        for entry in entries:
            if entry.last_cursor is not None:
                lines, _, digest = entry.last_cursor.tiebreak.partition(":")
                places[entry.last_cursor.value, digest] = int(lines)
        running, landed, passed = hashlib.sha256(), dict[str, int](), list[str]()
        for file, digest in self._parts.items():
            running.update(file.name.encode() + b"\0" + bytes.fromhex(digest))
            lines_done = places.get((file.name, running.hexdigest()[:16]))
            if lines_done is not None:
                landed.update(dict.fromkeys(passed, -1))
                landed[digest] = lines_done
            passed.append(digest)
        return landed

    def page(self, cursor: Cursor | None, since: str | None, until: str | None) -> Page:
        """Up to ``page_rows`` records of the file whose digest the cursor names.

        Raises:
            PermanentError: There is no such file, or it cannot be read as what its name says.
        """
        offset, _, digest = (cursor.tiebreak if cursor else "0").partition(":")
        file = next((f for f, known in self._parts.items() if known == digest), None)
        if file is None:
            raise PermanentError(f"There is no file with the digest {digest} at {self._where}")
        lines, notes = self._lines(file)
        start, end = int(offset), int(offset) + self._usecase.source.page_rows
        more = Cursor(file.name, f"{end}:{digest}") if end < len(lines) else None
        url = f"{file.resolve().as_uri()}#{start + 1}"
        return Page(lines[start:end], url, more, notes=notes)

    def key(self, record: bytes) -> Cursor | None:
        """None: files have an order of lines, not of keys."""
        return None

    def count(self, cursor: Cursor | None, since: str | None, until: str | None) -> int | None:
        """Unknown: counting would read every file twice."""
        return None

    def close(self) -> None:
        """Nothing to let go of."""

    def _lines(self, file: Path) -> tuple[list[bytes], tuple[str, ...]]:
        if self._open[0] != file:
            raw = file.read_bytes()
            self.traffic.requests += 1
            self.traffic.bytes += len(raw)
            self._open = (file, *_records(file, raw, self._format))
        return self._open[1:]


class _CsvFormat:
    def __init__(self, options: Mapping[str, Any]) -> None:
        self.encoding, self.delimiter, self.skip = (options[name] for name in OPTIONS)
        try:
            codecs.lookup(self.encoding)
        except (LookupError, TypeError) as error:
            raise UsageError(
                f"source.options.encoding is {self.encoding!r}", valid="utf-8, latin-1, cp1252, …"
            ) from error
        if not isinstance(self.delimiter, str) or len(self.delimiter) != 1 or self.delimiter == '"':
            raise UsageError(
                f"source.options.delimiter is {self.delimiter!r}", valid="one character"
            )
        if not isinstance(self.skip, int) or self.skip < 0:
            raise UsageError(f"source.options.skip is {self.skip!r}", valid="a number of lines")


def _found(where: Path) -> list[Path]:
    if where.is_dir():
        paths = [p for p in where.iterdir() if p.is_file()]
    else:
        paths = [Path(p) for p in glob.glob(str(where))]
    files = sorted((p for p in paths if p.name.lower().endswith(SUFFIXES)), key=lambda p: p.name)
    if not files:
        raise UsageError(f"There are no files at {where}", valid=f"*{', *'.join(SUFFIXES)}")
    twice = {a.name for a, b in zip(files, files[1:], strict=False) if a.name == b.name}
    if twice:
        raise UsageError(f"Several files at {where} are called {', '.join(sorted(twice))}")
    return files


def _digest(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as content:
        while part := content.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()


def _records(file: Path, raw: bytes, how: _CsvFormat) -> tuple[list[bytes], tuple[str, ...]]:
    try:
        text = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except (EOFError, OSError, zlib.error) as error:
        raise PermanentError(f"{file} is damaged: {error}", hint="fetch it again") from error
    if codecs.lookup(how.encoding).name != "utf-8":
        try:
            text = text.decode(how.encoding).encode()
        except UnicodeError as error:
            raise PermanentError(f"{file} is not text in {how.encoding}: {error}") from error
    text = text.removeprefix(codecs.BOM_UTF8)
    if ".jsonl" in file.name.lower():
        lines = (line.rstrip(b"\r") for line in text.split(b"\n") if line.strip())
        return [line if split.is_text(line) else split.envelope(line) for line in lines], ()
    if ".csv" in file.name.lower():
        return _csv_records(file, text, how)
    try:
        return split.records(text), ()
    except split.Unreadable as error:
        raise PermanentError(
            f"{file} holds no JSON array: {error}", valid='[{"field": "value"}, …]'
        ) from error


def _csv_records(file: Path, text: bytes, how: _CsvFormat) -> tuple[list[bytes], tuple[str, ...]]:
    try:
        decoded = text.decode()
    except UnicodeDecodeError as error:
        raise PermanentError(
            f"{file} is not a CSV file in UTF-8: {error}",
            hint="name its encoding in source.options.encoding of the contract, such as latin-1",
        ) from error
    for _ in range(how.skip):
        decoded = decoded.partition("\n")[2]
    rows = csvs.rows(decoded, how.delimiter)
    header = next(rows, None)
    if header is None:
        raise PermanentError(f"{file} is empty", valid="a CSV file with a header line")
    names, notes = _names(file, header[1], how)
    lines, wrong = list[bytes](), 0
    for written, fields in rows:
        if len(fields) == len(names):
            values = zip(names, fields, strict=True)
            lines.append(json_line({name: value for name, value in values if value is not None}))
        else:
            lines.append(split.one_line(written.encode()))
            wrong += 1
    if wrong and wrong == len(lines):
        raise PermanentError(
            f"No row of {file} is as wide as its first line, {header[0][:80]!r}",
            hint="if lines come before the header, source.options.skip is their number",
        )
    return lines, notes


def _names(
    file: Path, header: list[str | None], how: _CsvFormat
) -> tuple[list[str], tuple[str, ...]]:
    """The names of the columns, and what is odd about them."""
    only = header[0] or ""
    other = next((d for d in _OTHER_DELIMITERS if d in only and d != how.delimiter), None)
    if len(header) == 1 and other:
        raise PermanentError(
            f"{file} has one column called {only!r} between {how.delimiter!r}",
            hint=f"set source.options.delimiter to {other!r} in the contract",
        )
    names = [name or f"column_{number}" for number, name in enumerate(header, start=1)]
    if len(set(names)) < len(names):
        raise PermanentError(f"{file} names a column twice: {','.join(names)}")
    blank = [f"column_{number}" for number, name in enumerate(header, start=1) if not name]
    if not blank:
        return names, ()
    return names, (f"{file.name} does not name every column: landed as {', '.join(blank)}",)


KIND = SourceKind(connector=FilesConnector, options=OPTIONS)
