"""The plug-in ``files``: lands files, one record per line, each content once.

``source.path`` is a file, a folder, a pattern such as ``data/*.csv.gz`` or a URL of such; a path
counts from the use case's folder. A file is known by the digest of its bytes: an unseen one is
landed whatever its name, a known name with other bytes is a corrected issue and is landed, and a
file that was moved or archived away changes nothing. New files are landed in the order of their
names.

`lakehouse.sources.file_records` says what a record of each kind of file is, and
`goldlake_core.datafiles.opened` what may be packed how.

Contracts of earlier versions have ``source.address`` for the path, and ``source.options`` with
``encoding``, ``delimiter`` and ``skip``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

from goldlake_core.contracts.errors import PermanentError, UsageError
from goldlake_core.contracts.fields import CONTENT_FIELD
from goldlake_core.contracts.read import is_text_encoding
from goldlake_core.contracts.rules import DOCUMENTS
from goldlake_core.contracts.sections import Format, Source, UseCase
from goldlake_core.datafiles import opened
from goldlake_core.datafiles.opened import SourceFile
from goldlake_core.documents.lakehouse import Identity
from goldlake_core.storage.landing import Cursor, PageEntry
from lakehouse.sources import document_records
from lakehouse.sources.base import (
    Origin,
    Page,
    Paging,
    Partition,
    Patience,
    SourceKind,
    Traffic,
    options_of,
)
from lakehouse.sources.file_records import Records, Wanted, reading

KINDS = (".csv", ".tsv", ".json", ".geojson", ".jsonl", ".ndjson", ".parquet")
OTHERS = (".txt", ".dat", ".data", ".tab")
"""Endings of files of CSV that a folder may hold and that only a pattern or a name takes."""
GENERATED = ".generated"
"""File of a folder of generated files: what they are, so that they never mix with real ones."""
OPTIONS: Mapping[str, Any] = {"encoding": "utf-8", "delimiter": ",", "skip": 0}


class FilesConnector:
    """A `lakehouse.sources.base.Connector` over files of this machine. Read-only.

    Args:
        usecase: Its source's address, page size and options are used.
        address: Another file, folder or pattern, relative to the working folder; "" for none.

    Raises:
        UsageError: There are no such files, two have one name, or an option does not hold.
        RetryableError: Another machine did not answer.
    """

    paging: Paging = "partitions"

    def __init__(self, usecase: UseCase, address: str = "") -> None:
        self.traffic = Traffic()
        self.patience = Patience(attempts=1)
        self._usecase = usecase
        self._wanted = wanted_of(usecase)
        self._where = address or _of_contract(usecase)
        files = files_of(usecase, address)
        self._parts = {file: self._digest(file) for file in files}
        self._open = ExitStack()
        self._place: tuple[str, int] = ("", 0)
        self._records = Records(iter(()))
        self._next: list[bytes] = []

    def origin(self) -> Origin:
        """Which data set the files hold. The identity does not say where they lie.

        Raises:
            PermanentError: The folder says that its files are generated, and not how.
        """
        told = _generation(self._where)
        if told is not None:
            return Origin(told[0], _whole(self._where), told[1])
        dataset = self._usecase.source.dataset or self._usecase.name
        return Origin({"kind": self._usecase.source.kind, "dataset": dataset}, _whole(self._where))

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
        start, size = int(offset), self._usecase.source.page_rows
        self._go_to(file, digest, start)
        rows = [*self._next, *islice(self._records.lines, size + 1 - len(self._next))]
        rows, self._next = rows[:size], rows[size:]
        end = start + len(rows)
        self._place = (digest, end)
        more = Cursor(file.name, f"{end}:{digest}") if self._next else None
        return Page(rows, f"{file.uri}#{start + 1}", more, notes=self._records.notes)

    def key(self, record: bytes) -> Cursor | None:
        """None: files have an order of lines, not of keys."""
        return None

    def count(self, cursor: Cursor | None, since: str | None, until: str | None) -> int | None:
        """Unknown: counting would read every file twice."""
        return None

    def close(self) -> None:
        """Closes the file that is open."""
        self._open.close()

    def _go_to(self, file: SourceFile, digest: str, start: int) -> None:
        """Opens a file and passes over the records before a place, where it is not there yet."""
        if self._place == (digest, start):
            return
        self._open.close()
        self._place = ("", 0)
        self._records = self._open.enter_context(
            reading(file, self._wanted, is_surveyed=start == 0)
        )
        self._next = []
        for _ in islice(self._records.lines, start):
            pass

    def _digest(self, file: SourceFile) -> str:
        digest = hashlib.sha256()
        with opened.raw(file) as content:
            self.traffic.requests += 1
            while part := content.read(opened.PART):
                digest.update(part)
                self.traffic.bytes += len(part)
        return digest.hexdigest()


def files_of(usecase: UseCase, address: str = "") -> list[SourceFile]:
    """The files of a use case, or at another place, by name.

    Raises:
        UsageError: There are none, or two have one name.
    """
    is_documents = usecase.source.kind == DOCUMENTS
    kinds, others = (document_records.KINDS, ()) if is_documents else (KINDS, OTHERS)
    return opened.found(address or _of_contract(usecase), kinds, others)


def wanted_of(usecase: UseCase) -> Wanted:
    """What a use case's contract wants of its files.

    Raises:
        UsageError: An option of ``source.options`` does not hold.
    """
    source, silver = usecase.source, usecase.silver
    columns = silver.columns
    is_old = source.format is None and not source.path
    own = tuple(c.field for c in columns if not c.field.startswith("$"))
    return Wanted(
        format=source.format or _of_options(source),
        keys="source.options." if is_old else "source.format.",
        skip_key="skip" if is_old else "skip_lines",
        fields=() if is_old else own,
        has_file=any(column.file is not None for column in columns),
        is_documents=source.kind == DOCUMENTS,
        has_copies=any(silver.column(name).field == CONTENT_FIELD for name in silver.key),
    )


def _of_options(source: Source) -> Format:
    """The format that contracts of earlier versions declare."""
    options = options_of(source, OPTIONS)
    encoding, delimiter, skip = (options[name] for name in OPTIONS)
    if not isinstance(encoding, str) or not is_text_encoding(encoding):
        raise UsageError(
            f"source.options.encoding is {encoding!r}", valid="utf-8, latin-1, cp1252, …"
        )
    if not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter == '"':
        raise UsageError(f"source.options.delimiter is {delimiter!r}", valid="one character")
    if not isinstance(skip, int) or skip < 0:
        raise UsageError(f"source.options.skip is {skip!r}", valid="a number of lines")
    return Format(delimiter=delimiter, encoding=encoding, skip_lines=skip)


def _of_contract(usecase: UseCase) -> str:
    path = usecase.source.path or usecase.source.address
    return path if "://" in path else str(usecase.folder / path)


def _generation(where: str) -> tuple[Identity, Identity] | None:
    """Who made the files of a folder, and of what; None for files that nobody generated."""
    path = Path(where) / GENERATED
    if "://" in where or not path.is_file():
        return None
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return dict(told["identity"]), dict(told["inputs"])
    except (ValueError, KeyError, TypeError) as error:
        raise PermanentError(
            f"{path} does not say what made the files beside it",
            hint="remove the folder; the same command writes it again",
        ) from error


def _whole(where: str) -> str:
    return where if "://" in where else str(Path(where).resolve())


KIND = SourceKind(connector=FilesConnector, options=OPTIONS)
