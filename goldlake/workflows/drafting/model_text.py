"""Writes a drafted ``models/LABEL.yaml``, where the label is one that a model can learn. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from goldlake.workflows.drafting.columns import Profile
from goldlake.workflows.drafting.table import Table
from goldlake_core.contracts.contract_file import ROWS
from goldlake_core.contracts.sections import Column
from goldlake_core.contracts.yaml_text import Value, commented, written
from lakehouse.typed import source_text, value

FEWEST_DAYS = 3
"""Days that the events must span, so that train, eval and test have one each."""
MOST_VALUES = 1000
"""Different values of a text up to which it is a category."""
FEW_VALUES = 20
"""Different whole numbers up to which they are categories."""
WORDS = 4
"""Mean number of words from which a column is a text."""
EXAMPLES = 2
"""Rows that a served model is asked for after a run."""
_TEST_SHARE, _EVAL_SHARE = 0.2, 0.1
_ROWS_PER_STEP, _FEWEST, _MOST = 50, 16, 1024
_LATITUDE = re.compile(r"(^|_)(lat|latitude)(_|$)")
_LONGITUDE = re.compile(r"(^|_)(lon|lng|long|longitude)(_|$)")


@dataclass(frozen=True)
class Feature:
    """A feature of a drafted model.

    Attributes:
        name: Name of the feature.
        declared: Keys that declare the feature.
        comment: What a person should look at, or "".
    """

    name: str
    declared: dict[str, Value]
    comment: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it reads."""
        named = self.declared.get("columns")
        return tuple(map(str, named)) if isinstance(named, list) else (self.name,)


def obstacles(table: Table, label: str) -> list[str]:
    """Why no model can learn a column of a table as it is; [] where one can."""
    column = table.column(label)
    found = []
    if column.type != "boolean":
        found.append(f"{label} has type {column.type}, and models predict booleans")
    if column.missing:
        found.append(f"{label} is missing in {column.missing:,} records")
    if not table.event_time:
        found.append("there is no column with the time of the event, by which the data are split")
    elif event_days(table) < FEWEST_DAYS:
        found.append(f"all events lie within {event_days(table)} days, too few to split")
    if not found and not features_of(table, label):
        found.append("there is no column that could be a feature")
    return found


def model_text(table: Table, label: str, usecase: str) -> str:
    """The text of a model that predicts a column; see `obstacles`."""
    days = event_days(table)
    test, eval_ = (max(1, round(days * share)) for share in (_TEST_SHARE, _EVAL_SHARE))
    split: Value = {"kind": "relative", "test_days": test, "eval_days": eval_}
    steps = table.sample.rows // _ROWS_PER_STEP
    batch = 1 << max(_FEWEST, min(_MOST, steps)).bit_length() - 1
    lines = [
        "# Drafted by `goldlake init`. What a line with ? says is guessed: look at it.",
        f"name: {written(label)}",
        f"title: {written(label.replace('_', ' ').capitalize())}",
        commented(
            f"description: {written(f'Predicts {label} of a row of {usecase}.')}",
            "? what it predicts, and for whom",
        ),
        f"table: {ROWS}",
        f"label: {written(label)}",
        f"event_time: {written(table.event_time)}",
        commented("maturity_days: 0", "? days until the label of an event is known"),
        commented(f"split: {written(split)}", _span(table, days)),
        "features:",
        *(
            commented(f"  {written(each.name)}: {written(each.declared)}", each.comment)
            for each in features_of(table, label)
        ),
        f"training: {written({'batch_rows': batch})}",
        "thresholds:",
        commented("  auc: {min: 0.6}", "? a model that guesses has 0.5"),
        "examples:",
        *(f"  - {written(row)}" for row in _examples(table, label)),
    ]
    return "\n".join(lines) + "\n"


def _examples(table: Table, label: str) -> list[dict[str, Value]]:
    """The first records of the sample as a client would send them; missing values are left out."""
    import polars as pl

    names = {n for each in features_of(table, label) for n in each.columns}
    columns = [
        Column(
            name=each.name,
            type=each.type,
            null_values=each.nulls,
            decimal=each.marks[0][0] if each.marks else ".",
            thousands=each.marks[0][1] if each.marks else "",
        )
        for each in table.columns
        if each.name in names
    ]
    fields = {each.name: each.field for each in table.columns}
    texts = {c.name: table.sample.texts[fields[c.name]][:EXAMPLES] for c in columns}
    frame = pl.DataFrame(texts, schema=dict.fromkeys(texts, pl.String))
    typed = frame.select(value(c, source_text(c, pl.col(c.name))).alias(c.name) for c in columns)
    return [
        {name: found for name, found in row.items() if found is not None}
        for row in typed.iter_rows(named=True)
    ]


def _span(table: Table, days: int) -> str:
    return f"{'' if table.sample.is_whole else '? '}the sample spans {days:,} days"


def event_days(table: Table) -> int:
    """How many days lie between the first and the last event, both included."""
    import polars as pl

    event = table.column(table.event_time)
    assert event.times is not None
    column = Column(name="c", type="date", format=event.times.formats, null_values=event.nulls)
    texts = pl.DataFrame({"c": table.sample.texts[event.field]}, schema={"c": pl.String})
    days = texts.select(value(column, source_text(column, pl.col("c"))).alias("d"))["d"]
    first, last = days.min(), days.max()
    if not isinstance(first, date) or not isinstance(last, date) or isinstance(first, datetime):
        return 0
    return (last - first).days + 1


def features_of(table: Table, label: str) -> list[Feature]:
    """What a model can read of a table, known by type and number of values only."""
    skipped = {label, *table.always}
    columns = [each for each in table.columns if each.name not in skipped]
    known = {each.name for each in table.columns}
    columns = [
        each
        for each in columns
        if each.distinct > 1 and not each.is_unique and f"has_{each.name}" not in known
    ]
    found = [feature for each in columns if (feature := _feature(each, table, label)) is not None]
    return [*found, *_places(columns)]


def _feature(column: Profile, table: Table, label: str) -> Feature | None:
    tells = _tells(column, table, label)
    if column.type in ("date", "timestamp"):
        return None
    if column.type == "double" or (column.type == "long" and column.distinct > FEW_VALUES):
        return Feature(column.name, {"kind": "numeric"}, tells)
    if column.type == "string" and column.words >= WORDS:
        return Feature(column.name, {"kind": "text"}, tells)
    if column.distinct > MOST_VALUES or 2 * column.distinct > table.sample.rows:
        return None
    return Feature(column.name, {"kind": "categorical"}, tells)


def _tells(column: Profile, table: Table, label: str) -> str:
    """A warning where the values of a column leave nothing to predict."""
    if 2 * column.distinct > table.sample.rows:
        return ""
    pairs = set(
        zip(
            table.sample.texts[column.field],
            table.sample.texts[table.column(label).field],
            strict=True,
        )
    )
    values = {value for value, _ in pairs}
    is_function = len(values) > 1 and len(pairs) == len(values)
    return f"? tells {label} by itself: is it known before the outcome" if is_function else ""


def _places(columns: list[Profile]) -> Iterator[Feature]:
    degrees = [each for each in columns if each.type == "double"]
    latitude = next((each.name for each in degrees if _LATITUDE.search(each.name)), None)
    longitude = next((each.name for each in degrees if _LONGITUDE.search(each.name)), None)
    if latitude and longitude and "place" not in {each.name for each in columns}:
        yield Feature("place", {"kind": "position", "columns": [latitude, longitude]})
