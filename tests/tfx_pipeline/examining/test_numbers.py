"""What the numbers of a regression and of a count show."""

from __future__ import annotations

import numpy as np
import pytest

from goldlake_core.documents.examining import NumberAnswers
from tfx_pipeline.examining import numbers
from tfx_pipeline.examining.registry import look_at

ROWS = 5000


def of_regression(found: np.ndarray, labels: np.ndarray) -> NumberAnswers:
    look = look_at("regression")
    answers = look.answers(labels, look.kept({"value": found}, labels), {})
    assert isinstance(answers, NumberAnswers)
    return answers


@pytest.fixture
def labels() -> np.ndarray:
    return np.random.default_rng(3).normal(50, 10, ROWS)


def test_every_row_is_in_one_cell_of_the_density(labels: np.ndarray) -> None:
    found = labels + np.random.default_rng(4).normal(0, 5, ROWS)
    shown = numbers.density(found, labels, "linear")
    assert sum(rows for *_, rows in shown.cells) == ROWS
    assert len(shown.cells) <= numbers.CELLS**2
    low, high = shown.edges[0], shown.edges[-1]
    beyond = (np.minimum(found, labels) < low) | (np.maximum(found, labels) > high)
    assert shown.outside == beyond.sum() > 0


def test_equal_answers_and_labels_lie_on_the_diagonal(labels: np.ndarray) -> None:
    shown = numbers.density(labels, labels, "linear")
    assert {(i, j) for i, j, _ in shown.cells} == {(n, n) for n in range(numbers.CELLS)}


def test_bins_hold_equally_many_rows_and_tell_what_is_observed(labels: np.ndarray) -> None:
    found = labels * 0.5 + 25  # shrunk to the mean: too high below it, too low above
    shown = numbers.bins(found, labels)
    assert [each.rows for each in shown] == [ROWS // 10] * 10
    first, last = shown[0], shown[-1]
    assert first.observed.high < first.predicted
    assert last.observed.low > last.predicted
    assert first.residuals[0] <= first.residuals[1] <= first.residuals[2]
    assert first.residuals[0] > 0 > last.residuals[2]


def test_a_bias_is_found_with_its_interval(labels: np.ndarray) -> None:
    noise = np.random.default_rng(5).normal(0, 1, ROWS)
    shown = of_regression(labels + noise + 2, labels)
    assert shown.bias_interval is not None
    low, high = shown.bias_interval
    assert shown.bias == pytest.approx(2, abs=0.1)
    assert 0 < low < shown.bias < high
    assert high - low == pytest.approx(2 * 1.96 / ROWS**0.5, rel=0.1)
    assert shown.metrics["mae"] == pytest.approx(float(abs(noise + 2).mean()))
    assert sum(shown.residuals.counts) == ROWS


def test_numbers_that_are_mostly_small_are_drawn_on_logarithmic_axes() -> None:
    random = np.random.default_rng(6)
    skewed = np.floor(random.lognormal(2, 2, ROWS))
    assert numbers.scale_of(skewed, skewed) == "log"
    assert numbers.scale_of(skewed, skewed - 1) == "linear"  # a negative answer has no logarithm
    assert numbers.scale_of(random.normal(50, 5, ROWS), skewed) == "linear"
    shown = numbers.density(skewed, skewed, "log")
    assert shown.outside == 0
    assert shown.edges[0] == pytest.approx(skewed.min(), abs=1e-9)
    assert shown.edges[-1] == pytest.approx(skewed.max())


def test_rates_weigh_rows_by_their_exposure() -> None:
    random = np.random.default_rng(7)
    exposures = random.choice([1.0, 1000.0], ROWS)
    rates = random.uniform(0.1, 1.0, ROWS)
    labels = random.poisson(rates * exposures).astype("float64")
    look = look_at("count")
    shown = look.answers(labels, look.kept({"value": rates * exposures, "rate": rates}, labels), {})
    assert isinstance(shown, NumberAnswers)
    assert len(shown.rates) == 10
    for place, each in enumerate(shown.rates):
        part = np.array_split(np.argsort(rates, kind="stable"), 10)[place]
        assert each.observed.value == pytest.approx(labels[part].sum() / exposures[part].sum())
        assert each.predicted == pytest.approx(np.average(rates[part], weights=exposures[part]))
        assert each.observed.low <= each.observed.value <= each.observed.high


def test_a_count_without_an_exposure_has_no_rates() -> None:
    labels = np.array([0.0, 1.0, 2.0])
    look = look_at("count")
    shown = look.answers(labels, look.kept({"value": labels + 0.5}, labels), {})
    assert isinstance(shown, NumberAnswers)
    assert shown.rates == ()
    assert look.followed(look.kept({"value": labels}, None)) == ("value",)


def test_one_row_and_equal_rows_are_shown_too() -> None:
    for rows in (1, 3):
        shown = of_regression(np.full(rows, 7.0), np.full(rows, 7.0))
        assert sum(n for *_, n in shown.density.cells) == rows
        assert sum(shown.residuals.counts) == rows
        assert shown.metrics["r2"] is None
        assert [each.rows for each in shown.bins] == [1] * rows
        assert all(each.observed.low <= 7 <= each.observed.high for each in shown.bins)


def test_the_largest_errors_come_first_and_right_answers_are_none() -> None:
    labels, found = np.array([1.0, 2.0, 3.0]), np.array([1.0, 12.0, 0.0])
    look = look_at("regression")
    errors = look.errors(labels, look.kept({"value": found}, labels), 10)
    assert [(e.row, e.answered, e.label) for e in errors] == [(1, 12.0, 2.0), (2, 0.0, 3.0)]
