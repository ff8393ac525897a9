"""Example files: what is read, what is refused and where, what differs; and once through Spark."""

from __future__ import annotations

import shutil
from datetime import date, datetime, timezone
from pathlib import Path

import pytest

from goldlake.workflows.check import check_usecase
from goldlake.workflows.example_files import read_examples
from goldlake.workflows.examples import run_examples, text
from goldlake_core.contracts.errors import ContractError, ContractErrors, UsageError
from goldlake_core.contracts.loader import load_contract
from goldlake_core.contracts.sections import UseCase

HARBOUR = Path(__file__).parents[1] / "usecases" / "toy_harbour"
GOOD = """\
about: A ferry that stayed too long.
records:
  - {call_id: C00001, arrived: "2024-01-01T08:35:00.000", changed: "2024-01-01T12:00:00.000",
     vessel_type: FERRY, cargo: "", berth: "1", length_m: "80", overdue: false}
  - {call_id: C00001, arrived: "2024-01-01T08:35:00.000", changed: "2024-01-03T12:00:00.000",
     vessel_type: FERRY, cargo: "", berth: "1", length_m: "80", overdue: true}
  - "{ not json"
  - {call_id: C00002, arrived: "2024-07-01T08:35:00.000", changed: "2024-07-01T12:00:00.000",
     vessel_type: SUBMARINE, cargo: "", overdue: false}
silver:
  - {call_id: C00001, arrived: "2024-01-01T08:35:00", berth: "01", length_m: 80.0, crew: null}
rejected:
  - {record: 3, reasons: [json.invalid]}
  - {record: 4, reasons: [vessel_type.domain]}
gold:
  call_features:
    - {call_id: C00001, arrived: "2024-01-01T07:35:00Z", hour: 8, weekday: 1}
  berth_day:
    - {berth: "01", day: 2024-01-01, calls: 1, overdue_calls: 1}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the toy use case with one example."""
    copy = tmp_path / "toy_harbour"
    shutil.copytree(HARBOUR, copy)
    (copy / "examples").mkdir()
    (copy / "examples" / "late.yaml").write_text(GOOD, encoding="utf-8")
    return copy


def write(folder: Path, old: str, new: str) -> UseCase:
    assert old in GOOD
    (folder / "examples" / "late.yaml").write_text(GOOD.replace(old, new, 1), encoding="utf-8")
    return load_contract(folder)


def test_an_example_is_read_with_the_types_of_the_columns(folder: Path) -> None:
    [example], errors = read_examples(load_contract(folder))
    assert errors == []
    assert example.records[2] == b"{ not json"
    assert example.records[0].startswith(b'{"call_id":"C00001","arrived":"2024-01-01T08:35')
    assert example.rejected == {
        3: (13, frozenset({"json.invalid"})),
        4: (14, frozenset({"vessel_type.domain"})),
    }
    [row] = example.tables["silver"].values()
    assert row.line == 11
    arrived = datetime(2024, 1, 1, 7, 35, tzinfo=timezone.utc)
    assert row.values["arrived"] == arrived, "a time without a zone is one of the source's clock"
    assert row.values["crew"] is None
    [gold] = example.tables["gold.call_features"].values()
    assert gold.values["arrived"] == arrived
    assert list(example.tables["gold.berth_day"]) == [("01", date(2024, 1, 1))]


WRONG = [
    ("about: A", "abut: A", ":1: abut: unknown key 'abut'. Valid: about (nearest)"),
    ("silver:", "silvr:", ":10: silvr: unknown key 'silvr'. Valid: silver (nearest)"),
    ("crew: null", "crow: null", ":11: silver[0].crow: there is no column 'crow'. Valid: crew"),
    ("80.0", '"80"', ":11: silver[0].length_m: expected a number, got the text '80'"),
    ('T08:35:00", b', 'T99:35:00", b', "'2024-01-01T99:35:00' is not a time. Valid: ISO 8601"),
    ("record: 4", "record: 5", ":14: rejected[1].record: there is no record 5. Valid: 1 to 4"),
    ("e.domain", "e.domian", "there is no reason code 'vessel_type.domian'. Valid: vessel_type.d"),
    ("record: 3", "recor: 3", ":13: rejected[0]: the key 'record' is missing"),
    (
        "e.domain]",
        "e.domain], why: x",
        "rejected[1].why: unknown key 'why'. Valid: record, reasons",
    ),
    ("call_features:", "call_feature:", "no gold table 'call_feature'. Valid: call_features (near"),
    ('- {berth: "01", day', "- {day", ":19: gold.berth_day[0]: the key column 'berth' is missing"),
    ('"{ not json"', "|\n    a\n    b", "records[2]: a record is one line. Valid: a text without"),
]


