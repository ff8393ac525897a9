"""Files without an id, a version or a time, from the file to gold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from goldlake_core.contracts.loader import load_contract
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents.lakehouse import Fates
from goldlake_core.storage.home import Home
from lakehouse import audit, delta, specs, stages
from lakehouse.gold import tables as gold
from lakehouse.sources.land import land
from tests.lakehouse.records import silent

pytestmark = pytest.mark.spark


class Lab:
    """A use case of CSV files, and a home."""

    def __init__(self, spark: Any, folder: Path, contract: str) -> None:
        self.spark = spark
        self.folder = folder / "ledger"
        self.folder.mkdir()
        (self.folder / "contract.yaml").write_text(contract, encoding="utf-8")
        self.home = Home.at(folder / "home")
        self.runs = 0

    @property
    def usecase(self) -> UseCase:
        return load_contract(self.folder)

    def refined(self, name: str, text: str) -> Fates:
        """The fates of the records of one more file."""
        (self.folder / name).write_text(text, encoding="utf-8")
        self.runs += 1
        land(self.usecase, self.home, "live", None, None, f"run{self.runs}", silent)
        return stages.refine(self.spark, self.usecase, self.home, f"run{self.runs}", silent).fates

    def rows(self, kind: str) -> list[tuple[Any, ...]]:
        """The rows of silver or gold, without keys by content."""
        usecase = self.usecase
        table = usecase.gold["rows"]
        spec = specs.silver(usecase, self.home, 1) if kind == "silver" else None
        spec = spec or specs.gold(usecase, self.home, table)
        names = [name for name in usecase.silver.names if name != "content_id"]
        found = delta.read(self.spark, spec.uri).select(*names).collect()
        return sorted(tuple(row) for row in found)


def test_rows_without_an_id_keep_their_doubles_and_are_landed_once(
    spark: Any, tmp_path: Path
) -> None:
    contract = """\
name: ledger
source: {kind: files, path: "*.csv", page_rows: 2, format: {delimiter: ";", decimal: ","}}
silver:
  columns:
    kind: string
    amount: {type: double, field: amount.eur}
    year: {type: long, file: "l_([0-9]{4})"}
"""
    lab = Lab(spark, tmp_path, contract)
    text = "kind;amount.eur\na;1,5\nb;2,5\na;1,5\nb;x\n"
    fates = lab.refined("l_2020.csv", text)
    assert (fates.inserted, fates.quarantined) == (3, 1)
    wanted = [("a", 1.5, 2020), ("a", 1.5, 2020), ("b", 2.5, 2020)]
    assert lab.rows("silver") == lab.rows("gold") == wanted
    # The same file with two more rows: only these are new.
    fates = lab.refined("l_2020.csv", text + "a;1,5\nc;3,5\n")
    assert (fates.inserted, fates.unchanged, fates.quarantined) == (2, 3, 1)
    # The rows of another file are rows of another year.
    fates = lab.refined("l_2021.csv", "kind;amount.eur\na;1,5\n")
    assert (fates.inserted, fates.unchanged) == (1, 0)
    assert lab.rows("gold") == lab.rows("silver")
    assert len(lab.rows("silver")) == 6
    usecase = lab.usecase
    gold.require_rebuilt(spark, usecase, lab.home, 1, usecase.gold["rows"])
    audit.deep(spark, usecase, lab.home, 1, silent)


def test_without_a_version_what_was_landed_later_is_newer(spark: Any, tmp_path: Path) -> None:
    contract = """\
name: ledger
source: {kind: files, path: "*.csv"}
silver:
  key: [id]
  event_time: at
  columns:
    id: {type: long, nullable: false}
    paid: boolean
    at: {type: timestamp, format: [epoch_s, dd/MM/yyyy], time_zone: Europe/Vienna, nullable: false}
"""
    lab = Lab(spark, tmp_path, contract)
    fates = lab.refined("a.csv", "id,paid,at\n1,no,1371855600\n2,Yes,01/02/2020\n3,1,x\n")
    assert (fates.inserted, fates.quarantined) == (2, 1)
    fates = lab.refined("b.csv", "id,paid,at\n1,yes,1371855600\n2,YES,01/02/2020\n")
    assert (fates.amended, fates.unchanged) == (1, 1)
    found = [(key, paid, str(at)) for key, paid, at in lab.rows("gold")]
    assert found == [(1, True, "2013-06-21 23:00:00"), (2, True, "2020-01-31 23:00:00")]
