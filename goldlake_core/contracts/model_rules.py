"""Rules over several keys of ``models/NAME.yaml``. Each yields the errors of one law; pure."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence

from goldlake_core.contracts.column_types import NUMBERS
from goldlake_core.contracts.errors import ContractError, InstanceError
from goldlake_core.contracts.heads import COST, HEADS, METRICS, HeadKind, heads_of
from goldlake_core.contracts.names import nearest
from goldlake_core.contracts.read import Found
from goldlake_core.contracts.sections import Column, DriftLimit, Feature, Split
from goldlake_core.contracts.wire import fill_nulls, inputs_of
from goldlake_core.contracts.yaml_entry import Entry

_LEAST_TRAIN = 0.1
_HEADER = re.compile(r"[a-z][a-z0-9-]{0,63}")
# gRPC takes a name that ends in -bin for bytes in base64.
_TAKEN = frozenset(
    {
        "accept",
        "accept-encoding",
        "authorization",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "cookie",
        "expect",
        "host",
        "origin",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "x-request-id",
    }
)


def mode_errors(
    name: str, modes: Mapping[str, str | None], entry: Entry
) -> Iterator[ContractError]:
    """A model learns from a table of mode rows.

    Args:
        name: Table that the model names.
        modes: Mode by table; None where it is not known.
        entry: Where the model names its table.
    """
    if modes[name] not in ("rows", None):
        rows = [table for table, mode in modes.items() if mode == "rows"]
        yield entry.error(
            f"the gold table {name!r} has mode {modes[name]}",
            valid=f"a table of mode rows: {', '.join(rows) or 'there is none'}",
        )


def never_missing_errors(what: str, column: Column, entry: Entry) -> Iterator[ContractError]:
    """Some columns are never missing, such as the event time."""
    if column.nullable:
        yield entry.error(
            f"the {what} {column.name!r} is nullable", valid="a column with nullable: false"
        )


def label_errors(column: Column, entry: Entry) -> Iterator[ContractError]:
    """There is a head for labels of this type."""
    if not heads_of(column.type):
        known = sorted({kind for law in HEADS.values() for kind in law.labels})
        yield entry.error(
            f"no model predicts the column {column.name!r} of type {column.type}",
            valid=f"a column of type {', '.join(known)}",
        )


def head_errors(kind: HeadKind | None, label: Column, entry: Entry) -> Iterator[ContractError]:
    """The head learns labels of this type, and is stated where the type leaves a choice.

    Args:
        kind: The head, or None where the contract states none and the type has no default.
        label: The label's column.
        entry: Where the head, or else the label, is written.
    """
    able = heads_of(label.type)
    if kind is None:
        yield entry.error(
            f"a label of type {label.type} can be a class, a number or a count",
            valid=" or ".join(f"head: {each}" for each in able),
            hint=f"write head: {able[-1]}, if that is what {label.name!r} is",
        )
    elif kind not in able:
        yield entry.error(
            f"the head {kind} cannot predict the column {label.name!r} of type {label.type}",
            valid=", ".join(able),
        )


def exposure_errors(column: Column, label: str | None, entry: Entry) -> Iterator[ContractError]:
    """An exposure is a number that is always there, and not the label."""
    if column.type not in NUMBERS:
        yield entry.error(
            f"the exposure {column.name!r} has type {column.type}", valid="a column of numbers"
        )
    yield from never_missing_errors("exposure", column, entry)
    if column.name == label:
        yield entry.error(f"the exposure is the label {label!r}", valid="another column")


def by_time_errors(split: Split, found: Found, *, has_time: bool) -> Iterator[ContractError]:
    """What counts days needs a time."""
    if split.is_by_time and not has_time:
        yield found.at("split").error(
            f"a {split.kind} split divides by event time, and the model has none",
            valid="kind: hash or kind: column, or the key event_time",
        )
    if found.values.get("maturity_days") and not has_time:
        yield found.at("maturity_days").error(
            "the age of a label is counted from the event time, and the model has none",
            valid="0, or the key event_time",
        )


def share_errors(found: Found) -> Iterator[ContractError]:
    """A hash split leaves something to train on."""
    left = 1 - found.values["eval"] - found.values["test"]
    if left < _LEAST_TRAIN - 1e-9:
        yield found.entry.error(
            f"eval and test leave a share of {left:.2f} to train",
            valid=f"eval and test with at most {1 - _LEAST_TRAIN:g} together",
        )


def torn_errors(
    split: Split,
    unit: Sequence[str] | None,
    entry: Entry,
    *,
    looks_back: str = "",
    event_time: str = "",
    are_past: bool = False,
) -> Iterator[ContractError]:
    """Rows that are made of each other stay in one split, or test would hold what train has seen.

    Where rows are made of earlier rows only, a split by the same time leaves no later row in them.
    Where the unit is a stretch of the order in which rows came, and windows end with the row, a row
    has what was known when it came: any split by time may divide them.

    Args:
        split: How rows are divided.
        unit: The columns of the gold table whose rows of equal values are made of each other; ()
            where all its rows are, None where none are.
        entry: Where the split is written.
        looks_back: Column of time such that rows are made of earlier rows of it only, or "".
        event_time: The model's column of time, or "".
        are_past: Whether units are stretches of an order, and no window that is read looks ahead.
    """
    if unit is None or split.kind == "column" or (split.is_by_time and are_past):
        return
    if split.is_by_time and looks_back and looks_back == event_time:
        return
    if split.kind == "hash" and split.by and set(split.by) <= set(unit):
        return
    named = ", ".join(unit)
    ways = [f"kind: hash with by: [{named}]"] if unit else []
    by_time = looks_back or ("COLUMN" if are_past else "")
    ways += [f"kind: relative or fixed with event_time: {by_time}"] if by_time else []
    yield entry.error(
        f"the split can tear apart the rows of {f'one ({named})' if unit else 'the table'}, which "
        "are made of each other",
        valid=", ".join([*ways, "or kind: column"]),
    )


def feature_column_errors(
    column: Column, kind: str, types: Sequence[str], label: str | None, entry: Entry
) -> Iterator[ContractError]:
    """A feature reads a column of a fitting type, known before the outcome."""
    if column.name == label:
        yield entry.error(
            f"the feature reads the label {label!r}", valid="columns known before the outcome"
        )
        return
    if column.type not in types:
        yield entry.error(
            f"a {kind} feature cannot read the column {column.name!r} of type {column.type}",
            valid=f"a column of type {' or '.join(types)}",
        )


def crossed_errors(
    features: Sequence[Feature], entries: Mapping[str, Entry]
) -> Iterator[ContractError]:
    """What is crossed is also read by itself, because the cross uses its ids."""
    codes = {f.columns[0] for f in features if f.kind in ("categorical", "cyclic")}
    for feature in features:
        for column in feature.columns if feature.kind == "crossed" else ():
            if column not in codes:
                yield entries[feature.name].error(
                    f"{column!r} is crossed and no categorical or cyclic feature reads it",
                    valid=nearest(column, sorted(codes)),
                )


def flag_name_errors(
    features: Sequence[Feature], columns: Sequence[Column], entries: Mapping[str, Entry]
) -> Iterator[ContractError]:
    """A feature is not called like a presence flag, which is an input too."""
    names = {column.name for column in columns}
    flags = {
        c.wire_null.token: c.name
        for c in columns
        if c.wire_null is not None and c.wire_null.kind == "flag"
    }
    for feature in features:
        if feature.name in flags.keys() - names:
            yield entries[feature.name].error(
                f"the feature is called like the presence flag of {flags[feature.name]!r}",
                valid="another name",
            )


def day_order_errors(found: Found) -> Iterator[ContractError]:
    """``eval_from < test_from < until``."""
    for earlier, later in itertools.pairwise(("eval_from", "test_from", "until")):
        if found.values[earlier] >= found.values[later]:
            yield found.entries[later].error(
                f"{found.values[later]} is not after {earlier}, {found.values[earlier]}",
                valid="eval_from < test_from < until",
            )


def gap_errors(found: Found) -> Iterator[ContractError]:
    """A gap before a fixed test window leaves days to eval."""
    gap, days = found.values["gap_days"], found.values["test_from"] - found.values["eval_from"]
    if 0 < days.days <= gap:
        yield found.entries["gap_days"].error(
            f"a gap of {gap} days before test_from leaves nothing of eval, "
            f"which begins {days.days} days before it",
            valid=f"0 to {days.days - 1}",
        )


def record_key_errors(found: Found) -> Iterator[ContractError]:
    """A record key travels in a header that has no other meaning."""
    if not found.has("record_key"):
        return
    name, entry = found.values["record_key"], found.entries["record_key"]
    if (
        not _HEADER.fullmatch(name)
        or name in _TAKEN
        or name.startswith(("grpc-", "sec-"))
        or name.endswith("-bin")
    ):
        yield entry.error(
            f"{name!r} cannot carry a record key",
            valid="a header such as x-record-key: lower-case letters, digits and '-'",
        )


def metric_errors(metric: str, kind: HeadKind | None, entry: Entry) -> Iterator[ContractError]:
    """A threshold bounds a metric of the model's head.

    Args:
        metric: The metric's name.
        kind: The head, or None where it is not known.
        entry: Where the threshold is written.
    """
    known = METRICS if kind is None else HEADS[kind].metrics
    if metric not in METRICS:
        yield entry.error(f"unknown metric {metric!r}", valid=nearest(metric, known))
    elif metric not in known:
        yield entry.error(
            f"models with the head {kind} have no metric {metric!r}", valid=", ".join(known)
        )


def threshold_errors(metric: str, found: Found) -> Iterator[ContractError]:
    """A threshold has a bound, inside the metric's range; a drop needs a better side."""
    low, high, drop, over = (
        found.values[key] for key in ("min", "max", "max_drop", "over_baseline")
    )
    if not found.entries:
        yield found.entry.error(
            "the threshold has no bound", valid="min, max, max_drop or over_baseline"
        )
    top = METRICS[metric].high
    for key, value in (("min", low), ("max", high)):
        if value is not None and top is not None and value > top:
            yield found.entries[key].error(f"{value} is out of bounds", valid=f"0 to {top:g}")
    if low is not None and high is not None and low > high:
        yield found.entry.error(f"min {low} is above max {high}", valid="min <= max")
    if drop is not None and METRICS[metric].is_better_high is None:
        yield found.entries["max_drop"].error(
            f"{metric} is best in the middle, so it has no drop", valid="min and max"
        )
    if over is not None and not METRICS[metric].has_constant:
        yield found.entries["over_baseline"].error(
            f"a constant answer has no {metric} to be better than", valid="min and max"
        )


