"""Files of generated rows, written as a contract of kind ``files`` says that its files are written.

The generator yields rows by field, all values texts. The field ``:file`` names the file of a row;
without it there is one file. A folder is written once: its name says what made it.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.fields import placed
from goldlake_core.contracts.hashing import functions_hash
from goldlake_core.contracts.registry import resolve
from goldlake_core.contracts.sections import Format, UseCase
from lakehouse.sources.files import GENERATED

FILE = ":file"
_DEFAULT_NAME = "generated.csv"


def generated_files(usecase: UseCase, rows: int, seed: int, above: Path) -> Path:
    """The folder of generated files of a use case; it is written where it is not there.

    Args:
        usecase: A use case whose source has kind ``files`` and a generator.
        rows: Number of rows to ask the generator for.
        seed: Seed of the generator.
        above: Folder for such folders.

    Raises:
        UsageError: It has no generator, or a row has other fields than the first of its file.
    """
    generator = usecase.source.generator
    if generator is None:
        raise UsageError(
            f"The use case {usecase.name} has no generator of rows (source.generator)",
            valid="real files, with --source PATH",
        )
    code = functions_hash(usecase, generator)
    folder = above / f"{seed}-{rows}-{code[:12]}"
    if (folder / GENERATED).is_file():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _write(usecase, resolve(usecase, generator, "source.generator")(rows, seed), folder)
    identity = {
        "kind": "generated",
        "usecase": usecase.name,
        "generator": generator,
        "seed": seed,
    }
    # Last, so that a folder that was cut off is written again.
    told = {"identity": identity, "inputs": {"rows": rows, "code": code}}
    (folder / GENERATED).write_text(json.dumps(told), encoding="utf-8")
    return folder


def _write(usecase: UseCase, rows: Iterator[Mapping[str, Any]], folder: Path) -> None:
    written = usecase.source.format or Format()
    with ExitStack() as stack:
        files: dict[str, tuple[IO[str], list[str]]] = {}
        for row in rows:
            name = row.get(FILE, _DEFAULT_NAME)
            if Path(name).name != name:
                raise UsageError(f"{name!r} is not the name of a file", valid="a name as one.csv")
            fields = {key: value for key, value in row.items() if key != FILE}
            if name not in files:
                path = folder / name
                # Each file stays open: rows of several may take turns.
                file = stack.enter_context(path.open("w", encoding=written.encoding, newline=""))
                files[name] = file, list(fields)
                _begin(file, written, list(fields))
            file, names = files[name]
            if not fields.keys() <= set(names):
                raise UsageError(
                    f"A generated row of {name} has the fields {', '.join(fields)}",
                    valid=", ".join(names),
                )
            file.write(_line(written, [fields.get(each) for each in names]))


def _begin(file: IO[str], written: Format, names: list[str]) -> None:
    for number in range(written.skip_lines):
        file.write(_line(written, [f"line {number + 1} before the header"]))
    if written.header:
        file.write(_line(written, [_title(name, place) for place, name in enumerate(names, 1)]))


def _title(field: str, place: int) -> str:
    """The name of a column in the file, where the second of a name and the unnamed have others."""
    return "" if field == placed(place) else field.partition("#")[0]


def _line(written: Format, values: list[str | None]) -> str:
    if written.delimiter == "blanks":
        return " ".join(value or "" for value in values) + "\n"
    delimiter = "\t" if written.delimiter == "tab" else written.delimiter
    text = _Text()
    style = {"quotechar": written.quote} if written.quote else {"quoting": csv.QUOTE_NONE}
    csv.writer(text, delimiter=delimiter, lineterminator="\n", **style).writerow(values)  # type: ignore[arg-type]
    return text.written


class _Text:
    """What `csv.writer` writes to: it keeps one line."""

    written = ""

    def write(self, text: str) -> None:
        self.written += text
