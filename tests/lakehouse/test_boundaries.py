"""Split boundaries come from the gold version alone."""

from __future__ import annotations

from datetime import date, timezone
from zoneinfo import ZoneInfo

import msgspec
import pytest

from goldlake_core.contracts.sections import Split
from goldlake_core.instants import of_micros, utc_text
from lakehouse.boundaries import split_boundaries
from lakehouse.gold.basis import Basis

CHICAGO = ZoneInfo("America/Chicago")
OLD = Basis(1, "u", "2018-02-10T21:50:01.000000Z", "2017-01-01T06:00:00.000000Z", "r")
FRESH = Basis(1, "u", "2017-01-10T12:00:00.250000Z", "2017-01-02T00:00:00.000000Z", "r")


def test_relative_windows_are_days_of_the_publisher_and_end_with_the_data():
    split = Split("relative", eval_days=30, test_days=92)
    found = split_boundaries(split, 30, OLD, CHICAGO).document()
    # Without a gap it is written as before there were any.
    assert msgspec.to_builtins(found) == {
        "train_from": None,
        "eval_from": "2016-09-01T05:00:00.000000Z",
        "test_from": "2016-10-01T05:00:00.000000Z",
        "until": "2017-01-01T06:00:00.000000Z",
        "mature_until": "2018-01-11T21:50:01.000000Z",
    }


def test_relative_windows_end_where_labels_are_mature():
    split = Split("relative", eval_days=5, test_days=10, train_days=100)
    found = split_boundaries(split, 30, FRESH, timezone.utc).document()
    assert found.until == found.mature_until == "2016-12-11T12:00:00.250000Z"
    assert found.test_from == "2016-12-01T12:00:00.250000Z"
    assert found.eval_from == "2016-11-26T12:00:00.250000Z"
    assert found.train_from == "2016-08-18T12:00:00.250000Z"


@pytest.mark.parametrize("until", [date(2016, 12, 1), None])
def test_fixed_days_stay(until: date | None):
    split = Split("fixed", eval_from=date(2016, 9, 1), test_from=date(2016, 10, 1), until=until)
    found = split_boundaries(split, 30, OLD, CHICAGO).document()
    assert found.eval_from == "2016-09-01T05:00:00.000000Z"
    assert found.test_from == "2016-10-01T05:00:00.000000Z"
    assert found.until == f"{until or '2017-01-01'}T06:00:00.000000Z"


def test_a_gap_moves_relative_windows_and_shortens_fixed_ones():
    split = Split("relative", eval_days=30, test_days=92, train_days=31, gap_days=7)
    found = split_boundaries(split, 30, OLD, CHICAGO).document()
    assert found.test_from == "2016-10-01T05:00:00.000000Z"
    assert found.eval_until == "2016-09-24T05:00:00.000000Z"
    assert found.eval_from == "2016-08-25T05:00:00.000000Z"
    assert found.train_until == "2016-08-18T05:00:00.000000Z"
    assert found.train_from == "2016-07-18T05:00:00.000000Z"
    fixed = Split(
        "fixed",
        eval_from=date(2016, 9, 1),
        test_from=date(2016, 10, 1),
        until=date(2016, 12, 1),
        gap_days=29,
    )
    found = split_boundaries(fixed, 30, OLD, CHICAGO).document()
    assert found.train_until == "2016-08-03T05:00:00.000000Z"
    assert found.eval_from == "2016-09-01T05:00:00.000000Z"
    assert found.eval_until == "2016-09-02T05:00:00.000000Z"
    assert found.test_from == "2016-10-01T05:00:00.000000Z"


def test_instants_keep_their_microseconds():
    assert (
        utc_text(of_micros(1_451_628_000_000_001), "microseconds") == "2016-01-01T06:00:00.000001Z"
    )
    assert utc_text(of_micros(-1), "microseconds") == "1969-12-31T23:59:59.999999Z"
