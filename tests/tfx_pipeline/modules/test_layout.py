from __future__ import annotations

from goldlake_core.contracts.sections import Feature
from tests.tfx_pipeline.toy import FEATURES
from tfx_pipeline.modules.layout import layout_of


def test_every_kind_has_its_outputs_in_model_order() -> None:
    layout = layout_of(FEATURES)
    assert [output.name for output in layout.ids] == [
        "vehicle",
        "stops",
        "urgent",
        "hour__cycle",
        "weight__bucket",
        "place__cell",
        "vehicle_x_stops__cross",
    ]
    assert [output.name for output in layout.words] == ["words__words"]
    assert layout.floats == (
        "hour__sin",
        "hour__cos",
        "weight__z",
        "weight__missing",
        "price__z",
        "price__missing",
    )
    assert not layout.has_own


def test_sizes_leave_room_for_missing_empty_and_unseen() -> None:
    vocabulary = {"vehicle": 2, "stops": 3, "urgent": 2, "words__words": 3}
    sizes = {output.name: output.size(vocabulary.__getitem__) for output in layout_of(FEATURES).ids}
    assert sizes == {
        "vehicle": 2 + 2 + 1,
        "stops": 2 + 3 + 2,
        "urgent": 2 + 2 + 1,
        "hour__cycle": 1 + 24,
        "weight__bucket": 1 + 4,
        "place__cell": 1 + 16,
        "vehicle_x_stops__cross": 64,
    }
    assert layout_of(FEATURES).words[0].size(vocabulary.__getitem__) == 2 + 3 + 1


def test_without_an_embedding_categories_and_cells_enter_one_hot_and_crosses_stay_wide() -> None:
    layout = layout_of(
        (
            Feature("a", "categorical", ("a",), {"embedding": 0, "min_count": 1, "oov_buckets": 1}),
            Feature("p", "position", ("b", "c"), {"cells": 2, "embedding": 0}),
            Feature("x", "crossed", ("a", "d"), {"buckets": 8, "embedding": 0}),
        )
    )
    assert [output.is_one_hot for output in layout.ids] == [True, True, False]
    assert all(output.wide for output in layout.ids)
