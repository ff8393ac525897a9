"""What a look at answers does, whatever the head."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple, TypeAlias

from goldlake_core.contracts.heads import HEADS, HeadKind
from goldlake_core.documents.examining import BinaryAnswers, ClassAnswers, NumberAnswers
from tfx_pipeline.heads import registry
from tfx_pipeline.heads.base import Columns

if TYPE_CHECKING:
    import numpy as np

Answered: TypeAlias = "dict[str, np.ndarray]"
"""What is kept of the answers to n rows: one array of length n per name."""
SliceValues = Mapping[tuple[str, ...], Sequence[str]]
"""Value of each row by the columns of a slice."""


class Error(NamedTuple):
    """An answer that is wrong.

    Attributes:
        row: Number of the row.
        answered: What was answered.
        label: What is true.
        probability: The probability of the answer, or None for numbers.
    """

    row: int
    answered: bool | float | str
    label: bool | float | str
    probability: float | None


class Look(ABC):
    """A look at the answers of a model.

    Attributes:
        importance_by: Metric of the head by which columns are compared.
    """

    importance_by: ClassVar[str]

    def __init__(self, kind: HeadKind) -> None:
        """Keeps the head whose answers these are."""
        self.head = registry.HEADS[kind]

    @abstractmethod
    def labels(self, values: Sequence[object]) -> np.ndarray:
        """Labels as the other functions take them, [n], from values of the export."""

    @abstractmethod
    def kept(self, outputs: Mapping[str, np.ndarray], labels: np.ndarray | None) -> Answered:
        """What is kept of the outputs for a batch of rows.

        Args:
            outputs: The outputs of ``serving_default``.
            labels: Labels of these rows, or None where only `means` is asked.
        """

    @abstractmethod
    def columns(self, labels: np.ndarray, answered: Answered) -> Columns:
        """The columns that the head scores."""

    @abstractmethod
    def followed(self, answered: Answered) -> tuple[str, ...]:
        """Names of what `means` has."""

    @abstractmethod
    def means(self, answered: Answered) -> tuple[float, ...]:
        """Means of the answers that partial dependence follows."""

    @abstractmethod
    def answers(
        self, labels: np.ndarray, answered: Answered, slices: SliceValues
    ) -> BinaryAnswers | NumberAnswers | ClassAnswers:
        """What the answers show."""

    @abstractmethod
    def errors(self, labels: np.ndarray, answered: Answered, most: int) -> list[Error]:
        """The largest errors, the largest first."""

    def metrics(self, columns: Columns) -> dict[str, float | None]:
        """The head's metrics of some rows; None where one is undefined."""
        return {name: _defined(self.head.score(name, columns)) for name in self.head.scores}

    def loss(self, labels: np.ndarray, answered: Answered) -> float:
        """`importance_by`, with a sign so that lower is better; NaN where it is undefined."""
        found = self.head.score(self.importance_by, self.columns(labels, answered))
        is_better_high = HEADS[self.head.kind].metrics[self.importance_by].is_better_high
        return -found if is_better_high else found


Ask = Callable[[Mapping[str, "np.ndarray"], "np.ndarray | None"], Answered]
"""Answers to inputs [n] with their labels, or with None where no label is needed."""


def _defined(value: float) -> float | None:
    return value if abs(value) < float("inf") else None