@pytest.mark.parametrize(("old", "new", "problem"), WRONG)
def test_what_does_not_hold_is_named_with_its_line(
    folder: Path, old: str, new: str, problem: str
) -> None:
    _, errors = read_examples(write(folder, old, new))
    text = "\n".join(error.message for error in errors)
    assert problem in text
    assert str(folder / "examples" / "late.yaml") in text
    checked = check_usecase(str(folder))
    assert problem in "\n".join(finding.message for finding in checked.findings)
    assert checked.errors == len(errors)


def test_rows_of_one_key_and_examples_that_expect_nothing_are_refused(folder: Path) -> None:
    twice = '    - {berth: "01", day: 2024-01-01, calls: 1, overdue_calls: 1}\n'
    _, errors = read_examples(write(folder, twice, twice * 2))
    assert "the key of this row is expected twice" in errors[0].message
    _, errors = read_examples(write(folder, "{record: 4", "{record: 3"))
    assert "this record is listed twice" in errors[0].message
    _, errors = read_examples(write(folder, GOOD[GOOD.index("silver:") :], ""))
    assert "nothing is expected. Valid: silver, rejected or gold" in errors[0].message
    records = GOOD[GOOD.index("records:") : GOOD.index("silver:")]
    _, errors = read_examples(write(folder, records, "records: []\n"))
    assert "there is no record" in errors[0].message
    (folder / "examples" / "other.yml").write_text(GOOD, encoding="utf-8")
    _, errors = read_examples(load_contract(folder))
    assert "this example would be overlooked. Valid: the ending .yaml" in errors[0].message


def test_nothing_is_run_where_there_is_no_example_or_an_error(folder: Path) -> None:
    with pytest.raises(UsageError, match="toy_harbour has no example 'lat'. Valid: late"):
        run_examples(str(folder), ("lat",), lambda event: None)
    with pytest.raises(UsageError, match="toy_harbour has no examples. Valid: files .*/NAME.yaml"):
        run_examples(str(HARBOUR), (), lambda event: None)
    write(folder, "crew: null", "crow: null")
    with pytest.raises(ContractError, match="there is no column 'crow'"):
        run_examples(str(folder), (), lambda event: None)
    write(folder, "crew: null", "crow: null, pilt: true")
    (folder / "examples" / "b.yaml").write_text("about: x\n", encoding="utf-8")
    with pytest.raises(ContractErrors, match="2 errors"):
        run_examples(str(folder), (), lambda event: None)


def test_values_are_written_as_a_file_would_have_them() -> None:
    values = [None, True, 3, 1.5, "a", date(2024, 1, 1), datetime(2024, 1, 1, tzinfo=timezone.utc)]
    assert [text(value) for value in values] == [
        "null",
        "true",
        "3",
        "1.5",
        '"a"',
        '"2024-01-01"',
        '"2024-01-01T00:00:00.000Z"',
    ]


@pytest.mark.spark
@pytest.mark.long
def test_examples_run_through_real_tables(folder: Path) -> None:
    wrong = GOOD.replace("crew: null", "crew: 3").replace("record: 4", "record: 1")
    other_key = 'C00001, arrived: "2024-01-01T07'
    wrong = wrong.replace(other_key, other_key.replace("1, ", "9, "))
    wrong = wrong.replace("calls: 1, o", "calls: 2, o")
    (folder / "examples" / "wrong.yaml").write_text(wrong, encoding="utf-8")
    report = run_examples(str(folder), (), lambda event: None)
    late, other = report.examples
    assert (late.name, late.is_ok, late.problem, late.differences) == ("late", True, None, ())
    assert (report.passed, report.failed) == (1, 1)
    found = {
        (d.place.rpartition("/")[2], d.table, d.row, d.column): (d.expected, d.found)
        for d in other.differences
    }
    row = found.pop(("wrong.yaml", "gold.call_features", '"C00001"', None))
    assert row[0] is None
    assert (row[1] or "").startswith('call_id: "C00001", arrived: "2024-01-01T07:35:00.000Z"')
    assert found == {
        ("wrong.yaml:11", "silver", '"C00001"', "crew"): ("3", "null"),
        ("wrong.yaml:14", "rejected", "1", None): ("vessel_type.domain", None),
        ("wrong.yaml", "rejected", "4", None): (None, "vessel_type.domain"),
        ("wrong.yaml:19", "gold.berth_day", '"01", "2024-01-01"', "calls"): ("2", "1"),
        ("wrong.yaml:17", "gold.call_features", '"C00009"', None): (
            'call_id: "C00009", arrived: "2024-01-01T07:35:00.000Z", hour: 8, weekday: 1',
            None,
        ),
    }
