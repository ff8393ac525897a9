"""Gold equals a rebuild, whatever its build functions do; one that cannot is refused."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from goldlake_core.contracts.errors import PermanentError, StoreError
from goldlake_core.contracts.sections import Column, GoldTable, UseCase
from goldlake_core.storage.deltalog import DeltaLog
from goldlake_core.storage.home import Home
from lakehouse import audit, delta, specs, stages
from lakehouse.gold import build
from lakehouse.gold.basis import SILVER_VERSION, basis_of
from tests.lakehouse.records import crime, land, silent

pytestmark = pytest.mark.spark


def _column(name: str, kind: Any, nullable: bool = True) -> Column:
    return Column(name, kind, f"The {name}.", nullable=nullable)


COLUMNS = (_column("id", "long", False), _column("primary_type", "string"), _column("n", "double"))


def by_window(*columns: str) -> Callable[[Any], Any]:
    def build(silver: Any) -> Any:
        from pyspark.sql import Window
        from pyspark.sql import functions as F

        mean = F.avg(F.col("community_area").cast("double"))
        return silver.withColumn("n", mean.over(Window.partitionBy(*columns)))

    return build


def by_group(silver: Any) -> Any:
    from pyspark.sql import functions as F

    groups = silver.groupBy("primary_type").agg(F.avg("community_area").alias("n"))
    return silver.join(groups, "primary_type")


def the_day_before(silver: Any) -> Any:
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    place = F.unix_seconds("date")
    before = Window.partitionBy("primary_type").orderBy(place).rangeBetween(-86_400, 3_600)
    return silver.withColumn("n", F.count("*").over(before).cast("double"))


def by_itself(silver: Any) -> Any:
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    own = Window.partitionBy("id").orderBy("date")
    rows = silver.dropDuplicates(["id"]).withColumn("n", F.row_number().over(own) / 2)
    return rows.where("community_area <> 77")


def with_(make: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A build that adds a column made of `pyspark.sql.functions`."""

    def build(silver: Any) -> Any:
        from pyspark.sql import functions as F

        return silver.withColumn("n", make(F).cast("double"))

    return build


def hidden(silver: Any) -> Any:
    from pyspark.sql import functions as F

    return silver.withColumn("n", F.lit(float(silver.count())))


def from_the_clock(silver: Any) -> Any:
    from pyspark.sql import functions as F

    return silver.withColumn("n", F.lit(float(time.time_ns() % 10**9)))


def dice(silver: Any) -> Any:
    from pyspark.sql import functions as F

    # The system's own dice: workers of Spark that are forked from one process roll alike.
    return silver.withColumn("n", F.udf(lambda _: random.SystemRandom().random(), "double")("id"))


def twice(silver: Any) -> Any:
    from pyspark.sql import functions as F

    return silver.withColumn("n", F.explode(F.array(F.lit(1.0), F.lit(2.0))))


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "by_kind": by_window("primary_type"),
    "by_group": by_group,
    "day": the_day_before,
    "by_itself": by_itself,
    "by_area": by_window("community_area"),
    "rand": with_(lambda F: F.rand(7)),
    "uuid": with_(lambda F: F.length(F.expr("uuid()"))),
    "now": with_(lambda F: F.unix_timestamp(F.current_timestamp())),
    "clock": from_the_clock,
    "dice": dice,
    "part": lambda silver: silver.limit(2).withColumn("n", silver["latitude"]),
    "hidden": hidden,
    "twice": twice,
}


@pytest.fixture(autouse=True)
def _functions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "resolve", lambda _usecase, dotted, _key: FUNCTIONS[dotted[7:]])


def table(name: str, **more: Any) -> GoldTable:
    return GoldTable(name, "A table.", "rows", f"tables.{name}", ("id",), COLUMNS, **more)


def with_tables(usecase: UseCase, *tables: GoldTable) -> UseCase:
    return replace(usecase, gold={each.name: each for each in tables})


def rows_of(spark: Any, usecase: UseCase, home: Home, name: str) -> dict[int, float]:
    uri = specs.gold(usecase, home, usecase.gold[name]).uri
    return {row["id"]: row["n"] for row in delta.read(spark, uri).collect()}


LAWFUL = (
    table("by_kind", reach=("primary_type",)),
    table("by_group", reach=("primary_type",)),
    table("day", reach=("primary_type",), reach_order="date", reach_before="1d", reach_after="1h"),
    table("by_itself"),
)


def _records() -> Iterator[dict[str, Any]]:
    for key in range(1, 13):
        yield crime(
            key,
            primary_type=("THEFT", "ARSON", "ASSAULT")[key % 3],
            community_area=str(key),
            date=f"2016-01-{key:02d}T12:00:00.000",
        )