def parts_errors(found: Found) -> Iterator[ContractError]:
    """The default trainer knows the outputs of the default preprocessing only."""
    if found.has("preprocessing_fn") and not found.has("run_fn"):
        yield found.entries["preprocessing_fn"].error(
            "goldlake's trainer does not know the outputs of another preprocessing",
            valid="a run_fn beside it",
            hint="for further columns beside goldlake's own, use the key preprocessing",
        )
    if found.has("build_model", "run_fn"):
        yield found.entries["build_model"].error(
            "a run_fn builds its model itself", valid="one of build_model and run_fn"
        )


def decision_errors(kind: HeadKind | None, found: Found) -> Iterator[ContractError]:
    """Only a binary model decides, and by one law."""
    if kind not in ("binary", None):
        yield found.entry.error(
            f"a model with the head {kind} decides nothing", valid="head: binary, or no decision"
        )
    if len(found.entries) != 1:
        yield found.entry.error("the decision has no law, or two", valid="recall or costs")


def cost_errors(has_costs: bool, metric: str, entry: Entry) -> Iterator[ContractError]:
    """A bound of costs needs costs."""
    if metric == COST and not has_costs:
        yield entry.error(
            f"{COST} needs what wrong answers cost",
            valid="decision: {costs: {missed: 20, false_alarm: 1}}",
        )


