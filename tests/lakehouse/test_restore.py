"""Back to a run or an instant, forward again, and on from there; tables follow the landing zone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from goldlake_core.contracts.errors import StoreError, UsageError
from goldlake_core.contracts.sections import UseCase
from goldlake_core.storage.home import Home
from goldlake_core.storage.landing import PageEntry
from goldlake_core.storage.restores import Restore, Restores
from lakehouse import audit, delta, restore, specs, stages
from tests.lakehouse.records import crime, land, silent


def landed(home: Home, usecase: UseCase, run: str, rows: list[dict[str, Any] | bytes]) -> None:
    """Lands a page as a run of that name did."""
    zone = specs.landing(usecase, home)
    name = land(home, usecase, run, rows)
    entry = next(e for e in zone.scan_all().entries if e.name == name)
    zone.write_manifest(replace(entry, run_id=run))


def back(home: Home, usecase: UseCase, to: str, run: str) -> restore.Plan:
    """Restores the landing zone; the tables follow later."""
    zone = specs.landing(usecase, home)
    planned = restore.plan(zone, to)
    restore.write(zone, planned, run)
    return planned


def sequences(entries: tuple[PageEntry, ...]) -> list[int]:
    return [entry.sequence for entry in entries]


def test_what_counts_after_a_run_is_what_counted_then(home: Home, usecase: UseCase) -> None:
    zone = specs.landing(usecase, home)
    for number in range(1, 4):
        landed(home, usecase, f"r{number}", [crime(number)])
    assert restore.plan(zone, "r3").leaving == ()
    gone = back(home, usecase, "r1", "back")
    assert (sequences(gone.leaving), gone.coming) == ([2, 3], ())
    assert [e.sequence for e in zone.manifest()] == [1]
    landed(home, usecase, "r4", [crime(4)])
    assert [e.sequence for e in zone.manifest()] == [1, 4]
    # After r4 the pages 2 and 3 did not count; after r2 they did, and page 4 was not there.
    assert restore.plan(zone, "r4").leaving == restore.plan(zone, "r4").coming == ()
    forward = back(home, usecase, "r2", "forward")
    assert (sequences(forward.leaving), sequences(forward.coming)) == ([4], [2])
    assert [e.sequence for e in zone.manifest()] == [1, 2]
    again = back(home, usecase, "r4", "again")
    assert (sequences(again.leaving), sequences(again.coming)) == ([2], [4])
    assert sequences(restore.plan(zone, "back").pages) == [1]
    # Nothing to do writes nothing, and a number is not given twice.
    before = zone.restores()
    back(home, usecase, "r4", "same")
    assert (zone.restores(), zone.next_sequence()) == (before, 5)


def test_an_instant_names_the_pages_that_had_been_landed(home: Home, usecase: UseCase) -> None:
    for number in range(1, 4):
        landed(home, usecase, f"r{number}", [crime(number)])
    zone = specs.landing(usecase, home)
    times = [entry.landed_at for entry in zone.manifest()]
    assert sequences(restore.plan(zone, times[1]).pages) == [1, 2]
    assert sequences(restore.plan(zone, "2999-01-01").pages) == [1, 2, 3]
    back(home, usecase, times[0], "back")
    assert sequences(restore.plan(zone, times[1]).pages) == [1, 2]
    assert sequences(restore.plan(zone, "2999-01-01").pages) == [1]


def test_what_cannot_be_restored_is_refused(home: Home, usecase: UseCase) -> None:
    zone = specs.landing(usecase, home)
    with pytest.raises(UsageError, match="Nothing of chicago_crime was landed"):
        restore.plan(zone, "2016-01-01")
    landed(home, usecase, "20260401-093000-7f3a", [crime(1)])
    landed(home, usecase, "20260402-093000-7f3b", [crime(2)])
    with pytest.raises(UsageError, match=r"had been landed by 2016-01-01.*20260401-093000-7f3a"):
        restore.plan(zone, "2016-01-01")
    with pytest.raises(UsageError, match=r"neither a run .* 20260402-093000-7f3b \(nearest\)"):
        restore.plan(zone, "20260402-093000-7f3c")
    back(home, usecase, "20260401-093000-7f3a", "back")
    page = zone.scan_all().entries[1]
    zone.fs.rm_file(zone.page_uri(page.name))
    with pytest.raises(StoreError, match="is missing, which would count again"):
        restore.plan(zone, "20260402-093000-7f3b")


def test_a_table_agrees_up_to_the_first_page_that_differs() -> None:
    first = Restore(run_id="a", at="2026-01-01T00:00:00Z", given=5, stands=((1, 3),))
    both = Restores(
        restores=(first, Restore(run_id="b", at="2026-01-02T00:00:00Z", given=9, stands=((1, 5),)))
    )
    assert both.agreed("", 5) == 5
    assert both.agreed("a", 9) == 3
    assert both.agreed("b", 12) == 12
    # Made after a restore that the document does not know: what it holds is not known.
    assert both.agreed("lost", 9) == 0
    assert Restores().agreed("", 9) == 9


@pytest.mark.spark
def test_tables_follow_back_and_forward_as_if_built_at_once(
    spark: Any, usecase: UseCase, home: Home, tmp_path: Path
) -> None:
    contract = replace(usecase, gold={"area_day": usecase.gold["area_day"]})
    loads: dict[str, list[dict[str, Any] | bytes]] = {
        "r1": [crime(1), crime(2), crime(3)],
        "r2": [crime(2, arrest=True, updated_on="2016-04-01T00:00:00.000"), crime(4)],
        "r3": [crime(1, ward="99"), b"junk", crime(5), {"id": "3", "$deleted": True}],
    }

    def contents(place: Home) -> dict[str, list[str]]:
        landing = ("file", "_file", "sequence", "_sequence", "landed_at", "_known_from")
        return {
            spec.id: sorted(
                map(str, delta.read(spark, spec.uri).drop(*landing).collect()),
            )
            for spec in specs.all_tables(contract, place, 1)
        }

    after = {}
    for run, rows in loads.items():
        landed(home, contract, run, rows)
        stages.refine(spark, contract, home, run, silent)
        after[run] = contents(home)

    back(home, contract, "r1", "back")
    # Killed here, any refinement completes it.
    result = stages.refine(spark, contract, home, "next", silent)
    assert (result.totals.landed, result.totals.silver) == (3, 3)
    assert contents(home) == after["r1"]
    back(home, contract, "r3", "forward")
    result = stages.refine(spark, contract, home, "next", silent)
    assert (result.new_records, result.totals.landed) == (6, 9)
    assert contents(home) == after["r3"]
    back(home, contract, "r2", "back again")
    loads["r4"] = [crime(6), crime(2)]
    landed(home, contract, "r4", loads["r4"])
    result = stages.refine(spark, contract, home, "r4", silent)
    assert result.fates.stale == 1
    audit.deep(spark, contract, home, 1, silent)
    other = Home(str(tmp_path / "other"))
    for run in ("r1", "r2", "r4"):
        landed(other, contract, run, loads[run])
    stages.refine(spark, contract, other, "once", silent)
    assert contents(home) == contents(other)


@pytest.mark.long
@pytest.mark.spark
@pytest.mark.parametrize("step", range(6))
def test_killed_before_any_write_the_next_refinement_completes_it(
    spark: Any, usecase: UseCase, home: Home, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """The writes: silver, the versions, bronze, gold; then an ordinary load's."""
    contract = replace(usecase, gold={"area_day": usecase.gold["area_day"]})
    for run, rows in (("r1", [crime(1), crime(2)]), ("r2", [crime(3), crime(1, ward="7")])):
        landed(home, contract, run, list(rows))
        stages.refine(spark, contract, home, run, silent)
    back(home, contract, "r1", "back")
    landed(home, contract, "r3", [crime(4)])
    writes = 0

    def killed(function: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal writes
            writes += 1
            if writes > step:
                raise KeyboardInterrupt
            return function(*arguments, **options)

        return call

    with monkeypatch.context() as patch:
        for name in ("delete", "merge", "append", "overwrite"):
            patch.setattr(delta, name, killed(getattr(delta, name)))
        with pytest.raises(KeyboardInterrupt):
            stages.refine(spark, contract, home, "killed", silent)
    result = stages.refine(spark, contract, home, "again", silent)
    assert (result.totals.landed, result.totals.silver) == (3, 3)
    audit.deep(spark, contract, home, 1, silent)
    silver = delta.read(spark, specs.silver(contract, home, 1).uri)
    assert sorted(row["id"] for row in silver.collect()) == [1, 2, 4]
    area_day = delta.read(spark, specs.gold(contract, home, contract.gold["area_day"]).uri)
    assert sum(row["incidents"] for row in area_day.collect()) == 3
