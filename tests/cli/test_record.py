"""Commands still print documents of the recorded shape: they are recorded again and compared."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.documents import RECORDED
from tests.cli.record import COMMANDS

ROOT = Path(__file__).parents[2]
# What differs from run to run. Rows, versions, boundaries and what refers to what do not.
MASKS = (
    (re.compile(r"/home/you/lake[^\"]*"), "PATH"),
    (re.compile(r"\b127\.0\.0\.1:\d+"), "ADDRESS"),
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "TIME"),
    (re.compile(r"\b\d{8}-\d{6}-[0-9a-f]{4}\b"), "RUN"),
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "UUID"),
    (re.compile(r"\b[0-9a-f]{12,}\b"), "HASH"),
)
# Sizes of files, what the stack says of itself, and numbers that ML Metadata gives: two outputs
# of one node get theirs in any order.
VARYING = {
    *("bytes", "tfx_version"),
    *("artifact", "execution", "roots", "inputs", "outputs", "current_model_id"),
}
# Configurations that TFX keeps as text are its own.
LONGEST_TEXT = 200


def masked(value: Any, key: str = "") -> Any:
    """A document whose varying values are names of their kind."""
    if key in VARYING or (key == "id" and isinstance(value, int)):
        return key.upper()
    if isinstance(value, dict):
        return {name: masked(member, name) for name, member in value.items()}
    if isinstance(value, list):
        members = [masked(member) for member in value]
        return sorted(members, key=str) if key == "artifacts" else members
    if isinstance(value, float):
        return "NUMBER"
    if isinstance(value, str):
        for pattern, name in MASKS:
            value = pattern.sub(name, value)
        return value if len(value) <= LONGEST_TEXT else "TEXT"
    return value


def document(folder: Path, name: str) -> Any:
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


def test_what_varies_is_masked() -> None:
    run = {
        "id": "20261128-052535-e4a5",
        "at": "2026-11-28T05:25:35.123Z",
        "logs": "/home/you/lake/logs/1",
        "url": "http://127.0.0.1:33665/resource",
        "export": "chicago_crime/arrest/1-3f7166488bee",
        "table": "761e00fd-3e3c-4611-9bee-5ec2bbf085c4",
        "seconds": 1.5,
        "bytes": 3,
        "rows": 3,
    }
    assert masked(run) == {
        "id": "RUN",
        "at": "TIME",
        "logs": "PATH",
        "url": "http://ADDRESS/resource",
        "export": "chicago_crime/arrest/1-HASH",
        "table": "UUID",
        "seconds": "NUMBER",
        "bytes": "BYTES",
        "rows": 3,
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_a_changed_shape_is_seen(name: str) -> None:
    found = document(RECORDED, name)
    assert masked({**found, "new": 1}) != masked(found)
    first = next(iter(found))
    assert masked({key: found[key] for key in found if key != first}) != masked(found)


@pytest.mark.long
@pytest.mark.tfx
@pytest.mark.spark
@pytest.mark.timeout(1800)
def test_documents_have_the_recorded_shape(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.cli.record", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True)
    assert {file.stem for file in tmp_path.iterdir()} == COMMANDS.keys()
    for name in COMMANDS:
        again, recorded = document(tmp_path, name), document(RECORDED, name)
        assert masked(again) == masked(recorded), f"{name}: run python -m tests.cli.record"
