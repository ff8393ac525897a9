"""Reads ``models/NAME.yaml`` against the use case's gold tables."""

from __future__ import annotations

import itertools
from pathlib import PurePath
from typing import cast

from goldlake_core.contracts import keys
from goldlake_core.contracts.contract_file import (
    column_name,
    column_names,
    dotted_function,
    require_type,
)
from goldlake_core.contracts.errors import InstanceError
from goldlake_core.contracts.feature_section import read_features
from goldlake_core.contracts.model import DriftLimit, Feature, Model, Split, Threshold, Training
from goldlake_core.contracts.names import nearest
from goldlake_core.contracts.nodes import Entry
from goldlake_core.contracts.usecase import GoldTable, UseCase
from goldlake_core.contracts.wire import fill_nulls, raw_inputs

SHARES = ("auc", "auc_precision_recall", "binary_accuracy", "precision", "recall")


def read_model(document: Entry, usecase: UseCase) -> Model:
    """The model in a ``models/NAME.yaml``.

    Args:
        document: The composed file.
        usecase: Its use case, whose gold tables it refers to.

    Raises:
        ContractError: Something in it does not hold.
    """
    found = document.section(keys.MODEL)
    name = found["name"].name()
    stem = PurePath(document.file).stem
    if name != stem:
        raise found["name"].error(
            f"the model is called {name!r} and its file {stem}.yaml",
            valid="the same name for both",
            hint=f"rename the file to {name}.yaml or change this key",
        )
    table = _gold_table(found["table"], usecase)
    label = _label(found["label"], table)
    event_time = _event_time(found["event_time"], table)
    features = read_features(found["features"], table, label)
    model = Model(
        name=name,
        title=found["title"].text(),
        description=found["description"].text(),
        table=table.name,
        label=label,
        event_time=event_time,
        maturity_days=found["maturity_days"].integer(0, 36_500),
        split=_split(found["split"]),
        features=features,
        training=_training(found["training"]) if "training" in found else Training(),
        thresholds=_thresholds(found["thresholds"]),
        slices=_slices(found["slices"], features) if "slices" in found else (),
        limits=_limits(found["limits"], features, table) if "limits" in found else (),
        min_domain_mass=(
            found["min_domain_mass"].number(0, 1) if "min_domain_mass" in found else 1.0
        ),
        handoff=_handoff(found["handoff"]) if "handoff" in found else "snapshot_example_gen",
        examples=tuple(i.free() for i in found["examples"].items()) if "examples" in found else (),
        preprocessing=dotted_function(found["preprocessing"]) if "preprocessing" in found else None,
    )
    if "examples" in found:
        _check_examples(found["examples"], model, table)
    return model


def _gold_table(entry: Entry, usecase: UseCase) -> GoldTable:
    name = entry.exact_text()
    if name not in usecase.gold:
        raise entry.error(f"there is no gold table {name!r}", valid=nearest(name, usecase.gold))
    table = usecase.gold[name]
    if table.mode != "rows":
        rows = [t.name for t in usecase.gold.values() if t.mode == "rows"]
        raise entry.error(
            f"the gold table {name!r} has mode {table.mode}",
            valid=f"a table of mode rows: {', '.join(rows) or 'there is none'}",
        )
    return table


def _label(entry: Entry, table: GoldTable) -> str:
    column = table.column(column_name(entry, table.names))
    require_type(entry, column, "boolean")
    if column.nullable:
        raise entry.error(
            f"the label {column.name!r} is nullable",
            valid="a column with nullable: false",
        )
    return column.name


def _event_time(entry: Entry, table: GoldTable) -> str:
    column = table.column(column_name(entry, table.names))
    require_type(entry, column, "timestamp", "date")
    if column.nullable:
        raise entry.error(
            f"the event time {column.name!r} is nullable", valid="a column with nullable: false"
        )
    return column.name


def _split(entry: Entry) -> Split:
    members = entry.members()
    if "kind" not in members:
        raise entry.error("the key 'kind' is missing", valid="kind: relative or kind: fixed")
    if members["kind"].choice("relative", "fixed") == "relative":
        found = entry.section(keys.SPLIT_RELATIVE)
        return Split(
            kind="relative",
            eval_days=found["eval_days"].integer(1, 36_500),
            test_days=found["test_days"].integer(1, 36_500),
            train_days=found["train_days"].integer(1, 36_500) if "train_days" in found else None,
        )
    found = entry.section(keys.SPLIT_FIXED)
    days = {k: found[k].day() for k in ("eval_from", "test_from", "until")}
    for earlier, later in itertools.pairwise(days):
        if days[earlier] >= days[later]:
            raise found[later].error(
                f"{days[later]} is not after {earlier}, {days[earlier]}",
                valid="eval_from < test_from < until",
            )
    return Split("fixed", 0, 0, None, days["eval_from"], days["test_from"], days["until"])


