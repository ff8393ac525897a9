"""The comparison with gradient boosting: what it says of answers, and what boosting learns."""

from __future__ import annotations

import numpy as np
import pytest

from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import Model
from tests.usecases.compared import Table, boosted, report

ROWS = (1000, 200, 300)


def test_a_better_model_and_a_worse_one() -> None:
    chance = np.random.default_rng(1)
    labels = chance.normal(size=400)
    near, far = (labels + chance.normal(scale=scale, size=400) for scale in (0.1, 1.0))
    found = report("regression", ROWS, (labels, near), (labels, far), 9)
    assert found.value == pytest.approx(0.1, rel=0.2)
    assert found.boosting == pytest.approx(1, rel=0.2)
    assert found.constant == pytest.approx(float(labels.std()))
    assert 0 < found.better[0] < 0.99 < found.better[1]
    low, high = report("regression", ROWS, (labels, far), (labels, near), 9).better
    assert (low, high) == pytest.approx((-found.better[1], -found.better[0]))


@pytest.mark.parametrize("head", ["binary", "multiclass"])
def test_answers_that_are_equal_are_not_better(head: str) -> None:
    labels = np.arange(100) % 2
    shares = np.where(labels, 0.6, 0.4) + np.sin(np.arange(100)) / 4
    columns = {
        "binary": (labels, shares, shares > 0.5),
        "multiclass": (labels, (shares > 0.5).astype(int), labels * 0, shares),
    }[head]
    found = report(head, ROWS, columns, columns, 1)
    assert found.better == (0, 0)
    assert found.constant == 0.5 < found.value == found.boosting


def table(rows: int, seed: int) -> tuple[Table, np.ndarray]:
    """Offences of two kinds whose rates differ, and in one state a third of them."""
    chance = np.random.default_rng(seed)
    keys = chance.choice([b"111000", b"435*00", b"\0missing"], rows)
    states = chance.choice([b"05", b"06"], rows)
    people = chance.integers(50_000, 500_000, rows).astype(float)
    rates = np.where(keys == b"111000", 2e-4, 8e-3) / np.where(states == b"05", 1, 3)
    columns: dict[str, np.ndarray] = {
        "offence_key": keys.astype(object),
        "state": states.astype(object),
        "county_kind": np.full(rows, b"LK", object),
        "population": people,
        "population_log": np.log(people),
        "cases": chance.poisson(people * rates).astype(float),
    }
    return columns, people * rates


def test_boosting_learns_counts_by_exposure_and_categories() -> None:
    model: Model = load_usecase("germany_pks").models["cases"]
    (train, _), (evaluate, _), (test, expected) = (table(n, n) for n in (3000, 500, 500))
    (labels, values, people), rounds = boosted(model, train, evaluate, test)
    assert (labels == test["cases"]).all()
    assert (people == test["population"]).all()
    assert 1 < rounds <= 100
    assert np.median(values / expected) == pytest.approx(1, abs=0.05)
    assert np.quantile(np.abs(values / expected - 1), 0.9) < 0.2


def test_boosting_learns_classes_by_words() -> None:
    model: Model = load_usecase("crime_text").models["kind"]
    words = [b"retail theft", b"simple battery", b"to vehicle", b"\0missing"]
    kinds = [b"THEFT", b"BATTERY", b"CRIMINAL DAMAGE", b"ASSAULT"]

    def rows(number: int) -> Table:
        place = np.arange(number) % 4
        return {
            "words": np.array([words[each] for each in place], object),
            "kind": np.array([kinds[each] for each in place], object),
        }

    test = dict(rows(40))
    test["kind"] = np.array([b"NARCOTICS", *test["kind"][1:]], object)
    (true, found, rank, share), _ = boosted(model, rows(400), rows(40), test)
    assert (true[0], share[0]) == (-1, 0)
    assert (true[1:] == found[1:]).all()
    assert (rank[1:] == 0).all()
