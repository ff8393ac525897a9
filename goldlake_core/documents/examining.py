"""What a look at a model's answers to its test split is asked, and what it finds."""

from __future__ import annotations

import msgspec

from goldlake_core.documents.codec import FORMAT
from goldlake_core.documents.stages import Request

Point = tuple[float, float]
"""A point of a curve, x and y."""


class ExamineRequest(Request, frozen=True, kw_only=True):
    """The request of the stage ``examine``.

    Attributes:
        model: Name of the model, without its use case.
        folder: Folder of its SavedModel, relative to the home.
        export_id: The export whose test split is answered.
        manifest_sha256: The sha256 that the export's manifest must have.
    """

    model: str
    folder: str
    export_id: str
    manifest_sha256: str


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """A share with its confidence interval.

    Attributes:
        value: The share that was found, 0 to 1.
        low: Lower end of the interval.
        high: Upper end of the interval.
    """

    value: float
    low: float
    high: float


class OperatingPoint(msgspec.Struct, frozen=True, kw_only=True):
    """What happens when rows from a probability on are answered as positive.

    Attributes:
        threshold: Least probability of a positive answer.
        true_positives: Positives that are found.
        false_positives: Negatives that are answered as positive.
        false_negatives: Positives that are missed.
        true_negatives: Negatives that are answered as negative.
    """

    threshold: float
    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int

    @property
    def recall(self) -> float | None:
        """Share of the positives that are found; None without a positive."""
        return _share(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def precision(self) -> float | None:
        """Share of the alarms that are right; None without an alarm."""
        return _share(self.true_positives, self.true_positives + self.false_positives)

    @property
    def alarms(self) -> float:
        """Share of all rows that are answered as positive."""
        flagged = self.true_positives + self.false_positives
        rows = flagged + self.false_negatives + self.true_negatives
        return _share(flagged, rows) or 0.0


class CalibrationBin(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of about the same probability.

    Attributes:
        rows: Number of rows.
        predicted: Their mean probability.
        observed: Share of positives among them.
    """

    rows: int
    predicted: float
    observed: Interval


class SliceErrors(msgspec.Struct, frozen=True, kw_only=True):
    """How often the model is wrong about some rows.

    Attributes:
        column: Columns of the slice, such as ``country × language``.
        value: Values of these columns.
        rows: Number of rows.
        positives: Number of positives among them.
        found: Number of positives that are found at the operating point.
        wrong: Share of wrong answers at the operating point. The interval covers at 95 percent
            for all slices together (Bonferroni).
    """

    column: str
    value: str
    rows: int
    positives: int
    found: int
    wrong: Interval


class Importance(msgspec.Struct, frozen=True, kw_only=True):
    """What a column is worth to the model.

    Attributes:
        column: Name of the column.
        drop: By how much the AUC falls when its values are shuffled over the rows.
        spread: Difference between the largest and the smallest fall of the repetitions.
    """

    column: str
    drop: float
    spread: float


class Dependence(msgspec.Struct, frozen=True, kw_only=True):
    """The mean answer when all rows have the same value of a column.

    Attributes:
        column: Name of the column.
        is_number: Whether the values are numbers in ascending order, else the commonest texts.
        points: Value as text, and the mean probability.
    """

    column: str
    is_number: bool
    points: tuple[tuple[str, float], ...]


class Mistake(msgspec.Struct, frozen=True, kw_only=True):
    """A row that the model is sure about, and wrong.

    Attributes:
        probability: What it answered.
        label: Whether the row is positive.
        row: Values by column, the key first; a missing value is null.
    """

    probability: float
    label: bool
    row: dict[str, str | None]


class Examined(msgspec.Struct, frozen=True, kw_only=True, tag_field="status", tag="ok"):
    """The result of the stage ``examine`` for a binary model.

    Attributes:
        format: Format version of the file.
        export_id: The export whose test split was answered.
        rows: Number of rows of the test split.
        examined: Number of those that were answered: all, or an even sample.
        positives: Number of positives among them.
        auc: Area under the ROC curve, or null where only one class occurs.
        average_precision: Area under the precision-recall curve, or null without a positive.
        brier: Mean squared error of the probability.
        chosen: The operating point that the model has, or 0.5 where the contract chooses none.
        is_chosen: Whether the contract chose it (``decision``).
        roc: False and true positive rates.
        precision_recall: Recall and precision.
        calibration: Ten bins with equally many rows.
        table: Operating points for wanted recalls, the highest recall first.
        slices: Slices, the worst first: by the lower end of the interval.
        importance: Columns, the most important first.
        dependence: The first of these columns.
        mistakes: The most confident errors.
    """

    format: int = FORMAT
    export_id: str
    rows: int
    examined: int
    positives: int
    auc: float | None
    average_precision: float | None
    brier: float
    chosen: OperatingPoint
    is_chosen: bool
    roc: tuple[Point, ...]
    precision_recall: tuple[Point, ...]
    calibration: tuple[CalibrationBin, ...]
    table: tuple[OperatingPoint, ...]
    slices: tuple[SliceErrors, ...]
    importance: tuple[Importance, ...]
    dependence: tuple[Dependence, ...]
    mistakes: tuple[Mistake, ...]


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
