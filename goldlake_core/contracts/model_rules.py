"""Rules over several keys of ``models/NAME.yaml``. Each yields the errors of one law; pure."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence

from goldlake_core.contracts.errors import ContractError, InstanceError
from goldlake_core.contracts.names import nearest
from goldlake_core.contracts.read import Found
from goldlake_core.contracts.sections import METRICS, Column, DriftLimit, Feature
from goldlake_core.contracts.wire import fill_nulls, inputs_of
from goldlake_core.contracts.yaml_entry import Entry

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


def never_missing_errors(key: str, column: Column, entry: Entry) -> Iterator[ContractError]:
    """Label and event time are never missing."""
    if column.nullable:
        what = key.replace("_", " ")
        yield entry.error(
            f"the {what} {column.name!r} is nullable", valid="a column with nullable: false"
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


def threshold_errors(metric: str, found: Found) -> Iterator[ContractError]:
    """A threshold has a bound, inside the metric's range; a drop needs a better side."""
    low, high, drop = (found.values[key] for key in ("min", "max", "max_drop"))
    if not found.entries:
        yield found.entry.error("the threshold has no bound", valid="min, max or max_drop")
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
