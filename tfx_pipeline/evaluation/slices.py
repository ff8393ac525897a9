"""The slices of a test split, and how models do on each; NumPy only, all pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from goldlake_core.contracts.heads import COST
from goldlake_core.contracts.sections import Costs
from goldlake_core.documents.training import Metrics, PairedChange, SliceReport
from tfx_pipeline.heads.base import COUNT, Columns, Head

if TYPE_CHECKING:
    import numpy as np

    from tfx_pipeline.paired import Change

MOST_SMALL = 1000
"""Slices of each list of columns that are listed although they are too small to be judged."""


@dataclass(frozen=True)
class Answers:
    """What models answered to the rows of the test split.

    Attributes:
        candidate: What the head keeps of the candidate's answers, one array [n] each.
        baseline: The same of the model that serves, for the same rows in the same order, or None.
        values: Values of slicing columns as texts by column, [n]; None for a missing one.
        kinds: Type of these values in tf.Example (bytes, int64 or float) by column; a column
            without any value has none.
    """

    candidate: Columns
    baseline: Columns | None
    values: Mapping[str, Sequence[str | None]]
    kinds: Mapping[str, str] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.candidate[0])


def slice_reports(
    head: Head,
    answers: Answers,
    slices: Sequence[Sequence[str]],
    costs: Costs | None = None,
    *,
    most_small: int = MOST_SMALL,
) -> tuple[list[SliceReport], int]:
    """How the candidate does on the whole split and on each slice.

    Args:
        head: What kind of answer the models give.
        answers: Their answers; all of them are finite.
        slices: Lists of columns. Rows that lack a value of one are in none of its slices.
        costs: What wrong answers cost, or None.
        most_small: Largest number of slices of a list that are listed and cannot be judged.

    Returns:
        The whole split first, then the slices in order; and the number of those left out, which
        are the smallest.
    """
    found = [_report(head, answers, {}, None, costs)]
    left_out = 0
    for columns in slices:
        places = places_of(answers.values, columns)
        reports = [
            _report(head, answers, dict(zip(columns, key, strict=True)), rows, costs)
            for key, rows in places
        ]
        small = sorted((r for r in reports if not r.is_judged), key=lambda r: -r.rows)
        dropped = set(map(id, small[most_small:]))
        left_out += len(dropped)
        found += [report for report in reports if id(report) not in dropped]
    return found, left_out


def places_of(
    values: Mapping[str, Sequence[str | None]], columns: Sequence[str]
) -> Iterator[tuple[tuple[str, ...], np.ndarray]]:
    """The rows of each combination of values that occurs, ascending.

    Args:
        values: Values by column, [n]; None for a missing one.
        columns: Columns of the slices. Rows that lack a value of one are in none.

    Yields:
        The values of the columns, and the places of the rows, [k].
    """
    import numpy as np

    rows: dict[tuple[str, ...], list[int]] = {}
    for place, key in enumerate(zip(*(values[name] for name in columns), strict=True)):
        if None not in key:
            rows.setdefault(key, []).append(place)
    for key in sorted(rows):
        yield key, np.array(rows[key])


def _report(
    head: Head,
    answers: Answers,
    key: Mapping[str, str],
    rows: np.ndarray | None,
    costs: Costs | None,
) -> SliceReport:
    after = _part(answers.candidate, rows)
    before = None if answers.baseline is None else _part(answers.baseline, rows)
    change = None
    if before is not None:
        try:
            change = _paired(head.compared, head.change(before, after), head.compared == "auc")
        except ValueError:  # Too few rows to compare by.
            change = None
    intervals = head.intervals(after) if len(after[0]) else {}
    return SliceReport(
        slice=dict(key),
        rows=len(after[0]),
        positives=head.positives(after),
        is_judged=head.is_enough(after),
        metrics=_metrics(head, after, costs),
        intervals={name: each for name, each in intervals.items() if each is not None},
        baseline=None if before is None else _metrics(head, before, costs),
        change=change,
    )


def _part(columns: Columns, rows: np.ndarray | None) -> Columns:
    return columns if rows is None else tuple(each[rows] for each in columns)


def _metrics(head: Head, columns: Columns, costs: Costs | None) -> Metrics:
    names = [*head.scores, *([] if costs is None else [COST]), COUNT]
    return {name: finite(head.score(name, columns, costs)) for name in names}


def _paired(measure: str, change: Change, is_better_high: bool) -> PairedChange:
    low, high = change.interval
    return PairedChange(
        measure=measure,
        before=change.before,
        after=change.after,
        value=change.value,
        z=change.z if is_better_high else -change.z,
        low=low,
        high=high,
    )


def finite(value: float) -> float | None:
    """A number as JSON has it: None where it is undefined."""
    return value if math.isfinite(value) else None
