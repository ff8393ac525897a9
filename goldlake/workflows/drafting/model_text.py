"""Writes a drafted ``models/LABEL.yaml``, where the label is one that a model can learn. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from goldlake.workflows.drafting.columns import Profile
from goldlake.workflows.drafting.split import split_of, unit_of
from goldlake.workflows.drafting.table import Table, is_id
from goldlake_core.contracts.contract_file import ROWS
from goldlake_core.contracts.heads import HeadKind, default_head
from goldlake_core.contracts.sections import Column
from goldlake_core.contracts.yaml_text import Value, commented, written
from lakehouse.typed import source_text, value

if TYPE_CHECKING:
    import polars as pl

MOST_VALUES = 1000
"""Different values of a text up to which it is a category."""
FEW_VALUES = 20
"""Different whole numbers up to which they are categories."""
WORDS = 4
"""Mean number of words from which a column is a text."""
FEW_TEXTS, ROWS_OF_EACH = 100, 20
"""Different texts, and mean records of each, up to and from which long texts are a category."""
WIDE, WIDE_SHARE = 20, 0.95
"""Multiple of its median, or of 1, that one in twenty values of a number exceeds: its logarithm is
what a network can learn from."""
EXAMPLES = 2
"""Rows that a served model is asked for after a run."""
FEW_CLASSES = 10
"""Different whole numbers of a label up to which they are classes."""
_PLAIN = re.compile(r"([-+]?[0-9]{1,15})(?:\.0*)?")
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
        *split_of(table).lines,
        "features:",
        *(
            commented(f"  {written(each.name)}: {written(each.written)}", each.comment)
            for each in features_of(table, label)
        ),
        *_training(task.head),
        "thresholds:",
        *(
            commented(f"  {metric}: {written(bound)}", "? better than a constant answer")
            for metric, bound in task.bound.items()
        ),
        "examples:",
        *(f"  - {written(row)}" for row in _examples(table, label)),
    ]
    return "\n".join(lines) + "\n"


def _training(head: HeadKind) -> Iterator[str]:
    """How the network is trained, where that is not as usual.

    Units that are dropped at random make numbers smaller in training than in answers.
    """
    if head == "regression":
        yield commented("training: {dropout: 0.0}", "numbers are learned better without it")


def _examples(table: Table, label: str) -> list[dict[str, Value]]:
    """The first records of the sample as a client would send them; missing values are left out."""
    names = {n for each in features_of(table, label) for n in each.columns}
    typed = _typed([each for each in table.columns if each.name in names], table, EXAMPLES)
    return [
        {name: found for name, found in row.items() if found is not None}
        for row in typed.iter_rows(named=True)
    ]


def _typed(profiles: Sequence[Profile], table: Table, rows: int | None = None) -> pl.DataFrame:
    """The first records of the sample, or all of them, as silver would have them."""
    import polars as pl

    columns = [
        Column(
            name=each.name,
            type=each.type,
            null_values=each.nulls,
            decimal=each.marks[0][0] if each.marks else ".",
            thousands=each.marks[0][1] if each.marks else "",
        )
        for each in profiles
    ]
    texts = {each.name: table.sample.texts[each.field][:rows] for each in profiles}
    frame = pl.DataFrame(texts, schema=dict.fromkeys(texts, pl.String))
    return frame.select(value(c, source_text(c, pl.col(c.name))).alias(c.name) for c in columns)


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
        if each.distinct > 1 and not _names_records(each, table) and f"has_{each.name}" not in known
    ]
    found = [feature for each in columns if (feature := _feature(each, table, label)) is not None]
    return [*found, *_places(columns)]


def _names_records(column: Profile, table: Table) -> bool:
    """Whether a column tells the records apart and says nothing of them.

    A measure, or a text of many words, may differ in each record too.
    """
    if not column.is_unique or column.type == "double":
        return False
    if column.type != "long":
        return column.words < WORDS
    return is_id(column) or _counts_up(column, table)


def _counts_up(column: Profile, table: Table) -> bool:
    """Whether whole numbers follow one another, in any order."""
    found = (_PLAIN.fullmatch((text or "").strip()) for text in table.sample.texts[column.field])
    values = [int(number[1]) for number in found if number]
    return len(values) == column.rows and max(values) - min(values) + 1 == column.rows


def _feature(column: Profile, table: Table, label: str) -> Feature | None:
    tells = _tells(column, table, label)
    if column.is_unique and column.type == "long":
        tells = "? another number in each record: a measure, or a name of the record"
    if column.type in ("date", "timestamp"):
        return None
    if column.type == "double" or (column.type == "long" and column.distinct > FEW_VALUES):
        return Feature(column.name, {"kind": "numeric", **_scale(column, table, label)}, tells)
    if column.type == "string" and column.words >= WORDS and not _is_listed(column):
        return Feature(column.name, {"kind": "text"}, tells)
    if column.distinct > MOST_VALUES or 2 * column.distinct > table.sample.rows:
        return None
    return Feature(column.name, {"kind": "categorical"}, tells)


def _scale(column: Profile, table: Table, label: str) -> dict[str, Value]:
    """The scale of a number where it is not the usual one.

    A label that spans orders of magnitude itself may be a sum of such numbers, not of logarithms.
    """
    is_log = _is_wide(column, table) and not _is_wide(table.column(label), table)
    return {"scale": "log"} if is_log else {}


def _is_wide(column: Profile, table: Table) -> bool:
    """Whether a column has numbers that span orders of magnitude, as inhabitants of towns do."""
    if column.type not in ("long", "double"):
        return False
    sizes = _typed([column], table)[column.name].drop_nulls().abs()
    median, high = sizes.median(), sizes.quantile(WIDE_SHARE)
    if not isinstance(median, (int, float)) or high is None:
        return False
    return high > WIDE * max(median, 1)


def _is_listed(column: Profile) -> bool:
    """Whether the texts are chosen from a list, such as outcomes: few, and each there often."""
    there = column.rows - column.missing
    return column.distinct <= FEW_TEXTS and ROWS_OF_EACH * column.distinct <= there


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
