"""What a contract of plain files may leave out, and that nothing else changes by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from goldlake_core.contracts.errors import ContractError, ContractErrors
from goldlake_core.contracts.fields import content_id, is_path, value_at
from goldlake_core.contracts.loader import load_contract
from goldlake_core.contracts.sections import UseCase
from tests.goldlake_core.contracts.conftest import TOY

SHORT = """\
name: ledger
source: {kind: files, path: "*.csv"}
silver:
  columns:
    amount: double
    paid: {type: boolean, nullable: false}
"""


def load(tmp_path: Path, text: str) -> UseCase:
    folder = tmp_path / "ledger"
    folder.mkdir(exist_ok=True)
    (folder / "contract.yaml").write_text(text, encoding="utf-8")
    return load_contract(folder)


def refused(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ContractError) as caught:
        load(tmp_path, text)
    error = caught.value
    errors = error.errors if isinstance(error, ContractErrors) else (error,)
    return [f"{each.key}: {each.reason}" for each in errors]


@pytest.mark.parametrize(
    ("folder", "source", "silver", "gold"),
    [
        (
            TOY,
            "b149a767eea9ed6b1fe0b57af41193bf4c2c3e5595ad595f4ceb62b3484191b9",
            "f5bf8538c870683331184400eb9e80acd9099b27ab59f656bcb31eff4b505672",
            "6a140df73bf723984204a613078414a7bd6672d6050ab4e1eb141748c0fccf67",
        ),
    ],
)
def test_hashes_of_contracts_of_before_stay(
    folder: Path, source: str, silver: str, gold: str
) -> None:
    hashes = load_contract(folder).hashes
    assert (hashes["source"], hashes["silver"], hashes["gold.call_features"]) == (
        source,
        silver,
        gold,
    )


def test_a_contract_of_files_is_short(tmp_path: Path) -> None:
    usecase = load(tmp_path, SHORT)
    assert (usecase.title, usecase.description, usecase.licence) == ("ledger", "", "")
    silver, gold = usecase.silver, usecase.gold["rows"]
    assert silver.key == gold.key == ("content_id",)
    assert (silver.version, silver.event_time) == ("", "")
    assert silver.names == gold.names == ("content_id", "amount", "paid")
    assert (gold.mode, gold.build) == ("rows", "")
    assert silver.column("amount").field == "amount"
    assert usecase.source.path == "*.csv"


def test_marks_of_numbers_are_those_of_the_source(tmp_path: Path) -> None:
    text = SHORT.replace('path: "*.csv"', 'format: {decimal: ",", thousands: "."}')
    text = text.replace("amount: double", 'amount: double\n    rate: {type: double, decimal: "."}')
    assert refused(tmp_path, text) == ["silver.columns.rate: '.' is the decimal mark too"]
    text = text.replace('{type: double, decimal: "."}', "{type: double, thousands: ''}")
    silver = load(tmp_path, text).silver
    assert (silver.column("amount").decimal, silver.column("amount").thousands) == (",", ".")
    assert (silver.column("rate").decimal, silver.column("rate").thousands) == (",", "")
    assert silver.column("paid").thousands == ""


def test_places_names_and_files_of_columns(tmp_path: Path) -> None:
    columns = """\
    a: {type: long, field: 9}
    b: {type: double, field: sepal.length}
    c: {type: double, field: sepal}
    d: {type: string, field: "name#2"}
    e: {type: long, file: "pks_([0-9]{4})"}
    f: {type: timestamp, format: [dd/MM/yyyy, epoch_ms], time_zone: UTC}
    g: {type: timestamp, format: epoch_s}
"""
    silver = load(tmp_path, SHORT + columns).silver
    assert [silver.column(name).field for name in "abcde"] == [
        "column_9",
        "sepal.length",
        "sepal",
        "name#2",
        "$file",
    ]
    assert silver.column("f").formats == ("dd/MM/yyyy", "epoch_ms")
    assert silver.column("g").formats == ("epoch_s",)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("    amount: double", "    amount: dubble", "amount.type: unknown value 'dubble'"),
        ("    amount: double", "    amount: {type: long, field: 0}", "0 is not the place of"),
        ("    amount: double", "    content_id: string", "the column 'content_id' is the key"),
        ("    amount: double", '    amount: {type: long, file: "[0-9]+"}', "has no group"),
        ("    amount: double", "    at: {type: timestamp, format: iso}", "has no offset"),
        ("  columns:", "  key: contents\n  columns:", "key: unknown value 'contents'"),
        ("kind: files", "kind: socrata", "source: the key 'dataset' is missing"),
        ("kind: files", "kind: socrata, dataset: d", "path does not go with a source of kind"),
        ("kind: files", "kind: socrata, dataset: d", "silver: the key 'key' is missing"),
        ('path: "*.csv"', "path: ssh://host/a.csv", "is not a URL that a use case may name"),
        ('path: "*.csv"', "path: s3://a:b@host/a.csv", "carries a user name or password"),
        ('path: "*.csv"', "format: {delimiter: ';;'}", "';;' does not separate fields"),
        ('path: "*.csv"', "format: {encoding: klingon}", "'klingon' is not a text encoding"),
        ('path: "*.csv"', "format: {encoding: zlib}", "'zlib' is not a text encoding"),
        ('path: "*.csv"', "format: {thousands: x}", "'x' is not a mark"),
        ('path: "*.csv"', "format: {decimal: ''}", "numbers have a decimal mark"),
        (
            'path: "*.csv"',
            "format: {}, options: {skip: 1}",
            "the same is said by options (skip)",
        ),
    ],
)
def test_what_does_not_hold_is_named(tmp_path: Path, old: str, new: str, reason: str) -> None:
    assert old in SHORT
    found = refused(tmp_path, SHORT.replace(old, new, 1))
    assert any(reason in text for text in found), found


def test_a_field_is_a_name_and_else_a_path() -> None:
    assert value_at({"a.b": 1, "a": {"b": 2}}, "a.b") == 1
    assert value_at({"a": {"b": 2}}, "a.b") == 2
    assert value_at({"a": 5}, "a.b") is None
    assert is_path("a.b", ["a.b", "a.c"])
    assert not is_path("a.b", ["a", "a.b"])
    assert content_id(b"{}") == "44136fa355b3678a1146ad16f7e8649e"
