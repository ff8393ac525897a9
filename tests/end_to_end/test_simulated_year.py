"""A year of a courier by the command line: the loop of retraining is closed, and quiet otherwise.

The source grows with the year, a real server answers over HTTP and logs, labels ripen, and on the
first of each month `goldlake ingest` and `goldlake retrain` run. Only the clock of the request log
is not the machine's.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from goldlake_core.contracts.ids import ModelId
from goldlake_core.contracts.registry import load_usecase, resolve
from goldlake_core.contracts.wire import raw_inputs
from goldlake_core.storage.home import Home
from metadata import retraining
from metadata.pushed import pushed_models
from metadata.store import Store
from serving import client
from serving.answeredlog import answers_of, content, file_names
from tests.end_to_end.commands import goldlake, goldlake_json, source

PARCELS = Path(__file__).parents[1] / "workflows" / "parcels"
REPOSITORY = Path(__file__).parents[2]
MODEL, NAME, HEADER = "parcels:late", "parcels.late", "x-parcel"
ROWS, SEED = "46000", "1"
DRIFT, ALL, WINDOW, MORE = "drift", "metric:auc<0.75", "metric:auc[28d]<0.75", "rows>=15000"
CONDITIONS = f"{DRIFT}, {ALL}, {WINDOW}, {MORE}"
BEGIN, STRIKE, ODD = "2024-04-01", ("2024-08-01", "2024-09-01"), "2025-02"
"""When the first version is trained, the strike, and the month in which one client of eight sends
metres in place of kilometres."""


@dataclass(frozen=True)
class Step:
    """What a month's end has to show.

    Attributes:
        day: First day of the next month.
        outcome: What `goldlake retrain` says.
        held: The conditions that hold.
        served: Version that serves afterwards.
    """

    day: str
    outcome: str = "quiet"
    held: tuple[str, ...] = ()
    served: int = 1


YEAR = (
    Step("2024-05-01"),
    Step("2024-06-01", "blessed", (ALL, WINDOW), served=2),  # May: it is summer
    Step("2024-07-01", served=2),
    Step("2024-08-01", served=2),
    # The strike: two good months hide it from the metric of all answers.
    Step("2024-09-01", "refused", (WINDOW,), served=2),
    Step("2024-10-01", served=2),
    Step("2024-11-01", "blessed", (MORE,), served=3),
    Step("2024-12-01", "blessed", (ALL, WINDOW), served=4),  # November: it is winter
    Step("2025-01-01", served=4),
    Step("2025-02-01", served=4),
    Step("2025-03-01", "blessed", (DRIFT,), served=5),  # one client sends metres
    Step("2025-04-01", served=5),
)

pytestmark = [pytest.mark.long, pytest.mark.spark, pytest.mark.tfx, pytest.mark.timeout(3000)]


class Town:
    """The courier's use case, its home, its clients and its clock.

    Args:
        folder: An empty folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = Home.at(folder / "home")
        place = folder / "parcels"
        shutil.copytree(PARCELS, place, ignore=shutil.ignore_patterns("__pycache__"))
        _replace(place / "generate.py", 'STRIKE = ("", "")', f"STRIKE = {STRIKE}")
        kept = "request_log: {file_megabytes: 1, files: 3}"
        _replace(place / "models" / "late.yaml", kept, "request_log: {}")
        self.usecase = load_usecase(str(place))
        rows = resolve(self.usecase, "generate.rows", "source.generator")(int(ROWS), int(SEED))
        # Of a late parcel the second version has the same inputs.
        self.parcels = list({row["parcel"]: row for row in rows}.values())
        self.clock = folder / "clock"

    def command(self, *arguments: str, exit_code: int = 0) -> Any:
        """The JSON document of a command on the home."""
        options = ("--home", self.home.root)
        return goldlake_json(*arguments, *options, folder=self.folder, exit_code=exit_code)

    def ingest(self, day: str) -> None:
        """Ingests what the source shows on a day; its clock all but stands still."""
        at = ("--speed", "0.001", "--start", f"{day}T00:00:00Z")
        rows = ("--rows", ROWS, "--seed", SEED)
        with source("parcels", *rows, *at, folder=self.folder) as url:
            made = self.command("ingest", "parcels", "--source", url)
        assert made["refine"]["fates"]["quarantined"] == 0

    def retrain(self, exit_code: int = 0, *options: str) -> Any:
        """What `goldlake retrain` says."""
        given = ("--if", CONDITIONS, "--promote", *options)
        return self.command("retrain", MODEL, *given, exit_code=exit_code)

    @contextmanager
    def serving(self) -> Iterator[str]:
        """URL of a server of the home, with the clock of the file."""
        command = [sys.executable, "-m", "tests.end_to_end.stepped_clock", str(self.clock)]
        command += ["serve", "--rest-port", "0", "--home", self.home.root]
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        with subprocess.Popen(
            command, cwd=self.folder, env=environment, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            try:
                line = process.stdout.readline()
                assert line.startswith("Serving at "), line
                yield line.split()[2].removesuffix("/v1/models.")
            finally:
                process.terminate()

    def ask(self, url: str, month: str) -> int:
        """Asks about each parcel of a month on the day when it leaves; returns their number."""
        model = self.usecase.models["late"]
        inputs = raw_inputs(model, self.usecase.gold[model.table])
        asked = [row for row in self.parcels if row["placed"].startswith(month)]
        days: dict[str, list[Mapping[str, Any]]] = {}
        for number, row in enumerate(asked):
            distance = float(row["distance_km"])
            if month == ODD and number % 8 == 0:
                distance *= 1000
            known = {"vehicle": row["vehicle"], "district": row["district"]}
            instance = {"parcel": row["parcel"], **known, "distance_km": distance}
            days.setdefault(row["placed"][:10], []).append(instance)
        with client.connect(url) as server:
            late = server.model(NAME, inputs=inputs, record_key=(HEADER, "parcel"))
            for day, rows in days.items():
                self.clock.write_text(f"{day}T12:00:00Z")
                assert len(late.predict(rows)) == len(rows)
        return len(asked)

    def logged(self, month: str) -> int:
        """Answers of a month in the request log; it is written after the answers."""
        place = Path(self.home.path("requests", NAME))
        files = [content(place, name) for name in file_names(place)]
        lines = [line for each in files if each for line in answers_of(each.data).lines]
        return sum(line.at.startswith(month) for line in lines)

    def served(self, url: str) -> int:
        """The version with which the server answers."""
        with client.connect(url) as server:
            states = server.states(NAME)
        (version,) = (number for number, (state, _) in states.items() if state == "AVAILABLE")
        return version


def test_a_year(tmp_path: Path) -> None:
    town = Town(tmp_path)
    town.ingest(BEGIN)
    first = town.retrain()
    assert (first["outcome"], first["promoted"]) == ("blessed", 1), first
    town.clock.write_text(f"{BEGIN}T00:00:00Z")
    with town.serving() as url:
        assert town.served(url) == 1
        for step in YEAR:
            _month(town, url, step)
    _on_record(town.home, first["reason"])


def _month(town: Town, url: str, step: Step) -> None:
    before = town.served(url)
    month = (datetime.fromisoformat(step.day) - timedelta(days=1)).strftime("%Y-%m")
    asked = town.ask(url, month)
    _wait_for_log(town, month, asked)
    town.ingest(step.day)
    began = time.monotonic()
    found = town.retrain(3 if step.outcome == "refused" else 0)
    seconds = time.monotonic() - began
    print(f"{step.day}  {found['outcome']:8} {seconds:5.1f} s  @{before} -> @{town.served(url)}")
    for each in found["conditions"]:
        print(f"    {each['text']:22} {each['holds']!s:5}  {each['found']}")
    held = tuple(each["text"] for each in found["conditions"] if each["holds"])
    assert (found["outcome"], held, found["reason"]) == (step.outcome, step.held, "; ".join(held))
    # Each of them could be judged.
    assert all(each["holds"] is not None for each in found["conditions"]), found["conditions"]
    assert town.served(url) == step.served
    assert found["promoted"] == (step.served if step.served != before else None)
    assert not found["unconfirmed"]
    if step.outcome == "refused":
        assert found["train"]["train"]["reasons"]
        again = town.retrain()
        assert again["outcome"] == "refused_before"
        assert again["refused_before"]["reason_id"] == found["reason_id"]
        told = ("retrain", MODEL, "--if", WINDOW, "--home", town.home.root)
        print(goldlake(*told, folder=town.folder))
        assert town.served(url) == before


def _wait_for_log(town: Town, month: str, count: int) -> None:
    end = time.monotonic() + 60
    while (logged := town.logged(month)) != count:
        assert time.monotonic() < end, f"{logged} of {count} answers are logged"
        time.sleep(0.2)


def _on_record(home: Home, first: str) -> None:
    """Each training has a reason in ML Metadata, and that its pushed model as an input."""
    store = Store(home)
    reasons = store.artifacts_of_type(retraining.REASON)
    wanted = [("blessed", first, 1)] + [
        (step.outcome, "; ".join(step.held), None if step.outcome == "refused" else step.served)
        for step in YEAR
        if step.outcome != "quiet"
    ]
    names = ("outcome", "reason", "version")
    assert [tuple(map(each.properties.get, names)) for each in reasons] == wanted
    models = pushed_models(store, ModelId.parse(NAME))
    assert list(models) == [1, 2, 3, 4, 5]
    for reason in reasons:
        (made,) = (e.execution for e in store.events_of_artifacts([reason.id]) if e.is_output)
        inputs = [e.artifact for e in store.events_of_executions([made]) if not e.is_output]
        version = reason.properties.get("version")
        assert inputs == ([models[int(version)][-1].id] if version is not None else [])


def _replace(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text, file
    file.write_text(text.replace(old, new), encoding="utf-8")
