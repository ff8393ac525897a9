"""What the source deleted leaves silver and gold, and comes back when the source has it again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from goldlake.workflows import reconcile as workflow
from goldlake.workflows.keys import typed
from goldlake.workflows.reconcile import reconcile
from goldlake_core.contracts.column_types import ColumnType
from goldlake_core.contracts.errors import GateRefused, UsageError
from goldlake_core.contracts.sections import Column, Silver
from goldlake_core.documents.lakehouse import Fates
from goldlake_core.documents.planning import Reconciled
from goldlake_core.storage.deltalog import DeltaLog
from lakehouse import audit, epochs, specs, stages
from lakehouse.parsing import parsed
from lakehouse.sources.testing import Rows
from tests.faults.lab import Lab, lab, row
from tests.lakehouse.records import silent

pytestmark = pytest.mark.spark


class Harbour:
    """A lab whose tables are refined in this process."""

    def __init__(self, place: Lab, spark: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.place, self._spark = place, spark
        self.refinements = 0
        monkeypatch.setattr(workflow, "load_usecase", lambda name: place.usecase)
        monkeypatch.setattr(workflow, "_refine", self._refined)

    def refine(self) -> Fates:
        """Refines what is landed; returns the fates of the batch."""
        place = self.place
        return stages.refine(self._spark, place.usecase, place.home, "run", silent).fates

    def reconcile(self, **options: Any) -> Reconciled:
        """Reconciles with the lab's portal, or its files."""
        is_files = self.place.usecase.source.kind == "files"
        where = str(self.place.data) if is_files else self.place.server.url
        return reconcile("toy_harbour", self.place.home, where, lambda event: None, **options)

    def rows(self) -> tuple[int, int]:
        """Rows in silver and in the gold table of mode ``rows``."""
        usecase, home = self.place.usecase, self.place.home
        epoch = epochs.current(home, usecase.name)
        gold = specs.gold(usecase, home, usecase.gold["call_features"])
        silver = specs.silver(usecase, home, epoch)
        return DeltaLog(silver.uri).snapshot().rows, DeltaLog(gold.uri).snapshot().rows

    def balances(self) -> None:
        """Asserts that all contents agree."""
        audit.deep(self._spark, self.place.usecase, self.place.home, 1, silent)

    def _refined(self, *arguments: Any) -> tuple[str, Any]:
        self.refinements += 1
        place = self.place
        return "run", stages.refine(self._spark, place.usecase, place.home, "run", silent)


@pytest.fixture
def harbour(tmp_path: Path, spark: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Harbour]:
    with lab(tmp_path) as place:
        yield Harbour(place, spark, monkeypatch)


def _without(place: Lab, *numbers: int) -> dict[int, bytes]:
    """Takes records out of the portal; returns them."""
    gone = {number: row(number) for number in numbers}
    place.server.rows = Rows([r for r in place.server.rows.all if r not in gone.values()])
    return gone


def _refused(action: Callable[[], object], *words: str) -> None:
    with pytest.raises(GateRefused) as caught:
        action()
    assert caught.value.exit_code == 3
    assert all(word in caught.value.message for word in words), caught.value.message


