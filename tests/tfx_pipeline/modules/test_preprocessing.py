"""Values of the transform graph for known, zero, empty, missing and unseen input."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from goldlake_core.contracts.sections import Feature
from tests.tfx_pipeline import toy
from tests.tfx_pipeline.conftest import Toy
from tfx_pipeline.evaluation.serving_check import serialize
from tfx_pipeline.modules.layout import layout_of

pytestmark = pytest.mark.tfx

KNOWN = {
    "vehicle": "bike",
    "note": "RING twice",
    "stops": 0,
    "urgent": False,
    "hour": 6,
    "weight": 0.0,
    "north": 50.01,
    "east": 8.99,
    "price": 10.0,
}


@pytest.fixture(scope="module")
def transform(toy_data: Toy) -> Any:
    """A function from rows to Transform's outputs, as lists."""
    import tensorflow as tf
    import tensorflow_transform as tft

    output = tft.TFTransformOutput(str(toy_data.graph))
    layer = output.transform_features_layer()
    parse = {column.name: output.raw_feature_spec()[column.name] for column in toy.COLUMNS}

    def run(*rows: dict[str, Any]) -> dict[str, Any]:
        serialized = tf.constant([serialize(row, toy.COLUMNS) for row in rows])
        outputs = layer(tf.io.parse_example(serialized, parse))
        return {name: value.numpy().tolist() for name, value in outputs.items()}

    return run


def test_categories_by_frequency_behind_missing_and_empty(transform: Any) -> None:
    values = ["bike", "van", "", None, "rocket", "(none)"]
    found = transform(*({**KNOWN, "vehicle": value} for value in values))
    # 0 missing, 1 empty, 2 bike, 3 van, 4 never seen. The wire's token is a value like any other.
    assert found["vehicle"] == [2, 3, 1, 0, 4, 4]


def test_numbers_as_categories_keep_zero_apart_from_missing(transform: Any) -> None:
    found = transform(*({**KNOWN, "stops": value} for value in [0, None, 1, 2]))["stops"]
    assert found[:2] == [2, 0]
    assert sorted(found[2:]) == [3, 4]
    unseen = transform(*({**KNOWN, "stops": value} for value in range(100, 120)))["stops"]
    assert set(unseen) == {5, 6}


def test_booleans_keep_false_apart_from_missing(transform: Any) -> None:
    found = transform(*({**KNOWN, "urgent": value} for value in [False, True, None]))["urgent"]
    assert sorted(found[:2]) == [2, 3]
    assert found[2] == 0


def test_numbers_are_scaled_by_the_train_split_and_missing_is_the_mean_with_a_flag(
    toy_data: Toy, transform: Any
) -> None:
    known = [row["weight"] for row in toy_data.rows["train"] if row["weight"] is not None]
    mean, deviation = np.mean(known), np.std(known)
    found = transform(*({**KNOWN, "weight": value} for value in [0.0, 4.0, None, float("nan")]))
    expected = [(0 - mean) / deviation, (4 - mean) / deviation, 0, 0]
    assert found["weight__z"] == pytest.approx(expected, abs=1e-4)
    assert found["weight__missing"] == [0, 0, 1, 1]
    assert found["weight__bucket"][2:] == [0, 0]
    assert 1 <= found["weight__bucket"][0] < found["weight__bucket"][1] <= 4


def test_hours_go_round(transform: Any) -> None:
    found = transform(*({**KNOWN, "hour": hour} for hour in [0, 6, 12, 23]))
    assert found["hour__sin"] == pytest.approx([0, 1, 0, -0.258819], abs=1e-5)
    assert found["hour__cos"] == pytest.approx([1, 0, -1, 0.965926], abs=1e-5)
    assert found["hour__cycle"] == [1, 7, 13, 24]


def test_positions_are_cells_of_quantiles_and_half_a_position_is_none(transform: Any) -> None:
    corners = [
        (50.01, 8.01),
        (50.01, 8.99),
        (50.99, 8.01),
        (50.99, 8.99),
        (None, 8.5),
        (50.5, None),
    ]
    found = transform(*({**KNOWN, "north": n, "east": e} for n, e in corners))
    assert found["place__cell"] == [1, 4, 13, 16, 0, 0]


def test_crosses_keep_empty_and_missing_apart(transform: Any) -> None:
    pairs = [("bike", 0), ("bike", None), ("", 0), (None, 0), ("bike", 0)]
    found = transform(*({**KNOWN, "vehicle": v, "stops": s} for v, s in pairs))
    crosses = found["vehicle_x_stops__cross"]
    assert crosses[0] == crosses[4]
    assert len(set(crosses[:4])) == 4
    assert all(0 <= cross < 64 for cross in crosses)


def test_words_are_lower_case_and_the_vocabulary_is_bounded(transform: Any) -> None:
    notes = ["Ring, ring!", "", None, "twice"]
    found = transform(*({**KNOWN, "note": note} for note in notes))["words__words"]
    assert all(len(words) == 16 for words in found)
    # "ring" is the most frequent of the three words kept; an empty text has no word at all.
    assert found[0][:3] == [2, 2, 0]
    assert set(found[1]) == {0}
    assert found[2] == [1] + [0] * 15
    assert found[3][0] in (3, 4, 5)


def test_a_required_column_must_be_there(transform: Any) -> None:
    import tensorflow as tf

    with pytest.raises(tf.errors.InvalidArgumentError, match="hour"):
        transform({**KNOWN, "hour": None})


def test_scales_and_runs_of_words(tmp_path: Path) -> None:
    import tensorflow as tf
    import tensorflow_transform as tft

    features = (
        Feature("price", "numeric", ("price",), {"buckets": 0, "scale": "log"}),
        Feature("weight", "numeric", ("weight",), {"buckets": 0, "scale": "minmax"}),
        Feature("hour", "numeric", ("hour",), {"buckets": 0, "scale": "none"}),
        Feature(
            "words",
            "text",
            ("note",),
            {"max_tokens": 50, "embedding": 4, "max_words": 2, "ngrams": 2},
        ),
    )
    rows = toy.rows(200, seed=1)
    toy.write_split(tmp_path / "examples", "train", rows)
    spec = replace(toy.SPEC, features=features)
    toy.analyze(tmp_path / "examples", tmp_path / "graph", spec)
    output = tft.TFTransformOutput(str(tmp_path / "graph"))
    asked = [{**KNOWN, "weight": w, "note": n} for w, n in ((1.0, "leave it now"), (None, "it"))]
    serialized = tf.constant([serialize(row, toy.COLUMNS) for row in asked])
    parse = {column.name: output.raw_feature_spec()[column.name] for column in toy.COLUMNS}
    found = output.transform_features_layer()(tf.io.parse_example(serialized, parse))
    logs = np.log1p([row["price"] for row in rows])
    expected = (math.log1p(10) - logs.mean()) / logs.std()
    assert found["price__z"].numpy() == pytest.approx([expected] * 2, abs=1e-3)
    assert found["weight__z"].numpy() == pytest.approx([0.25, 0])
    assert found["hour__z"].numpy().tolist() == [6, 6]
    names = output.vocabulary_by_name("words__words")
    words = found["words__words"].numpy()
    assert words.shape == (2, 4)
    assert layout_of(features).words[0].width == 4
    tokens = [[names[place - 2].decode() for place in row if place > 1] for row in words]
    assert tokens == [["leave", "it", "leave it"], ["it"]]
