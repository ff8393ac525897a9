"""Maintenance makes a home smaller, changes no row, and everything goes on as before."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from goldlake.workflows.maintain import maintain, restore_to
from goldlake.workflows.processes import Run
from goldlake_core.contracts.errors import StoreError
from goldlake_core.contracts.sections import Split, UseCase
from goldlake_core.documents import codec
from goldlake_core.documents.training import PushedVersion
from goldlake_core.storage.deltalog import DeltaLog
from goldlake_core.storage.home import Home
from lakehouse import audit, delta, export, session, specs, stages
from lakehouse.maintain import ours
from tests.lakehouse.records import crime, land, silent

pytestmark = pytest.mark.spark


def days(first: int, count: int) -> list[dict[str, Any]]:
    """One incident a day from a day of 2016 on."""
    months = ((3, 60), (2, 31), (1, 0))
    rows = []
    for n in range(first, first + count):
        month, day = next((m, n - s + 1) for m, s in months if n >= s)
        time = f"2016-{month:02d}-{day:02d}T12:00:00.000"
        rows.append(crime(n, date=time, updated_on="2016-03-21T00:00:00.000"))
    return rows


@pytest.fixture
def in_process(
    spark: Any, usecase: UseCase, monkeypatch: pytest.MonkeyPatch
) -> Callable[[UseCase], None]:
    """Lets stages run here, in the session that there is, under a contract."""

    def under(contract: UseCase) -> None:
        def run(self: Run, package: str, requests: Any, on_event: Any) -> dict[str, Any]:
            found = {}
            for request in requests:
                kind = type(request).__name__.removesuffix("Request").lower()
                found[kind] = stages.STAGES[kind](request, silent)  # type: ignore[index]
            return found

        for module in ("goldlake.workflows.maintain", "lakehouse.stages", "lakehouse.maintain"):
            monkeypatch.setattr(f"{module}.load_usecase", lambda name: contract)
        monkeypatch.setattr(session, "spark_session", lambda **options: spark)
        monkeypatch.setattr(Run, "stages", run)

    return under


def quiet(event: Any) -> None:
    """Takes the events of a workflow."""


def contents(spark: Any, contract: UseCase, home: Home) -> dict[str, list[str]]:
    """The rows of every table as sorted texts."""
    return {
        spec.id: sorted(map(str, delta.read(spark, spec.uri).collect()))
        for spec in specs.all_tables(contract, home, 1)
    }


def checkpoint(spark: Any, uri: str) -> None:
    """What Delta does by itself at every tenth commit."""
    log = spark._jvm.org.apache.spark.sql.delta.DeltaLog
    log.forTable(spark._jsparkSession, uri).checkpoint()


def test_maintenance_changes_no_row_and_everything_goes_on(
    spark: Any, usecase: UseCase, home: Home, in_process: Callable[[UseCase], None]
) -> None:
    model = replace(
        usecase.models["arrest"],
        split=Split("relative", eval_days=10, test_days=20),
        features=usecase.models["arrest"].features[:1],
    )
    gold = {"arrest_features": usecase.gold["arrest_features"]}
    contract = replace(usecase, gold=gold, models={"arrest": model})
    in_process(contract)
    for number in range(9):
        land(home, contract, f"p{number}", days(number * 8, 8))
    stages.refine(spark, contract, home, "r1", silent)
    late = [crime(1, arrest=True, updated_on="2016-03-22T00:00:00.000"), b"junk"]
    land(home, contract, "late", [*late, *days(72, 8)])
    stages.refine(spark, contract, home, "r2", silent)
    first = export.export(lambda: spark, contract, model, home, silent)
    manifest = (Path(first.uri) / "manifest.json").read_bytes()
    about = PushedVersion(
        usecase=contract.name,
        model="arrest",
        version=1,
        export_id=first.export_id,
        table=first.table,
        table_version=first.version,
        model_sha256="0",
        pushed_at="2026-01-01T00:00:00Z",
    )
    pushed = Path(home.model(contract.name, "arrest", "1", "assets.extra", "goldlake.json"))
    pushed.parent.mkdir(parents=True)
    pushed.write_bytes(codec.encode(about))
    shutil.copytree(home.table(contract.name, "gold", "arrest_features"), f"{home.root}/orphan")
    shutil.move(f"{home.root}/orphan", home.table(contract.name, "gold", "orphan"))
    before = contents(spark, contract, home)
    tables = specs.all_tables(contract, home, 1)
    for spec in tables:
        checkpoint(spark, spec.uri)

    expected = maintain("x", home, quiet, keep="0", is_short_allowed=True, dry_run=True)
    assert contents(spark, contract, home) == before
    assert not Path(home.path("runs")).exists()
    done = maintain("x", home, quiet, keep="0", is_short_allowed=True)
    parts = {part.part: part for part in done.parts}
    bronze = f"{contract.name}.bronze.crimes"
    larger = ("2 small files become larger ones",)
    assert expected.parts[0].done[:1] == parts[bronze].done[:1] == larger
    assert all(part.files_after <= part.files_before for part in done.parts if part.part != "runs")
    assert (parts["landing"].files_before, parts["landing"].files_after) == (20, 12)
    assert parts["landing"].bytes_after >= parts["landing"].bytes_before
    assert done.orphans == (home.table(contract.name, "gold", "orphan"),)
    [pin] = done.pinned
    assert (pin.export_id, pin.models) == (first.export_id, ("chicago_crime.arrest@1",))
    assert contents(spark, contract, home) == before
    audit.deep(spark, contract, home, 1, silent)
    for spec, state in zip(tables, done.readable, strict=True):
        log = DeltaLog(spec.uri)
        assert state.newest == log.latest()
        assert (commit := ours(contract, spec)) is not None
        assert commit.version >= log.versions()[0]
        log.read(version=state.oldest)
        if state.oldest > log.versions()[0]:
            with pytest.raises(StoreError, match="is damaged or missing"):
                log.read(version=state.oldest - 1)

    # A quiet run finds nothing to do, and the export that is there is the same export.
    versions = [DeltaLog(spec.uri).latest() for spec in tables]
    assert stages.refine(spark, contract, home, "quiet", silent).new_records == 0
    assert [DeltaLog(spec.uri).latest() for spec in tables] == versions
    again = export.export(lambda: spark, contract, model, home, silent)
    assert (again.export_id, again.reused) == (first.export_id, True)
    shutil.rmtree(first.uri)
    rewritten = export.export(lambda: spark, contract, model, home, silent)
    assert (rewritten.reused, rewritten.version) == (False, first.version)
    assert (Path(first.uri) / "manifest.json").read_bytes() == manifest

    # The log goes up to what is needed, and the run after that is an increment still.
    for spec in tables:
        checkpoint(spark, spec.uri)
    second = maintain(
        "x", home, quiet, keep="0", is_short_allowed=True, drop_orphans=True, drop_aside=True
    )
    assert second.orphans == ()
    assert [DeltaLog(spec.uri).versions()[0] for spec in tables] == versions
    third = maintain("x", home, quiet, keep="0", is_short_allowed=True, dry_run=True)
    assert [part.done for part in third.parts] == [()] * len(third.parts)
    land(home, contract, "last", [crime(2, arrest=True, updated_on="2016-03-23T00:00:00.000")])
    result = stages.refine(spark, contract, home, "r3", silent)
    assert result.fates.amended == 1
    features = specs.gold(contract, home, contract.gold["arrest_features"])
    assert DeltaLog(features.uri).commit(DeltaLog(features.uri).latest() or 0).operation == "WRITE"
    audit.deep(spark, contract, home, 1, silent)
    maintained = contents(spark, contract, home)

    # Back to before what was maintained, though no table has that version any more.
    report = restore_to("x", home, "test", quiet, dry_run=True)
    assert (report.leaving_pages, report.coming_pages) == (0, 0)
    zone = specs.landing(contract, home)
    tenth = zone.manifest()[9]
    report = restore_to("x", home, tenth.landed_at, quiet)
    assert (report.leaving_records, report.models) == (1, ())
    assert report.refine is not None
    assert contents(spark, contract, home)[features.id] == before[features.id]
    forward = restore_to("x", home, "2999-01-01", quiet, dry_run=True)
    assert forward.coming_pages == 0
    restores = zone.restores()
    zone.write_restores(msgspec.structs.replace(restores, restores=()))
    stages.refine(spark, contract, home, "lost", silent)
    assert contents(spark, contract, home) == maintained
