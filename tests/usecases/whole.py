"""Whole runs of data sets, from files to a served answer, beside gradient boosting.

usage: python -m tests.usecases.whole FOLDER [NAME …]

Each run leaves FOLDER/NAME.whole.json; one that is there already is not made again. Real data is
read from the folder that GOLDLAKE_TEST_DATA names. `python -m benchmarks.usecases FOLDER` makes
the book's page of what is there.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from benchmarks.usecase_records import Whole
from goldlake_core.contracts.registry import find_usecase
from goldlake_core.documents.lakehouse import Fates
from tests.end_to_end.commands import answered, goldlake, goldlake_json
from tests.usecases.compared import Compared
from tests.usecases.datasets import MADE, REAL, DataSet

REPOSITORY = Path(__file__).parents[2]
SAME = 0.002
"""TFMA asks in other batches: answers differ in the last bit, which parts ranks that are equal."""
ONE_BLOCK = (
    "on 19 February 2001 there are 55 arrests for narcotics in the block 008XX N TRUMBULL AV,"
    " which has 3 crimes at most in each week before"
)
"""What the gate finds unusual in the first quarter of 2001, and is in the portal's own records."""
FESTIVAL = (
    "from 28 to 31 July 2016 there are 97 crimes in the block 003XX E RANDOLPH ST, where a music"
    " festival is in the park; in other months there are 12 at most"
)
"""What it finds unusual in July 2016, likewise. Without that month, the next ones are unusual."""
FATES = tuple(name for name in Fates.__struct_fields__ if name != "landed")
LINEAR = "parts: {build_model: tfx_pipeline.parts.linear.build_model}\n"


@dataclass(frozen=True)
class Case:
    """A whole run.

    Attributes:
        name: Name of the use case, and of the record.
        place: Its files under the folder of real data; "" for rows that are made.
        begin: Writes the use case into a folder, and returns its name or path, the source to name
            ("" for the contract's own), and the number of lines that a person wrote.
        accepted: Columns or statistics that the gate refuses though they are right, and why they
            are.
    """

    name: str
    place: str
    begin: Callable[[Path, Path | None], tuple[str, str, int]]
    accepted: tuple[tuple[str, str], ...] = ()


def whole_run(case: Case, folder: Path, real: Path | None) -> Whole:
    """Makes a whole run in an empty folder, and compares the model with gradient boosting.

    Args:
        case: What to run.
        folder: An empty folder, for the use case and its home.
        real: Folder of real data.
    """
    begun = time.monotonic()
    usecase, source, lines = case.begin(folder, real)
    goldlake("check", usecase, folder=folder)
    named = ["--source", source] if source else []
    command = ("run", usecase, *named, "--home", "home")
    report = _served(command, dict(case.accepted), folder)
    minutes = (time.monotonic() - begun) / 60
    [(model_id, part)] = report["models"].items()
    assert part["train"]["blessed"], part["train"]["reasons"]
    assert part["promotion"] is not None
    landed, fates = _account(usecase, folder)
    [answer, *_] = part["answers"]
    version = str(part["train"]["model_version"])
    found = compared(usecase, model_id.partition(".")[2], folder, version)
    judged = msgspec.json.decode(Path(part["train"]["evaluation"]).read_bytes())["slices"][0]
    assert judged["metrics"][found.metric] == pytest.approx(found.value, rel=1e-6)
    assert part["train"]["metrics"][found.metric] == pytest.approx(found.value, rel=SAME)
    return Whole(
        name=case.name,
        place=case.place or "made by the tests",
        label=model_id.partition(".")[2],
        lines=lines,
        minutes=round(minutes, 1),
        landed=landed,
        fates=fates,
        head=found.head,
        metric=found.metric,
        rows=found.rows,
        value=found.value,
        constant=found.constant,
        boosting=found.boosting,
        better=found.better,
        answer=answer["answer"],
    )


def _served(command: tuple[str, ...], accepted: Mapping[str, str], folder: Path) -> Any:
    """The report of a run that the gate passes, after a person has accepted what it refused.

    Each column has to be refused, once per table at most.
    """
    lacking = set(accepted)
    for _ in range(2 * len(accepted) + 1):
        answer = answered(*command, "--json", folder=folder)
        if answer.returncode == 0:
            assert not lacking, f"the gate has not refused {sorted(lacking)}"
            return json.loads(answer.stdout)
        told = answer.stdout + answer.stderr
        accept = re.search(r"goldlake accept (\S+) (\S+)", told)
        assert accept is not None, told
        run_id, column = accept.groups()
        assert column in accepted, told
        because = ("--because", accepted[column], "--home", "home")
        goldlake("accept", run_id, column, *because, folder=folder)
        lacking.discard(column)
    raise AssertionError(f"refused in spite of what was accepted: {told}")


