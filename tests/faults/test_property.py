"""Whatever happens in whatever order, every table is the one that is built at once.

Each step lands random pages, edits the contract or takes edits back, loses tables, and refines with
or without dying on the way. After it, bronze, versions, silver and gold are compared with those of
a home that is built from the same landed pages in one refinement. A failure is made again by the
seed in the name of its test.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults import faults_contract
from tests.faults.dying import DEATHS, Killed, dies
from tests.faults.store import Ready, Record, Store, call

KEYS = range(1, 7)
TIMES = [f"2016-0{month}-01T00:00:00" for month in (2, 3, 4, 5)]
ODD: tuple[dict[str, Any], ...] = (
    {"n": "500"},
    {"n": "1e2"},
    {"kind": "C"},
    {"kind": None},
    {"size": "NaN"},
    {"note": {"a": 1}},
    {"date": "2016-02-30T00:00:00"},
    {"updated_on": "2099-01-01T00:00:00"},
    {"updated_on": None},
    {"id": None},
    {"id": "1.5"},
)
EDITS: tuple[Callable[[Store], None], ...] = (
    faults_contract.added,
    faults_contract.removed,
    faults_contract.widened,
    faults_contract.let_in,
    faults_contract.narrowed,
    faults_contract.another_zone,
    faults_contract.missing_text,
    faults_contract.padded,
    faults_contract.another_field,
    faults_contract.another_version,
    faults_contract.checked,
)
LOSSES = ("bronze/calls", "silver/calls_versions", "silver/calls", "gold/facts", "gold/kinds")


def _record(rng: random.Random) -> Record:
    kind = rng.random()
    key = rng.choice(KEYS)
    if kind < 0.05:
        return rng.choice((b"", b"{ not json", b"[]", b'{"id": "1"} {"id": "2"}'))
    if kind < 0.2:
        return b'{"$deleted": true, "id": "%d"}' % key
    changes: dict[str, Any] = {
        "updated_on": rng.choice(TIMES),
        "kind": rng.choice("AB"),
        "n": rng.choice(("1", "5", None)),
        "note": rng.choice(("a", "b", None)),
    }
    if rng.random() < 0.5:
        changes[":updated_at"] = f"2016-06-0{rng.randint(1, 3)}T00:00:00.000Z"
    if kind < 0.4:
        changes.update(rng.choice(ODD))
    return call(key, **changes)


def _land(store: Store, rng: random.Random) -> None:
    store.land(*(_record(rng) for _ in range(rng.randint(1, 12))))


def _edit(store: Store, rng: random.Random) -> None:
    store.undo()
    if rng.random() < 0.7:
        rng.choice(EDITS)(store)


def _lose(store: Store, rng: random.Random) -> None:
    """Loses a table, in every epoch."""
    tables, lost = Path(store.home.path("tables", "pier")), rng.choice(LOSSES)
    for folder in (*tables.glob(lost), *tables.glob(f"{lost}@*")):
        shutil.rmtree(folder)


def _refine(store: Store, rng: random.Random) -> None:
    """Refines, and dies at a random write of it in half of the cases."""
    if rng.random() < 0.5:
        write, table, when = rng.choice(DEATHS)
        try:
            with dies(write, table, when):
                store.refine()
        except Killed:
            if rng.random() < 0.3:
                _edit(store, rng)
    store.refine()


def _step(store: Store, rng: random.Random) -> None:
    for _ in range(rng.randint(1, 3)):
        rng.choices((_land, _edit, _lose, _refine), (5, 2, 1, 2))[0](store, rng)
    _land(store, rng)
    _refine(store, rng)
    store.derives()


def _steps(store: Store, seed: int, number: int) -> None:
    rng = random.Random(seed)
    for _ in range(number):
        _step(store, rng)
    store.deep()


@pytest.mark.spark
@pytest.mark.parametrize("seed", [1])
def test_a_few_steps(ready: Ready, tmp_path: Path, seed: int) -> None:
    _steps(ready.empty(tmp_path), seed, 1)


@pytest.mark.long
@pytest.mark.spark
@pytest.mark.parametrize("seed", range(2, 12))
def test_many_steps(ready: Ready, tmp_path: Path, seed: int) -> None:
    _steps(ready.empty(tmp_path), seed, 5)
