"""What a command would do to a home is told before anything is touched."""

# ruff: noqa: F811 (a fixture is an import and an argument)

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from goldlake.workflows import ingest as workflow
from goldlake.workflows import planning, tombstones
from goldlake_core.contracts.errors import StoreError, UsageError
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents.planning import IngestPlan
from goldlake_core.storage.home import Home
from lakehouse import epochs
from lakehouse.sources import room
from lakehouse.sources.plugins import connector
from lakehouse.sources.testing import Rows
from tests.faults.lab import Lab, lab, row
from tests.goldlake_core.contracts.conftest import Copy, toy  # noqa: F401


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Lab]:
    with lab(tmp_path) as found:
        yield found


def plan(place: Lab, since: str | None = None, until: str | None = None) -> IngestPlan:
    where = str(place.data) if place.usecase.source.kind == "files" else place.server.url
    return planning.plan_ingest(place.usecase, place.home, where, since, until)


def keys(usecase: UseCase, home: Home) -> dict[str, str]:
    return {c.key: c.consequence for c in planning.outlook(usecase, home).changes}


def test_an_empty_home_has_nothing_that_changed(place: Lab) -> None:
    found = planning.outlook(place.usecase, place.home)
    assert (found.epoch, found.is_new, found.changes, found.is_refused) == (1, False, (), False)
    assert not Path(place.home.root).exists()


def test_a_changed_source_is_told_and_another_one_refused(place: Lab) -> None:
    place.land()
    before = place.usecase
    place.source(page_rows=100, generator="generate.others")
    assert keys(place.usecase, place.home) == {
        "source.page_rows": "follow",
        "source.generator": "follow",  # the rows came from a portal
    }
    place.land()
    assert keys(place.usecase, place.home) == {}
    assert keys(before, place.home)["source.page_rows"] == "follow"
    place.source(dataset="othe-r123")
    files = place.files()
    with pytest.raises(UsageError, match=r"source\.dataset: .* \(refuse\).*undo the edit"):
        plan(place)
    assert place.files() == files


def test_another_generator_is_refused_where_the_rows_were_generated(place: Lab) -> None:
    place.land()
    identity = Path(place.zone.home.landing(place.usecase.name, "identity.json"))
    text = identity.read_text()
    identity.write_text(text.replace('"kind": "socrata"', '"generator": "g.rows", "kind": "x"'))
    place.source(generator="generate.others")
    assert planning.outlook(place.usecase, place.home).is_refused