def test_an_increment_rebuilds_what_the_changes_reach(spark: Any, usecase: UseCase, home: Home):
    ours = with_tables(usecase, *LAWFUL)
    land(home, usecase, "one", _records())
    stages.refine(spark, ours, home, "first", silent)
    assert rows_of(spark, ours, home, "by_kind")[3] == 7.5  # areas 3, 6, 9 and 12
    late = {"updated_on": "2016-09-01T00:00:00.000"}
    changes = [
        # One leaves its kind and day, one is new, one is deleted, one leaves a table.
        crime(3, primary_type="ARSON", community_area="3", date="2016-01-20T12:00:00.000", **late),
        crime(20, primary_type="ASSAULT", community_area="20", date="2016-01-05T00:30:00.000"),
        {"$deleted": True, "id": "6"},
        crime(7, primary_type="ARSON", community_area="77", date="2016-01-07T12:00:00.000", **late),
    ]
    land(home, usecase, "two", changes)
    result = stages.refine(spark, ours, home, "second", silent)
    assert (result.fates.amended, result.fates.inserted, result.fates.deleted) == (2, 1, 1)
    audit.deep(spark, ours, home, 1, silent)
    assert rows_of(spark, ours, home, "by_kind")[9] == 10.5  # areas 9 and 12 are left
    assert set(rows_of(spark, ours, home, "by_itself")) == {1, 2, 3, 4, 5, *range(8, 13), 20}
    for each in LAWFUL:
        commit = DeltaLog(specs.gold(ours, home, each).uri).last_commit_with(SILVER_VERSION)
        assert commit is not None
        basis = basis_of(commit)
        assert (commit.operation, basis.run_id) == ("WRITE", "second")
        assert (basis.epoch, basis.through) == (1, 2)
        assert basis.gold_contract == specs.gold_hash(ours, each)


@pytest.mark.long
def test_a_row_of_gold_that_another_writer_touched_is_named(
    spark: Any, usecase: UseCase, home: Home
):
    from delta.tables import DeltaTable

    ours = with_tables(usecase, table("by_itself"))
    land(home, usecase, "one", _records())
    stages.refine(spark, ours, home, "first", silent)
    uri = specs.gold(ours, home, ours.gold["by_itself"]).uri
    planted = DeltaTable.forPath(spark, uri)
    planted.delete("id = 2")
    planted.update("id = 3", {"n": "12.5"})
    delta.append(delta.read(spark, uri).where("id = 4"), uri)
    delta.append(
        delta.read(spark, uri).where("id = 5").selectExpr("99L id", "primary_type", "n"), uri
    )
    wrong = (
        "by_itself differs from a rebuild out of silver (id=2 is missing; id=3: n is 12.5, and a "
        "rebuild makes 0.5; id=4 is there 2 times, and a rebuild makes it 1 time; id=99 does not "
        "belong there). Next: goldlake rebuild chicago_crime"
    )
    with pytest.raises(StoreError, match=re.escape(wrong)):
        audit.deep(spark, ours, home, 1, silent)
    with pytest.raises(StoreError, match=re.escape(wrong)):
        stages.refine(spark, ours, home, "second", silent)
    stages.refine(spark, ours, home, "rebuilt", silent, is_rebuild=True)
    audit.deep(spark, ours, home, 2, silent)


UNLAWFUL = {
    "by_kind": "looks further than its own silver row: it has a window over primary_type. Valid: "
    "gold.by_kind.reach: the silver columns",
    "by_group": "it has an aggregation over primary_type",
    "part": "it has a part of the rows",
    "rand": "calls rand, which gives another value each time",
    "uuid": "calls uuid, which",
    "now": "calls current_timestamp, which",
    "clock": "n is .*, and a rebuild makes .*other values each time; nothing was written",
    "dice": "n is .*, and a rebuild makes",
    "twice": "returns 2 rows with the key id=",
}


def test_what_a_rebuild_would_not_equal_is_refused(spark: Any, usecase: UseCase, home: Home):
    land(home, usecase, "one", _records())
    # The plan of a build cannot show what the build computed beforehand.
    ours = with_tables(usecase, table("hidden"))
    stages.refine(spark, ours, home, "first", silent)
    for name, words in UNLAWFUL.items():
        other = with_tables(usecase, table(name))
        with pytest.raises(PermanentError, match=words):
            stages.refine(spark, other, home, name, silent)
        assert rows_of(spark, other, home, name) == {}
    area = with_tables(usecase, table("by_area", reach=("primary_type",)))
    with pytest.raises(PermanentError, match="further than primary_type: .* over community_area"):
        stages.refine(spark, area, home, "area", silent)
    before = rows_of(spark, ours, home, "hidden")
    land(home, usecase, "two", [crime(30)])
    with pytest.raises(PermanentError, match="hidden would differ from a rebuild of it"):
        stages.refine(spark, ours, home, "second", silent)
    assert rows_of(spark, ours, home, "hidden") == before
