"""Chooses how the rows of a drafted model are divided into train, eval and test. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from goldlake.workflows.drafting.table import Table
from goldlake_core.contracts.sections import Column
from goldlake_core.contracts.yaml_text import Value, commented, written
from lakehouse.typed import source_text, value

FEWEST_DAYS = 3
"""Days that the events must span, so that train, eval and test have one each."""
FEWEST_TO_TRAIN = 0.5
"""Share of the rows that train must keep where time divides them."""
_TEST_SHARE, _EVAL_SHARE = 0.2, 0.1
_MOST_RUNS = 0.9
"""Share of the units whose steps have no gap, from which they are units."""


@dataclass(frozen=True)
class DraftedSplit:
    """A split, and why it was chosen.

    Attributes:
        lines: Lines of the model's file.
        text: What was chosen, in some words.
        is_guess: Whether a person should look at it.
    """

    lines: tuple[str, ...]
    text: str
    is_guess: bool


def split_of(table: Table) -> DraftedSplit:
    """By time where that leaves enough rows to train on; else by hash, which keeps units together.

    The windows of eval and test hold a tenth and a fifth of the rows of the sample, not of its
    days: events may be dense in some weeks and rare in others.
    """
    ages = _ages(table) if table.event_time else []
    days = ages[-1] + 1 if ages else 0
    if days < FEWEST_DAYS:
        return _by_hash(table, "")
    test = _window(ages, 0, _TEST_SHARE)
    eval_ = _window(ages, test, _EVAL_SHARE)
    left = sum(age >= test + eval_ for age in ages) / len(ages)
    if left < FEWEST_TO_TRAIN:
        return _by_hash(table, f"by time only {left:.0%} of the rows would be left to train on")
    return _by_time(table, days, test, eval_, left)


def _by_time(table: Table, days: int, test: int, eval_: int, left: float) -> DraftedSplit:
    declared: Value = {"kind": "relative", "test_days": test, "eval_days": eval_}
    span = f"{'' if table.sample.is_whole else '? '}the sample spans {days:,} days"
    return DraftedSplit(
        (
            f"event_time: {written(table.event_time)}",
            commented("maturity_days: 0", "? days until the label of an event is known"),
            commented(f"split: {written(declared)}", span),
        ),
        f"by time: test {test:,} days, eval {eval_:,} before, train {left:.0%} of the rows",
        is_guess=True,
    )


def _by_hash(table: Table, why: str) -> DraftedSplit:
    shares: dict[str, Value] = {"eval": _EVAL_SHARE, "test": _TEST_SHARE}
    unit = unit_of(table)
    by: dict[str, Value] = {"by": [unit]} if unit else {}
    reasons = [why] if why else []
    if unit:
        reasons.append(f"the records of one {unit} stay together")
    comment = f"? {'; '.join(reasons)}" if reasons else ""
    split: Value = {"kind": "hash", **by, **shares}
    text = f"by hash: {_TEST_SHARE:.0%} for test, {_EVAL_SHARE:.0%} for eval"
    return DraftedSplit(
        (commented(f"split: {written(split)}", comment),),
        "; ".join([text, *reasons]),
        is_guess=bool(reasons),
    )


def _window(ages: list[int], begin: int, share: float) -> int:
    """Days from an age on that hold at least a share of all rows; at least one. Ages are sorted."""
    older = [age for age in ages if age >= begin]
    if not older:
        return 1
    place = min(len(older), max(1, round(share * len(ages)))) - 1
    return older[place] - begin + 1


def _ages(table: Table) -> list[int]:
    """Days from each event that can be read to the last one, sorted."""
    import polars as pl

    event = table.column(table.event_time)
    assert event.times is not None
    column = Column(name="c", type="date", format=event.times.formats, null_values=event.nulls)
    texts = pl.DataFrame({"c": table.sample.texts[event.field]}, schema={"c": pl.String})
    days = texts.select(value(column, source_text(column, pl.col("c"))).alias("d"))[
        "d"
    ].drop_nulls()
    last = days.max()
    return sorted((last - day).days for day in days) if isinstance(last, date) else []


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
