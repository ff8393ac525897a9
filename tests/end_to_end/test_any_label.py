"""The new user's hour for labels of every kind: init, check, run, and nothing edited in between."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.commands import goldlake, goldlake_json

pytestmark = [pytest.mark.spark, pytest.mark.tfx, pytest.mark.long]


def birds(chance: random.Random) -> Iterator[str]:
    """Three species that two measures tell apart; 330 rows, no id, no time, some labels missing."""
    yield "Bill (mm),Flipper (mm),Sex,Species"
    for n in range(330):
        bill, flipper, species = chance.choice(
            [(38, 190, "Ad"), (48, 195, "Chin"), (47, 217, "Ge")]
        )
        sex = chance.choice(["f", "m", ""])
        label = "" if n % 60 == 7 else species
        yield f"{chance.gauss(bill, 2):.1f},{chance.gauss(flipper, 5):.1f},{sex},{label}"


def wear(chance: random.Random) -> Iterator[str]:
    """Forty machines and their cycles: what is left of each follows from two sensors."""
    for unit in range(1, 41):
        life = chance.randrange(30, 60)
        for cycle in range(1, life + 1):
            left = min(life - cycle, 40)
            heat, noise = 600 - 2.0 * left + chance.gauss(0, 3), chance.gauss(0, 1)
            yield f"{unit} {cycle} {heat:.2f} {noise:.3f} {left + 0.5:.1f}"


def calls(chance: random.Random) -> Iterator[str]:
    """Calls per district and kind, in proportion to the inhabitants."""
    yield "district;kind;inhabitants;calls"
    for district in range(150):
        people = chance.randrange(2_000, 80_000)
        for kind, rate in (("fire", 0.0005), ("water", 0.001), ("noise", 0.004)):
            expected = people * rate
            number = max(0, round(chance.gauss(expected, math.sqrt(expected))))
            yield f"D{district:03};{kind};{people};{number}"


def began(folder: Path, name: str, lines: Iterator[str], label: str) -> Path:
    (folder / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    goldlake("init", name, "--from", f"{name}.csv", "--label", label, folder=folder)
    goldlake("check", name, folder=folder)
    return folder / name / "models"


def ended(folder: Path, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What `goldlake run` says of the only model, and the answers of the served one by name."""
    document = goldlake_json("run", name, "--home", "home", folder=folder)
    [part] = document["models"].values()
    assert part["train"]["blessed"], part["train"]["thresholds"]
    assert part["promotion"] is not None
    return part, part["answers"][0]["answer"]


def test_classes(tmp_path: Path) -> None:
    began(tmp_path, "birds", birds(random.Random(1)), "Species")
    part, answer = ended(tmp_path, "birds")
    assert part["export"]["rows"]["unlabeled"] == sum(n % 60 == 7 for n in range(330))
    assert part["export"]["boundaries"] is None
    assert part["train"]["metrics"]["accuracy"] > 0.9
    assert answer["class"] in ("Ad", "Chin", "Ge")
    assert sorted(answer["classes"]) == ["Ad", "Chin", "Ge"]
    assert sum(answer["scores"]) == pytest.approx(1, abs=1e-4)


def test_numbers(tmp_path: Path) -> None:
    models = began(tmp_path, "wear", wear(random.Random(2)), "column_5")
    assert "by: [column_1]" in (models / "column_5.yaml").read_text(encoding="utf-8")
    part, answer = ended(tmp_path, "wear")
    metrics = part["train"]["metrics"]
    assert metrics["rmse"] < 5
    assert metrics["rmse_over_baseline"] > 0.5
    assert -10 < answer < 60


def test_counts(tmp_path: Path) -> None:
    """A count is a choice that the comment of the draft names; its exposure is one more key."""
    models = began(tmp_path, "calls", calls(random.Random(3)), "calls")
    [file] = models.glob("*.yaml")
    text = file.read_text(encoding="utf-8")
    line = next(line for line in text.splitlines() if line.startswith("head: regression"))
    text = text.replace(line, "head: {kind: count, exposure: inhabitants}")
    text = text.replace("  rmse: {over", "  poisson_deviance: {over")
    text = text.replace("  inhabitants: numeric\n", "")
    file.write_text(text, encoding="utf-8")
    contract = tmp_path / "calls" / "contract.yaml"
    declared = contract.read_text(encoding="utf-8")
    contract.write_text(
        declared.replace("inhabitants: long", "inhabitants: {type: long, nullable: false}"),
        encoding="utf-8",
    )
    part, answer = ended(tmp_path, "calls")
    assert part["train"]["metrics"]["poisson_deviance_over_baseline"] > 0.5
    assert part["train"]["metrics"]["calibration"] == pytest.approx(1, abs=0.15)
    assert answer["value"] > answer["rate"] > 0