def _account(usecase: str, folder: Path) -> tuple[int, dict[str, int]]:
    """The records that all runs of the home landed, and the fates that its tables have of them.

    A run after a refused one has nothing to land.
    """
    asked = (usecase, "--home", "home")
    runs = goldlake_json("history", *asked, folder=folder)["runs"]
    landed = sum(run["landed"] or 0 for run in runs)
    [tables] = goldlake_json("tables", *asked, folder=folder).values()
    assert tables["landed"] == landed
    return landed, {fate: tables[fate] for fate in FATES if tables[fate]}


def compared(usecase: str, model: str, folder: Path, version: str) -> Compared:
    """The comparison, in a process that has TensorFlow."""
    place = folder / usecase if (folder / usecase).is_dir() else usecase
    home = folder / "home"
    command = [sys.executable, "-m", "tests.usecases.compared", place, model, home, version]
    answer = subprocess.run(
        list(map(str, command)),
        cwd=REPOSITORY,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr[-4000:]
    return msgspec.json.decode(answer.stdout, type=Compared)


def drafted(
    each: DataSet, lines: str = "", name: str = "", accepted: tuple[tuple[str, str], ...] = ()
) -> Case:
    """The run of what `goldlake init` drafts.

    Args:
        each: The data set.
        lines: Lines that are added to the model's file.
        name: Name of the run; that of the data set without it.
        accepted: See `Case.accepted`.
    """

    def begin(folder: Path, real: Path | None) -> tuple[str, str, int]:
        place = each.at(folder, real)
        goldlake("init", each.name, "--from", place, "--label", each.label, folder=folder)
        if lines:
            [file] = (folder / each.name / "models").glob("*.yaml")
            file.write_text(file.read_text(encoding="utf-8") + lines, encoding="utf-8")
        return each.name, "", lines.count("\n")

    return Case(name or each.name, each.place, begin, accepted)


def shipped(name: str, place: str, prepare: Callable[[Path, Path], None] | None = None) -> Case:
    """The run of a shipped use case on real files; its lines are those of its contracts.

    Args:
        name: Name of the use case.
        place: Its files under the folder of real data.
        prepare: Called with a copy of the use case's folder and the folder of real data.
    """

    def begin(folder: Path, real: Path | None) -> tuple[str, str, int]:
        assert real is not None
        own = Path(find_usecase(name))
        if prepare is not None:
            prepare(Path(shutil.copytree(own, folder / name)), real)
        usecase = name if prepare is None else f"./{name}"
        files = [own / "contract.yaml", *(own / "models").glob("*.yaml")]
        texts = [line.strip() for file in files for line in file.read_text("utf-8").splitlines()]
        written = sum(bool(text) and not text.startswith("#") for text in texts)
        return usecase, str(real / place), written

    return Case(name, place, begin)


def _answers(folder: Path, real: Path) -> None:
    """NASA's answers for the engines of the test files."""
    packed = (real / "cmapss" / "RUL_FD001.txt.gz").read_bytes()
    (folder / "RUL_FD001.txt").write_bytes(gzip.decompress(packed))


_SETS = {each.name: each for each in (*MADE, *REAL)}
CASES = (
    drafted(_SETS["year"], accepted=(("block", FESTIVAL),)),
    shipped("crime_text", "chicago/crimes_2016.csv.gz"),
    drafted(_SETS["quarter"], accepted=(("block", ONE_BLOCK),)),
    drafted(_SETS["nation"]),
    shipped("turbofan", "cmapss/t*_FD001.txt.gz", _answers),
    shipped("germany_pks", "germany_pks/pks_2020_kreise.csv.gz"),
    shipped("uk_street_crime", "uk_police/*-street.csv.gz"),
    *(drafted(_SETS[name]) for name in ("rows", "cut", "street", "codes")),
    *map(drafted, MADE),
    drafted(_SETS["soils"], LINEAR, "soils_linear"),
)
"""Every data set once, those that take longest first: two processes share them."""


def main(argv: list[str] | None = None) -> int:
    """Makes the runs that have no record yet; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the records are")
    parser.add_argument("names", nargs="*", help="runs; all of them without a name")
    asked: Any = parser.parse_args(argv)
    known = {case.name: case for case in CASES}
    real = os.environ.get("GOLDLAKE_TEST_DATA")
    for name in asked.names or known:
        record: Path = asked.folder / f"{name}.whole.json"
        if record.exists():
            continue
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            found = whole_run(known[name], Path(folder), Path(real) if real else None)
        record.write_bytes(msgspec.json.encode(found))
        print(f"{name}: {found.metric} {found.value:.4g}, boosting {found.boosting:.4g}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
