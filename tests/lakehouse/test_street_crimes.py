"""Two polls of months whose outcomes were amended, up to gold; and what the API took out."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from goldlake.workflows import reconcile as workflow
from goldlake.workflows.reconcile import reconcile
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents.lakehouse import Fates, Landed
from goldlake_core.storage.home import Home
from goldlake_simulators.base import SimulatorOptions
from goldlake_simulators.police_uk.crimes import is_inside
from goldlake_simulators.police_uk.simulator import api
from lakehouse import audit, delta, specs, stages
from lakehouse.sources.land import land
from tests.lakehouse.records import silent
from tests.simulators.conftest import Serve, with_source

pytestmark = pytest.mark.spark

ROWS, SEED, FROZEN = 1_200, 17, 1e-6
"""Of the crimes of this seed two are taken out between the two polls."""
BEFORE, AFTER = "2024-02-10", "2024-05-10"


class Town:
    """The shipped use case over a simulated API that divides its area and stands still in time."""

    def __init__(self, spark: Any, serve: Serve, home: Home) -> None:
        self.spark, self.home, self._serve = spark, home, serve
        usecase = load_usecase("uk_street_api")
        quick = {"requests_per_s": 100_000, "backoff_s": 0.0001}
        options = {**usecase.source.options, **quick}
        self.usecase: UseCase = with_source(usecase, options=options)

    def url(self, at: str) -> str:
        faults = "rate:100000,most:20"
        return self._serve(
            self.usecase, rows=ROWS, seed=SEED, start=at, speed=FROZEN, faults=faults
        )

    def land(self, at: str) -> Landed:
        return land(self.usecase, self.home, self.url(at), None, None, "run", silent)

    def refine(self) -> Fates:
        return stages.refine(self.spark, self.usecase, self.home, "run", silent).fates

    def served(self, at: str, since: str = "") -> Counter[tuple[str, str, str | None]]:
        """Month, street and outcome of all crimes in the area."""
        crimes = api(self.usecase, SimulatorOptions(rows=ROWS, seed=SEED)).crimes
        corners = [tuple(corner) for corner in self.usecase.source.options["polygon"]]
        update = crimes.update_at(at)
        assert update is not None
        rows = [
            json.loads(each.body)
            for month, shown in crimes.shown(update).items()
            for each in shown
            if month >= since and each.point and is_inside(each.point, corners)
        ]
        return Counter(
            (
                r["month"],
                r["location"]["street"]["name"],
                (r["outcome_status"] or {}).get("category"),
            )
            for r in rows
        )

    def silver(self, since: str = "") -> Counter[tuple[str, str, str | None]]:
        """The same of silver's rows."""
        rows = delta.read(self.spark, specs.silver(self.usecase, self.home, 1).uri)
        chosen = rows.select("month", "street", "outcome").collect()
        texts = ((f"{month:%Y-%m}", street, outcome) for month, street, outcome in chosen)
        return Counter(each for each in texts if each[0] >= since)


@pytest.fixture
def town(spark: Any, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Town:
    place = Town(spark, serve, Home.at(tmp_path))

    def refined(*arguments: Any) -> tuple[str, Any]:
        return "run", stages.refine(spark, place.usecase, place.home, "run", silent)

    monkeypatch.setattr(workflow, "load_usecase", lambda name: place.usecase)
    monkeypatch.setattr(workflow, "_refine", refined)
    return place


def test_silver_has_the_newest_outcomes_and_each_crime_once(town: Town) -> None:
    first = town.land(BEFORE)
    fates = town.refine()
    assert (fates.inserted, fates.landed) == (first.rows, first.rows)
    assert town.silver() == town.served(BEFORE)

    second = town.land(AFTER)
    assert second.requests > 2 * second.pages, "areas were divided"
    fates = town.refine()
    assert fates.landed == second.rows == fates.inserted + fates.amended + fates.unchanged
    assert min(fates.inserted, fates.amended, fates.unchanged) > 30
    # The newest month was 2023-12: months from 2023-06 on were asked for again.
    again, now = town.silver("2023-06"), town.served(AFTER, "2023-06")
    assert not now - again
    audit.deep(town.spark, town.usecase, town.home, 1, silent)

    # What was taken out leaves with a reconciliation.
    rows = town.silver().total()
    gone = reconcile("uk_street_api", town.home, town.url(AFTER), lambda event: None)
    assert gone.deleted == (again - now).total() == 2
    assert town.silver().total() == rows - gone.deleted
    assert town.silver("2023-06") == now
    assert town.silver().total() == town.served(AFTER).total() - gone.never_landed
    audit.deep(town.spark, town.usecase, town.home, 1, silent)

    # Months that the API does not have any more were not deleted.
    options = {**town.usecase.source.options, "first_month": "2023-09"}
    town.usecase = with_source(town.usecase, options=options)
    late = reconcile("uk_street_api", town.home, town.url(AFTER), lambda event: None)
    assert (late.deleted, late.source_keys) == (0, town.served(AFTER, "2023-09").total())
