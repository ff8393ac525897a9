"""Time played forward: a batch becomes a stream, and arrests become known by amendment."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.commands import goldlake_json, source

FATES = ("inserted", "amended", "unchanged", "stale", "quarantined", "deleted")
# Some six days pass in a second, so months pass while Spark starts for the second ingestion.
CLOCK = ("--speed", "500000", "--start", "2024-04-01T00:00:00Z")

pytestmark = [pytest.mark.long, pytest.mark.spark]


def test_amendments_reach_silver_and_every_record_has_its_fate(tmp_path: Path) -> None:
    with source("chicago_crime", "--rows", "4000", *CLOCK, folder=tmp_path) as url:
        command = ("ingest", "chicago_crime", "--source", url, "--home", "home")
        first = goldlake_json(*command, folder=tmp_path)
        second = goldlake_json(*command, folder=tmp_path)
    assert 0 < first["land"]["rows"] < 4000
    assert second["land"]["rows"] > 0
    assert second["refine"]["fates"]["amended"] > 0
    assert second["refine"]["fates"]["inserted"] > 0
    totals = second["refine"]["totals"]
    assert totals["landed"] == first["land"]["rows"] + second["land"]["rows"]
    assert sum(totals[fate] for fate in FATES) == totals["landed"]
    assert totals["silver"] == totals["inserted"]
    assert totals["silver"] > first["refine"]["totals"]["silver"]
