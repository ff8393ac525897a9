"""Faults on request: which, how often, and the same ones each time."""

from __future__ import annotations

from collections import Counter

import pytest

from goldlake_core.contracts.errors import UsageError
from goldlake_simulators.faults import Faults


def drawn(spec: str, seed: int) -> list[str | None]:
    faults = Faults.parse(spec, seed)
    return [faults.next() for _ in range(2_000)]


def test_the_seed_decides() -> None:
    assert drawn("429:0.1,cut:0.05", 1) == drawn("429:0.1,cut:0.05", 1)
    assert drawn("429:0.1,cut:0.05", 1) != drawn("429:0.1,cut:0.05", 2)


def test_shares() -> None:
    counts = Counter(drawn("429:0.1, 500:0.05,slow:0.2", 3))
    assert set(counts) == {None, "429", "500", "slow"}
    assert counts["429"] == pytest.approx(200, abs=60)
    assert counts["500"] == pytest.approx(100, abs=45)
    assert counts["slow"] == pytest.approx(400, abs=80)
    assert set(drawn("", 0)) == {None}
    assert set(drawn("503:1", 0)) == {"503"}


@pytest.mark.parametrize("spec", ["429", "429:x", "418:0.1", "500:1.5", "500:-1", "fire:0.1"])
def test_what_is_no_fault(spec: str) -> None:
    with pytest.raises(UsageError, match="is not a valid fault") as caught:
        Faults.parse(spec)
    assert "such as 429:0.1" in caught.value.message


def test_shares_over_one_are_refused() -> None:
    with pytest.raises(UsageError, match="add up to more than 1"):
        Faults.parse("429:0.6,500:0.6")
