"""The ML engineer's contract: label, features, split, training, thresholds. Made by `loader`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

FeatureKind = Literal["categorical", "numeric", "cyclic", "position", "crossed", "text"]
SPLITS = ("train", "eval", "test")


@dataclass(frozen=True)
class Feature:
    """One model input, or one derived from several.

    Kinds and the parameters each takes (all others are refused):

    - ``categorical``: ``embedding`` (width; 0: one-hot into the deep part), ``min_count``
      (rarer values share the out-of-vocabulary bucket), ``oov_buckets``.
    - ``numeric``: ``buckets`` (0: z-score only; n: also n quantile buckets into the wide part).
    - ``cyclic``: ``period`` (sine and cosine of 2·pi·value/period; one-hot into the wide part).
    - ``position``: columns latitude and longitude; ``cells`` per axis, ``embedding``.
    - ``crossed``: two or three categorical or cyclic columns; ``buckets`` of the hash,
      ``embedding`` (0: wide part only).
    - ``text``: ``max_tokens`` (vocabulary size), ``embedding``; lower-cased words.

    Attributes:
        name: Feature name; for one column the column's own name.
        kind: See above.
        columns: Gold columns it reads; one, or two for ``position``, or two and more for crossed.
        params: The kind's parameters, defaults filled in.
    """

    name: str
    kind: FeatureKind
    columns: tuple[str, ...]
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Split:
    """How rows are divided by event time.

    ``train < eval_from <= eval < test_from <= test < until``.

    Relative: boundaries are counted back from the anchor, which is the earlier of the end of the
    data (midnight after the newest event) and ``as_of - maturity_days``. Both are facts of the
    gold version.

    Attributes:
        kind: ``relative`` or ``fixed``.
        eval_days: Length of the eval window (relative).
        test_days: Length of the test window (relative).
        train_days: Length of the train window, or None for all there is (relative).
        eval_from: First day of eval (fixed).
        test_from: First day of test (fixed).
        until: First day after test (fixed).
    """

    kind: Literal["relative", "fixed"]
    eval_days: int = 0
    test_days: int = 0
    train_days: int | None = None
    eval_from: date | None = None
    test_from: date | None = None
    until: date | None = None


@dataclass(frozen=True)
class Training:
    """What the trainer needs.

    Attributes:
        hidden_units: Widths of the deep part's layers.
        dropout: Share of units dropped after each hidden layer.
        learning_rate: Adam's.
        l2: Weight decay of the wide part.
        batch_rows: Rows per step.
        epochs: At most.
        patience: Epochs without a better eval AUC before training stops.
        seed: Of every random choice.
    """

    hidden_units: tuple[int, ...] = (64, 32)
    dropout: float = 0.1
    learning_rate: float = 0.001
    l2: float = 0.0
    batch_rows: int = 1024
    epochs: int = 10
    patience: int = 2
    seed: int = 0


@dataclass(frozen=True)
class Threshold:
    """A bound a candidate must keep to be blessed, on the test split.

    Attributes:
        metric: ``auc``, ``binary_accuracy``, ``calibration``, ``precision``, ``recall`` ….
        minimum: Lowest value allowed, or None.
        maximum: Highest value allowed, or None.
        max_drop: How much worse than the model that serves now it may be, or None.
    """

    metric: str
    minimum: float | None = None
    maximum: float | None = None
    max_drop: float | None = None


@dataclass(frozen=True)
class DriftLimit:
    """How far a column's distribution may move before the gate stops the run.

    Attributes:
        column: A feature column.
        compare: ``drift`` (train against the last promoted train data) or ``skew`` (test
            against train).
        infinity_norm: Limit of the L-infinity distance (categorical), or None.
        jensen_shannon: Limit of the Jensen-Shannon divergence (numeric or categorical), or None.
    """

    column: str
    compare: Literal["drift", "skew"]
    infinity_norm: float | None = None
    jensen_shannon: float | None = None


@dataclass(frozen=True)
class Model:
    """One model of a use case.

    Attributes:
        name: Such as ``is_late``; the file's name. Served as ``usecase.name``.
        title: For headings.
        description: A paragraph for the model's page.
        table: Gold table it learns from (mode ``rows``).
        label: Boolean gold column to predict.
        event_time: Timestamp gold column that splits the data.
        maturity_days: Age an event must have at the as-of instant before its label is trusted.
        split: Time windows.
        features: In model order.
        training: Trainer parameters.
        thresholds: Blessing.
        slices: Column lists for TFMA; the whole split is always evaluated.
        limits: Skew and drift limits.
        min_domain_mass: Least share of a categorical column's values that must lie in its domain.
        handoff: Component that reads the export.
        examples: Raw feature rows that `goldlake run` asks the served model about; a missing key
            travels as the column's ``wire_null``.
        preprocessing: Optional dotted function of the use-case folder (``features.fn``) called with
            the dict of raw tensors, returning extra numeric columns for the deep part.
    """

    name: str
    title: str
    description: str
    table: str
    label: str
    event_time: str
    maturity_days: int
    split: Split
    features: tuple[Feature, ...]
    training: Training
    thresholds: tuple[Threshold, ...]
    slices: tuple[tuple[str, ...], ...] = ()
    limits: tuple[DriftLimit, ...] = ()
    min_domain_mass: float = 1.0
    handoff: Literal["snapshot_example_gen", "csv_example_gen"] = "snapshot_example_gen"
    examples: tuple[Mapping[str, Any], ...] = ()
    preprocessing: str | None = None

    @property
    def feature_columns(self) -> tuple[str, ...]:
        """Gold columns the model reads, each once, in the order features name them."""
        return tuple(dict.fromkeys(c for f in self.features for c in f.columns))
