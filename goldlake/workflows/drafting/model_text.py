"""Writes a drafted ``models/LABEL.yaml``, where the label is one that a model can learn. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from goldlake.workflows.drafting.columns import Profile
from goldlake.workflows.drafting.table import Table
from goldlake_core.contracts.contract_file import ROWS
from goldlake_core.contracts.heads import HeadKind, default_head
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
FEW_CLASSES = 10
"""Different whole numbers of a label up to which they are classes."""
_TEST_SHARE, _EVAL_SHARE = 0.2, 0.1
_MOST_RUNS = 0.9
"""Share of the units whose steps have no gap, from which they are units."""
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
    def written(self) -> Value:
        """The declaration, or its kind where that is all of it."""
        return self.declared["kind"] if len(self.declared) == 1 else self.declared

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it reads."""
        named = self.declared.get("columns")
        return tuple(map(str, named)) if isinstance(named, list) else (self.name,)


@dataclass(frozen=True)
class Task:
    """What a model of a label is.

    Attributes:
        head: What kind of answer the model gives.
        bound: A bound that any useful model keeps, as keys of ``thresholds``.
        comment: What a person should look at, or "".
    """

    head: HeadKind
    bound: dict[str, Value]
    comment: str = ""


_BOUNDS: dict[HeadKind, tuple[str, float]] = {
    "binary": ("auc", 0.05),
    "multiclass": ("crossentropy", 0.05),
    "regression": ("rmse", 0.05),
    "count": ("poisson_deviance", 0.05),
}


def task_of(column: Profile) -> Task | None:
    """The task of predicting a column, or None for a column of times."""
    kind = default_head(column.type)
    comment = ""
    if column.type == "long":
        is_few = column.distinct <= FEW_CLASSES
        kind = "multiclass" if is_few else "regression"
        others = "regression, or count" if is_few else "count for numbers of events, or multiclass"
        comment = f"? {others}"
    if kind is None:
        return None
    metric, least = _BOUNDS[kind]
    return Task(kind, {metric: {"over_baseline": least}}, comment)


def obstacles(table: Table, label: str) -> list[str]:
    """Why no model can learn a column of a table as it is; [] where one can."""
    column = table.column(label)
    task = task_of(column)
    found = []
    if task is None:
        found.append(f"{label} has type {column.type}, which no model predicts")
    elif column.distinct < 2:
        found.append(f"{label} is the same in all records")
    elif task.head == "multiclass" and (
        column.distinct > MOST_VALUES or 2 * column.distinct > table.sample.rows
    ):
        found.append(f"{label} has {column.distinct:,} different texts, too many for classes")
    if not found and not features_of(table, label):
        found.append("there is no column that could be a feature")
    return found


def model_text(table: Table, label: str, usecase: str) -> str:
    """The text of a model that predicts a column; see `obstacles`."""
    column = table.column(label)
    task = task_of(column)
    assert task is not None
    missing = f"{column.missing:,} records have none, and are left out" if column.missing else ""
    lines = [
        "# Drafted by `goldlake init`. What a line with ? says is guessed: look at it.",
        f"name: {written(label)}",
        f"title: {written(label.replace('_', ' ').capitalize())}",
        commented(
            f"description: {written(f'Predicts {label} of a row of {usecase}.')}",
            "? what it predicts, and for whom",
        ),
        f"table: {ROWS}",
        commented(f"label: {written(label)}", missing),
        commented(f"head: {task.head}", task.comment),
        *_split(table),
        "features:",
        *(
            commented(f"  {written(each.name)}: {written(each.written)}", each.comment)
            for each in features_of(table, label)
        ),
        "thresholds:",
        *(
            commented(f"  {metric}: {written(bound)}", "? better than a constant answer")
            for metric, bound in task.bound.items()
        ),
        "examples:",
        *(f"  - {written(row)}" for row in _examples(table, label)),
    ]
    return "\n".join(lines) + "\n"


def _split(table: Table) -> Iterator[str]:
    """By time where the events span some days; else by hash, which keeps units together."""
    days = event_days(table) if table.event_time else 0
    if days >= FEWEST_DAYS:
        test, eval_ = (max(1, round(days * share)) for share in (_TEST_SHARE, _EVAL_SHARE))
        split: Value = {"kind": "relative", "test_days": test, "eval_days": eval_}
        yield f"event_time: {written(table.event_time)}"
        yield commented("maturity_days: 0", "? days until the label of an event is known")
        yield commented(f"split: {written(split)}", _span(table, days))
        return
    unit = unit_of(table)
    if unit:
        by: Value = {"kind": "hash", "by": [unit], "eval": _EVAL_SHARE, "test": _TEST_SHARE}
        yield commented(f"split: {written(by)}", f"? the records of one {unit} stay together")
    else:
        yield f"split: {written({'kind': 'hash', 'eval': _EVAL_SHARE, 'test': _TEST_SHARE})}"


def unit_of(table: Table) -> str:
    """The column of a key whose records are steps of one thing, such as cycles of a machine; or "".

    The other column of such a key counts the steps of each without a gap.
    """
    import polars as pl

    if len(table.key) != 2:
        return ""
    unit, step = map(table.column, table.key)
    if step.type != "long":
        return ""
    frame = pl.DataFrame(
        {"u": table.sample.texts[unit.field], "s": table.sample.texts[step.field]},
        schema={"u": pl.String, "s": pl.String},
    ).with_columns(pl.col("s").cast(pl.Int64, strict=False))
    steps = frame.group_by("u").agg(pl.len(), (pl.col("s").max() - pl.col("s").min()).alias("d"))
    is_run = steps.select((pl.col("len") == pl.col("d") + 1).fill_null(value=False))["len"]
    is_unit = len(steps) > 1 and 2 * len(steps) <= table.sample.rows
    return unit.name if is_unit and is_run.mean() > _MOST_RUNS else ""


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
    # A part of a longer key may say what a row is about, such as the kind of an offense.
    names = table.key if len(table.key) == 1 else (unit_of(table),)
    skipped = {label, table.version, table.event_time, *names}
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
