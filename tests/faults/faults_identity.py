"""Faults of the source's identity and of its fields."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace as changed
from pathlib import Path

import orjson
import pytest

from goldlake_core.contracts.errors import ContractError, GateRefused, StoreError
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.documents.lakehouse import Landed
from goldlake_simulators import origins
from goldlake_simulators.base import SimulatorOptions
from goldlake_simulators.server import running
from lakehouse.sources.testing import Rows
from tests.faults.catalog import fault
from tests.faults.lab import TOY, Lab, refused, row

GENERATED = SimulatorOptions(rows=600, seed=1)


def _land(lab: Lab, options: SimulatorOptions) -> Landed:
    with running(lab.usecase, options) as url:
        return lab.land(address=url)


@fault("I1", "700 generated rows instead of 600", "the same source, which is read again")
def more_rows(lab: Lab) -> None:
    assert _land(lab, GENERATED).rows == 600
    assert _land(lab, GENERATED).rows == 0
    more = _land(lab, changed(GENERATED, rows=700))
    lab.told_of("made from other inputs")
    assert 100 <= more.rows <= 700
    assert {entry.inputs["rows"] for entry in lab.zone.manifest()} == {600, 700}
    assert _land(lab, changed(GENERATED, rows=700)).rows == 0


@fault("I1b", "a comment is added to the generator", "the same source; nothing new")
def edited_comment(lab: Lab) -> None:
    _land(lab, GENERATED)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(origins, "module_hash", lambda usecase, name: "f" * 64)
        assert _land(lab, GENERATED).rows == 0
    assert _land(lab, GENERATED).rows == 0


@fault("I1c", "generated rows of another seed", "refused: rows of two sources are never mixed")
def another_seed(lab: Lab) -> None:
    _land(lab, GENERATED)
    other: Callable[[], Landed] = lambda: _land(lab, changed(GENERATED, seed=2))  # noqa: E731
    refused(other, StoreError, "belongs to generated", "never mixed", "--home")


def _export(lab: Lab, name: str, numbers: range) -> Path:
    rows = [
        {"call_id": f"C{n:05}", "changed": f"2024-01-{1 + n % 28:02}T08:00:00.000"} for n in numbers
    ]
    file = lab.folder / name
    file.write_bytes(b"\n".join(map(orjson.dumps, rows)))
    return file


@fault("I2", "a replayed export, later next year's beside it", "the new rows are landed")
def next_year(lab: Lab) -> None:
    first, second = _export(lab, "a.jsonl", range(50)), _export(lab, "b.jsonl", range(50, 90))
    assert _land(lab, SimulatorOptions(data=(first,))).rows == 50
    assert _land(lab, SimulatorOptions(data=(first, second))).rows == 40
    assert _land(lab, SimulatorOptions(data=(first, second))).rows == 0


@fault("I2b", "the live data set into a home of replayed rows", "refused")
def live_after_replay(lab: Lab) -> None:
    _land(lab, SimulatorOptions(data=(_export(lab, "a.jsonl", range(50)),)))
    refused(lab.land, StoreError, "belongs to replay", "this source is socrata")


@fault("I3", "`identity.json` of an earlier version, with address, files or rows", "recognized")
def earlier_identity(lab: Lab) -> None:
    lab.land()
    file = lab.landing.parent / "identity.json"
    old = {"kind": "socrata", "address": "http://127.0.0.1:1", "dataset": "harb-cal1"}
    file.write_text(json.dumps(old))
    assert lab.land().rows == 0
    assert json.loads(file.read_bytes())["format"] == 2
    file.write_text(json.dumps({**old, "dataset": "another"}))
    refused(lab.land, StoreError, "belongs to socrata", "dataset another")


def _with_field(lab: Lab, name: bytes, numbers: range) -> None:
    lab.server.rows.all += [row(n, b', "%s": "x"' % name) for n in numbers]


@fault("P2", "the source gains a field", "told once per landing and on record; landed")
def new_field(lab: Lab) -> None:
    lab.serve(60)
    assert lab.land().drift.new == ()
    _with_field(lab, b"draught", range(60, 66))
    result = lab.land()
    assert (result.rows, result.drift.new, result.drift.missing) == (6, ("draught",), ())
    lab.told_of("fields differ", "new: draught")


@fault("P2b", "the source renames a nullable field", "told, with what it is perhaps called now")
def renamed_field(lab: Lab) -> None:
    lab.serve(60)
    lab.land()
    renamed = [row(n).replace(b'"crew"', b'"crew_size"') for n in range(60, 66)]
    lab.server.rows.all += renamed
    result = lab.land()
    assert (result.drift.new, result.drift.missing) == (("crew_size",), ("crew",))
    lab.told_of("new: crew_size", "missing: crew", "perhaps crew is called crew_size now")


@fault("P2c", "the source loses a field that may not be missing", "told")
def lost_field(lab: Lab) -> None:
    lab.server.rows = Rows([row(n).replace(b'"vessel_type"', b'"x"') for n in range(9)])
    assert lab.land().drift.missing == ("vessel_type",)
    lab.told_of("missing: vessel_type")


@fault("P2d", "the same with `drift: stop`", "exit 3 before a page of it is landed")
def stopped(lab: Lab) -> None:
    lab.source(drift="stop")
    lab.serve(60)
    lab.land()
    _with_field(lab, b"draught", range(60, 66))
    before = lab.lines()
    error = refused(lab.land, GateRefused, "new: draught", "source.drift is stop", "evolve")
    assert error.exit_code == 3
    assert lab.lines() == before
    lab.source(drift="evolve")
    assert lab.land().rows == 6


@fault("I5", "a use case's name differs from its folder", "told, with both")
def other_name(lab: Lab) -> None:
    folder = lab.folder / "another"
    shutil.copytree(TOY, folder)
    refused(lambda: load_usecase(str(folder)), ContractError, "toy_harbour", "another")
