"""`goldlake check` refuses models that would learn what they cannot know. One contract a law."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from goldlake.cli.main import main

CONTRACT = """\
name: mill
source: {kind: files, path: "*.csv"}
silver:
  key: [unit, cycle]
  event_time: day
  columns:
    unit: {type: long, nullable: false}
    cycle: {type: long, nullable: false}
    day: {type: date, format: iso, nullable: false}
    heat: {type: double, wire_null: nan}
    state: {type: string, domain: [cold, warm, hot]}
    failed: {type: boolean, nullable: false}
    repaired: {type: double, wire_null: nan, known: amended}
gold:
  cycles:
    per: [unit]
    order: [cycle]
    windows: {last5: 5, life: all}
    clusters:
      group: {columns: [heat], k: 3, wire_null: {flag: has_group}}
    columns:
      mean: {type: double, wire_null: nan, expr: avg(heat) over last5}
      total: {type: double, wire_null: nan, expr: sum(heat) over life}
      failures: {type: double, wire_null: nan, expr: sum(cast(failed as int)) over last5}
      share: {type: double, wire_null: nan, expr: "if(failed, 1D, 0D)"}
      cost: {type: double, wire_null: nan, expr: repaired * 2}
"""
MODEL = """\
name: failed
table: cycles
label: failed
split: {kind: hash, by: [unit]}
features: {mean: numeric}
thresholds: {auc: {min: 0.6}}
"""
FEATURE = "features: {mean: numeric}"
SPLIT = "split: {kind: hash, by: [unit]}"
TORN = (
    "the split can tear apart the rows of one (unit), which are made of each other. Valid: kind: "
    "hash with by: [unit], or kind: column."
)
BEFORE = "Valid: columns known before the outcome."
LAWS = {
    "a window that looks ahead": (
        (FEATURE, "features: {total: numeric}"),
        f"features.total: 'total' is made of later rows of its unit. {BEFORE}",
    ),
    "a window over the label": (
        (FEATURE, "features: {failures: numeric}"),
        f"features.failures: 'failures' is made of the label 'failed'. {BEFORE}",
    ),
    "the label": (
        (FEATURE, "features: {failed: categorical}"),
        f"features.failed: the feature reads the label 'failed'. {BEFORE}",
    ),
    "a function of the label": (
        (FEATURE, "features: {share: numeric}"),
        f"features.share: 'share' is made of the label 'failed'. {BEFORE}",
    ),
    "what is amended": (
        (FEATURE, "features: {repaired: numeric}"),
        f"features.repaired: 'repaired' is amended after the event. {BEFORE}",
    ),
    "a function of what is amended": (
        (FEATURE, "features: {cost: numeric}"),
        f"features.cost: 'cost', made of repaired, is amended after the event. {BEFORE}",
    ),
    "a split by the key, which tears a unit": ((SPLIT, "split: {kind: hash}"), f"split: {TORN}"),
    "no split, which is by the key": ((f"{SPLIT}\n", ""), TORN),
    "a split by time, which tears a unit": (
        (SPLIT, "event_time: day\nsplit: {kind: relative, eval_days: 7, test_days: 7}"),
        f"split: {TORN}",
    ),
    "a boolean head on three values": (
        ("label: failed", "label: state\nhead: binary"),
        "head.kind: the head binary cannot predict the column 'state' of type string. Valid: "
        "multiclass.",
    ),
    "a fit on eval and test": (
        (FEATURE, "features: {group: categorical}"),
        "split: 'group' is fitted on all rows before an instant of 'day', and this split puts some "
        "of them into eval and test. Valid: event_time: day with split kind relative or fixed.",
    ),
    "rows made up between categories": (
        (FEATURE, "features: {state: categorical}\ntraining: {oversample: smote}"),
        "training.oversample: smote makes rows between two rows, and between two categories there "
        "is none: state.",
    ),
}


def checked(tmp_path: Path, model: str) -> tuple[int, str]:
    folder = tmp_path / "mill"
    (folder / "models").mkdir(parents=True)
    (folder / "contract.yaml").write_text(CONTRACT, encoding="utf-8")
    (folder / "models" / "failed.yaml").write_text(model, encoding="utf-8")
    result = CliRunner().invoke(main, ["check", str(folder)])
    return result.exit_code, result.output


def test_a_model_of_what_is_known_holds(tmp_path: Path) -> None:
    assert checked(tmp_path, MODEL) == (
        0,
        "mill: no errors; 13 columns, 1 gold table, 1 model checked\n",
    )


@pytest.mark.parametrize("law", LAWS)
def test_a_model_that_knows_too_much_is_refused(tmp_path: Path, law: str) -> None:
    (old, new), expected = LAWS[law]
    assert old in MODEL
    code, output = checked(tmp_path, MODEL.replace(old, new))
    assert code == 2
    first = output.splitlines()[0]
    assert expected in first, output
    assert "models/failed.yaml:" in first
