"""What a column holds: its type, and what is odd about it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from goldlake.workflows.drafting.times import Times, times_of
from goldlake_core.contracts.column_types import ColumnType
from goldlake_core.contracts.sections import Column
from lakehouse import texts as meanings
from lakehouse.typed import value

if TYPE_CHECKING:
    import polars as pl

Marks = tuple[str, str]
"""Decimal mark and mark of thousands."""
MARKS: tuple[Marks, ...] = (
    *((".", ""), (".", ","), (",", ""), (",", "."), (".", " "), (",", " "), (".", "'"), (",", "'")),
    *((".", "\u00a0"), (",", "\u00a0"), (".", "\u202f"), (",", "\u202f")),
)
NULLS = frozenset(
    {
        *("", " ", "na", "n/a", "nan", "null", "nil", "none", "missing", "unknown", "-", "--"),
        *("?", ".", "#n/a", "#na", "#null!", "#div/0!", "#value!", "(null)", "\\n", "'n/a'"),
        *("<na>", "n.a.", "inf", "-inf", "k.a."),
    }
)
"""Texts that mean that a number or a time is missing, in lower case."""
_TEXT_NULLS = frozenset({"na", "n/a", "nan", "null", "#n/a", "\\n", "(null)", "<na>"})
"""Those that mean it of a text, too."""
MOST_ODD_TEXTS, MOST_ODD_SHARE = 5, 0.01
"""Different texts, and their share, that a column of numbers or times may have besides."""
_PAIRS = (("true", "false"), ("t", "f"), ("yes", "no"), ("y", "n"), ("1", "0"))
_LEADING_ZERO = re.compile(r"^-?0[0-9]+$")
_MOST_DIGITS = 18


@dataclass(frozen=True)
class Profile:
    """A column of a sample.

    Attributes:
        field: The field in the file.
        name: The column's name.
        rows: Number of records.
        missing: Records without a value, those with a text of `nulls` included.
        distinct: Number of different values.
        type: Type of the column in the table.
        times: Formats of times, or None.
        nulls: Texts that mean that the value is missing.
        odd: Texts that are not of the type and not read as missing, the commonest first.
        marks: Marks of numbers that read all of them; () for other types.
        words: Mean number of words of a text.
        guesses: What a person should look at, one sentence each.
    """

    field: str
    name: str
    rows: int
    missing: int = 0
    distinct: int = 0
    type: ColumnType = "string"
    times: Times | None = None
    nulls: tuple[str, ...] = ()
    odd: tuple[str, ...] = ()
    marks: tuple[Marks, ...] = ()
    words: float = 0
    guesses: tuple[str, ...] = ()

    @property
    def is_unique(self) -> bool:
        """Whether each record has another value, and none is missing."""
        return self.distinct == self.rows and not self.missing


def profile(
    field: str,
    name: str,
    texts: Sequence[str | None],
    *,
    is_text: bool,
    is_string: bool = False,
) -> Profile:
    """What the texts of a field are.

    Args:
        field: The field in the file.
        name: The column's name.
        texts: Its texts; None where a record has none.
        is_text: Whether the file is CSV, in which numbers may have marks.
        is_string: Whether the source says that it holds texts, such as codes of digits.
    """
    import polars as pl

    series = pl.Series("text", texts, dtype=pl.String)
    counts = series.drop_nulls().value_counts(sort=True)
    found = Profile(field, name, len(series), series.null_count(), len(counts))
    if not len(counts):
        return found
    different, times = counts["text"], counts["count"]
    is_null = different.str.strip_chars().str.to_lowercase().is_in(list(NULLS))
    values = different.filter(~is_null)
    if not len(values):
        return replace(found, nulls=tuple(different), missing=len(series), distinct=0)
    if is_string:
        return _string(found, counts)
    nulls = tuple(different.filter(is_null))
    most_odd = 0 if len(values) <= MOST_ODD_TEXTS else MOST_ODD_TEXTS
    read = (
        _boolean(values)
        or _times(name, values, most_odd)
        or _number(values, counts, most_odd, is_text=is_text)
    )
    if read is None:
        return _string(found, counts)
    kind, odd, more = read
    missing = int(times.filter(different.is_in([*nulls, *odd])).sum())
    if odd and missing > MOST_ODD_SHARE * len(series) and odd_share(odd, counts) > MOST_ODD_SHARE:
        return _string(found, counts)
    found = replace(
        found,
        type=kind,
        nulls=tuple(sorted([*nulls, *odd])),
        missing=found.missing + missing,
        distinct=len(values) - len(odd),
    )
    return replace(found, **more)  # type: ignore[arg-type]


def odd_share(odd: Sequence[str], counts: pl.DataFrame) -> float:
    """The share of the records whose text is one of these."""
    some = counts.filter(counts["text"].is_in(list(odd)))["count"].sum()
    return float(some) / float(counts["count"].sum())


_Read = tuple[ColumnType, tuple[str, ...], dict[str, object]]
"""A type, texts that are not of it, and further attributes of the profile."""


def _boolean(values: pl.Series) -> _Read | None:
    found = set(values.str.to_lowercase())
    known = {*meanings.TRUE, *meanings.FALSE}
    is_pair = bool(found & set(meanings.TRUE)) and bool(found & set(meanings.FALSE))
    is_matched = all({one, other} & found != {one} for one, other in _PAIRS) and all(
        {one, other} & found != {other} for one, other in _PAIRS
    )
    if not found <= known or not is_pair or not is_matched:
        return None
    guesses = ("0 and 1 are read as false and true",) if found == {"0", "1"} else ()
    return "boolean", (), {"guesses": guesses}


def _times(name: str, values: pl.Series, most_odd: int) -> _Read | None:
    times = times_of(name, values, most_odd)
    if times is None:
        return None
    column = Column(name="c", type="timestamp", format=times.formats, time_zone="UTC")
    odd = _unread(column, values)
    kind: Literal["timestamp", "date"] = "timestamp" if times.type == "timestamp" else "date"
    guesses = []
    if times.others:
        others = " or ".join(times.others)
        guesses.append(f"{times.formats[0]} or {others}: no day of the sample is above 12")
    if times.is_guessed:
        guesses.append(f"read as {times.formats[0]} because of its name")
    return kind, odd, {"times": times, "guesses": tuple(guesses)}


def _number(
    values: pl.Series, counts: pl.DataFrame, most_odd: int, *, is_text: bool
) -> _Read | None:
    """A number with any marks; codes with zeros in front are texts."""
    if values.str.contains(_LEADING_ZERO.pattern).any():
        return None
    if values.str.len_chars().max() > 3 * _MOST_DIGITS:  # type: ignore[operator]
        return None
    there = "".join(values.str.replace_all("[0-9A-Za-z]", "").unique())
    read: dict[Marks, tuple[str, ...]] = {}
    odd: dict[Marks, tuple[str, ...]] = {}
    for decimal, thousands in MARKS if is_text else MARKS[:1]:
        # Marks that are not there read alike; only one of these pairs has to be tried.
        has_decimal = decimal in there or "." in there
        alike = decimal if has_decimal else "", thousands if thousands in there else ""
        if alike not in read:
            column = Column(name="c", type="double", decimal=decimal, thousands=thousands)
            read[alike] = _unread(column, values)
        odd[decimal, thousands] = read[alike]
    fewest = min(map(len, odd.values()))
    if fewest > most_odd:
        return None
    best = tuple(marks for marks, texts in odd.items() if len(texts) == fewest)
    return _kind(values, odd[best[0]], best[0]), odd[best[0]], {"marks": best}


def kind_of_number(texts: Sequence[str | None], nulls: Sequence[str], marks: Marks) -> ColumnType:
    """``long`` where all numbers are whole and fit, else ``double``."""
    import polars as pl

    values = pl.Series("text", texts, dtype=pl.String).drop_nulls().unique()
    return _kind(values, nulls, marks)


def _kind(values: pl.Series, odd: Sequence[str], marks: Marks) -> Literal["long", "double"]:
    numbers = values.filter(~values.is_in(list(odd)))
    decimal, thousands = marks
    column = Column(name="c", type="long", decimal=decimal, thousands=thousands)
    has_decimals = numbers.str.contains(decimal, literal=True).any()
    return "double" if has_decimals or _unread(column, numbers) else "long"


def _unread(column: Column, values: pl.Series) -> tuple[str, ...]:
    """The texts that silver would not read, in the order of the series."""
    import polars as pl

    frame = pl.DataFrame({"c": values})
    return tuple(frame.filter(value(column, pl.col("c")).is_null())["c"])


def _string(found: Profile, counts: pl.DataFrame) -> Profile:
    """A text, which may have some of the spellings of a missing value as its values."""
    texts = counts["text"]
    lower = texts.str.strip_chars().str.to_lowercase()
    nulls = tuple(texts.filter(lower.is_in(list(_TEXT_NULLS))))
    doubtful = tuple(texts.filter(lower.is_in(["none", "unknown", "-", "?", "missing"])))
    missing = int(counts.filter(texts.is_in(list(nulls)))["count"].sum()) if nulls else 0
    guesses = tuple(f"{text!r} is a value, not a missing one" for text in doubtful[:3])
    words = float(texts.str.count_matches(r"\S+").mean() or 0)  # type: ignore[arg-type]
    return replace(
        found,
        nulls=tuple(sorted(nulls)),
        missing=found.missing + missing,
        distinct=len(texts) - len(nulls),
        words=words,
        guesses=guesses,
    )
