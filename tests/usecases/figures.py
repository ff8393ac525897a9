"""A whole run with round figures, for tests of what is made of the records."""

from __future__ import annotations

from typing import Any

from benchmarks.usecase_records import Whole


def whole(**figures: Any) -> Whole:
    """A run of ten records, worse than gradient boosting.

    Args:
        figures: Fields of the record by name, in place of the plain ones.
    """
    plain: dict[str, Any] = {
        "name": "a",
        "place": "made by the tests",
        "label": "b",
        "lines": 0,
        "minutes": 1,
        "landed": 10,
        "fates": {"inserted": 10},
        "rows": (6, 2, 2),
        "better": (-0.2, -0.1),
    }
    return Whole(**{**plain, **figures})
