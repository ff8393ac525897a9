"""Findings: their one line, and how errors of loading become some."""

from __future__ import annotations

from goldlake_core.contracts.errors import ContractError
from goldlake_core.contracts.findings import Finding, loading_finding
from goldlake_core.contracts.findings import error as error_remark
from goldlake_core.contracts.yaml_entry import read
from lakehouse.checks.places import Places
from tests.goldlake_core.contracts.conftest import Copy


def test_a_message_is_one_line_with_place_key_and_what_is_next() -> None:
    finding = Finding(
        "error", "x/contract.yaml", 3, "silver.key", "it is empty.", "a name", "write"
    )
    assert finding.message == (
        "x/contract.yaml:3: silver.key: it is empty. Valid: a name. Next: write"
    )
    assert Finding("warning", "x/tables.py", None, None, "it is odd").message == (
        "x/tables.py: warning: it is odd."
    )


def test_an_error_of_loading_is_a_finding() -> None:
    raised = ContractError("no", file="c.yaml", line=2, key="source.kind", valid="yes", hint="do")
    finding = loading_finding(raised)
    assert finding == Finding("error", "c.yaml", 2, "source.kind", "no", "yes", "do")
    assert finding.message == raised.message
    empty = ContractError("empty", file="c.yaml")
    assert loading_finding(empty) == Finding("error", "c.yaml", None, None, "empty")


def test_a_place_is_the_key_or_the_nearest_parent_that_is_written(toy: Copy) -> None:
    path = toy.folder / "contract.yaml"
    places = Places(read(path, str(path)))
    line = toy.line_of("contract.yaml", "code: changed_after_arrival") + 1
    found = places.finding(error_remark("no"), "silver", "checks", 1, "expect")
    assert (found.file, found.line, found.key) == (str(path), line, "silver.checks[1].expect")
    line = toy.line_of("contract.yaml", "    booked_until:")
    found = places.finding(error_remark("no"), "silver", "columns", "booked_until", "time_zone")
    assert (found.line, found.key) == (line, "silver.columns.booked_until")
    assert places.finding(error_remark("no"), "nowhere").key is None
