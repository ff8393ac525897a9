"""`goldlake ingest --plan`, `backfill` and `reconcile`, in process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner, Result

from goldlake.cli.main import main
from goldlake.workflows.pages import json_documents
from goldlake_core.contracts.errors import GateRefused
from goldlake_core.documents.planning import Reconciled
from tests.cli.documents import ingest_report, reconciled
from tests.faults.lab import TOY, Lab, lab


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Lab]:
    with lab(tmp_path) as found:
        yield found


def run(place: Lab, command: str, *words: str, exit_code: int = 0) -> Result:
    where = ["--source", place.server.url, "--home", str(place.folder / "home")]
    result = CliRunner().invoke(main, [command, str(TOY), *where, *words])
    assert result.exit_code == exit_code, result.output
    return result


def _schema(command: str) -> object:
    return json.loads((json_documents.FOLDER / f"{command}.json").read_text(encoding="utf-8"))


def test_a_plan_reads_as_lines_and_as_json(place: Lab) -> None:
    lines = run(place, "ingest", "--plan").output.splitlines()
    assert lines[0] == "What goldlake would do with toy_harbour"
    assert "  begins at    the start of the source" in lines
    assert "  to fetch     600 records in 3 pages" in lines
    document = json.loads(run(place, "ingest", "--plan", "--json").stdout)
    jsonschema.validate(document, _schema("ingest"))
    assert (document["status"], document["records"]) == ("planned", 600)
    days = ("--since", "2024-03-01", "--until", "2024-03-02")
    lines = run(place, "backfill", "--plan", *days).output.splitlines()
    assert "  range        2024-03-01 to before 2024-03-02" in lines
    assert not (place.folder / "home").exists()


def test_a_backfill_needs_both_days(place: Lab) -> None:
    assert (
        "Missing option '--until'"
        in run(place, "backfill", "--since", "2024-03-01", exit_code=2).output
    )


def test_a_backfill_is_an_ingest_of_a_range(place: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    made = ingest_report()
    asked: list[object] = []
    monkeypatch.setattr(
        "goldlake.workflows.ingest.backfill",
        lambda *values, **options: asked.append((*values[2:5], options)) or made,
    )
    days = ("--since", "2024-03-01", "--until", "2024-03-02")
    document = json.loads(run(place, "backfill", *days, "--json").stdout)
    jsonschema.validate(document, _schema("backfill"))
    assert document["status"] == "ok"
    days_asked = ("2024-03-01", "2024-03-02")
    assert asked == [(place.server.url, *days_asked, {"accept_rejected": False})]


def test_what_a_reconciliation_found_is_told(place: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, object] = {}

    def answer(*values: object, **options: object) -> Reconciled:
        asked.update(options)
        return reconciled()

    monkeypatch.setattr("goldlake.workflows.reconcile.reconcile", answer)
    lines = run(place, "reconcile", "--most-deleted", "7.5%").output.splitlines()
    assert lines == [
        "toy: 3 rows deleted",
        "  keys at the source     1,000",
        "  rows in silver before  1,002",
        "  C00001; C00002; and 1 more",
        "At the source and never landed: 1 key",
        "Deleted here and at the source again: 2 keys",
        "Next: goldlake backfill toy --since DAY --until DAY",
        "Records at the source without a key: 4",
    ]
    assert asked == {"most_deleted": 0.075, "dry_run": False, "limit": 20}
    document = json.loads(run(place, "reconcile", "--most-deleted", "all", "--json").stdout)
    jsonschema.validate(document, _schema("reconcile"))
    assert asked["most_deleted"] == 1.0
    for wrong in ("5", "-1%", "some"):
        assert (
            "is not a share" in run(place, "reconcile", "--most-deleted", wrong, exit_code=2).output
        )


def test_nothing_is_compared_before_something_was_landed(place: Lab) -> None:
    result = run(place, "reconcile", "--dry-run", exit_code=2)
    assert "error: Nothing of toy_harbour was landed in the home" in result.output
    place.land()
    result = run(place, "reconcile", "--dry-run", exit_code=2)
    text = (
        "does not hold all that is landed yet, so that the key sets cannot be compared without "
        "refining first"
    )
    assert text in result.output


def test_a_refusal_ends_with_3(place: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*values: object, **options: object) -> Reconciled:
        raise GateRefused("Too many")

    monkeypatch.setattr("goldlake.workflows.reconcile.reconcile", refuse)
    run(place, "reconcile", exit_code=3)


def test_check_says_what_an_edit_means_for_a_home(place: Lab) -> None:
    home = str(place.folder / "home")
    place.source(options={})
    place.land()
    result = CliRunner().invoke(main, ["check", str(TOY), "--home", home])
    assert result.exit_code == 0
    lines = [line.strip() for line in result.output.splitlines()]
    assert "The tables of epoch 1 are made under this contract" in lines
    place.zone.claim(place.zone.identity() or {}, '{"dataset": "othe-r123", "kind": "socrata"}')
    result = CliRunner().invoke(main, ["check", str(TOY), "--home", home, "--json"])
    assert result.exit_code == 2
    document = json.loads(result.stdout)
    jsonschema.validate(document, _schema("check"))
    assert document["outlook"]["is_refused"] is True
