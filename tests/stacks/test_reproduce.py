"""A model made again: to the bit on the stack that made it, and on the other with what differs.

Runs after `test_homes`, on the same two homes; see there. The homes keep their versions.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from goldlake_core.storage.home import Home
from tests.end_to_end.commands import goldlake
from tests.stacks.test_homes import MODEL_ID, other, own

__all__ = ["other", "own"]  # fixtures

pytestmark = [pytest.mark.other_stack, pytest.mark.long, pytest.mark.timeout(1800)]
# What the same rows, seed and code come to on the kernels of another TensorFlow.
VARIABLES = 1e-5
PROBABILITIES = 1e-5


def reproduced(home: Home, *options: str, exit_code: int) -> Any:
    """The document of `goldlake reproduce` for the first version of a home."""
    command = ("reproduce", f"{MODEL_ID}@1", *options, "--json", "--home", home.root)
    said = goldlake(*command, folder=Path(home.root), exit_code=exit_code)
    return json.JSONDecoder().raw_decode(said)[0]


def test_the_stack_that_made_a_model_makes_it_again_to_the_bit(own: Home) -> None:
    found = reproduced(own, "--from-pages", exit_code=0)
    assert [each["state"] for each in found["remade"]["steps"]] == ["equal"] * 4
    assert found["begins"] is None
    assert found["reproduced"]["is_equal"]
    assert {each["differing"] for each in found["reproduced"]["variables"]} == {0}
    assert found["reproduced"]["causes"] == []


def test_the_other_stack_says_what_differs_by_how_much_and_why(own: Home, other: Home) -> None:
    found = reproduced(other, exit_code=3)
    assert found["begins"] in ("transform", "variables")
    model = found["reproduced"]
    differing = [each for each in model["variables"] if each["differing"]]
    assert differing
    assert max(each["largest"] for each in differing) < VARIABLES
    answers = {each["output"]: each["largest"] for each in model["outputs"]}
    assert answers["probability"] < PROBABILITIES
    causes = model["causes"]
    assert sum(f", and is {version('tensorflow')}" in each for each in causes) == 1
    assert any(each.startswith("tensorflow was 2.") for each in causes)
    assert any(each.startswith("Python was 3.") for each in causes)
    assert not any(each.startswith("the code ") for each in causes)
