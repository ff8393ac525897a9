"""A pushed model beside scikit-learn's gradient boosting: same rows, split and columns, by row.

usage: python -m tests.usecases.compared USECASE MODEL HOME VERSION

It reads the examples that the pipeline made of the export. `HistGradientBoosting` has the defaults
of scikit-learn; as the pipeline does, it takes its number of rounds from the eval split. Both
answer the rows of the test split, and the difference of their answers has an interval.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import numpy as np

from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import Feature, Model, UseCase
from goldlake_core.storage.home import Home
from tfx_pipeline import paired
from tfx_pipeline.heads.base import Columns
from tfx_pipeline.heads.registry import HEADS

METRICS = {
    "binary": "auc",
    "multiclass": "accuracy",
    "regression": "rmse",
    "count": "poisson_deviance",
}
"""The metric of the comparison by head."""
MOST_LEVELS = 254
"""Values of a category that are told apart, as many as scikit-learn's bins take."""
MOST_WORDS = 200
"""Most frequent words, or runs of words, whose presence is a column."""
SPLITS = ("train", "eval", "test")
_MISSING = b"\0missing"
_READ_ROWS = 8192

Table: TypeAlias = Mapping[str, np.ndarray]
"""Columns [n] by name: numbers as float64 with NaN for missing, texts as bytes with `_MISSING`."""


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a comparison.

    Attributes:
        head: Head of the model.
        metric: Metric that is compared.
        rows: Rows of train, eval and test.
        value: Metric of the model on test.
        constant: Metric of the constant answer that is best on test.
        boosting: Metric of gradient boosting on test.
        rounds: Rounds of boosting, chosen on eval.
        better: Interval of what the model is better by than boosting, paired by row; of the squared
            error where the metric is its root.
    """

    head: str
    metric: str
    rows: tuple[int, ...]
    value: float
    constant: float
    boosting: float
    rounds: int
    better: tuple[float, float]


def compared(usecase: UseCase, model: Model, home: Home, version: str) -> Compared:
    """Fits gradient boosting on the examples of a model's last pipeline run; read-only.

    Args:
        usecase: The use case.
        model: One of its models.
        home: The home, on this machine.
        version: The version that was pushed.
    """
    from tfx_pipeline.evaluation.answers import answers_of
    from tfx_pipeline.spec import EvaluationSpec

    model_id = f"{usecase.name}.{model.name}"
    examples = _examples(home, model_id)
    columns = usecase.gold[model.table].column
    types = {name: columns(name).type for name in (*model.feature_columns, model.label)}
    train, evaluate, test = (read(examples / f"Split-{split}", types) for split in SPLITS)
    spec = EvaluationSpec(model_id, model.label, (), (), model.head.kind)
    folder = home.model(usecase.name, model.name, version)
    own = answers_of([str(examples / "Split-test" / "*")], spec, folder).candidate
    theirs, rounds = boosted(model, train, evaluate, test)
    rows = tuple(len(each[model.label]) for each in (train, evaluate, test))
    return report(model.head.kind, rows, own, theirs, rounds)


def report(
    kind: str, rows: tuple[int, ...], own: Columns, theirs: Columns, rounds: int
) -> Compared:
    """Compares answers to the same rows. Pure.

    Args:
        kind: Head of the model.
        rows: Rows of train, eval and test.
        own: What evaluation keeps of the model's answers.
        theirs: The same of boosting's.
        rounds: Rounds of boosting.
    """
    head, metric = HEADS[kind], METRICS[kind]  # type: ignore[index]
    if kind == "binary":
        low, high = paired.auc_change(own[0], theirs[1], own[1]).interval
    elif kind == "multiclass":
        hits = [(each[0] == each[1]).astype(float) for each in (theirs, own)]
        low, high = paired.mean_change(*hits).interval
    else:
        low, high = paired.mean_change(head.losses(own), head.losses(theirs)).interval
    return Compared(
        head=kind,
        metric=metric,
        rows=rows,
        value=head.score(metric, own),
        constant=head.score(metric, head.constant(metric, own)),
        boosting=head.score(metric, theirs),
        rounds=rounds,
        better=(low, high),
    )


def read(folder: Path, types: Mapping[str, str]) -> Table:
    """The columns of tf.Examples in the order of their files; read-only.

    Args:
        folder: Folder of gzip TFRecord files.
        types: The contract's types by column.
    """
    import tensorflow as tf

    wanted: dict[str, Any] = {}
    for name, kind in types.items():
        dtype = {"string": tf.string, "double": tf.float32}.get(kind, tf.int64)
        wanted[name] = tf.io.RaggedFeature(dtype)
    files = sorted(str(file) for file in folder.glob("*.gz"))
    found: dict[str, list[np.ndarray]] = {name: [] for name in types}
    for batch in tf.data.TFRecordDataset(files, "GZIP").batch(_READ_ROWS):
        for name, column in tf.io.parse_example(batch, wanted).items():
            is_text = column.dtype == tf.string
            filled = column if is_text else tf.cast(column, tf.float64)
            default = _MISSING if is_text else np.nan
            found[name].append(filled.to_tensor(default, shape=[None, 1]).numpy()[:, 0])
    return {name: np.concatenate(parts) for name, parts in found.items()}


def boosted(model: Model, train: Table, evaluate: Table, test: Table) -> tuple[Columns, int]:
    """Gradient boosting's answers to test, as evaluation keeps them, and its rounds.

    Args:
        model: Names label, head and features.
        train: Rows to fit.
        evaluate: Rows by which the number of rounds is chosen.
        test: Rows to answer.
    """
    import sklearn.ensemble  # noqa: F401  its libraries, whose threads are limited
    from threadpoolctl import threadpool_limits

    # Threads of OpenMP wait for each other by spinning: on a busy machine seconds become minutes.
    with threadpool_limits(1):
        return _boosted(model, train, evaluate, test)


def _boosted(model: Model, train: Table, evaluate: Table, test: Table) -> tuple[Columns, int]:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    made = Inputs(model, train)
    kind, exposure = model.head.kind, model.head.exposure
    inputs = [made.of(each) for each in (train, evaluate, test)]
    labels = [_labels(each[model.label]) for each in (train, evaluate, test)]
    options = {"categorical_features": made.is_category, "random_state": 0}
    if kind in ("binary", "multiclass"):
        fitted = HistGradientBoostingClassifier(**options, early_stopping=False)
        fitted.fit(inputs[0], labels[0])
        stages = fitted.staged_predict_proba
    else:
        loss = "poisson" if kind == "count" else "squared_error"
        fitted = HistGradientBoostingRegressor(**options, loss=loss, early_stopping=False)
        weights = train[exposure] if exposure else None
        rates = labels[0] / weights if weights is not None else labels[0]
        fitted.fit(inputs[0], rates, sample_weight=weights)
        stages = fitted.staged_predict
    head = HEADS[kind]

    def kept(outputs: np.ndarray, true: np.ndarray, table: Table) -> Columns:
        if kind == "binary":
            return true, outputs[:, 1], outputs[:, 1] > 0.5
        if kind == "multiclass":
            return _classes(fitted.classes_, outputs, true)
        if kind == "regression":
            return true, outputs
        units = table[exposure] if exposure else np.ones(len(true))
        return true, outputs * units, units

    losses = [
        head.losses(kept(outputs, labels[1], evaluate)).mean() for outputs in stages(inputs[1])
    ]
    best = int(np.argmin(losses))
    for number, outputs in enumerate(stages(inputs[2])):
        if number == best:
            return kept(outputs, labels[2], test), best + 1
    raise AssertionError("there is a stage for each round")


def _classes(classes: np.ndarray, shares: np.ndarray, true: np.ndarray) -> Columns:
    """What the head multiclass keeps of probabilities [n, k]; -1 for classes that are not known."""
    place = np.searchsorted(classes, true).clip(0, len(classes) - 1)
    own = np.where(classes[place] == true, place, -1)
    share = np.where(own >= 0, shares[np.arange(len(true)), place], 0.0)
    rank = (shares > share[:, None]).sum(axis=1)
    return own, shares.argmax(axis=1), rank, share


class Inputs:
    """The features' columns as gradient boosting takes them, fitted on the train split."""

    def __init__(self, model: Model, train: Table) -> None:
        """Finds the levels of categories and the words of texts."""
        from sklearn.feature_extraction.text import CountVectorizer

        self._levels: dict[str, np.ndarray] = {}
        self._words: dict[str, Any] = {}
        self._numbers: list[str] = []
        for feature in model.features:
            for name in feature.columns:
                if feature.kind == "text":
                    runs = (1, int(feature.params.get("ngrams", 1)))
                    counter = CountVectorizer(
                        binary=True, max_features=MOST_WORDS, ngram_range=runs, dtype=np.float32
                    )
                    self._words[name] = counter.fit(_texts(train[name]))
                elif _is_category(feature, train[name]):
                    values, counts = np.unique(train[name], return_counts=True)
                    most = np.argsort(-counts, kind="stable")[:MOST_LEVELS]
                    self._levels[name] = np.sort(values[most])
                elif name not in self._numbers:
                    self._numbers.append(name)
        widths = [len(each.vocabulary_) for each in self._words.values()]
        self.is_category = [True] * len(self._levels)
        self.is_category += [False] * (len(self._numbers) + sum(widths))

    def of(self, table: Table) -> np.ndarray:
        """The columns of some rows, float64 [n, columns]; NaN for missing."""
        return np.column_stack(list(self._parts(table)))

    def _parts(self, table: Table) -> Iterator[np.ndarray]:
        for name, levels in self._levels.items():
            place = np.searchsorted(levels, table[name]).clip(0, len(levels) - 1)
            yield np.where(levels[place] == table[name], place, np.nan)
        for name in self._numbers:
            yield table[name]
        for name, counter in self._words.items():
            yield counter.transform(_texts(table[name])).toarray()


def _is_category(feature: Feature, values: np.ndarray) -> bool:
    return feature.kind == "categorical" or values.dtype == object


def _labels(values: np.ndarray) -> np.ndarray:
    return np.array(_texts(values)) if values.dtype == object else values


def _texts(values: np.ndarray) -> list[str]:
    return ["" if value == _MISSING else value.decode(errors="replace") for value in values]


def _examples(home: Home, model_id: str) -> Path:
    """The examples of the last run of a model's pipeline."""
    found = Path(home.root, "pipelines", model_id).glob("*ExampleGen/examples/*")
    return max(found, key=lambda folder: int(folder.name))


def main(argv: list[str] | None = None) -> int:
    """Prints the comparison as JSON; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("usecase", "model", "home", "version"):
        parser.add_argument(name)
    asked = parser.parse_args(argv)
    usecase = load_usecase(asked.usecase)
    found = compared(usecase, usecase.models[asked.model], Home.at(asked.home), asked.version)
    print(msgspec.json.encode(found).decode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
