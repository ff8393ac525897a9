"""Counts add and subtract, limits follow from earlier periods, and a period is judged by them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta, timezone

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldlake_core.contracts.errors import StoreError
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.gate.baseline import Baseline, fitted
from goldlake_core.gate.batch import Account, Batch, Span, batch_of, coded_series, repeats_of
from goldlake_core.gate.counts import Counts, pooled
from goldlake_core.gate.families import STATISTICS, counted, measured
from goldlake_core.gate.judging import FEWEST_PERIODS, NO_ROWS, History
from goldlake_core.gate.layout import GateColumn, Layout, silver_layout
from goldlake_core.gate.limits import limit_of
from goldlake_core.gate.periods import Period, default_kind, period_of
from goldlake_core.gate.statistic import Measure

LAYOUT = Layout(
    table="harbour.silver.calls",
    columns=(
        GateColumn("kind", "string", True),
        GateColumn("berth", "string", False),
        GateColumn("length", "double", True),
        GateColumn("is_late", "boolean", True),
    ),
    key=("id",),
    event_time="at",
    zone="Europe/Berlin",
    labels={"is_late": 30},
)
ROWS = 3000


def rows(month: int, seed: int | None = None, count: int = ROWS) -> pl.DataFrame:
    """Calls of a month of 2024; the berth follows from the kind."""
    draw = np.random.default_rng(month if seed is None else seed)
    start = datetime(2024, month, 1, tzinfo=timezone.utc)
    minutes = np.sort(draw.integers(0, 28 * 1440, count))
    kind = draw.choice(["cargo", "ferry", "tanker"], count, p=[0.5, 0.3, 0.2])
    length = draw.normal(100, 20, count).round(6)
    late = draw.random(count) < np.where(kind == "tanker", 0.6, 0.1)
    return pl.DataFrame(
        {
            "at": [start + timedelta(minutes=int(each)) for each in minutes],
            "kind": kind,
            "berth": np.char.add("b-", kind),
            "length": length,
            "is_late": late,
        }
    )


def batch(frame: pl.DataFrame, month: int, **more: object) -> Batch:
    return batch_of(frame, LAYOUT, period_of(date(2024, month, 1), "month"), **more)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def baseline() -> Baseline:
    whole = pl.concat([rows(month) for month in range(1, 7)])
    span = Span(date(2024, 1, 1), "month", 200)
    return fitted(batch_of(whole, LAYOUT, span), LAYOUT, 1, ("2024-01",), "the first one")


@pytest.fixture(scope="module")
def history(baseline: Baseline) -> History:
    return History([counted(batch(rows(m), m), baseline) for m in range(1, 7)], baseline)


def beyond(history: History, baseline: Baseline, frame: pl.DataFrame, **more: object) -> set[str]:
    """Statistics beyond their limits, each with its columns."""
    judgement = history.judged(counted(batch(frame, 7, **more), baseline), LAYOUT)
    return {
        f"{each.measure.statistic}({','.join(each.measure.columns)})" for each in judgement.beyond
    }


def test_a_period_like_the_earlier_ones_passes(history: History, baseline: Baseline) -> None:
    judgement = history.judged(counted(batch(rows(7), 7), baseline), LAYOUT)
    assert judgement.has_limits
    assert judgement.earlier == 6
    assert judgement.beyond == ()
    assert judgement.findings[0].strain == max(each.strain for each in judgement.findings)


def test_what_is_broken_is_named(history: History, baseline: Baseline) -> None:
    frame = rows(7)
    is_new = pl.Series(np.arange(ROWS) % 20 == 0)
    renamed = frame.with_columns(
        kind=pl.when(is_new).then(pl.lit("barge")).otherwise(pl.col("kind"))
    )
    found = beyond(history, baseline, renamed)
    assert {"never_seen(kind)", "dependency(berth,kind)"} <= found
    judgement = history.judged(counted(batch(renamed, 7), baseline), LAYOUT)
    worst = next(each for each in judgement.beyond if each.measure.statistic == "never_seen")
    assert worst.measure.detail == "barge"
    assert worst.measure.value == pytest.approx(0.05)
    assert worst.stops
    assert "label_odds(is_late)" in beyond(history, baseline, frame.with_columns(is_late=False))
    assert "rows_a_day()" in beyond(history, baseline, frame.sample(1000, seed=1))
    assert "mean(length)" in beyond(history, baseline, frame.with_columns(pl.col("length") + 10))


def test_a_column_that_no_model_reads_is_reported_only(
    history: History, baseline: Baseline
) -> None:
    frame = rows(7).with_columns(berth=pl.lit("b-cargo"))
    judgement = history.judged(counted(batch(frame, 7), baseline), LAYOUT)
    assert judgement.beyond
    for each in judgement.beyond:
        assert each.stops is ("berth" not in each.measure.columns)


def test_labels_count_on_ripe_rows_only(history: History, baseline: Baseline) -> None:
    frame = rows(7).with_columns(is_late=False)
    start = datetime(2024, 7, 1, tzinfo=timezone.utc).timestamp()
    unripe = beyond(history, baseline, frame, ripe_before={"is_late": start})
    assert not any("is_late" in each for each in unripe if not each.startswith("distinct"))


def test_an_open_period_is_judged_by_its_size(history: History, baseline: Baseline) -> None:
    first_days = rows(7).filter(pl.col("at").dt.day() <= 8)
    assert beyond(history, baseline, first_days, is_closed=False) == set()
    assert {"hole_h()", "rows_a_day()"} <= beyond(history, baseline, first_days)


def test_no_rows_and_few_periods(baseline: Baseline, history: History) -> None:
    empty = counted(batch(rows(7).clear(), 7), baseline)
    [finding] = history.judged(empty, LAYOUT).beyond
    assert finding.measure.statistic == NO_ROWS
    few = History([counted(batch(rows(m), m), baseline) for m in (1, 2)], baseline)
    judgement = few.judged(counted(batch(rows(7).sample(2000, seed=1), 7), baseline), LAYOUT)
    assert len(few.periods) < FEWEST_PERIODS
    assert not judgement.has_limits
    assert judgement.beyond == ()
    lost = rows(7).with_columns(kind=pl.lit(None, pl.String))
    names = [each.measure for each in few.judged(counted(batch(lost, 7), baseline), LAYOUT).beyond]
    assert [(each.statistic, each.columns) for each in names] == [("jensen_shannon", ("kind",))]


def test_the_account_and_repeats(history: History, baseline: Baseline) -> None:
    frame = rows(7)
    twice = pl.concat([frame, frame.head(300)])
    within, again = repeats_of(twice, frame.head(150), LAYOUT, frozenset())
    assert within == pytest.approx(300 / 3300)
    assert again == pytest.approx(300 / 3300)
    earlier = [
        counted(batch(rows(m), m, account=Account(ROWS, 2, 0), repeats=(0.0, 0.0)), baseline)
        for m in range(1, 7)
    ]
    known = History(earlier, baseline)
    found = beyond(known, baseline, twice, account=Account(4000, 700, 0), repeats=(within, again))
    assert {"quarantined()", "repeated()", "repeated_of_last()"} <= found


def test_rows_of_dates_are_alike_and_no_fixed_limit_says_so(
    history: History, baseline: Baseline
) -> None:
    few = History([counted(batch(rows(m), m), baseline) for m in (1, 2)], baseline)
    own = counted(batch(rows(7), 7, account=Account(ROWS, 0, 0), repeats=(0.7, 0.9)), baseline)
    refused = {each.measure.statistic for each in few.judged(own, LAYOUT).beyond}
    assert refused == {"repeated", "repeated_of_last"}
    dates = replace(LAYOUT, has_clock=False)
    assert few.judged(own, dates).beyond == ()
    # What earlier periods teach still counts.
    earlier = [
        counted(batch(rows(m), m, account=Account(ROWS, 0, 0), repeats=(0.3, 0.3)), baseline)
        for m in range(1, 7)
    ]
    found = {
        each.measure.statistic for each in History(earlier, baseline).judged(own, dates).beyond
    }
    assert {"repeated", "repeated_of_last"} <= found
    for name, has_clock in (("uk_street_crime", False), ("crime_text", True)):
        layout = silver_layout(load_usecase(name))
        assert layout is not None
        assert layout.has_clock is has_clock


@pytest.mark.parametrize(
    ("quarantined", "unchanged", "expected"),
    [
        (9, 0, {}),
        (60, 0, {"quarantined": True}),
        (0, 2000, {"unchanged": False}),
    ],
)
def test_a_handful_of_records_is_chance_and_what_is_sent_again_stops_nothing(
    baseline: Baseline, quarantined: int, unchanged: int, expected: dict[str, bool]
) -> None:
    earlier = [counted(batch(rows(m), m, account=Account(ROWS, 0, 0)), baseline) for m in (1, 2, 3)]
    account = Account(ROWS + quarantined + unchanged, quarantined, unchanged)
    own = counted(batch(rows(7), 7, account=account), baseline)
    found = History(earlier, baseline).judged(own, LAYOUT).beyond
    assert {each.measure.statistic: each.stops for each in found} == expected


def test_counts_are_added_subtracted_and_kept(baseline: Baseline) -> None:
    one, two = (counted(batch(rows(m), m), baseline) for m in (1, 2))
    both = pooled([one, two])
    left = both.minus(two)
    assert left.rows == one.rows
    for name, array in one.arrays.items():
        assert (left.arrays[name] == array).all(), name
    assert left.values == one.values
    kept = Counts.from_bytes(one.to_bytes(), "2024-01.npz")
    assert (kept.rows, kept.values, kept.scalars) == (one.rows, one.values, one.scalars)
    assert all((kept.arrays[name] == one.arrays[name]).all() for name in one.arrays)
    with pytest.raises(StoreError, match=r"2024-01\.npz does not hold counts of the gate"):
        Counts.from_bytes(one.to_bytes()[:-40], "2024-01.npz")


@given(st.lists(st.integers(0, 2), min_size=1, max_size=40), st.integers(0, 40))
def test_counting_parts_is_counting_the_whole(kinds: list[int], cut: int) -> None:
    frame = rows(1, count=len(kinds)).with_columns(
        kind=pl.Series([["a", "b", "c"][each] for each in kinds])
    )
    span = Span(date(2024, 1, 1), "month", 31)
    base = fitted(batch_of(frame, LAYOUT, span), LAYOUT, 1, (), "")
    whole = counted(batch(frame, 1), base)
    parts = pooled([counted(batch(each, 1), base) for each in (frame[:cut], frame[cut:])])
    assert parts.rows == whole.rows
    for name in ("shares", "pairs", "hours"):
        assert (parts.arrays[name] == whole.arrays[name]).all()
    assert parts.values == whole.values


def test_every_value_is_of_a_known_statistic(history: History, baseline: Baseline) -> None:
    found = list(measured(counted(batch(rows(7), 7), baseline), history.pool, baseline))
    assert {each.statistic for each in found} <= set(STATISTICS)
    keys = [(each.statistic, each.columns) for each in found]
    assert len(keys) == len(set(keys))


def test_rows_far_away_leave_a_deviation_more_room_and_a_fault_does_not() -> None:
    """The baseline's tails widen the limit of a deviation; those of the judged period do not."""

    def spread(kurtosis: float, far: float = 0.0) -> float:
        frame = rows(1, count=800)
        lengths = frame["length"].to_numpy().copy()
        lengths[:4] += far
        frame = frame.with_columns(pl.Series("length", lengths))
        learned = fitted(batch(rows(2), 2), LAYOUT, 1, ("2024-02",), "")
        column = msgspec.structs.replace(learned.columns["length"], kurtosis=kurtosis)
        learned = msgspec.structs.replace(learned, columns={**learned.columns, "length": column})
        own = counted(batch(frame, 1), learned)
        [found] = [
            each
            for each in measured(own, own, learned)
            if (each.statistic, each.columns) == ("deviation", ("length",))
        ]
        return found.spread

    assert spread(3.0) == 1.0
    assert spread(101.0) == pytest.approx(5.0)
    assert spread(101.0, far=1e4) == pytest.approx(5.0)


