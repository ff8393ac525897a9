"""The best parameters as an edit of the model's file."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from goldlake.workflows.tune import training_diff

BLOCK = """name: m
training:
  hidden_units: [16]
  seed: 3

# what it must reach
thresholds: {auc: {min: 0.5}}
"""
BEST = {"hidden_units": [64, 32], "dropout": 0.2}


def applied(tmp_path: Path, text: str) -> tuple[str, str]:
    """The diff, and the text that it makes."""
    file = tmp_path / "models" / "m.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    diff = training_diff(file, BEST)
    assert file.read_text(encoding="utf-8") == text
    lines = [line for line in diff.splitlines()[3:] if not line.startswith("-")]
    return diff, "\n".join(line[1:] for line in lines)


def test_a_block_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    diff, after = applied(tmp_path, BLOCK)
    assert "--- models/m.yaml" in diff
    assert "-training:\n-  hidden_units: [16]\n-  seed: 3\n+training: {" in diff
    assert "# what it must reach" in after
    assert yaml.safe_load(after)["training"] == {**BEST, "seed": 3}


@pytest.mark.parametrize(
    "text", ["name: m\n", "name: m\ntraining: {seed: 1}\n", "name: m\ntraining:\n  seed: 1\n"]
)
def test_a_file_without_or_with_one_line(tmp_path: Path, text: str) -> None:
    _, after = applied(tmp_path, text)
    training = yaml.safe_load(after)["training"]
    assert {key: training[key] for key in BEST} == BEST
    assert yaml.safe_load(after)["name"] == "m"
