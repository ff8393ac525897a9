"""`goldlake show`, in process, with its whole output."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from goldlake.cli.main import main as command_line
from goldlake.cli.printing import printable
from goldlake_core.storage.home import Home
from tests.lakehouse.test_rows import home

__all__ = ["home"]
TABLE = "toy.silver.calls"


def show(*arguments: str, at: Home, columns: int = 80) -> Result:
    command = ["show", *arguments, "--home", at.root]
    return CliRunner().invoke(command_line, command, env={"COLUMNS": str(columns)})


def test_rows_as_a_table(home: Home) -> None:
    answer = show(TABLE, "--where", "id > 1", at=home)
    assert answer.exit_code == 0
    assert answer.stdout.splitlines() == [
        "toy.silver.calls@4: 3 of 3 rows",
        "id  name           seen                  reasons",
        "2   null           null                  null",
        "3                  2024-02-29T12:00:00Z  ['x']",
        r"4   [red]\x1b[31m  null                  null",
    ]


def test_what_does_not_fit_is_named(home: Home) -> None:
    lines = show(TABLE, at=home, columns=30).stdout.splitlines()
    assert lines[1] == "id  name"
    text = " ".join(line.strip() for line in lines)
    assert "Not shown, for lack of width: seen, reasons" in text
    assert all(len(line) <= 30 for line in lines[1:])


def test_one_row_is_shown_whole(home: Home) -> None:
    answer = show(f"{TABLE}@1", "--limit", "1", at=home)
    assert answer.stdout.splitlines() == [
        "toy.silver.calls@1: 1 of 2 rows",
        "  id    1",
        "  name  a",
    ]


def test_csv(home: Home) -> None:
    answer = show(TABLE, "--where", "id = 3", "--csv", at=home)
    assert answer.stdout_bytes == (b"id,name,seen,reasons\r\n3,,2024-02-29T12:00:00Z,['x']\r\n")


def test_json_keeps_empty_and_missing_apart(home: Home) -> None:
    document = json.loads(show(TABLE, "--columns", "id,name", "--json", at=home).stdout)
    assert document["table"] == "toy.silver.calls@4"
    assert document["total"] == 4
    rows = sorted(document["rows"], key=lambda row: row["id"])
    assert rows[1:3] == [{"id": 2, "name": None}, {"id": 3, "name": ""}]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["toy.silver"], "names no table"),
        ([TABLE, "--csv", "--json"], "--csv and --json exclude each other"),
        (["toy.sliver.calls"], "silver (nearest)"),
    ],
)
def test_what_is_refused(home: Home, arguments: list[str], message: str) -> None:
    answer = show(*arguments, at=home)
    assert answer.exit_code == 2
    assert message in answer.stderr


def test_control_characters_never_reach_the_terminal() -> None:
    assert printable("a\x1b[2Jb\r\n\x07é\u202e") == "a\\x1b[2Jb\\r\\n\\x07é\\u202e"
