"""What a head does: before training, when it knows the train split's labels, in evaluation.

A `Head` needs nothing but its name. `Head.fit` looks at the labels of the train split, and only at
those, and returns a `FittedHead`: its classes, or the scale of its numbers, are part of the model.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from goldlake_core.contracts.errors import PermanentError
from goldlake_core.contracts.heads import COST, HEADS, OVER_BASELINE, HeadKind, is_over_baseline
from goldlake_core.contracts.sections import Calibrate, Costs, Decision
from tfx_pipeline import paired
from tfx_pipeline.modules.tensors import Tensors

if TYPE_CHECKING:
    import numpy as np

Columns: TypeAlias = "tuple[np.ndarray, ...]"
"""What evaluation keeps of some rows: one array [n] per item of `Head.kept`."""
Score: TypeAlias = Callable[..., float]
"""A score of such columns; NaN where it is undefined."""
COUNT = "example_count"
FEWEST_OF_CLASS = 30
"""Rows of each class, or events, by which a model is judged."""
FEWEST_ROWS = 100
"""Rows by whose loss a model is judged: the mean of fewer is not normal enough."""


@dataclass(frozen=True)
class Wishes:
    """What a contract may say of the answers besides their head.

    Attributes:
        decision: How the model decides that a row is positive, or None.
        is_balanced: Whether rows are weighted so that all classes weigh alike.
        is_oversampled: Whether there are made-up rows of the rarer class, so that probabilities
            have to be calibrated again.
        calibrate: Whether probabilities may be calibrated on eval.
    """

    decision: Decision | None = None
    is_balanced: bool = False
    is_oversampled: bool = False
    calibrate: Calibrate = "auto"

    @property
    def is_calibrated(self) -> bool:
        """Whether probabilities are calibrated, whatever eval says of them."""
        needs_it = self.decision is not None or self.is_balanced or self.is_oversampled
        return needs_it and self.calibrate == "auto"


NO_WISHES = Wishes()


class LabelError(PermanentError):
    """The labels are not what the head can learn."""


class FittedHead(ABC):
    """A head that knows the labels of the train split.

    Attributes:
        units: Width of the network's last layer.
        loss: Name of the Keras loss between targets and the activated output.
        monitor: The entry of `watched` that early stopping looks at.
        mode: ``max`` or ``min``: which side of it is better.
        rest_method: TF Serving's own method for such answers, which is a signature; "" for none.
    """

    units: int = 1
    loss: str
    monitor: str = "val_loss"
    mode: str = "min"
    rest_method: str = ""

    @abstractmethod
    def targets(self, label: Any, exposure: Any | None) -> tuple[Any, Any | None]:
        """What the network learns, and the weights of rows, from raw tensors [n].

        Args:
            label: The label as tf.Example has it: string, int64 or float32.
            exposure: Exposures, float32, or None where the contract names none.

        Returns:
            Targets [n], and weights float32 [n] or None for equal ones.
        """

    @abstractmethod
    def activated(self, logits: Any) -> Any:
        """The network's output [n, units] from its last layer, as Keras tensors."""

    @abstractmethod
    def watched(
        self, targets: np.ndarray, outputs: np.ndarray, weights: np.ndarray | None
    ) -> Mapping[str, float]:
        """Results on eval for the logs of an epoch, ``val_loss`` among them.

        Args:
            targets: As `targets` makes them, [n].
            outputs: The network's outputs, float32 [n, units].
            weights: As `targets` makes them, [n], or None.
        """

    def settle(self, targets: np.ndarray, outputs: np.ndarray) -> None:
        """What is chosen on eval after training, such as a decision threshold; nothing by default.

        Args:
            targets: As `targets` makes them, [n].
            outputs: The trained network's outputs, float32 [n, units].
        """
        return

    @abstractmethod
    def answers(self, outputs: Any, exposure: Any | None) -> Tensors:
        """The outputs of ``serving_default``, one tensor with n rows each.

        Args:
            outputs: The network's outputs, float32 [n, units].
            exposure: Exposures, float32 [n], or None.
        """

    def rest_answers(self, answers: Tensors) -> Tensors:
        """The outputs that `rest_method` asks for, out of those of ``serving_default``."""
        return answers


