"""The file ``evaluation.json`` beside a candidate: how it does on each slice, and what refuses it.

All numbers are of the test split. An interval is two-sided, at 95 %.
"""

from __future__ import annotations

import msgspec

from goldlake_core.documents.codec import FORMAT
from goldlake_core.documents.training import Bound, DecisionReport, SliceReport


class EvaluationReport(msgspec.Struct, frozen=True, kw_only=True):
    """The file ``evaluation.json``.

    Attributes:
        format: Format version of the file.
        model: The model, such as ``bikes.is_late``.
        head: What kind of answer it gives.
        baseline_version: Version that served and that it was compared with, or null.
        not_compared: The version that served, and why it could not be compared with it, or null.
        blessed: Whether the evaluation refuses nothing; `ServingCheck` judges apart.
        why: One sentence: what it was compared with, or what refuses it.
        reasons: What refuses it, one sentence each.
        thresholds: The contract's bounds with what was found.
        slices: The whole split first, then each slice in the order of its columns and values.
        left_out: Number of slices that are too small to be judged and not listed.
        decision: The decision on the whole split, or null where the contract has none.
    """

    format: int = FORMAT
    model: str
    head: str
    baseline_version: int | None
    blessed: bool
    why: str
    reasons: tuple[str, ...]
    thresholds: tuple[Bound, ...]
    slices: tuple[SliceReport, ...]
    left_out: int = 0
    decision: DecisionReport | None = None
    not_compared: str | None = None
