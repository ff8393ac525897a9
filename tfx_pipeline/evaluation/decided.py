"""The decision that was chosen on eval, judged on the test split; NumPy only, all pure."""

from __future__ import annotations

from typing import Literal

from goldlake_core.contracts.sections import Decision
from goldlake_core.documents.training import DecisionReport, SliceReport
from tfx_pipeline.heads.base import Columns


def decision_report(decision: Decision, columns: Columns, whole: SliceReport) -> DecisionReport:
    """How a binary model's decision does on the rows of the test split.

    Args:
        decision: What the contract wants.
        columns: Labels, probabilities and decisions, [n] each.
        whole: The report on the same rows.
    """
    _, found, decided = columns
    alarms = found[decided > 0.5]
    recall = whole.intervals.get("recall")
    return DecisionReport(
        # The model answers what it decided and not its threshold; the lowest alarm is next to it.
        threshold=float(alarms.min()) if len(alarms) else None,
        recall=whole.metrics["recall"],
        recall_interval=recall,
        precision=whole.metrics["precision"],
        precision_interval=whole.intervals.get("precision"),
        wanted_recall=decision.recall,
        outcome=_outcome(decision.recall, recall),
    )


def _outcome(
    wanted: float | None, interval: tuple[float, float] | None
) -> Literal["kept", "open", "missed"] | None:
    if wanted is None or interval is None:
        return None
    low, high = interval
    return "kept" if low >= wanted else "missed" if high < wanted else "open"
