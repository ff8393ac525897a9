"""What a look at a model's answers to its test split is asked, and what it finds."""

from __future__ import annotations

from typing import Literal

import msgspec

from goldlake_core.documents.codec import FORMAT
from goldlake_core.documents.stages import Request

Point = tuple[float, float]
"""A point of a curve, x and y."""
Scale = Literal["linear", "log"]
"""How the axes of a chart are divided; ``log`` is by log(1 + x), so that 0 has a place."""


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
        drop: By how much `Examined.importance_by` gets worse when its values are shuffled over the
            rows.
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
        points: Value as text, and the mean of each answer of `Examined.followed`.
    """

    column: str
    is_number: bool
    points: tuple[tuple[str, tuple[float, ...]], ...]


class Mistake(msgspec.Struct, frozen=True, kw_only=True):
    """A row that the model is wrong about.

    Attributes:
        answered: What it answered: whether the row is positive, a number, or a class.
        label: What is true.
        probability: The probability of the positive class, or of the class that it answered; null
            for numbers.
        row: Values by column, the key first; a missing value is null.
    """

    answered: bool | float | str
    label: bool | float | str
    probability: float | None
    row: dict[str, str | None]


class BinaryAnswers(msgspec.Struct, frozen=True, kw_only=True, tag_field="answers", tag="binary"):
    """What the probabilities of a binary model show.

    Attributes:
        positives: Number of positives among the rows.
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
    """

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


class Density(msgspec.Struct, frozen=True, kw_only=True):
    """How many rows have about the same answer and about the same label.

    Attributes:
        edges: Ends of the cells, the same for answers and labels, in the label's unit.
        cells: Number of the answer's cell, of the label's cell, and rows; cells without a row are
            left out.
        outside: Rows with an answer or a label beyond the edges, which are in the outermost cells.
    """

    edges: tuple[float, ...]
    cells: tuple[tuple[int, int, int], ...]
    outside: int


class Histogram(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers by size.

    Attributes:
        edges: Ends of the bins.
        counts: Rows of each bin; those beyond the edges are in the outermost bins.
        outside: Rows beyond the edges.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    outside: int


class NumberBin(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of about the same answer.

    Attributes:
        rows: Number of rows.
        predicted: Mean of their answers.
        observed: Mean of their labels with its interval at 95 percent.
        residuals: Answer minus label: its 10th, 50th and 90th percentile.
    """

    rows: int
    predicted: float
    observed: Interval
    residuals: tuple[float, float, float]


class NumberAnswers(msgspec.Struct, frozen=True, kw_only=True, tag_field="answers", tag="number"):
    """What the answers of a regression or a count show.

    Attributes:
        metrics: The head's metrics on these rows; null where one is undefined.
        scale: How the axes of answers and labels are divided.
        density: Answers and labels.
        bias: Mean of answer minus label.
        bias_interval: Its interval at 95 percent, or null for fewer than two rows.
        residuals: Answer minus label.
        bins: Ten bins with equally many rows by the answer, the lowest first.
        rates: The same per unit of the exposure, by the answered rate, each row with the weight of
            its exposure; none without an exposure.
    """

    metrics: dict[str, float | None]
    scale: Scale
    density: Density
    bias: float
    bias_interval: tuple[float, float] | None
    residuals: Histogram
    bins: tuple[NumberBin, ...]
    rates: tuple[NumberBin, ...]


class ClassResult(msgspec.Struct, frozen=True, kw_only=True):
    """How well a model knows a class.

    Attributes:
        name: Name of the class.
        rows: Number of rows that are of it.
        answered: Number of rows that are answered with it.
        hits: Number of rows that are both.
        recall: Share of its rows that are answered with it; null without a row. The intervals of
            all classes cover at 95 percent together (Bonferroni).
        precision: Share of the rows answered with it that are of it; null without an answer.
    """

    name: str
    rows: int
    answered: int
    hits: int
    recall: Interval | None
    precision: Interval | None

    @property
    def f1(self) -> float:
        """Harmonic mean of recall and precision; 0 without a hit."""
        return 2 * self.hits / max(self.rows + self.answered, 1)


class Confusion(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of a class that are answered with another.

    Attributes:
        label: The class that the rows are of.
        answered: The class that they are answered with.
        rows: Number of rows.
        share: Their share of the rows of their class.
    """

    label: str
    answered: str
    rows: int
    share: float


class ConfusionMatrix(msgspec.Struct, frozen=True, kw_only=True):
    """Rows by class and answer.

    Attributes:
        classes: The most frequent classes, and at the end ``(other)`` where there are more.
        counts: Rows by class, and in each by answered class.
    """

    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


class ClassAnswers(msgspec.Struct, frozen=True, kw_only=True, tag_field="answers", tag="class"):
    """What the answers of a multiclass model show.

    Attributes:
        metrics: The head's metrics on these rows; null where one is undefined.
        right: Share of right answers with its interval at 95 percent.
        classes: The classes, the one with the lowest recall first: by the upper end of the
            interval. Classes without a row come last.
        confusions: Pairs of classes, those that most rows are confused between first.
        matrix: Rows by class and answer.
        calibration: Ten bins with equally many rows by the probability of the answer.
    """

    metrics: dict[str, float | None]
    right: Interval
    classes: tuple[ClassResult, ...]
    confusions: tuple[Confusion, ...]
    matrix: ConfusionMatrix
    calibration: tuple[CalibrationBin, ...]


class Examined(msgspec.Struct, frozen=True, kw_only=True, tag_field="status", tag="ok"):
    """The result of the stage ``examine``.

    Attributes:
        format: Format version of the file.
        export_id: The export whose test split was answered.
        rows: Number of rows of the test split.
        examined: Number of those that were answered: all, or an even sample.
        answers: What the answers show, by the kind of answer.
        importance_by: Metric that columns are compared by, such as ``auc``.
        importance: Columns, the most important first.
        followed: What `dependence` is the mean of: an output such as ``probability``, or classes.
        dependence: The first of these columns.
        mistakes: The largest errors: those that the model is most sure about, or whose numbers are
            furthest off by the head's own loss.
    """

    format: int = FORMAT
    export_id: str
    rows: int
    examined: int
    answers: BinaryAnswers | NumberAnswers | ClassAnswers
    importance_by: str
    importance: tuple[Importance, ...]
    followed: tuple[str, ...]
    dependence: tuple[Dependence, ...]
    mistakes: tuple[Mistake, ...]


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
