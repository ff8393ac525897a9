"""Rows out of a file of any size: JSON lines, CSV or Parquet, also gzipped; read as they are asked.

- JSON lines: an object, or any other value, on each line. A whole JSON document is read too, as
  ``{"instances": […]}``, as a list or as one object; it has to fit into memory.
- CSV: a header and rows. Nothing between two commas is a missing value, and ``""`` the empty text.
  Other values get the type of their input; one that has another type stays a text.
- Parquet: read by row groups.
"""

from __future__ import annotations

import codecs
import gzip
import io
import itertools
import json
import os
import re
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO, Literal

from goldlake_core.contracts.errors import UsageError

Format = Literal["jsonl", "csv", "parquet"]
FORMATS: Mapping[str, Format] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".parquet": "parquet",
}
HINT = "echo '{\"instances\": [{…}]}' | goldlake predict MODEL"
_PARQUET_ROWS = 4096
_LINE_END = re.compile(r"\r\n|\r|\n")
# More than the rows that a client holds at once.
_PLACES = 1 << 16


class RowFile:
    """The rows of a file, in order and once.

    Args:
        name: Path of the file, or ``-`` for ``stream``.
        stream: What is read for ``-``.
        kind: The format; None takes it from the name, JSON for a stream.
        types: Returns TensorFlow's type of each input; called for CSV only.

    Raises:
        UsageError: There is no such file, or its name does not say the format.
    """

    def __init__(
        self,
        name: str,
        stream: BinaryIO,
        kind: Format | None,
        types: Callable[[], Mapping[str, str]],
    ) -> None:
        self._name = name
        self._kind = kind or format_of(name, default="jsonl" if name == "-" else None)
        self._types = types
        self._places: deque[tuple[int, int]] = deque(maxlen=_PLACES)
        self._count = 0
        self._size = 0
        if self._kind == "parquet":
            if name == "-":
                raise UsageError("Parquet cannot be read from a stream", valid="--input FILE")
            return
        try:
            # Not closed by a block: the file lives as long as the rows are read.
            raw = stream if name == "-" else open(name, "rb")  # noqa: SIM115
        except OSError as error:
            raise UsageError(f"{name} cannot be read: {error.strerror}") from error
        self._raw = raw
        if name != "-":
            self._size = os.fstat(raw.fileno()).st_size

    def __iter__(self) -> Iterator[Any]:
        """Yields the rows.

        Raises:
            UsageError: The content is not what the format says; the message names the line.
        """
        readers = {"jsonl": self._json, "csv": self._csv, "parquet": self._parquet}
        try:
            yield from readers[self._kind]()
        finally:
            if self._kind != "parquet" and self._name != "-":
                self._raw.close()

    def place(self, index: int) -> str | None:
        """Returns where a row that was read lately is, such as ``rows.csv:17``, or None."""
        name = "the input" if self._name == "-" else self._name
        if self._kind == "parquet":
            return f"{name}, row {index}"
        line = next((line for at, line in self._places if at == index), None)
        return None if line is None else f"{name}:{line}"

    def share(self) -> float | None:
        """Returns which part of the file is read, 0 to 1, or None where that is unknown."""
        if self._kind == "parquet":
            return self._count / self._size if self._size else None
        if self._raw.closed:
            return 1.0
        return self._raw.tell() / self._size if self._size else None

    def _note(self, line: int) -> None:
        self._places.append((self._count, line))
        self._count += 1

    def _json(self) -> Iterator[Any]:
        lines = self._lines()
        number, first = next(((n, line) for n, line in lines if line.strip()), (0, b""))
        if not first:
            raise UsageError("The input is empty", valid="rows as JSON", hint=HINT)
        try:
            document = json.loads(first)
        except ValueError:
            # Not a value on each line, and so one document over several lines.
            text = b"".join([first, *(line for _, line in lines)])
            yield from self._document(text)
            return
        following = next(((n, line) for n, line in lines if line.strip()), None)
        if following is None:
            yield from self._instances(document)
            return
        self._note(number)
        yield document
        for at, line in itertools.chain([following], lines):
            if line.strip():
                self._note(at)
                yield self._parsed(at, line)

    def _document(self, text: bytes) -> Iterator[Any]:
        try:
            document = json.loads(text)
        except ValueError as error:
            raise UsageError(
                f"The input is not JSON: {error}", valid="rows as JSON", hint=HINT
            ) from error
        yield from self._instances(document)

    def _instances(self, document: Any) -> Iterator[Any]:
        if isinstance(document, dict):
            document = document.get("instances", [document])
        if not isinstance(document, list):
            document = [document]
        self._count = len(document)
        yield from document

    def _parsed(self, number: int, line: bytes) -> Any:
        try:
            return json.loads(line)
        except ValueError as error:
            raise UsageError(
                f"{self.place(self._count - 1)}: this line is not JSON: {error}",
                valid="one JSON object per line",
            ) from error

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        """Lines with their numbers; the byte-order mark is left out."""
        content = self._content()
        number = 0
        try:
            for number, line in enumerate(content, 1):
                yield number, line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
        except (EOFError, OSError, zlib.error) as error:
            raise self._damaged(error, number) from error

    def _content(self) -> BinaryIO:
        buffered = self._raw if isinstance(self._raw, io.BufferedReader) else _peekable(self._raw)
        if buffered.peek(2)[:2] == b"\x1f\x8b":
            return gzip.GzipFile(fileobj=buffered)  # type: ignore[return-value]
        return buffered

    def _damaged(self, error: Exception, lines: int) -> UsageError:
        return UsageError(f"{self._name} is damaged after line {lines}: {error}")

    def _csv(self) -> Iterator[dict[str, object]]:
        convert: list[Callable[[str], Any]] = []
        header: list[str] = []
        for line, fields in self._csv_rows():
            if not header:
                header = [field or "" for field in fields]
                if len(set(header)) < len(header):
                    raise UsageError(f"{self._name} names a column twice: {', '.join(header)}")
                types = self._types()
                convert = [_CONVERTERS.get(types.get(name, ""), str) for name in header]
                continue
            self._note(line)
            if len(fields) != len(header):
                raise UsageError(
                    f"{self.place(self._count - 1)}: {len(fields)} fields, and the header has "
                    f"{len(header)}"
                )
            cells = zip(header, convert, fields, strict=True)
            yield {name: None if text is None else as_(text) for name, as_, text in cells}
        if not header:
            raise UsageError(f"{self._name} is empty", valid="a CSV file with a header line")

    def _csv_rows(self) -> Iterator[tuple[int, list[str | None]]]:
        """Rows with the number of their first line; holds little more than one of them."""
        from goldlake_core.datafiles import csvs

        read, number = deque[str](), 0

        def lines() -> Iterator[str]:
            text = io.TextIOWrapper(self._content(), "utf-8-sig", newline="")
            try:
                for line in text:
                    read.append(line)
                    yield line
            finally:
                text.detach()  # whoever opened it closes it

        rows = csvs.rows(lines())
        while True:
            try:
                written, fields = next(rows)
            except StopIteration:
                return
            except UnicodeDecodeError as error:
                raise UsageError(f"{self._name} is not a CSV file in UTF-8: {error}") from error
            except (EOFError, OSError, zlib.error) as error:
                raise self._damaged(error, number) from error
            while not read[0].strip("\r\n"):  # rows have no empty lines
                read.popleft()
                number += 1
            yield number + 1, fields
            for _ in range(1 + len(_LINE_END.findall(written.rstrip("\r\n")))):
                read.popleft()
                number += 1

    def _parquet(self) -> Iterator[dict[str, object]]:
        import polars

        try:
            frame = polars.scan_parquet(self._name)
            self._size = frame.select(polars.len()).collect().item()
            for start in range(0, self._size, _PARQUET_ROWS):
                rows = frame.slice(start, _PARQUET_ROWS).collect().to_dicts()
                self._count += len(rows)
                yield from rows
        except (polars.exceptions.PolarsError, OSError) as error:
            problem = str(error).partition("\n")[0]
            raise UsageError(f"{self._name} is not a Parquet file: {problem}") from error