def test_nothing_is_fetched_under_a_refused_contract(
    toy: Copy, place: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.land()
    toy.edit("contract.yaml", "dataset: harb-cal1", "dataset: harb-cal2")
    asked, files, folder = len(place.server.asked), place.files(), str(toy.folder)
    for command in (
        lambda: workflow.ingest(folder, place.home, place.server.url, None, None, print),
        lambda: workflow.rebuild(folder, place.home, print),
        lambda: workflow.plan(folder, place.home, place.server.url, None, None),
    ):
        with pytest.raises(
            UsageError, match="names another source than that of the store in"
        ) as caught:
            command()
        assert caught.value.exit_code == 2
    assert (len(place.server.asked), place.files()) == (asked, files)


def test_each_changed_key_is_told_with_its_consequence(place: Lab) -> None:
    place.land()
    usecase = place.usecase
    epochs.begin(usecase, place.home, epochs.plan(usecase, place.home), "run")
    epochs.keep_gold(usecase, place.home)
    columns = tuple(
        replace(c, field="quay", comment="Another.") if c.name == "berth" else c
        for c in usecase.silver.columns
    )
    first, *_ = usecase.gold
    gold = {
        first: replace(usecase.gold[first], build="tables.others", comment="Another."),
        "more": replace(usecase.gold[first], name="more"),
    }
    silver = replace(usecase.silver, columns=columns)
    edited = replace(usecase, silver=silver, gold=gold)
    told: list[str] = []
    found = planning.tell(edited, place.home, lambda event: told.append(event.message), "land")
    assert (found.epoch, found.is_new) == (2, True)
    removed = next(name for name in usecase.gold if name != first)
    consequences = {
        "silver.columns.berth.comment": "follow",
        "silver.columns.berth.field": "rebuild",
        f"gold.{removed}": "follow",
        f"gold.{first}.comment": "follow",
        f"gold.{first}.build": "rebuild",
        "gold.more": "rebuild",
    }
    assert keys(edited, place.home) == consequences
    assert 'toy_harbour: silver.columns.berth.field: "berth" -> "quay" (rebuild)' in told
    assert len(told) == len(consequences)


def test_a_plan_says_what_an_ingest_does_and_writes_nothing(place: Lab) -> None:
    first = plan(place)
    assert (first.records, first.pages, first.begins, first.unrefined) == (600, 3, None, 0)
    assert first.identity["dataset"] == "harb-cal1"
    assert first.bytes is not None
    assert first.free is not None
    assert not Path(place.home.root).exists()
    landed = place.land()
    assert landed.rows == first.records
    place.server.rows.all.append(row(600))
    files = place.files()
    again = plan(place)
    assert again.begins is not None
    assert landed.cursor is not None
    assert again.begins.value < landed.cursor.value
    assert (again.records, again.unrefined, again.restored) == (601, 600, 0)
    one_day = plan(place, "2024-03-01", "2024-03-02")
    assert (one_day.records, one_day.begins, one_day.since) == (601, None, "2024-03-01")
    assert place.files() == files
    Path(place.zone.page_uri(place.zone.manifest()[0].name)).unlink()
    assert plan(place).restored == 1


def test_a_row_whose_record_is_not_in_bronze_gets_no_tombstone(place: Lab) -> None:
    import polars as pl

    reader = connector(place.usecase, place.server.url)
    texts = pl.DataFrame({"sequence": [3], "line": [2], "value": [row(1).decode()]})
    (line,) = tombstones.lines(place.usecase, reader, texts.iter_rows())
    assert line == b'{"$deleted":true,"$id":"row-000001","call_id":"C00001"}'
    lost = texts.with_columns(value=pl.lit(None, pl.String))
    with pytest.raises(StoreError, match="does not hold the key of line 2 of page 3"):
        list(tombstones.lines(place.usecase, reader, lost.iter_rows()))


def test_a_plan_names_the_files_to_land(place: Lab) -> None:
    place.file("a.jsonl", b'{"n": 1}\n')
    place.land()
    place.file("b.jsonl", b'{"n": 2}\n')
    assert plan(place).parts == ("b.jsonl",)
    place.land()
    assert (plan(place).parts, plan(place).records) == ((), None)


def test_a_plan_is_refused_where_the_ingest_would_be(place: Lab) -> None:
    place.land()
    place.usecase = replace(
        place.usecase, source=replace(place.usecase.source, address="http://elsewhere")
    )
    with pytest.raises(StoreError, match="belongs to socrata"):
        plan(place)
    with pytest.raises(UsageError, match="is not before"):
        plan(place, "2024-03-02", "2024-03-01")


def _with_disk(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    usage: Any = shutil.disk_usage("/")._replace(free=free)
    monkeypatch.setattr(room.shutil, "disk_usage", lambda path: usage)


def test_a_small_disk_is_told_before_it_is_full(
    place: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    _with_disk(monkeypatch, 100)
    with pytest.raises(StoreError, match=r"600 records need about .* nothing was landed"):
        place.land()
    assert place.zone.manifest() == []
    _with_disk(monkeypatch, 15_000)
    place.land()
    place.told_of("warning: the disk", "600 records need")
    _with_disk(monkeypatch, 10**9)
    place.server.rows = Rows([*place.server.rows.all, row(600)])
    assert place.land().rows == 1
    assert place.told == []
