"""What a data engineer operates: each command is there and does what it says."""

from __future__ import annotations

import json
from typing import Any

from click.testing import CliRunner

from goldlake.cli.main import main as command_line
from lakehouse.sources.testing import Rows
from tests.faults.catalog import fault
from tests.faults.lab import TOY, Lab, row


def _goldlake(lab: Lab, *arguments: str) -> Any:
    """The document of a command on the lab's home."""
    words = [*arguments, "--home", str(lab.folder / "home"), "--json"]
    answer = CliRunner().invoke(command_line, words)
    assert answer.exit_code == 0, answer.output
    return json.loads(answer.stdout)


def _is_there(id: str, command: str, holds: str, *words: str) -> None:
    @fault(id, f"`{command}`", holds)
    def run(lab: Lab) -> None:
        lab.land()
        assert isinstance(_goldlake(lab, *words), (dict, list))


_TOY = str(TOY)


@fault(
    "O2",
    "ten records are deleted at the source; `reconcile`",
    "told, and kept gone by tombstones",
    short=False,
)
def reconciled(lab: Lab) -> None:
    lab.land()
    del lab.server.rows.all[100:110]
    _goldlake(lab, "reconcile", _TOY, "--source", lab.server.url)
    gone = [line for line in lab.lines() if b"$deleted" in line]
    assert len(gone) == 10
    assert all(json.loads(line)["$deleted"] is True for line in gone)


@fault(
    "O7",
    "`reconcile` again, and with a record that comes back",
    "no deletion is landed twice; the record lands",
    short=False,
)
def reconciled_again(lab: Lab) -> None:
    reconciled(lab)
    before = len(lab.lines())
    _goldlake(lab, "reconcile", _TOY, "--source", lab.server.url)
    assert len(lab.lines()) == before
    lab.server.rows.all.append(row(100, minute=700))
    assert lab.land().rows == 1


@fault(
    "O3",
    "`backfill` of a range, twice, with a record that was edited in place between",
    "the range is read each time; the edited record lands once more",
    short=False,
)
def backfilled(lab: Lab) -> None:
    lab.server.rows = Rows([row(number) for number in range(600)])
    lab.land()
    words = ("--since", "2024-03-01", "--until", "2024-03-02", "--source", lab.server.url)
    lab.server.rows.all[50] = row(50, cargo="COAL")
    # Landing is what is looked at here: the tables of this command have tests of their own.
    _goldlake(lab, "backfill", _TOY, *words)
    assert lab.lines()[-1] == row(50, cargo="COAL")


@fault("O11", "`goldlake check` of a use case", "it is there")
def check(lab: Lab) -> None:
    answer = CliRunner().invoke(command_line, ["check", _TOY, "--json"])
    assert answer.exit_code == 0, answer.output


_is_there("O6", "history", "the runs, as a table", "history", _TOY)
_is_there(
    "O13",
    "tables --as-of",
    "the fates of that time",
    "tables",
    "--as-of",
    "2020-01-01T00:00:00Z",
)


@fault("O4", "`goldlake rebuild`", "it is there; a rebuild is made and killed in the other tests")
def rebuild(lab: Lab) -> None:
    answer = CliRunner().invoke(command_line, ["rebuild", "--help"])
    assert answer.exit_code == 0, answer.output


def _has_option(id: str, command: str, option: str, missing: str = "") -> None:
    @fault(id, f"`{command} {option}`", "it is there", missing=missing)
    def run(lab: Lab) -> None:
        answer = CliRunner().invoke(command_line, [*command.split(), "--help"])
        assert answer.exit_code == 0, answer.output
        assert option in answer.output


_has_option("O5", "maintain", "--dry-run")
_has_option("O8", "quarantine list", "--reason")
_has_option("O8b", "quarantine replay", "--dry-run")
_has_option("O9", "ingest", "--follow")
_has_option("O10", "doctor", "--deep")
_has_option("O10b", "doctor", "--repair")
_has_option("O12", "init", "--from")
_has_option("O14", "ingest", "--plan")
_has_option("O15", "history", "--csv")
_has_option("O16", "restore", "--to")
_has_option("O17", "backup", "--dry-run")
_has_option("O18", "erase", "--key")