def test_the_kurtosis_is_that_of_the_rows() -> None:
    def kurtosis(far: float) -> float:
        frame = rows(2)
        lengths = frame["length"].to_numpy().copy()
        lengths[:3] += far
        frame = frame.with_columns(pl.Series("length", lengths))
        return fitted(batch(frame, 2), LAYOUT, 1, ("2024-02",), "").columns["length"].kurtosis

    assert kurtosis(0.0) == pytest.approx(3.0, abs=0.4)
    assert kurtosis(1000.0) > 100
    flat = rows(2).with_columns(length=pl.lit(1.5))
    assert fitted(batch(flat, 2), LAYOUT, 1, ("2024-02",), "").columns["length"].kurtosis >= 0.0


def test_a_limit_follows_from_the_earlier_values() -> None:
    up, both = STATISTICS["jensen_shannon"], STATISTICS["mean"]
    earlier = [Measure("x", ("a",), value) for value in (0.01, 0.02, 0.03)]
    limit = limit_of(up, earlier, [9000] * 3, earlier[0], 9000)
    assert limit.low is None
    assert limit.high == pytest.approx(0.03 + 1.5 * (0.6 * 0.03 + 0.01))
    assert limit.strain(0.03) == 0
    assert limit.strain(limit.high) == pytest.approx(1)
    wide = limit_of(up, earlier, [9000] * 3, earlier[0], 9000, room=2)
    assert wide.high - 0.03 == pytest.approx(2 * (limit.high - 0.03))
    around = limit_of(both, earlier, [9000] * 3, earlier[0], 9000)
    assert around.low == pytest.approx(0.01 - 1.5 * (0.02 + 0.05))
    assert around.strain(around.low) == pytest.approx(1)
    noisy = earlier[0]._replace(spread=1.0)
    assert limit_of(up, earlier, [9000] * 3, noisy, 500).high > limit.high