class Head(ABC):
    """A kind of answer.

    Attributes:
        kind: Its name in the contract.
        number: Name of the output that is one number per row; "" where no output is. `explain`
            explains it.
        kept: Type codes (of `array.array`) of what evaluation keeps of a row.
        scores: Its scores by name, each a function of the kept columns.
        scored: Columns of a table of answers.
        compared: What is compared row by row with the model that serves: ``auc``, or the loss whose
            mean is.
    """

    kind: ClassVar[HeadKind]
    number: ClassVar[str] = ""
    kept: ClassVar[str]
    scores: ClassVar[Mapping[str, Score]]
    scored: ClassVar[tuple[str, ...]]
    compared: ClassVar[str]

    @abstractmethod
    def fit(
        self, labels: np.ndarray, exposures: np.ndarray | None, wishes: Wishes = NO_WISHES
    ) -> FittedHead:
        """The head with what it has to know of the train split's labels.

        Args:
            labels: Labels of the train split as tf.Example has them.
            exposures: Exposures, or None.
            wishes: What else the contract says of the answers.

        Raises:
            LabelError: The labels are not what the head can learn; says what would be.
        """

    @abstractmethod
    def record(self, label: Any, answers: Mapping[str, Any]) -> Sequence[float]:
        """What evaluation keeps of one row.

        Args:
            label: The raw label.
            answers: The outputs for the row, by name.
        """

    def records(self, labels: Sequence[Any], answers: Mapping[str, np.ndarray]) -> Columns:
        """What evaluation keeps of some rows: `record` of each, one array [n] per item of `kept`.

        Args:
            labels: The raw labels, [n].
            answers: The outputs for the rows by name, [n] or [n, k] each.
        """
        import numpy as np

        kept: list[list[float]] = [[] for _ in self.kept]
        for place, label in enumerate(labels):
            record = self.record(label, {name: each[place] for name, each in answers.items()})
            for column, value in zip(kept, record, strict=True):
                column.append(value)
        return tuple(map(np.array, kept, self.kept))

    @abstractmethod
    def constant(self, metric: str, columns: Columns) -> Columns:
        """The columns as the constant answer would have them that is best for a metric.

        The constant is chosen with the labels of these very rows, so that no constant that is
        learned from other rows can be better.
        """

    @abstractmethod
    def problems(self, answers: Mapping[str, np.ndarray], rows: int) -> list[str]:
        """What is wrong with the answers to some rows, one sentence each."""

    @abstractmethod
    def losses(self, columns: Columns) -> np.ndarray:
        """The loss of each row, float64 [n]."""

    def positives(self, columns: Columns) -> int | None:
        """Rows of the positive class, or events; None for heads without either."""
        return None

    @property
    def fewest(self) -> str:
        """What `is_enough` asks for, for people."""
        return f"{FEWEST_ROWS} answers"

    def is_enough(self, columns: Columns) -> bool:
        """Whether there are enough rows to judge a model by them."""
        return len(columns[0]) >= FEWEST_ROWS

    def change(self, before: Columns, after: Columns) -> paired.Change:
        """What changes in `compared` from one model's answers to another's, on the same rows.

        Raises:
            ValueError: There are too few rows.
        """
        return paired.mean_change(self.losses(before), self.losses(after))

    def intervals(self, columns: Columns) -> dict[str, paired.Interval | None]:
        """Intervals of some of the scores, and of `compared` under its name."""
        return {self.compared: paired.mean_interval(self.losses(columns))}

    def flat(self, answers: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """The answers as columns of a table, those of `scored` that the model has."""
        return answers

    def cost(self, columns: Columns, costs: Costs) -> float:
        """Cost of the wrong answers to 1,000 rows; NaN for heads that decide nothing."""
        return float("nan")

    def score(self, name: str, columns: Columns, costs: Costs | None = None) -> float:
        """A score by name, also one that ends in `OVER_BASELINE`, and `COST`."""
        if name == COUNT:
            return float(len(columns[0]))
        if name == COST:
            return self.cost(columns, costs) if costs is not None else float("nan")
        if not is_over_baseline(name):
            return self.scores[name](*columns)
        metric = name.removesuffix(OVER_BASELINE)
        value = self.scores[metric](*columns)
        constant = self.scores[metric](*self.constant(metric, columns))
        if HEADS[self.kind].metrics[metric].is_better_high:
            return value - constant
        return 1 - value / constant if constant else float("nan")


def shape_problems(answers: Mapping[str, np.ndarray], rows: int, *names: str) -> list[str]:
    """What is wrong with the presence and length of outputs."""
    return [
        f"there is no output {name!r}"
        if name not in answers
        else f"{name} has the shape {answers[name].shape} for {rows} rows"
        for name in names
        if name not in answers or answers[name].shape[:1] != (rows,)
    ]


def outside(name: str, values: np.ndarray, low: float, high: float) -> list[str]:
    """What is wrong with numbers that lie between two bounds."""
    import numpy as np

    bad = np.flatnonzero(~((values >= low) & (values <= high)))
    return [f"{name} is {values.flat[bad[0]]} for row {bad[0]}"] if len(bad) else []
