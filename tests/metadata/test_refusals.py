"""Refused candidates on record in ML Metadata."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from goldlake_core.storage.home import Home
from metadata.refusals import refusals
from tests.metadata.recorded import Recorder


def blessing(blessed: int, **properties: Any) -> dict[str, tuple[str, dict[str, Any]]]:
    return {"blessing": ("ModelBlessing", {"blessed": blessed, **properties})}


def test_refusals_by_model_the_newest_first(tmp_path: Path) -> None:
    home = Home.at(tmp_path)
    assert refusals(home) == {}, "nothing is recorded yet"
    recorder = Recorder(home)
    recorder.run("Evaluator", {}, blessing(0))
    first = {"model": "toy.color", "reasons": "auc is 0.69, below the bound 0.7", "why": "w"}
    second = {**first, "reasons": "group=a: auc falls\ngroup=b: auc falls", "baseline_version": 3}
    made = [
        recorder.run("Blessing", {}, blessing(0, **first)),
        recorder.run("Blessing", {}, blessing(1, model="toy.color", reasons="", why="w")),
        recorder.run("Blessing", {}, blessing(0, **second)),
        recorder.run("Blessing", {}, blessing(0, **{**first, "model": "toy.other"})),
    ]
    found = refusals(home)
    assert set(found) == {"toy.color", "toy.other"}
    newest, oldest = found["toy.color"]
    assert (newest.artifact, oldest.artifact) == (made[2]["blessing"], made[0]["blessing"])
    assert newest.reasons == ("group=a: auc falls", "group=b: auc falls")
    assert (newest.baseline_version, oldest.baseline_version) == (3, None)
    assert newest.evaluation.endswith("evaluation.json")
    assert newest.time.endswith("Z")