def test_what_the_source_deleted_is_deleted_and_comes_back(
    harbour: Harbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = harbour.place
    place.source(page_rows=25)
    place.serve(60)
    place.land()
    harbour.refine()
    assert harbour.rows() == (60, 60)

    gone = _without(place, 7, 40)
    files = place.files()
    dry = harbour.reconcile(dry_run=True)
    assert (dry.deleted, dry.keys, dry.run_id) == (2, ("C00007", "C00040"), None)
    assert (dry.source_keys, dry.silver_rows, dry.never_landed) == (58, 60, 0)
    assert place.files() == files, "a dry run writes nothing"

    done = harbour.reconcile()
    assert done.refine is not None
    assert (done.deleted, done.refine.fates.deleted, harbour.rows()) == (2, 2, (58, 58))
    assert place.lines()[-2] == b'{"$deleted":true,"$id":"row-000007","call_id":"C00007"}'
    harbour.balances()
    assert (harbour.reconcile().deleted, harbour.refinements) == (0, 1), "nothing new, no JVM"
    assert place.land().rows == 0, "the overlap window lands nothing again"

    place.server.rows.all.append(gone[7])
    found = harbour.reconcile(dry_run=True)
    assert (found.deleted, found.returned, found.never_landed) == (0, 1, 0)
    assert place.land().rows == 1, "the same bytes as before the deletion"
    assert harbour.refine().inserted == 1
    older = gone[40]
    for name in (b"arrived", b"changed"):
        older = older.replace(b'"%b": "2024' % name, b'"%b": "2023' % name)
    place.server.rows.all.append(older)
    assert place.land().rows == 1
    assert harbour.refine().stale == 1
    assert harbour.rows()[0] == 59, "an older version of what was deleted does not come back"
    harbour.balances()


@pytest.mark.long
def test_a_broken_source_deletes_nothing(harbour: Harbour, monkeypatch: pytest.MonkeyPatch) -> None:
    place = harbour.place
    place.serve(60)
    place.land()
    harbour.refine()
    files = place.files()
    whole = place.server.rows.all

    place.server.rows = Rows([])
    _refused(harbour.reconcile, "holds 0 keys", "60 of the 60 rows", "nothing was deleted")
    place.server.rows = Rows(whole[:50])
    _refused(
        harbour.reconcile,
        "10 of the 60 rows",
        ") are not among them. That is more than 5.0%",
        "--most-deleted 17% or all",
    )
    assert harbour.reconcile(dry_run=True, most_deleted=0.17).deleted == 10
    place.server.rows = Rows(whole, cap=20, empty_pages=set(range(1, 20)))
    _refused(
        lambda: harbour.reconcile(most_deleted=1.0),
        "the keys of 20, so that nobody knows which were deleted; nothing was",
    )
    place.server.rows = Rows(whole, cap=20, empty_pages={1})
    assert harbour.reconcile().deleted == 0, "asked again, the source is whole"
    assert {n: b for n, b in place.files().items() if "/lock" not in n} == {
        n: b for n, b in files.items() if "/lock" not in n
    }

    place.server.rows = Rows([*whole, row(60)])
    assert harbour.reconcile().never_landed == 1
    _without(place, 3)
    with monkeypatch.context() as patch:
        patch.setattr(workflow, "_refine", lambda *arguments: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            harbour.reconcile()
    with pytest.raises(UsageError, match="does not hold all that is landed yet"):
        harbour.reconcile(dry_run=True)
    again = harbour.reconcile()
    assert again.refine is not None
    assert (again.deleted, again.refine.totals.deleted, harbour.rows()) == (0, 1, (59, 59))
    tombstones = [page for page in place.zone.manifest() if page.tombstones]
    assert [page.rows for page in tombstones] == [1], "killed before it was refined, landed once"
    line = Path(place.zone.path("manifest", f"{tombstones[0].name}.json"))
    place.serve(62)
    _without(place, 3)
    assert place.land().rows == 2
    line.unlink()
    assert place.land().rows == 0
    assert [page.rows for page in place.zone.manifest() if page.tombstones] == [1]
    harbour.refine()
    harbour.balances()


def _file(place: Lab, name: str, numbers: list[int]) -> None:
    place.file(name, b"\n".join(row(number) for number in numbers) + b"\n")


@pytest.mark.long
def test_the_rows_of_a_file_that_is_issued_again(harbour: Harbour) -> None:
    place = harbour.place
    _file(place, "a.jsonl", [1, 2, 3])
    place.land()
    assert harbour.refine().inserted == 3
    _file(place, "a.jsonl", [1, 3])
    place.land()
    _refused(harbour.reconcile, "1 of the 3 rows")
    done = harbour.reconcile(most_deleted=0.5)
    assert (done.deleted, done.keys, harbour.rows()) == (1, ("C00002",), (2, 2))
    assert place.land().rows == 0
    _file(place, "a.jsonl", [1, 2, 3])
    assert place.land().rows == 3, "a content that was gone when rows were deleted is new again"
    fates = harbour.refine()
    assert (fates.inserted, fates.unchanged, harbour.rows()) == (1, 2, (3, 3))
    assert (place.land().rows, harbour.reconcile().deleted) == (0, 0)


TEXTS: dict[ColumnType, tuple[dict[str, Any], list[str | None]]] = {
    "long": ({}, ["5", " +7 ", "7.0", "7.5", "x", "", None, "-0", "9223372036854775808", "1e2"]),
    "double": ({"null_values": ("0",)}, ["0.50", "0.0", "1e2", ".5", "5.", "inf", "NaN", "+1"]),
    "boolean": ({}, ["TRUE", "false", "1", "yes", " true"]),
    "string": (
        {"pad": 3, "replace": {"west": "1"}, "null_values": ("-",)},
        ["11", "0011", "12345", "west", "-", "", "0", "é"],
    ),
    "date": (
        {"format": "yyyy-MM-dd"},
        ["2016-02-29", "2015-02-29", "2016-1-1", "x", "2016-01-01T"],
    ),
    "timestamp": (
        {"format": "yyyy-MM-dd'T'HH:mm:ss.SSS", "time_zone": "America/Chicago"},
        ["2016-03-13T02:30:00.000", "2016-11-06T01:30:00.000", "2016-07-01T12:00:00.123", "2016"],
    ),
}


def test_keys_are_typed_as_silver_types_them(spark: Any) -> None:
    import json

    for kind, (more, texts) in TEXTS.items():
        column = Column("k", kind, "A key.", field="k", nullable=False, **more)
        silver = Silver(key=("k",), version="k", event_time="k", columns=(column,))
        lines = [(json.dumps({"k": text}),) for text in texts]
        rows = parsed(spark.createDataFrame(lines, "value string"), silver)
        found = rows.where("size(_reasons) = 0").selectExpr("cast(k as string) as k").distinct()
        mine = {_spelled(value) for value in typed({"k": texts}, silver)["k"].to_list()}
        assert mine == {r["k"] for r in found.collect()}, kind
    odd = replace(silver, columns=(replace(column, format="yyyy-MM-dd HH:mm:ss VV"),))
    with pytest.raises(UsageError, match="'VV' can only be read with Spark"):
        typed({"k": ["x"]}, odd)


def _spelled(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value).removesuffix("000+00:00").removesuffix("+00:00")
