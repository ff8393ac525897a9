"""The same whole run of a drafted use case on several splits by hash: is a difference luck?

usage: python -m tests.usecases.splits FOLDER NAME [--splits N] [--with OLD=NEW …]

Each split is `goldlake init`, an edit of the model's file, and `goldlake run` in a home of its own.
A hash of other columns, whose values tell the rows apart as well, is another split of the same
shares. Each run leaves FOLDER/NAME.WAY.NUMBER.split.json, where WAY tells edits apart; one that is
there already is not made again. FOLDER/NAME.WAY.splits.json has what all say of the model and of
gradient boosting, and `python -m benchmarks.usecases FOLDER` adds it to the book's page.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from statistics import fmean
from typing import Any

import msgspec
import yaml

from benchmarks.usecase_records import SPLIT, SPLITS, OnSplits, Whole
from tests.usecases.whole import CASES, Case, whole_run

MOST = 3
"""Columns of a hash, at most."""


@dataclass(frozen=True)
class Way:
    """How a drafted model is edited.

    Attributes:
        edits: Lines of its ``features``, and what is written in place of each.
    """

    edits: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """A name for files: ``drafted`` without an edit."""
        text = repr(self.edits).encode()
        return hashlib.sha256(text).hexdigest()[:8] if self.edits else "drafted"

    def edited(self, text: str, by: Sequence[str]) -> str:
        """The text of a model with these edits, and with a split by a hash of some columns.

        Args:
            text: Text of the drafted file.
            by: The columns; none for the drafted split.

        Raises:
            ValueError: A line to edit is not there once, or the split is not by a hash of the key.
        """
        if by:
            text = _once(
                text, "split: {kind: hash, ", f"split: {{kind: hash, by: [{', '.join(by)}], "
            )
        for old, new in self.edits:
            text = _once(text, f"\n  {old}", f"\n  {new}")
        return text


def columns_of_hashes(
    key: Sequence[str], others: Sequence[str], number: int
) -> list[Sequence[str]]:
    """Lists of columns that hold the key, so that each row has its own hash. Pure.

    Args:
        key: Columns that tell the rows apart.
        others: Further columns.
        number: How many lists; the first is empty, which is the drafted split.

    Raises:
        ValueError: There are not so many.
    """
    found: list[Sequence[str]] = [()]
    for size in range(len(key), len(key) + MOST):
        found += [
            each
            for each in permutations((*key, *others), size)
            if set(key) <= set(each) != set(key)
        ]
    if len(found) < number:
        raise ValueError(f"{number} splits of {len(found)}")
    return found[:number]


def summary(found: OnSplits) -> str:
    """What the splits say together, in lines. Pure."""
    lines = [
        f"{number}: {found.metric} {value:.4g}, boosting {boosting:.4g}"
        for number, (value, boosting) in enumerate(zip(found.values, found.boosting, strict=True))
    ]
    mean, boosting = fmean(found.values), fmean(found.boosting)
    lines.append(f"mean: {mean:.4g}, boosting {boosting:.4g}, difference {mean - boosting:.3g}")
    return "\n".join([*lines, f"near, or may be equal: {found.near} of {len(found.values)}"])


def together(way: Way, runs: Sequence[Whole]) -> OnSplits:
    """What runs on several splits found. Pure.

    Args:
        way: How the drafted model was edited.
        runs: A run per split.
    """
    return OnSplits(
        name=runs[0].name,
        edits=tuple(new for _, new in way.edits),
        metric=runs[0].metric,
        values=tuple(run.value for run in runs),
        boosting=tuple(run.boosting for run in runs),
        near=sum(run.is_near or run.may_be_equal for run in runs),
    )


def on_split(case: Case, way: Way, number: int, splits: int) -> Case:
    """The case with another split, and with the edits of a way."""

    def begin(folder: Path, real: Path | None) -> tuple[str, str, int]:
        usecase, source, lines = case.begin(folder, real)
        silver = yaml.safe_load((folder / usecase / "contract.yaml").read_text("utf-8"))["silver"]
        key = silver["key"] if isinstance(silver["key"], list) else ["content_id"]
        [file] = (folder / usecase / "models").glob("*.yaml")
        others = [name for name in silver["columns"] if name not in (*key, file.stem)]
        by = columns_of_hashes(key, others, splits)[number]
        file.write_text(way.edited(file.read_text("utf-8"), by), encoding="utf-8")
        return usecase, source, lines + len(way.edits) + bool(by)

    return Case(case.name, case.place, begin, case.accepted)


def _once(text: str, old: str, new: str) -> str:
    found, times = re.subn(re.escape(old), lambda _: new, text)
    if times != 1:
        raise ValueError(f"{old!r} is there {times} times")
    return found


def main(argv: list[str] | None = None) -> int:
    """Makes the runs that have no record yet, and prints what they say; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the records are")
    parser.add_argument("name", choices=[case.name for case in CASES], help="a drafted run")
    parser.add_argument("--splits", type=int, default=5, help="how many; the first is the draft's")
    parser.add_argument("--with", dest="edits", action="append", default=[], metavar="OLD=NEW")
    asked: Any = parser.parse_args(argv)
    edits = [each.partition("=")[::2] for each in asked.edits]
    way = Way(tuple((old, new) for old, new in edits))
    [case] = [case for case in CASES if case.name == asked.name]
    real = os.environ.get("GOLDLAKE_TEST_DATA")
    runs = []
    for number in range(asked.splits):
        record: Path = asked.folder / f"{case.name}.{way.name}.{number}{SPLIT}"
        if not record.exists():
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
                split = on_split(case, way, number, asked.splits)
                run = whole_run(split, Path(folder), Path(real) if real else None)
            record.write_bytes(msgspec.json.encode(run))
        runs.append(msgspec.json.decode(record.read_bytes(), type=Whole))
    found = together(way, runs)
    place: Path = asked.folder / f"{case.name}.{way.name}{SPLITS}"
    place.write_bytes(msgspec.json.encode(found))
    print(summary(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
