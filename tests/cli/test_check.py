"""`goldlake check`: all that it prints, as lines and as JSON."""

# ruff: noqa: F811 (a fixture is an import and an argument)

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from goldlake.cli.main import main
from tests.cli.test_names import ALL_USECASES
from tests.goldlake_core.contracts.conftest import TOY, Copy, toy  # noqa: F401


def test_nothing_to_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(TOY.parent)
    result = CliRunner().invoke(main, ["check", "toy_harbour"])
    assert result.output == ("toy_harbour: no errors; 19 columns, 2 gold tables, 1 model checked\n")
    assert result.exit_code == 0


def test_nothing_to_say_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(TOY.parent)
    result = CliRunner().invoke(main, ["check", "toy_harbour", "--json"])
    assert json.loads(result.output) == {
        "usecase": "toy_harbour",
        "folder": "toy_harbour",
        "errors": 0,
        "warnings": 0,
        "columns": 19,
        "tables": 2,
        "models": 1,
        "findings": [],
        "outlook": None,
        "trial": None,
    }
    assert result.exit_code == 0


@pytest.fixture
def wrong(toy: Copy, monkeypatch: pytest.MonkeyPatch) -> Copy:
    """Two errors and a warning; the working directory is the folder above."""
    toy.edit("contract.yaml", "expect: changed >= arrived", "expect: changed >= arived")
    toy.edit("contract.yaml", "generator: generate.rows", "generator: generate.row")
    toy.edit("models/overdue.yaml", "auc: {min: 0.6", "auc: {min: 0.4")
    monkeypatch.chdir(toy.folder.parent)
    return toy


COLUMNS = (
    "call_id, arrived, changed, booked_until, vessel_type, cargo, berth, length_m, crew, pilot, "
    "latitude, longitude, overdue"
)


def test_errors_and_a_warning(wrong: Copy) -> None:
    result = CliRunner().invoke(main, ["check", "./toy_harbour"])
    contract, expect = (
        wrong.line_of("contract.yaml", mark) for mark in ("generator:", "changed >= arived")
    )
    auc = wrong.line_of("models/overdue.yaml", "auc:")
    assert result.output == (
        f"toy_harbour/contract.yaml:{contract}: source.generator: generate.py has no function "
        "'row'. Valid: rows (nearest); all: rows.\n"
        f"toy_harbour/contract.yaml:{expect}: silver.checks[1].expect: there is no silver column "
        f"'arived'. Valid: arrived (nearest); all: {COLUMNS}.\n"
        f"toy_harbour/models/overdue.yaml:{auc}: thresholds.auc.min: warning: a model that "
        "guesses has an AUC of 0.5, and 0.4 blesses it. Valid: more than 0.5, such as 0.7.\n"
        "toy_harbour: 2 errors, 1 warning\n"
    )
    assert result.exit_code == 2


def test_errors_and_a_warning_as_json(wrong: Copy) -> None:
    result = CliRunner().invoke(main, ["check", "./toy_harbour", "--json"])
    document = json.loads(result.output)
    findings = document.pop("findings")
    assert document == {
        "usecase": "toy_harbour",
        "folder": "toy_harbour",
        "errors": 2,
        "warnings": 1,
        "columns": 19,
        "tables": 2,
        "models": 1,
        "outlook": None,
        "trial": None,
    }
    assert findings[1] == {
        "severity": "error",
        "file": "toy_harbour/contract.yaml",
        "line": wrong.line_of("contract.yaml", "changed >= arived"),
        "key": "silver.checks[1].expect",
        "problem": "there is no silver column 'arived'",
        "valid": f"arrived (nearest); all: {COLUMNS}",
        "hint": None,
    }
    assert [finding["severity"] for finding in findings] == ["error", "error", "warning"]
    assert result.exit_code == 2


def test_a_warning_alone(toy: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    toy.edit("models/overdue.yaml", "auc: {min: 0.6", "auc: {min: 0.4")
    monkeypatch.chdir(toy.folder.parent)
    result = CliRunner().invoke(main, ["check", "toy_harbour"])
    assert result.output.splitlines()[-1] == (
        "toy_harbour: no errors, 1 warning; 19 columns, 2 gold tables, 1 model checked"
    )
    assert len(result.output.splitlines()) == 2
    assert result.exit_code == 0


def test_a_contract_that_does_not_load(toy: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    toy.edit("contract.yaml", "  page_rows: 200", "  page_rows: 0")
    monkeypatch.chdir(toy.folder.parent)
    result = CliRunner().invoke(main, ["check", "toy_harbour"])
    line = toy.line_of("contract.yaml", "page_rows")
    assert result.output == (
        f"toy_harbour/contract.yaml:{line}: source.page_rows: 0 is out of bounds. "
        "Valid: 1 to 1000000.\n"
        "toy_harbour: 1 error, 0 warnings\n"
    )
    assert result.exit_code == 2


def test_a_name_that_is_not_there_and_one_that_is_twice(
    toy: Copy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(toy.folder.parent)
    monkeypatch.setenv("GOLDLAKE_USECASES", str(TOY.parent))
    result = CliRunner().invoke(main, ["check", "toy_harbor"])
    assert result.output == (
        "error: There is no use case called 'toy_harbor'. Valid: toy_harbour (nearest); all: "
        f"{ALL_USECASES}. Next: name its folder by path, or put the folder above it on "
        "GOLDLAKE_USECASES\n"
    )
    assert result.exit_code == 2
    result = CliRunner().invoke(main, ["check", "toy_harbour"])
    assert result.output == (
        f"error: Several folders are called 'toy_harbour': ./toy_harbour, {TOY}. Valid: one of "
        "these paths. Next: name the folder by path, such as `goldlake check ./toy_harbour`\n"
    )
    assert result.exit_code == 2