def _training(entry: Entry) -> Training:
    found = entry.section(keys.TRAINING)
    default = Training()
    units = default.hidden_units
    if "hidden_units" in found:
        units = tuple(i.integer(1, 8192) for i in found["hidden_units"].items())
    rate = found["learning_rate"].number(0) if "learning_rate" in found else default.learning_rate
    if rate == 0:
        raise found["learning_rate"].error("the learning rate is 0", valid="a number above 0")

    def whole(key: str, low: int, high: int) -> int:
        return found[key].integer(low, high) if key in found else int(getattr(default, key))

    return Training(
        hidden_units=units,
        dropout=found["dropout"].number(0, 0.95) if "dropout" in found else default.dropout,
        learning_rate=rate,
        l2=found["l2"].number(0) if "l2" in found else default.l2,
        batch_rows=whole("batch_rows", 1, 10_000_000),
        epochs=whole("epochs", 1, 100_000),
        patience=whole("patience", 0, 100_000),
        seed=whole("seed", 0, 2**31 - 1),
    )


def _thresholds(entry: Entry) -> tuple[Threshold, ...]:
    thresholds: list[Threshold] = []
    for metric, item in entry.members().items():
        if metric not in keys.METRICS:
            raise item.error(f"unknown metric {metric!r}", valid=nearest(metric, keys.METRICS))
        found = item.section(keys.THRESHOLD)
        if not found:
            raise item.error("the threshold has no bound", valid="min, max or max_drop")
        top = 1 if metric in SHARES else None
        low, high = (found[k].number(0, top) if k in found else None for k in ("min", "max"))
        drop = found["max_drop"].number(0) if "max_drop" in found else None
        if low is not None and high is not None and low > high:
            raise item.error(f"min {low} is above max {high}", valid="min <= max")
        if drop is not None and keys.METRICS[metric] is None:
            raise found["max_drop"].error(
                f"{metric} is best in the middle, so it has no drop", valid="min and max"
            )
        thresholds.append(Threshold(metric, low, high, drop))
    if not thresholds:
        raise entry.error(
            "there is no threshold, so every candidate would be blessed",
            valid="at least one metric, such as auc: {min: 0.7}",
        )
    return tuple(thresholds)


def _feature_columns(features: tuple[Feature, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(c for f in features for c in f.columns))


def _slices(entry: Entry, features: tuple[Feature, ...]) -> tuple[tuple[str, ...], ...]:
    known = _feature_columns(features)
    slices: list[tuple[str, ...]] = []
    for item in entry.items():
        columns = column_names(item, known)
        if columns in slices:
            raise item.error("the slice is listed twice", valid="each slice once")
        slices.append(columns)
    return tuple(slices)


def _limits(
    entry: Entry, features: tuple[Feature, ...], table: GoldTable
) -> tuple[DriftLimit, ...]:
    limits: list[DriftLimit] = []
    known = _feature_columns(features)
    categorical = {f.columns[0] for f in features if f.kind == "categorical"}
    for item in entry.items():
        found = item.section(keys.LIMIT)
        column = column_name(found["column"], known)
        compare = found["compare"].choice("drift", "skew")
        if any((x.column, x.compare) == (column, compare) for x in limits):
            raise item.error(f"{column!r} has two {compare} limits", valid="one of each")
        distances = {
            k: found[k].number(0, 1) for k in ("infinity_norm", "jensen_shannon") if k in found
        }
        if not distances:
            raise item.error("the limit has no distance", valid="infinity_norm or jensen_shannon")
        for key, distance in distances.items():
            if distance == 0:
                raise found[key].error("0 allows no difference at all", valid="above 0, to 1")
        is_countable = column in categorical or table.column(column).type == "string"
        if "infinity_norm" in distances and not is_countable:
            raise found["infinity_norm"].error(
                f"infinity_norm compares categories, and {column!r} is numeric",
                valid="jensen_shannon",
            )
        limits.append(DriftLimit(column, "drift" if compare == "drift" else "skew", **distances))
    return tuple(limits)


def _handoff(entry: Entry) -> keys.Handoff:
    return cast(keys.Handoff, entry.choice("snapshot_example_gen", "csv_example_gen"))


def _check_examples(entry: Entry, model: Model, table: GoldTable) -> None:
    inputs = raw_inputs(model, table)
    for item in entry.items():
        members = item.members()
        try:
            fill_nulls(inputs, [item.free()])
        except InstanceError as error:
            where = members.get(error.key or "", item)
            reason = error.reason if where is not item else f"{error.key}: {error.reason}"
            raise where.error(reason, valid=error.valid, hint=error.hint) from error
