"""What `goldlake maintain` and `goldlake restore` say, and what they refuse."""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from goldlake.cli.main import main
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.storage.home import Home
from goldlake_core.storage.landing import Cursor
from goldlake_core.storage.locks import StoreLock
from lakehouse import specs
from tests.cli.documents import maintain_report, restore_report
from tests.goldlake_core.contracts.conftest import TOY


def say(*arguments: str, exit_code: int = 0) -> str:
    result = CliRunner().invoke(main, [*arguments])
    assert result.exit_code == exit_code, result.output
    return result.stdout if exit_code == 0 else result.output


@pytest.fixture
def place(tmp_path: Path) -> str:
    """A home with ten small landed pages of two runs, and no tables."""
    home, usecase = Home.at(tmp_path / "home"), load_usecase(str(TOY))
    zone = specs.landing(usecase, home)
    for number in range(10):
        entry = zone.write_page(
            zone.page_name(Cursor(str(number), "")),
            [b"{}"] * (number + 1),
            url="",
            first_cursor=None,
            last_cursor=None,
            run_id=f"20260401-09300{number // 5}-7f3a",
        )
        zone.write_manifest(entry)
    return home.root


def test_maintenance_is_told_part_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("goldlake.workflows.maintain.maintain", lambda *a, **b: maintain_report())
    assert say("maintain", "chicago_crime", "--home", "x").splitlines() == [
        "chicago_crime: what was done, keeping 30 days",
        "  bronze.crimes  31 files  to 5  8.6 MiB  to 3.8",
        "  bronze.crimes: 12 small files become larger ones",
        "Versions that can be read",
        "  bronze.crimes  @12 to @40  2026-03-01T00:00:00.000Z",
        "Kept: export chicago_crime/arrest/3-0a1b2c3d4e5f of chicago_crime.arrest@2",
        "  (stable)",
    ]


def test_a_restore_says_what_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    command = ("restore", "chicago_crime", "--to", "20260301-093000-1c2d", "--home", "x")
    report: Any = restore_report()
    monkeypatch.setattr("goldlake.workflows.maintain.restore_to", lambda *a, **b: report)
    lines = say(*command).splitlines()
    assert lines[:4] == [
        "chicago_crime: 4,000 records in 3 pages count",
        "  700 records in 2 pages count no more",
        "  20 records in 1 page count again",
        "  chicago_crime.arrest@2 learned from rows that leave; it is not touched",
    ]
    assert (
        lines[-1] == "The next goldlake ingest chicago_crime asks the source for what came after."
    )
    report = restore_report(leaving_pages=0, coming_pages=0, refine=None)
    assert say(*command) == "chicago_crime is there already, with 4,000 records\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("maintain", "--keep", "1d"),
            (
                "is shorter than a week: whoever reads a version of a table since then would "
                "lose its files",
                "7d or longer; or 1d with --short",
            ),
        ),
        (("maintain", "--keep", "soon"), ("--keep 'soon' is not a length of time", "30d")),
        (("maintain",), ("There is nothing of toy_harbour in the home", "goldlake ingest")),
        (("restore", "--to", "2016-01-01"), ("Nothing of toy_harbour was landed", "ingest")),
    ],
)
def test_what_cannot_be_done_is_refused(
    arguments: tuple[str, ...], words: tuple[str, ...], tmp_path: Path
) -> None:
    command, *options = arguments
    text = say(command, str(TOY), *options, "--home", str(tmp_path), exit_code=2)
    assert all(word in text for word in words), text


def test_a_dry_run_changes_nothing(place: str) -> None:
    root = Path(place)
    old = root / "runs" / "20200101-000000-abcd"
    young = root / "runs" / f"{datetime.now(timezone.utc):%Y%m%d-%H%M%S}-abcd"
    other = root / "runs" / "20200101-000000-abce"
    for folder, usecase in ((old, str(TOY)), (young, str(TOY)), (other, "chicago_crime")):
        folder.mkdir(parents=True)
        (folder / "land.request.json").write_text(json.dumps({"usecase": usecase}))
    staging = root / "exports" / "toy_harbour" / "overdue" / "1-abc.staging"
    staging.mkdir(parents=True)
    os.utime(staging, (0, 0))
    before = sorted(root.rglob("*"))
    maintained = ("maintain", str(TOY), "--home", place)
    expected = json.loads(say(*maintained, "--dry-run", "--json"))
    assert sorted(root.rglob("*")) == before
    assert expected["run_id"] is None
    runs = next(part for part in expected["parts"] if part["part"] == "runs")
    assert (runs["files_before"], runs["files_after"]) == (3, 2)
    assert runs["done"] == ["documents and logs of 1 run go"]
    done = json.loads(say(*maintained, "--json"))
    names = {path.name for path in (root / "runs").iterdir()}
    assert names == {young.name, other.name, done["run_id"]}
    # No table holds their records, so the pages are left as they are.
    assert len(list(root.rglob("pages/*.gz"))) == 10
    plan = json.loads(
        say(
            "restore",
            str(TOY),
            "--to",
            "20260401-093000-7f3a",
            "--dry-run",
            "--home",
            place,
            "--json",
        )
    )
    assert (plan["pages"], plan["leaving_pages"], plan["leaving_records"]) == (5, 5, 40)
    assert not list(root.rglob("restores.json"))


def test_another_process_keeps_maintenance_out(place: str) -> None:
    import threading

    taken, told = threading.Event(), threading.Event()

    def hold() -> None:
        with StoreLock(Home.at(place), "toy_harbour"):
            taken.set()
            told.wait(60)

    holder = threading.Thread(target=hold)
    holder.start()
    assert taken.wait(60)
    try:
        text = say("maintain", str(TOY), "--home", place, exit_code=1)
    finally:
        told.set()
        holder.join()
    assert "The store of toy_harbour in" in text
    assert "is in use by process" in text


def test_an_instant_with_a_zone_is_an_instant(place: str) -> None:
    later = (datetime.now(timezone.utc) + timedelta(hours=1)).isoformat()
    text = say("restore", str(TOY), "--to", later, "--dry-run", "--home", place)
    assert "is there already, with 55 records" in text