def balance_errors(
    kind: HeadKind | None, features: Sequence[Feature], found: Found
) -> Iterator[ContractError]:
    """Classes are balanced where there are classes, and rows are made up of numbers only.

    Calibration belongs to probabilities of one class.
    """
    if found.has("calibrate") and kind not in ("binary", None):
        yield found.entries["calibrate"].error(
            f"the head {kind} is not calibrated on eval", valid="head: binary"
        )
    if found.has("class_weight") and kind not in ("binary", "multiclass", None):
        yield found.entries["class_weight"].error(
            f"the head {kind} has no classes to weigh", valid="head: binary or multiclass"
        )
    if not found.has("oversample"):
        return
    entry = found.entries["oversample"]
    if kind not in ("binary", None):
        yield entry.error(f"smote does not go with the head {kind}", valid="head: binary")
    if found.has("class_weight"):
        yield entry.error("smote and class_weight balance the classes twice", valid="one of both")
    others = [f.name for f in features if f.kind != "numeric" or f.params["buckets"]]
    if others:
        yield entry.error(
            f"smote makes rows between two rows, and between two categories there is none: "
            f"{', '.join(others[:6])}",
            valid="features of kind numeric without buckets, or class_weight: balanced",
        )


def limit_errors(
    limit: DriftLimit, others: Sequence[DriftLimit], column: Column | None, found: Found
) -> Iterator[ContractError]:
    """A limit has a distance that its column has, and is the only one of its kind."""
    if any((x.column, x.compare) == (limit.column, limit.compare) for x in others):
        yield found.entry.error(
            f"{limit.column!r} has two {limit.compare} limits", valid="one of each"
        )
    if limit.infinity_norm is None and limit.jensen_shannon is None:
        yield found.entry.error(
            "the limit has no distance", valid="infinity_norm or jensen_shannon"
        )
    # TFDV compares the shares of byte values: codes that are numbers in tf.Example have none.
    if limit.infinity_norm is not None and column is not None and column.type != "string":
        yield found.entries["infinity_norm"].error(
            f"infinity_norm compares texts, and {limit.column!r} has type {column.type}",
            valid="jensen_shannon",
        )


def example_errors(columns: Sequence[Column], entry: Entry) -> Iterator[ContractError]:
    """An example is a row that the model's inputs take."""
    try:
        fill_nulls(inputs_of(columns), [entry.free()])
    except InstanceError as error:
        where = entry.members().get(error.key or "", entry)
        reason = error.reason if where is not entry else f"{error.key}: {error.reason}"
        yield where.error(reason, valid=error.valid, hint=error.hint)
