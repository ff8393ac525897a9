"""How an unknown file of text is written: encoding, delimiter, lines before the header. Pure.

It looks at a sample. What it finds is a proposal: `goldlake init` writes it into a contract, and
an error of landing names it as the likely cure.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from goldlake_core.contracts.sections import Format
from goldlake_core.datafiles import csvs
from goldlake_core.datafiles.csvs import Dialect

DELIMITERS = (",", ";", "tab", "|", "blanks")
SAMPLE_LINES = 300
MAX_SKIPPED = 20
ALIKE = 0.9
"""Share of rows that have the width of the table."""
_BOMS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_VALUE = re.compile(r"[-+]?[0-9.,:/ %$€£-]*[0-9][-0-9.,:/ %$€£TZeE+]*")
_TRUTHS = ("true", "false")


@dataclass(frozen=True)
class Layout:
    """How a text of rows is written.

    Attributes:
        delimiter: As ``source.format`` spells it.
        skip_lines: Lines before the header, or before the first row without one.
        header: Whether the first row names the columns.
        width: Number of columns.
        odd: Rows of the sample that have another width.
    """

    delimiter: str
    skip_lines: int
    header: bool
    width: int
    odd: int


def encoding_of(sample: bytes) -> str:
    """The encoding of a text: that of its mark, UTF-8 where it is, else UTF-16 or cp1252.

    Args:
        sample: The beginning of the text. A character that it cuts off does not count.
    """
    for mark, name in _BOMS.items():
        if sample.startswith(mark):
            return name
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return "cp1252" if _decodes(sample, "cp1252") else "latin-1"
    zeros = sample[:1000].count(0)
    if zeros * 4 > len(sample[:1000]):
        return "utf-16-le" if sample[1:2] == b"\0" else "utf-16-be"
    return "utf-8"


def _decodes(sample: bytes, encoding: str) -> bool:
    try:
        sample.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def layout_of(lines: Sequence[str], named: str | None = None) -> Layout | None:
    """The layout of the first lines of a text; None where there is no row.

    Of the delimiters that give nearly all rows one width, the one counts that has a header, and of
    these the one that gives the widest rows: a decimal comma separates numbers, but not names.

    Args:
        lines: The first lines, with their ends.
        named: A column that a person named. A first row that has it is a header, even where its
            names are numbers, such as years.
    """
    found = [layout for name in DELIMITERS if (layout := _layout(lines, name, named)) is not None]
    wide = [layout for layout in found if layout.width > 1]
    # Blanks also separate the words of texts: they count where nothing else separates.
    others = [layout for layout in wide if layout.delimiter != "blanks"]
    if others:
        return max(others, key=lambda each: (each.header, each.width, -each.skip_lines, -each.odd))
    values = [layout for layout in wide if _is_of_values(lines, layout)]
    if values:
        return values[0]
    rows = [line for line in lines if line.strip()]
    if not rows:
        return None
    fields = [[row.strip()] for row in rows]
    return Layout(",", 0, _is_header(fields[0], fields[1:], named), 1, 0)


def _layout(lines: Sequence[str], delimiter: str, named: str | None) -> Layout | None:
    dialect = Dialect(Format(delimiter=delimiter))
    rows = [fields for _, fields in csvs.rows(lines, dialect)]
    if not rows:
        return None
    width, _ = Counter(len(fields) for fields in rows[MAX_SKIPPED // 4 :] or rows).most_common(1)[0]
    first = next((n for n, fields in enumerate(rows) if len(fields) == width), None)
    if first is None or first > MAX_SKIPPED:
        return None
    below = rows[first:]
    odd = sum(len(fields) != width for fields in below)
    if odd > (1 - ALIKE) * len(below):
        return None
    # A line of column numbers is not a header.
    while len(below) > 2 and _is_counting(below[0]) and _is_header(below[1], below[2:], named):
        first, below = first + 1, below[1:]
    skipped = _lines_before(lines, dialect, first)
    return Layout(delimiter, skipped, _is_header(below[0], below[1:], named), width, odd)


def _lines_before(lines: Sequence[str], dialect: Dialect, rows: int) -> int:
    """Number of lines before a row, empty lines included."""
    if not rows:
        return 0
    seen = 0
    for number, line in enumerate(lines):
        if line.strip():
            seen += 1
        if seen == rows:
            return number + 1
    return rows


def _is_counting(fields: Sequence[str | None]) -> bool:
    """Whether a row holds the numbers of the columns, perhaps not of the last ones."""
    numbers = list(fields)
    while numbers and not numbers[-1]:
        numbers.pop()
    return len(numbers) > 2 and numbers == [str(n) for n in range(1, len(numbers) + 1)]


def _is_header(
    fields: Sequence[str | None], rows: Sequence[Sequence[str | None]], named: str | None
) -> bool:
    """Whether the first row names the columns: it has one that is named, or none of it is a value.

    Where all columns are texts, a row is taken for a header unless it comes again.
    """
    if named and named in fields:
        return True
    names = [field for field in fields if field and field.strip()]
    if not names or any(is_value(name) for name in names):
        return False
    return not any(list(row) == list(fields) for row in rows[:SAMPLE_LINES])


def is_value(text: str) -> bool:
    """Whether a text is a number, a time or a truth rather than a name."""
    text = text.strip()
    return text.lower() in _TRUTHS or _VALUE.fullmatch(text) is not None


def _is_of_values(lines: Sequence[str], layout: Layout) -> bool:
    """Whether nearly all fields between blanks are values."""
    dialect = Dialect(Format(delimiter=layout.delimiter))
    rows = [fields for _, fields in csvs.rows(lines[layout.skip_lines :], dialect)]
    fields = [field for row in rows[layout.header :] for field in row if field]
    if not fields:
        return False
    missing = ("na", "n/a", "nan", "null", "none", "-", "?")
    are_values = (is_value(f) or f.strip("'\"").lower() in missing for f in fields)
    return sum(are_values) >= ALIKE * len(fields)
