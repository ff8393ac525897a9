"""The plug-in ``files``: lands files as they are, one record per line, file after file by name.

``source.address`` is a file, a folder or a pattern such as ``data/*.csv.gz``, relative to the use
case's folder. Files are taken in the order of their names and do not change once they are landed: a
file that changes, or a new one that sorts before what was landed, is refused by name.

- ``.jsonl``: each line as it is, whether it is JSON or not; bronze finds out.
- ``.json``: each element of the array.
- ``.csv``: an object by the header's names, all values text, nothing between the commas a missing
  key. A row of the wrong width is landed as the text it is, which is not JSON.

Each may be gzipped (``.gz``). The text is UTF-8, with or without a byte-order mark.
"""

from __future__ import annotations

import csv
import glob
import gzip
import hashlib
import io
import zlib
from pathlib import Path

import orjson

from goldlake_core.contracts.errors import PermanentError, StoreError, UsageError
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents.lakehouse import Identity
from lakehouse.landing import Cursor
from lakehouse.sources.base import Located, Page, SourceKind, Traffic, json_line, options_of

SUFFIXES = (".csv", ".csv.gz", ".json", ".json.gz", ".jsonl", ".jsonl.gz")


class FilesConnector:
    """A `lakehouse.sources.base.Connector` over files of this machine. Read-only.

    The cursor is (file name, ``LINES:DIGEST``): how many records of the file are landed, and a
    digest of the names and contents of all files up to it.

    Args:
        usecase: Its source's address and page size are used.
        address: Another file, folder or pattern, relative to the working folder; "" for none.

    Raises:
        UsageError: There are no such files, or two have one name.
    """

    def __init__(self, usecase: UseCase, address: str = "") -> None:
        options_of(usecase.source, {})
        self.traffic = Traffic()
        self._usecase = usecase
        self._where = Path(address) if address else usecase.folder / usecase.source.address
        self._files = _found(self._where)
        self._digests = self._digests_by_name()
        self._open: tuple[str, list[bytes]] = ("", [])

    def identity(self) -> Identity:
        """Where the files lie and which data set they are."""
        dataset = self._usecase.source.dataset or self._usecase.name
        where = str(self._where.resolve())
        return Located(kind="files", address=where, dataset=dataset).identity()

    def page(self, cursor: Cursor | None, since: str | None, until: str | None) -> Page:
        """Up to ``page_rows`` records of one file; see `Connector.page`.

        Raises:
            UsageError: A range was asked for; files have none.
            StoreError: Landed files changed, or a new one sorts before them.
        """
        if since or until:
            raise UsageError(
                "A source of kind 'files' is landed whole: it takes no --since or --until"
            )
        name, done = self._position(cursor)
        for file in self._files:
            if file.name < name:
                continue
            lines = self._lines(file)
            start = done if file.name == name else 0
            rows = lines[start : start + self._usecase.source.page_rows]
            if rows:
                place = Cursor(file.name, f"{start + len(rows)}:{self._digests[file.name]}")
                is_last = file == self._files[-1] and start + len(rows) == len(lines)
                return Page(rows, f"{file.resolve().as_uri()}#{start + 1}", place, is_last)
        return Page([], self._where.resolve().as_uri(), None, is_last=True)

    def resumed(self, cursor: Cursor | None, rows: list[bytes]) -> Cursor:
        """The place after a landed page that followed ``cursor``; see `Connector.resumed`."""
        name, done = self._position(cursor)
        for file in self._files:
            start = done if file.name == name else 0
            lines = self._lines(file) if file.name >= name else []
            if lines[start : start + len(rows)] == rows:
                return Cursor(file.name, f"{start + len(rows)}:{self._digests[file.name]}")
        raise StoreError(
            f"A landed page of {len(rows)} records is not in {self._where} any more",
            hint="put the files back as they were, or land into another --home",
        )

    def count(self, cursor: Cursor | None, since: str | None, until: str | None) -> int | None:
        """Unknown: counting would read every file twice."""
        return None

    def close(self) -> None:
        """Nothing to let go of."""

    def _position(self, cursor: Cursor | None) -> tuple[str, int]:
        if cursor is None:
            return "", 0
        done, _, digest = cursor.tiebreak.partition(":")
        if self._digests.get(cursor.value) != digest:
            raise StoreError(
                f"The files in {self._where} up to {cursor.value} are not those that were landed: "
                "one was changed, removed or added before it",
                valid="new files whose names sort after those landed",
                hint="put the files back as they were, or land into another --home",
            )
        return cursor.value, int(done)

    def _digests_by_name(self) -> dict[str, str]:
        running, digests = hashlib.sha256(), {}
        for file in self._files:
            running.update(file.name.encode() + b"\0")
            running.update(hashlib.sha256(file.read_bytes()).digest())
            digests[file.name] = running.hexdigest()[:16]
        return digests

    def _lines(self, file: Path) -> list[bytes]:
        if self._open[0] != file.name:
            raw = file.read_bytes()
            self.traffic.requests += 1
            self.traffic.bytes += len(raw)
            self._open = (file.name, _records(file, raw))
        return self._open[1]


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


def _records(file: Path, raw: bytes) -> list[bytes]:
    try:
        text = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except (EOFError, OSError, zlib.error) as error:
        raise PermanentError(f"{file} is damaged: {error}", hint="fetch it again") from error
    text = text.removeprefix(b"\xef\xbb\xbf")
    if ".jsonl" in file.name.lower():
        return [line.rstrip(b"\r") for line in text.split(b"\n") if line.strip()]
    return _csv_records(file, text) if ".csv" in file.name.lower() else _elements(file, text)


def _elements(file: Path, text: bytes) -> list[bytes]:
    try:
        values = orjson.loads(text)
    except ValueError as error:
        raise PermanentError(f"{file} is not JSON: {error}", valid="a JSON array") from error
    if not isinstance(values, list):
        raise PermanentError(f"{file} holds no JSON array", valid='[{"field": "value"}, …]')
    return [json_line(value) for value in values]


def _csv_records(file: Path, text: bytes) -> list[bytes]:
    try:
        reader = csv.reader(io.StringIO(text.decode(), newline=""))
        names, *rows = [row for row in reader if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise PermanentError(f"{file} is not a CSV file in UTF-8: {error}") from error
    except ValueError:
        raise PermanentError(f"{file} is empty", valid="a CSV file with a header line") from None
    if len(set(names)) < len(names):
        raise PermanentError(f"{file} names a column twice: {','.join(names)}")
    return [_csv_record(names, row) for row in rows]


def _csv_record(names: list[str], row: list[str]) -> bytes:
    if len(row) != len(names):
        return ",".join(row).replace("\n", " ").replace("\r", " ").encode()
    return json_line({name: value for name, value in zip(names, row, strict=True) if value})


KIND = SourceKind(connector=FilesConnector, options={})
