"""What a statistic is: its name, its direction, the room that its limit leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from goldlake_core.gate.baseline import Baseline
from goldlake_core.gate.batch import Batch
from goldlake_core.gate.counts import Counts

Direction = Literal["up", "both"]


@dataclass(frozen=True)
class Statistic:
    """One statistic of a family.

    Attributes:
        name: Its name, such as ``jensen_shannon``.
        about: What it is, in some words, with its unit.
        direction: Whether only large values are limited, or small ones, too.
        floor: Room of its limit in any case, in its unit.
        may_stop: Whether a value beyond its limit may stop a run; else it is reported.
    """

    name: str
    about: str
    direction: Direction
    floor: float
    may_stop: bool = True


class Measure(NamedTuple):
    """One measured value.

    Attributes:
        statistic: Name of the statistic.
        columns: The columns that it is about; none for the table as a whole.
        value: What was measured.
        spread: How much chance adds to it at one row; it falls with the root of the rows.
        detail: What is most conspicuous, such as a level; "" where there is nothing to name.
        sure: The part of the value that chance does not explain, which is judged; None: all of it.
    """

    statistic: str
    columns: tuple[str, ...]
    value: float
    spread: float = 0.0
    detail: str = ""
    sure: float | None = None


@dataclass(frozen=True)
class Family:
    """Statistics that come from the same counts.

    Attributes:
        name: Name of the family.
        statistics: The statistics of the family.
        count: Adds what it counts in a batch to the counts of the period. Pure otherwise.
        measure: The values of a period, by its counts and those of the periods to compare with.
    """

    name: str
    statistics: tuple[Statistic, ...]
    count: Callable[[Batch, Baseline, Counts], None]
    measure: Callable[[Counts, Counts, Baseline], Iterator[Measure]]


def scalar(statistic: str, *columns: str) -> str:
    """The key of a scalar among the counts."""
    return "\t".join((statistic, *columns))


def scalars(own: Counts, statistics: tuple[Statistic, ...]) -> Iterator[Measure]:
    """The measures that are scalars of the period itself."""
    names = {each.name for each in statistics}
    for key, value in own.scalars.items():
        statistic, *columns = key.split("\t")
        if statistic in names:
            yield Measure(statistic, tuple(columns), value)
