"""What a table is: its columns, key, version and time of events, out of a sample."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from goldlake.workflows.drafting.columns import MARKS, Marks, Profile, kind_of_number, profile
from goldlake.workflows.drafting.sample import Sample
from goldlake_core.contracts.field_names import column_names
from lakehouse.sources.base import DataSet

_ID = re.compile(r"(^|_)(id|key|code|nr|no|number|nummer|uuid|guid|ref|unit|schluessel)(_|$)")
_VERSION = re.compile(r"(^|_)(updated|modified|changed|amended|last_update|last_change)(_|$)")
_EVENT = re.compile(
    r"(^|_)(date|time|day|datetime|timestamp|month|when|joined|occurred|start)(_|$)"
)
_KEY_TYPES = ("long", "string", "date", "timestamp")
MOST_OF_KEY = 3
_CONSIDERED = 6


@dataclass(frozen=True)
class Table:
    """A table as it is taken for.

    Attributes:
        sample: The records that were looked at.
        columns: The columns, in the order of the file; those without a value are left out.
        empty: Fields without any value.
        unnameable: Fields whose names a contract cannot have.
        marks: Marks of numbers of the file.
        key: Names of the key's columns; () where only the content tells records apart.
        version: Name of the column with the newer version, or "".
        event_time: Name of the column with the time of the fact, or "".
        repeated: Records that are equal to another one.
    """

    sample: Sample
    columns: tuple[Profile, ...]
    empty: tuple[str, ...]
    unnameable: tuple[str, ...]
    marks: Marks
    key: tuple[str, ...]
    version: str
    event_time: str
    repeated: int

    def column(self, name: str) -> Profile:
        """The column called ``name``; raises KeyError."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def always(self) -> frozenset[str]:
        """Names of the columns that must have a value."""
        return frozenset({*self.key, self.version, self.event_time} - {""})


def table_of(sample: Sample) -> Table:
    """What a sample of records is taken for."""
    unnameable = tuple(field for field in sample.texts if not _is_nameable(field))
    fields = [field for field in sample.texts if field not in unnameable]
    origin = sample.origin
    spelled = {field: _title(field, origin) for field in fields}
    titles = column_names(spelled.values())
    strings = origin.texts | {origin.key} if origin is not None else frozenset[str]()
    found = [
        profile(
            field,
            titles[spelled[field]],
            sample.texts[field],
            is_text=sample.is_text,
            is_string=field in strings,
        )
        for field in fields
    ]
    empty = tuple(each.field for each in found if not each.distinct)
    columns = [each for each in found if each.distinct]
    marks = _marks(columns)
    is_certain = any(_proves(sample.texts[each.field], marks) for each in columns if each.marks)
    columns = [_of_marks(each, marks, sample, is_certain=is_certain) for each in columns]
    key = _key(columns, sample)
    times = [each for each in columns if each.times is not None and not each.missing]
    version = next((t.name for t in times if _VERSION.search(t.name) and key), "")
    if origin is not None:
        key, version = (titles[spelled[origin.key]],), titles[spelled[origin.version]]
    events = [each for each in times if each.name != version]
    named = [each for each in events if _EVENT.search(each.name)]
    event_time = next(iter([*named, *events]), None)
    rows = zip(*sample.texts.values(), strict=True)
    repeated = sum(count - 1 for count in Counter(rows).values() if count > 1)
    return Table(
        sample=sample,
        columns=tuple(columns),
        empty=empty,
        unnameable=unnameable,
        marks=marks,
        key=key,
        version=version,
        event_time=event_time.name if event_time else "",
        repeated=repeated,
    )


def _title(field: str, origin: DataSet | None) -> str:
    """What a column is named after; fields of the API's own are about the row."""
    is_of_api = origin is not None and field in (origin.key, origin.version)
    return f"row {field}" if is_of_api else field


def _is_nameable(field: str) -> bool:
    """Whether a contract can name a field."""
    return bool(field) and field[0] != "$" and field.replace("\n", " ").isprintable()


def _marks(columns: Sequence[Profile]) -> Marks:
    """The marks that most columns of numbers have; the plainest of these."""
    counts = Counter(marks for each in columns for marks in each.marks)
    return max(MARKS, key=lambda marks: (counts[marks], -MARKS.index(marks)))


def _of_marks(column: Profile, marks: Marks, sample: Sample, *, is_certain: bool) -> Profile:
    """A column of numbers with the file's marks, where these read it, or else with its own."""
    if not column.marks:
        return column
    own = marks if marks in column.marks else column.marks[0]
    texts = sample.texts[column.field]
    column = replace(column, type=kind_of_number(texts, column.nulls, own), marks=(own,))
    has_mark = bool(own[1]) and any(text is not None and own[1] in text for text in texts)
    if has_mark and not (is_certain and own == marks) and not _proves(texts, own):
        told = f"{own[1]!r} is read as a mark of thousands; it could be the decimal mark"
        return replace(column, guesses=(*column.guesses, told))
    return column


def _proves(texts: Sequence[str | None], marks: Marks) -> bool:
    """Whether a number shows that a mark is one of thousands: by a second one, or by decimals."""
    decimal, thousands = marks
    return bool(thousands) and any(
        text is not None and (text.count(thousands) > 1 or (thousands in text and decimal in text))
        for text in texts
    )


def _key(columns: Sequence[Profile], sample: Sample) -> tuple[str, ...]:
    """The first column, pair or triple of columns that tells all records apart."""
    varied = [each for each in columns if each.distinct > 1 or sample.rows == 1]
    first = varied[0].name if varied else ""
    able = [
        each
        for n, each in enumerate(varied)
        if each.type in _KEY_TYPES and not each.missing and (n < _CONSIDERED or is_id(each))
    ]
    single = [each for each in able if each.is_unique and (is_id(each) or each.name == first)]
    if single:
        return (min(single, key=lambda each: not is_id(each)).name,)
    # A text of many words, or a measure that happens to differ, identifies nothing.
    parts = [each for each in able if each.words < MOST_OF_KEY][:_CONSIDERED]
    for names in _groups(parts, first):
        texts = [sample.texts[each.field] for each in names]
        if len(set(zip(*texts, strict=True))) == sample.rows:
            return tuple(each.name for each in names)
    return ()


def is_id(column: Profile) -> bool:
    """Whether the name of a column is that of an id."""
    return _ID.search(column.name) is not None


def _groups(parts: Sequence[Profile], first: str) -> Iterator[tuple[Profile, ...]]:
    for size in range(2, MOST_OF_KEY + 1):
        for group in combinations(parts, size):
            # Every key names a thing: one of its columns is an id, or the first.
            if group[0].name == first or any(map(is_id, group)):
                yield group