def format_of(name: str, default: Format | None = None) -> Format:
    """Returns the format that the name of a file says.

    Args:
        name: Path of the file; ``.gz`` at its end does not count.
        default: The format of a name that says none; None refuses it.

    Raises:
        UsageError: The name does not tell the format.
    """
    suffix = os.path.splitext(name.lower().removesuffix(".gz"))[1]
    found = FORMATS.get(suffix, default)
    if found is None:
        raise UsageError(
            f"{name} does not say its format", valid=f"a name that ends in {', '.join(FORMATS)}"
        )
    return found


def _peekable(stream: BinaryIO) -> io.BufferedReader:
    return io.BufferedReader(stream)  # type: ignore[arg-type]


def _number(kind: Callable[[str], Any]) -> Callable[[str], Any]:
    def convert(text: str) -> Any:
        try:
            return kind(text)
        except ValueError:
            return text  # which the check of the row refuses, with what is valid

    return convert


def _boolean(text: str) -> Any:
    return {"true": True, "false": False}.get(text.lower(), text)


_CONVERTERS: Mapping[str, Callable[[str], Any]] = {
    **dict.fromkeys(("int8", "uint8", "int16", "int32", "int64", "uint32", "uint64"), _number(int)),
    **dict.fromkeys(("float", "double"), _number(float)),
    "bool": _boolean,
}
