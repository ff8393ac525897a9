"""Reads a model's features against the gold table whose columns they name."""

from __future__ import annotations

from typing import cast

from goldlake_core.contracts import keys
from goldlake_core.contracts.contract_file import column_names, refuse_bad_name
from goldlake_core.contracts.model import Feature, FeatureKind
from goldlake_core.contracts.names import nearest
from goldlake_core.contracts.nodes import Entry
from goldlake_core.contracts.usecase import Column, GoldTable

_WIDTHS = {"position": (2, 2), "crossed": (2, 3)}


def read_features(entry: Entry, table: GoldTable, label: str) -> tuple[Feature, ...]:
    """The features of a model, in the order in which they are written.

    Args:
        entry: The ``features`` mapping.
        table: The gold table.
        label: The label's column, which no feature may read.

    Raises:
        ContractError: A kind, parameter or column does not fit.
    """
    entries = entry.members()
    if not entries:
        raise entry.error("there is no feature", valid="at least one")
    features = tuple(_read_feature(name, e, table, label) for name, e in entries.items())
    codes = {f.columns[0] for f in features if f.kind in ("categorical", "cyclic")}
    for feature in features:
        if feature.kind != "crossed":
            continue
        for column in feature.columns:
            if column not in codes:
                raise entries[feature.name].error(
                    f"{column!r} is crossed and no categorical or cyclic feature reads it",
                    valid=nearest(column, sorted(codes)),
                )
    _refuse_flags_in_the_way(features, entries, table)
    return features


def _read_feature(name: str, entry: Entry, table: GoldTable, label: str) -> Feature:
    refuse_bad_name(name, entry)
    members = entry.members()
    if "kind" not in members:
        raise entry.error("the key 'kind' is missing", valid=", ".join(keys.FEATURE_PARAMS))
    kind = members["kind"].choice(*keys.FEATURE_PARAMS)
    found = entry.section(keys.feature_keys(kind))
    columns = _columns(name, kind, entry, found, table)
    for column in columns:
        _check_column(table.column(column), kind, found.get("columns", entry), label)
    params = {
        p.name: found[p.name].integer(p.minimum, p.maximum) if p.name in found else p.default
        for p in keys.FEATURE_PARAMS[kind]
    }
    return Feature(name=name, kind=cast(FeatureKind, kind), columns=columns, params=params)


def _columns(
    name: str, kind: str, entry: Entry, found: dict[str, Entry], table: GoldTable
) -> tuple[str, ...]:
    if "columns" not in found:
        if name not in table.names:
            raise entry.error(
                f"there is no column {name!r} in {table.name}",
                valid=nearest(name, table.names),
                hint="write columns: [COLUMN] where the feature has a name of its own",
            )
        return (name,)
    columns = column_names(found["columns"], table.names)
    low, high = _WIDTHS.get(kind, (1, 1))
    if not low <= len(columns) <= high:
        wanted = str(low) if low == high else f"{low} to {high}"
        raise found["columns"].error(
            f"a {kind} feature reads {wanted} columns, got {len(columns)}",
            valid=f"{wanted} of: {', '.join(table.names)}",
        )
    return columns


def _check_column(column: Column, kind: str, entry: Entry, label: str) -> None:
    if column.name == label:
        raise entry.error(
            f"the feature reads the label {label!r}", valid="columns known before the outcome"
        )
    if column.type not in keys.FEATURE_TYPES[kind]:
        raise entry.error(
            f"a {kind} feature cannot read the column {column.name!r} of type {column.type}",
            valid=f"a column of type {' or '.join(keys.FEATURE_TYPES[kind])}",
        )
    if column.nullable and column.wire_null is None:
        raise entry.error(
            f"the column {column.name!r} is nullable and does not say how a null travels to the "
            "served model",
            valid='wire_null: nan (double), {text: "…"} (string) or {flag: name}',
            hint=f"add wire_null to the column {column.name} in contract.yaml, or nullable: false",
        )


def _refuse_flags_in_the_way(
    features: tuple[Feature, ...], entries: dict[str, Entry], table: GoldTable
) -> None:
    flags = {
        c.wire_null.token: c.name
        for c in table.columns
        if c.wire_null is not None and c.wire_null.kind == "flag"
    }
    for feature in features:
        if feature.name in flags:
            raise entries[feature.name].error(
                f"the feature is called like the presence flag of {flags[feature.name]!r}",
                valid="another name",
            )
