"""The same whole run of a drafted use case on several splits by hash: is a difference luck?

usage: python -m tests.usecases.splits FOLDER NAME [--splits N] [--with OLD=NEW …]

Each split is `goldlake init`, an edit of the model's file, and `goldlake run` in a home of its own.
A hash of other columns, whose values tell the rows apart as well, is another split of the same
shares. Each run leaves FOLDER/NAME.WAY.NUMBER.json, where WAY tells edits apart; one that is there
already is not made again. The last lines compare the model with gradient boosting on all splits.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import os
import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any

import msgspec
import yaml

from benchmarks.usecases import Whole
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


def summary(runs: Sequence[Whole]) -> str:
    """What the splits say together. Pure.

    Args:
        runs: A run per split.
    """
    lines = [
        f"{n}: {run.metric} {run.value:.4g}, boosting {run.boosting:.4g}, "
        f"constant {run.constant:.4g}, better by {run.better[0]:.2g} to {run.better[1]:.2g}"
        for n, run in enumerate(runs)
    ]
    differences = [run.value - run.boosting for run in runs]
    mean = sum(differences) / len(runs)
    near = sum(run.is_near or run.may_be_equal for run in runs)
    lines.append(
        f"mean: {sum(r.value for r in runs) / len(runs):.4g}, boosting "
        f"{sum(r.boosting for r in runs) / len(runs):.4g}, difference {mean:.3g}"
    )
    if len(runs) > 1:
        spread = math.sqrt(sum((each - mean) ** 2 for each in differences) / (len(runs) - 1))
        lines[-1] += f" (from split to split {spread:.2g})"
    return "\n".join([*lines, f"near, or may be equal: {near} of {len(runs)}"])


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
        record: Path = asked.folder / f"{case.name}.{way.name}.{number}.json"
        if not record.exists():
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
                split = on_split(case, way, number, asked.splits)
                run = whole_run(split, Path(folder), Path(real) if real else None)
            record.write_bytes(msgspec.json.encode(run))
        runs.append(msgspec.json.decode(record.read_bytes(), type=Whole))
    print(summary(runs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
