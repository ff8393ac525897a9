"""Means, deviations and quantiles are exact, and equal in any order of rows and batches."""

from __future__ import annotations

import math
import statistics
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.tfx

FLOATS = st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1)


def combined(function: object, batches: list[np.ndarray], parts: int = 1) -> np.ndarray:
    """What Beam makes of batches in so many bundles."""
    accumulators = []
    for part in range(parts):
        accumulator = function.create_accumulator()  # type: ignore[attr-defined]
        for batch in batches[part::parts]:
            accumulator = function.add_input(accumulator, (batch,))  # type: ignore[attr-defined]
        accumulators.append(function.compact(accumulator))  # type: ignore[attr-defined]
    merged = function.merge_accumulators(accumulators)  # type: ignore[attr-defined]
    return function.extract_output(merged)  # type: ignore[attr-defined, no-any-return]


@given(FLOATS)
def test_mean_and_deviation_are_the_exact_ones_rounded_once(values: list[float]) -> None:
    from tfx_pipeline.modules.exact import Moments

    mean, deviation = combined(Moments(), [np.array(values, np.float32)])
    with np.errstate(over="ignore"):
        exact = [Fraction(value) for value in values]
        middle = sum(exact, Fraction()) / len(exact)
        assert mean == np.float32(float(middle))
        spread = math.sqrt(sum((each - middle) ** 2 for each in exact) / len(exact))
        assert deviation == np.float32(spread or 1.0)


def test_the_parts_of_numbers_that_floats_would_lose_are_kept() -> None:
    from tfx_pipeline.modules.exact import Moments

    values = np.array([1e30, 1.0, -1e30, 3.0], np.float32)
    assert combined(Moments(), [values])[0] == 1.0
    # Floats take 16,777,216.5 for the mean of these, or lose the deviation.
    large = np.float32(2**24) + np.array([0, 2, 4, 6], np.float32)
    mean, deviation = combined(Moments(), [large])
    assert (mean, deviation) == (np.float32(2**24 + 3), np.float32(math.sqrt(5)))


def test_nothing_and_what_is_not_a_number_have_no_spread() -> None:
    from tfx_pipeline.modules.exact import Moments, Quantiles

    odd = np.array([np.nan, np.inf, -np.inf], np.float32)
    for batches in ([], [odd]):
        assert combined(Moments(), batches).tolist() == [0, 1]
        assert combined(Quantiles(4), batches).tolist() == [0, 0, 0]
    assert combined(Moments(), [odd, np.array([7, 7], np.float32)]).tolist() == [7, 1]


@given(FLOATS, st.integers(2, 6))
def test_a_quantile_is_the_first_number_of_its_part(values: list[float], buckets: int) -> None:
    from tfx_pipeline.modules.exact import Quantiles

    ordered = sorted(np.array(values, np.float32).tolist())
    expected = [ordered[len(ordered) * part // buckets] for part in range(1, buckets)]
    assert combined(Quantiles(buckets), [np.array(values, np.float32)]).tolist() == expected


def test_quantiles_agree_with_the_standard_library() -> None:
    from tfx_pipeline.modules.exact import Quantiles

    values = np.random.default_rng(1).normal(size=9999).astype(np.float32)
    found = combined(Quantiles(10), np.array_split(values, 7), 3)
    np.testing.assert_allclose(found, statistics.quantiles(values.tolist(), n=10), atol=1e-3)


@pytest.mark.parametrize("most", [1 << 20, 64])
def test_any_order_in_any_batches_gives_the_same_bits(most: int) -> None:
    from tfx_pipeline.modules.exact import Moments, Quantiles

    pick = np.random.default_rng(3)
    values = (pick.normal(size=20_000) * 10.0 ** pick.integers(-6, 6, 20_000)).astype(np.float32)
    found = set()
    for _ in range(12):
        pick.shuffle(values)
        batches = np.array_split(values, int(pick.integers(1, 40)))
        parts = int(pick.integers(1, 9))
        moments = combined(Moments(), batches, parts)
        found.add(moments.tobytes() + combined(Quantiles(20, most), batches, parts).tobytes())
    assert len(found) == 1


def test_neighbors_are_counted_together_when_there_are_too_many() -> None:
    from tfx_pipeline.modules.exact import Quantiles

    values = np.random.default_rng(4).uniform(-5, 5, 50_000).astype(np.float32)
    coarse = combined(Quantiles(10, 1 << 10), np.array_split(values, 9), 4)
    np.testing.assert_allclose(coarse, np.arange(-4, 5), atol=0.1)
    counts = Quantiles(10, 1 << 10).compact(
        Quantiles(10, 1 << 10).add_input(Quantiles(10).create_accumulator(), (values,))
    )
    assert len(counts.codes) <= 1 << 10
    assert counts.rows.sum() == 50_000