@pytest.mark.parametrize(
    ("day", "kind", "name", "end", "days"),
    [
        (date(2024, 2, 29), "month", "2024-02", date(2024, 3, 1), 29),
        (date(2024, 12, 31), "month", "2024-12", date(2025, 1, 1), 31),
        (date(2024, 12, 31), "week", "2025-W01", date(2025, 1, 6), 7),
        (date(2024, 12, 31), "day", "2024-12-31", date(2025, 1, 1), 1),
    ],
)
def test_periods(day: date, kind: str, name: str, end: date, days: int) -> None:
    period = period_of(day, kind)  # type: ignore[arg-type]
    assert (period.name, period.end, period.days) == (name, end, days)
    assert period.first <= day < period.end


def test_the_length_of_a_period_follows_from_the_data() -> None:
    assert default_kind(date(2024, 1, 31), date(2024, 4, 1)) == "month"
    assert default_kind(date(2024, 1, 1), date(2024, 3, 31)) == "week"


def test_days_are_those_of_the_publisher(baseline: Baseline) -> None:
    """22:30 UTC of June 30 is July 1 in Berlin."""
    edge = (
        rows(7).head(1).with_columns(at=pl.lit(datetime(2024, 6, 30, 22, 30, tzinfo=timezone.utc)))
    )
    found = batch_of(edge, LAYOUT, Period(date(2024, 7, 1), "month"))
    assert found.minutes.tolist() == [30]
    assert batch_of(edge, LAYOUT, Period(date(2024, 6, 1), "month")).rows == 0


def test_values_are_coded_whatever_their_type() -> None:
    assert coded_series(pl.Series([3, None, 1])).values == ("1", "3")
    assert coded_series(pl.Series([True, None, False])).codes.tolist() == [1, -1, 0]
    assert coded_series(pl.Series([None, None], dtype=pl.String)).values == ()
