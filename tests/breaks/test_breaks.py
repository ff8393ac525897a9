"""The gate sees breaks of a real month, and none where there is none."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from tests.breaks import first_half, second_half, table
from tests.breaks.catalog import FAMILIES, Break
from tests.breaks.feed import month_of, raw_months
from tests.breaks.reach import MONTHS, Judge, clean, false_alarms, outcome, outcomes

MONTH, FIRST = 12, 8
REACH = 0.95
THINNED = [next(one for one in first_half.BREAKS if one.family == name) for name in FAMILIES]


def test_there_are_enough_breaks_of_each_family() -> None:
    both = (*first_half.BREAKS, *second_half.BREAKS)
    assert len(both) >= 60
    assert len({one.name for one in both}) == len(both)
    assert set(Counter(one.family for one in both)) == set(FAMILIES)
    assert min(Counter(one.family for one in both).values()) >= 4
    assert all(len(one.severities) >= 3 for one in both)
    assert all(list(one.severities) == sorted(one.severities, reverse=True) for one in both)


@pytest.fixture(scope="module")
def judge(test_data: Path) -> Judge:
    """The gate before December, with four months of history."""
    return Judge(test_data, MONTH, FIRST)


def test_a_clean_month_stops_nothing(test_data: Path, judge: Judge) -> None:
    found = judge.judged(clean(test_data, MONTH))
    assert found.has_limits
    assert found.earlier == MONTH - FIRST
    assert [each.measure for each in found.beyond if each.stops] == []


@pytest.mark.parametrize("one", THINNED, ids=lambda one: one.name)
def test_a_break_stops_the_run(test_data: Path, judge: Judge, one: Break) -> None:
    month = month_of(test_data, MONTH)
    found = outcome(judge, month, one, one.severities[0], month.before["id"])
    assert found.stops, found


def test_breaks_are_pure(test_data: Path) -> None:
    month = month_of(test_data, MONTH)
    before = month.rows.clone()
    for one in THINNED:
        broken = one.fault(month, one.severities[0])
        assert broken.equals(one.fault(month, one.severities[0])), one.name
        assert not broken.equals(before), one.name
        assert set(broken.schema.values()) == {pl.String()}, one.name
    assert month.rows.equals(before)


def test_the_room_of_the_contract_moves_a_limit(test_data: Path, judge: Judge) -> None:
    """A column with more room passes, and one with less does not."""
    from tests.breaks.reach import layout

    one = next(each for each in second_half.BREAKS if each.name == "unknown_as_text")
    month = month_of(test_data, MONTH)
    from tests.breaks.feed import refined

    counts = judge.counts(refined(one.fault(month, 0.02), test_data), judge.last, MONTH)

    def beyond(room: float) -> bool:
        columns = tuple(
            dataclasses.replace(each, room=room) if each.name == "location_description" else each
            for each in layout().columns
        )
        found = judge.history.judged(counts, dataclasses.replace(layout(), columns=columns))
        return any(each.measure.columns == ("location_description",) for each in found.beyond)

    assert beyond(1.0)
    assert not beyond(100.0)


@pytest.mark.long
def test_reach_and_false_alarms_of_all_breaks(test_data: Path) -> None:
    found = list(outcomes(test_data, table.ALL, all_severities=True))
    first = {one.name: one.severities[0] for one in table.ALL}
    for month in MONTHS:
        seen = [each for each in found if each.month == month and each.severity == first[each.name]]
        assert len(seen) == len(table.ALL)
        stops = [each for each in seen if each.stops]
        assert len(stops) >= REACH * len(seen), [e.name for e in seen if not e.stops]
    alarms = list(false_alarms(test_data))
    assert [m for m, judgement in alarms if any(f.stops for f in judgement.beyond)] == []
    committed = table.PAGE.read_text(encoding="utf-8")
    assert committed == table.page(found, alarms).rstrip("\n") + "\n", (
        "run: python -m tests.breaks.table"
    )


def test_the_real_year_is_whole(test_data: Path) -> None:
    assert sum(month.height for month in raw_months(test_data)) == 268_813
