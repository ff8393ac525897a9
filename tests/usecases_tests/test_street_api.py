"""The shipped use case over the police's API: generated and real crimes fit its contract."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from goldlake.workflows.check import check_usecase
from goldlake.workflows.trial import try_records
from goldlake_core.contracts.registry import load_usecase, resolve
from goldlake_core.contracts.sections import UseCase
from goldlake_simulators.base import SimulatorOptions
from goldlake_simulators.server import running
from tests.simulators.conftest import with_source

LONDON = [[51.50, -0.13], [51.53, -0.13], [51.53, -0.07], [51.50, -0.07]]


@pytest.fixture(scope="module")
def case() -> UseCase:
    usecase = load_usecase("uk_street_api")
    options = {**usecase.source.options, "requests_per_s": 100_000}
    return with_source(usecase, options=options)


def tried(usecase: UseCase, **options: Any) -> tuple[int, int, list[str]]:
    """Records, rejected ones, and what is said of columns."""
    with running(usecase, SimulatorOptions(faults="rate:100000", **options)) as url:
        trial, problems = try_records(with_source(usecase, address=url))
    return trial.records, trial.rejected, [each.column for each in problems]


def test_the_contract_holds() -> None:
    assert [each.message for each in check_usecase("uk_street_api").findings] == []


def test_generated_crimes_fit_the_contract(case: UseCase) -> None:
    records, rejected, columns = tried(case, rows=1_500, seed=3)
    assert (records > 1_480, rejected, columns) == (True, 0, ["context"])


def test_a_real_month_fits_the_contract(case: UseCase, test_data: Path) -> None:
    file = test_data / "uk_police" / "api_crimes_leicester_2023-01.json.gz"
    assert tried(case, data=(file,)) == (1_448, 0, ["context"])


def test_a_real_year_of_the_archive_fits_the_contract(case: UseCase, test_data: Path) -> None:
    files = tuple(sorted((test_data / "uk_police").glob("*-street.csv.gz")))
    options = {**case.source.options, "polygon": LONDON, "forces": ["simulated"]}
    records, rejected, columns = tried(with_source(case, options=options), data=files)
    assert (records > 9_800, rejected, set(columns) <= {"context", "location_subtype"}) == (
        *(True, 0, True),
    )


def test_generated_crimes_depend_on_the_seed(case: UseCase) -> None:
    rows = resolve(case, "generate.rows", "source.generator")
    one, same, other = (list(rows(400, seed)) for seed in (1, 1, 2))
    assert one == same != other
    assert len({row[":crime"] for row in one}) == 400
    assert 500 < len(one) < 700
    outcomes = Counter((row["outcome_status"] or {}).get("category") for row in one)
    assert outcomes["Under investigation"] > 100
    assert outcomes[None] > 10
    without = [row for row in one if not row["persistent_id"]]
    assert {row["category"] for row in without} > {"anti-social-behaviour"}
    assert any(":gone" in row for row in rows(2_000, 1))
