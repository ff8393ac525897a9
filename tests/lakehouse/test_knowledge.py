"""What was known when, of what had happened by when; and another try of what was rejected."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from goldlake.workflows import replay as replays
from goldlake.workflows import views
from goldlake.workflows.processes import Run
from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents.lakehouse import Totals
from goldlake_core.instants import of_text
from goldlake_core.storage.home import Home
from lakehouse import catalog, knowledge, quarantine, specs, stages
from tests.lakehouse.records import crime, land, silent
from tests.lakehouse.test_silver import DECIDED, RECORDS

pytestmark = pytest.mark.spark

CUTS = (0, 1, 4, 8, 11, len(RECORDS))


def refined(spark: Any, usecase: UseCase, home: Home) -> Totals:
    return stages.refine(spark, replace(usecase, gold={}), home, "run", silent).totals


def landed_at(usecase: UseCase, home: Home) -> list[datetime]:
    return [of_text(page.landed_at) for page in specs.landing(usecase, home).manifest()]


def expected(count: int) -> dict[str, int]:
    """Records by fate, and rows of silver, of the first records."""
    found = Counter(fate for fate, _ in DECIDED[:count])
    fates = {fate: found[fate] for fate in specs.FATES}
    return {"landed": count, **fates, "silver": found["inserted"] - found["deleted"]}


def test_each_state_of_knowledge_is_that_of_the_pages_landed_by_then(
    spark: Any, usecase: UseCase, home: Home, tmp_path: Path
) -> None:
    for start, end in zip(CUTS, CUTS[1:], strict=False):
        land(home, usecase, f"p{start:02d}", RECORDS[start:end])
    totals = refined(spark, usecase, home)
    instants = landed_at(usecase, home)
    moment = timedelta(microseconds=1)

    def known(at: datetime | None) -> Totals:
        return knowledge.fates(usecase.name, home, at, None)

    assert known(None) == known(instants[-1] + timedelta(days=1)) == totals
    for number, at in enumerate(instants):
        before, now = CUTS[number], CUTS[number + 1]
        assert msgspec.structs.asdict(known(at - moment)) == expected(before)
        assert msgspec.structs.asdict(known(at)) == expected(now)
    check_rows_as_of(usecase, home, instants)
    earlier = Home(str(tmp_path / "earlier"))
    for start, end in ((0, 1), (1, 4), (4, 8)):
        land(earlier, usecase, f"p{start:02d}", RECORDS[start:end])
    assert refined(spark, usecase, earlier) == known(instants[2])


def check_rows_as_of(usecase: UseCase, home: Home, instants: list[datetime]) -> None:
    table = f"{usecase.name}.silver.crimes"

    def shown(name: str, as_of: str) -> Any:
        columns = ("id", "block") if name == table else ()
        return views.rows(name, home, where=None, columns=columns, limit=9, as_of=as_of)

    first = crime(1)["block"]
    at = [shown(table, each.isoformat()).rows for each in instants]
    assert at == [((1, first),), ((1, "TIE"),), (), ((1, "BACK"),), ((1, "BACK"), (2, "[a]"))]
    assert shown(table, instants[0].isoformat()).total == 1
    bronze = f"{usecase.name}.bronze.crimes"
    with pytest.raises(UsageError, match=f"There was no table {bronze} at 2015-01-01. Valid: 20"):
        shown(bronze, "2015-01-01")
    assert shown(bronze, "2100-01-01").total == len(RECORDS)
    with pytest.raises(UsageError, match="names a version, and --as-of an instant"):
        shown(f"{bronze}@0", "2100-01-01")


JANUARY, MARCH = "2016-01-05T12:00:00.000", "2016-03-05T12:00:00.000"
NEW, NEWER = "2016-05-01T00:00:00.000", "2016-06-01T00:00:00.000"


def test_what_had_happened_follows_the_event_that_is_known(
    spark: Any, usecase: UseCase, home: Home
) -> None:
    first = [crime(1, date=JANUARY), crime(2, date=MARCH), crime(3, date=JANUARY), b"{ not json"]
    later = [
        crime(1, date=MARCH, updated_on=NEWER),
        crime(2, date=JANUARY, updated_on=NEWER),
        b'{"$deleted": true, "id": "3"}',
        crime(4, date=MARCH, ward="51", updated_on=NEW),
    ]
    first = [row if isinstance(row, bytes) else {**row, "updated_on": NEW} for row in first]
    land(home, usecase, "one", first)
    land(home, usecase, "two", later)
    refined(spark, usecase, home)
    known = landed_at(usecase, home)[0].isoformat()

    def at(as_of: str | None, happened_by: str | None) -> tuple[int, ...]:
        view = views.tables(usecase.name, home, as_of, happened_by)[usecase.name]
        names = ("landed", "inserted", "amended", "quarantined", "deleted", "silver")
        return tuple(getattr(view, name) for name in names)

    assert at(None, "2016-02-01") == (4, 2, 1, 0, 1, 1)
    assert at(None, "2016-04-01") == (7, 3, 2, 1, 1, 2)
    assert at(None, "2015-01-01") == (0, 0, 0, 0, 0, 0)
    assert at(known, "2016-02-01T00:00:00Z") == (2, 2, 0, 0, 0, 2)
    assert at(known, None) == (4, 3, 0, 1, 0, 3)
    assert at("2015-01-01", None) == (0, 0, 0, 0, 0, 0)
    assert views.tables(usecase.name, home, "2015-01-01")[usecase.name].tables == ()
    with pytest.raises(UsageError, match="--happened-by 'March' is not a valid instant"):
        views.tables(usecase.name, home, None, "March")
    assert catalog.standing(usecase.name, home) == (1, 2)


@pytest.fixture
def edited(
    usecase: UseCase, tmp_path: Path, spark: Any, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, str], UseCase]:
    """Edits the use case's contract; stages run in this process's session."""

    def made(old: str, new: str) -> UseCase:
        nonlocal text
        assert old in text
        text = text.replace(old, new)
        (folder / "contract.yaml").write_text(text, encoding="utf-8")
        return load_contract(folder)

    def here(run: Run, package: str, requests: Any, on_event: Any) -> dict[str, Any]:
        [request] = requests
        found = replace(load_contract(Path(request.usecase)), gold={})
        return {"refine": stages.refine(spark, found, run.home, run.run_id, silent)}

    from goldlake_core.contracts.loader import load_contract

    folder = tmp_path / "chicago_crime"
    folder.mkdir()
    (folder / "tables.py").write_bytes((usecase.folder / "tables.py").read_bytes())
    text = (usecase.folder / "contract.yaml").read_text(encoding="utf-8")
    monkeypatch.setattr(Run, "stages", here)
    return made


def test_what_was_rejected_is_tried_again_where_the_contract_changed(
    spark: Any, home: Home, edited: Callable[[str, str], UseCase]
) -> None:
    usecase = edited("title: ", "title: ")
    rows = [crime(1), crime(2, ward="51"), crime(3, ward="51", beat="x"), crime(4, ward="60")]
    land(home, usecase, "one", [*rows, b"{ not json"])
    refined(spark, usecase, home)

    def replay(is_dry_run: bool = False) -> Any:
        return replays.replay(str(usecase.folder), home, is_dry_run, silent)

    same = replay()
    assert same.why == "the contract is the one that the records were rejected under"
    assert (same.quarantined, same.run_id) == (4, None)
    edited("range: [1, 77]", "range: [1, 78]")
    other = replay()
    assert (other.why or "").startswith("no record in quarantine has a reason that the changes")
    assert (other.changes, other.concerned, other.run_id) == (
        ("silver.columns.community_area.range: [1, 77] -> [1, 78] (rebuild)",),
        0,
        None,
    )
    edited("range: [1, 50]", "range: [1, 55]")
    wider = replay(is_dry_run=True)
    assert (wider.concerned, wider.let_in, wider.epoch, wider.run_id) == (3, None, 1, None)
    done = replay()
    assert (done.concerned, done.let_in, done.rejected, done.epoch) == (3, 1, 0, 2)
    assert done.stayed == {"beat.pattern": 1, "json.invalid": 1, "ward.range": 1}
    view = quarantine.rejected(usecase.name, home, limit=10)
    assert view.total == 3, "the quarantine of an epoch after the first is found"
    edited("range: [1, 55]", "range: [1, 20]")
    narrow = replay()
    assert (narrow.let_in, narrow.rejected, narrow.epoch) == (0, 2, 3)
    again = json.loads(msgspec.json.encode(replay()))
    assert again["why"] == "the contract is the one that the records were rejected under"
