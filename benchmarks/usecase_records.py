"""What came of data sets that became use cases: the records that tests leave, and all of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from goldlake_core.contracts.errors import UsageError

RECORD = Path(__file__).parents[1] / "docs" / "benchmarks" / "usecases.json"
HIGH = ("auc", "accuracy")
"""Metrics of which more is better."""
NEAR = 0.02
"""Share of boosting's metric by which a model may be worse."""
WHOLE, SPLIT, SPLITS = ".whole.json", ".split.json", ".splits.json"
"""Endings of the records of a whole run, of one on another split, and of all splits together."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a data set up to landing.

    Attributes:
        name: Name of the use case.
        place: Where its files are, or its one file.
        records: Number of records that were looked at.
        rejected: Number of them that would be quarantined.
        landed: Number of records that were landed, or null where they were not.
        columns: Number of columns of the drafted contract.
        head: Head of the drafted model, or "".
        seconds: CPU seconds of `init` and `check --data`.
    """

    name: str
    place: str
    records: int
    rejected: int
    landed: int | None
    columns: int
    head: str
    seconds: float


class Whole(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a whole run.

    Attributes:
        name: Name of the run.
        place: Its files, or that they are made.
        label: The column that its model predicts.
        lines: Lines that a person wrote.
        minutes: Duration of all commands in minutes.
        landed: Number of records that were landed.
        fates: Number of records by fate; a fate that no record has is left out.
        head: Head of the model.
        metric: Metric of the comparison.
        rows: Rows of train, eval and test.
        value: Metric of the model on test.
        constant: Metric of the best constant answer.
        boosting: Metric of gradient boosting.
        better: Interval of what the model is better by, paired by row.
        answer: The first answer of the served model.
    """

    name: str
    place: str
    label: str
    lines: int
    minutes: float
    landed: int
    fates: dict[str, int]
    head: str
    metric: str
    rows: tuple[int, ...]
    value: float
    constant: float
    boosting: float
    better: tuple[float, float]
    answer: Any

    @property
    def is_high(self) -> bool:
        """Whether more of the metric is better."""
        return self.metric in HIGH

    @property
    def is_near(self) -> bool:
        """Whether the model is at most `NEAR` worse than boosting."""
        if self.is_high:
            return self.value >= self.boosting * (1 - NEAR)
        return self.value <= self.boosting * (1 + NEAR)

    @property
    def may_be_equal(self) -> bool:
        """Whether the interval has 0, or the model is better."""
        return self.better[1] >= 0


class OnSplits(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a whole run on several splits.

    Attributes:
        name: Name of the run.
        edits: Lines of the drafted model that were written anew, as they are then.
        metric: Metric of the comparison.
        values: Metric of the model on test, by split; the drafted split is the first.
        boosting: The same of gradient boosting.
        near: Splits on which the model is near boosting, or may be equal to it.
    """

    name: str
    edits: tuple[str, ...]
    metric: str
    values: tuple[float, ...]
    boosting: tuple[float, ...]
    near: int


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """All that is on record."""

    looked_at: tuple[Row, ...] = ()
    whole: tuple[Whole, ...] = ()
    splits: tuple[OnSplits, ...] = ()


def recorded() -> Record:
    """What is on record."""
    return msgspec.json.decode(RECORD.read_bytes(), type=Record)


def added(record: Record, folder: Path) -> Record:
    """The record with what a folder has; read-only.

    Args:
        record: The record so far; a row of the same name is replaced.
        folder: Where the tests left what came of data sets.

    Raises:
        UsageError: There is nothing.
    """
    files = sorted(folder.glob("*.json"))
    if not files:
        raise UsageError(f"There are no records in {folder}", valid="what GOLDLAKE_RECORD named")
    kinds = (WHOLE, SPLIT, SPLITS)
    whole = [_read(file, Whole) for file in files if file.name.endswith(WHOLE)]
    splits = [_read(file, OnSplits) for file in files if file.name.endswith(SPLITS)]
    rows = [_read(file, Row) for file in files if not file.name.endswith(kinds)]
    all_splits = {(each.name, each.edits): each for each in (*record.splits, *splits)}
    return Record(
        looked_at=_merged(record.looked_at, rows),
        whole=_merged(record.whole, whole),
        splits=tuple(all_splits[key] for key in sorted(all_splits)),
    )


R = TypeVar("R", Row, Whole)
T = TypeVar("T", Row, Whole, OnSplits)


def _read(file: Path, kind: type[T]) -> T:
    return msgspec.json.decode(file.read_bytes(), type=kind)


def _merged(before: Iterable[R], new: Iterable[R]) -> tuple[R, ...]:
    """Rows by place, the made ones first."""
    by_name = {each.name: each for each in (*before, *new)}
    return tuple(sorted(by_name.values(), key=lambda r: ("/" in r.place, r.place, r.name)))
