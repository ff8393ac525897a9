"""Reads ``models/NAME.yaml`` against the use case's gold tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any, cast

from goldlake_core.contracts import model_rules as rules
from goldlake_core.contracts.column_types import TIMES
from goldlake_core.contracts.contract_file import Columns, GoldDraft
from goldlake_core.contracts.gold_rules import feature_errors, fitted_errors, told_label_errors
from goldlake_core.contracts.heads import HEADS, HeadKind, default_head
from goldlake_core.contracts.keys import Declared, keys_of
from goldlake_core.contracts.kubeflow_section import read_kubeflow
from goldlake_core.contracts.names import nearest
from goldlake_core.contracts.read import Errors, Found, column_name, name_errors, read_section
from goldlake_core.contracts.rules import flag_errors, same_name_errors, type_errors
from goldlake_core.contracts.sections import (
    FEATURES,
    Column,
    Costs,
    Decision,
    DriftLimit,
    Explain,
    Feature,
    Head,
    Kind,
    Kubeflow,
    Model,
    Parts,
    RequestLog,
    Serving,
    Split,
    Threshold,
    Training,
)
from goldlake_core.contracts.wire import travelling
from goldlake_core.contracts.yaml_entry import Entry

SPLIT_KINDS: tuple[str, ...] = ("relative", "fixed", "hash", "column")
# The other keys of a model are read further, against the gold table or by their own keys.
_AS_READ = (
    "name",
    "description",
    "table",
    "maturity_days",
    "min_domain_mass",
    "handoff",
    "preprocessing",
)


@dataclasses.dataclass
class ModelDraft:
    """A ``models/NAME.yaml`` as far as it holds.

    Attributes:
        document: The composed file.
        table: The gold table that it learns from, or None.
        features: The features that hold.
        thresholds: The thresholds that hold.
        limits: The drift limits that hold, by place in the list.
        min_domain_mass: Least share of values inside a domain, or None.
        preprocessing: The function that makes further columns, or None.
        examples: The example rows that are mappings.
        model: The model, or None where something does not hold.
    """

    document: Entry
    table: GoldDraft | None = None
    features: tuple[Feature, ...] = ()
    thresholds: tuple[Threshold, ...] = ()
    limits: dict[int, DriftLimit] = dataclasses.field(default_factory=dict)
    min_domain_mass: float | None = None
    preprocessing: str | None = None
    examples: tuple[Mapping[str, Any], ...] = ()
    model: Model | None = None


def read_model(document: Entry, gold: dict[str, GoldDraft] | None, errors: Errors) -> ModelDraft:
    """The model in a ``models/NAME.yaml`` as far as it holds.

    Args:
        document: The composed file.
        gold: The use case's gold tables as far as they hold; None where they are not known.
        errors: Where errors are kept.
    """
    before = len(errors.found)
    found = read_section(document, keys_of(Model), errors)
    if found.has("name"):
        names = found.values["name"], PurePath(document.file).stem
        errors.add(same_name_errors("model", "file", *names, found.entries["name"]))
    table = _table(found, gold, errors)
    columns = table.columns if table is not None else Columns(are_known=False)
    label = _label(found, columns, errors)
    event_time = _event_time(found, columns, errors)
    head = _head(found, label, columns, errors)
    features = _features(found, table, label.name if label else None, errors)
    draft = ModelDraft(document, table, features.sound)
    draft.min_domain_mass = found.values.get("min_domain_mass")
    draft.preprocessing = found.values.get("preprocessing")
    read = [column for feature in features.sound for column in feature.columns]
    read += [label.name] if label else []
    time = event_time.name if event_time is not None else ""
    split = _split(found, columns, table, read, time, errors)
    training: Training | None = Training()
    if found.has("training"):
        inner = read_section(found.entries["training"], keys_of(Training), errors)
        errors.add(rules.balance_errors(head.kind if head else None, features.sound, inner))
        training = None if inner.broken else Training(**inner.values)
    decision = _decision(found, head, errors)
    parts = Parts()
    if found.has("parts"):
        inner = read_section(found.entries["parts"], keys_of(Parts), errors)
        errors.add(rules.parts_errors(inner))
        parts = Parts() if inner.broken else Parts(**inner.values)
    serving: Serving | None = Serving()
    if found.has("serving"):
        serving = _serving(found.entries["serving"], features.columns, errors)
    kubeflow: Kubeflow | None = None
    if found.has("kubeflow"):
        kubeflow = read_kubeflow(found.entries["kubeflow"], errors)
    if found.has("thresholds"):
        kind = head.kind if head is not None else None
        draft.thresholds = _thresholds(found.entries["thresholds"], kind, errors)
        has_costs = decision is not None and decision.costs is not None
        for metric, item in (errors.catch(found.entries["thresholds"].members) or {}).items():
            errors.add(rules.cost_errors(has_costs, metric, item))
    slices: tuple[tuple[str, ...], ...] = ()
    if found.has("slices"):
        slices = _slices(found.entries["slices"], features.columns, errors)
    if found.has("limits"):
        draft.limits = _limits(found.entries["limits"], features.columns, errors)
    if found.has("examples"):
        draft.examples = _examples(found.entries["examples"], features, head, table, errors)
    is_sound = len(errors.found) == before and table is not None and table.table is not None
    if is_sound and label and head and split and training and serving:
        draft.model = Model(
            **{name: found.values[name] for name in _AS_READ},
            title=found.values["title"] or found.values["name"],
            label=label.name,
            head=head,
            event_time=event_time.name if event_time else "",
            split=split,
            features=draft.features,
            thresholds=draft.thresholds,
            training=training,
            decision=decision,
            parts=parts,
            serving=serving,
            kubeflow=kubeflow,
            slices=slices,
            limits=tuple(draft.limits.values()),
            examples=draft.examples,
        )
    return draft


def _table(found: Found, gold: dict[str, GoldDraft] | None, errors: Errors) -> GoldDraft | None:
    if gold is None or "table" not in found.values:
        return None
    name, entry = found.values["table"], found.at("table")
    if name not in gold:
        problem = entry.error(f"there is no gold table {name!r}", valid=nearest(name, gold))
        errors.found.append(problem)
        return None
    modes = {table.name: table.mode for table in gold.values()}
    return gold[name] if errors.add(rules.mode_errors(name, modes, entry)) else None


def _label(found: Found, columns: Columns, errors: Errors) -> Column | None:
    column = columns.find(found.entries["label"], errors) if found.has("label") else None
    if column is None or not errors.add(rules.label_errors(column, found.entries["label"])):
        return None
    return column


def _event_time(found: Found, columns: Columns, errors: Errors) -> Column | None:
    if not found.has("event_time"):
        return None
    entry = found.entries["event_time"]
    column = columns.find(entry, errors)
    if column is None:
        return None
    is_sound = errors.add(type_errors(entry, column, *TIMES)) and errors.add(
        rules.never_missing_errors("event time", column, entry)
    )
    return column if is_sound else None


def _head(found: Found, label: Column | None, columns: Columns, errors: Errors) -> Head | None:
    """The head that the contract states, or that of the label's type."""
    if not found.has("head"):
        if label is None:
            return None
        by_type = default_head(label.type)
        errors.add(rules.head_errors(by_type, label, found.entries["label"]))
        return None if by_type is None else Head(by_type)
    entry = found.entries["head"].short_for("kind")
    kind = cast(HeadKind | None, _kind(entry, [*HEADS], errors))
    if kind is None:
        return None
    inner = read_section(entry, keys_of(Head, kind), errors)
    is_sound = not inner.broken
    if label is not None:
        is_sound &= errors.add(rules.head_errors(kind, label, inner.at("kind")))
    values = dict(inner.values)
    if inner.has("exposure"):
        column = columns.find(inner.entries["exposure"], errors)
        if column is None:
            return None
        where = inner.entries["exposure"]
        name = label.name if label is not None else None
        is_sound &= errors.add(rules.exposure_errors(column, name, where))
        values["exposure"] = column.name
    return Head(**values) if is_sound else None


def _kind(entry: Entry, known: Sequence[str], errors: Errors) -> str | None:
    """The value of the key ``kind``, on which the other keys of a mapping depend."""
    members = errors.catch(entry.members)
    if members is None:
        return None
    if "kind" not in members:
        valid = " or ".join(f"kind: {each}" for each in known)
        errors.found.append(entry.error("the key 'kind' is missing", valid=valid))
        return None
    return errors.catch(lambda: members["kind"].choice(*known))


@dataclasses.dataclass
class _Features:
    """The features that hold, and the columns that features read.

    Attributes:
        sound: Features in model order.
        columns: What they read; not known where a feature does not hold.
    """

    sound: tuple[Feature, ...]
    columns: Columns


def _features(
    found: Found, table: GoldDraft | None, label: str | None, errors: Errors
) -> _Features:
    if not found.has("features"):
        return _Features((), Columns(are_known=False))
    before = len(errors.found)
    entry = found.entries["features"]
    entries = errors.catch(entry.members) or {}
    if not entries and len(errors.found) == before:
        errors.found.append(entry.error("there is no feature", valid="at least one"))
    read = [_read_feature(name, e, table, label, errors) for name, e in entries.items()]
    features = tuple(feature for feature in read if feature is not None)
    is_known = len(features) == len(entries) and table is not None
    if is_known and len(errors.found) == before:
        errors.add(rules.crossed_errors(features, entries))
        if label is not None and table is not None:
            columns = [column for feature in features for column in feature.columns]
            errors.add(told_label_errors(columns, label, table.origins, entry))
    if table is not None:
        by_column = {name: feature.name for feature in features for name in feature.columns}
        served = [travelling(c) if c.name in by_column else c for c in table.columns.sound]
        errors.add(rules.flag_name_errors(features, served, entries))
        # The contract's own flags were looked at where they are written.
        unsaid = {
            c.name: entries[by_column[c.name]]
            for c in table.columns.sound
            if c.name in by_column and c.wire_null is None
        }
        errors.add(flag_errors(served, unsaid))
    by_name = table.columns.by_name if table is not None else {}
    names = dict.fromkeys(column for feature in features for column in feature.columns)
    is_known &= bool(features) and len(errors.found) == before
    return _Features(features, Columns({n: by_name.get(n) for n in names}, {}, is_known))


def _read_feature(
    name: str, entry: Entry, table: GoldDraft | None, label: str | None, errors: Errors
) -> Feature | None:
    before = len(errors.found)
    errors.add(name_errors(name, entry))
    entry = entry.short_for("kind")
    chosen = _kind(entry, [*FEATURES], errors)
    if chosen is None:
        return None
    kind = FEATURES[chosen]
    found = read_section(entry, feature_keys(chosen), errors)
    columns = _feature_columns(name, chosen, kind, entry, found, table, errors)
    for column in columns or ():
        where = found.at("columns")
        known = table.columns.by_name.get(column) if table is not None else None
        if known is not None and table is not None:
            errors.add(rules.feature_column_errors(known, chosen, kind.types, label, where))
            errors.add(feature_errors(column, label, table.origins, where))
    if len(errors.found) > before or columns is None:
        return None
    # A later key at its default is left out, so that hashes of features stay as they were.
    params = {
        key.name: found.values[key.name]
        for key in keys_of(kind.params)
        if not key.key.later or found.values[key.name] != key.default
    }
    return Feature(name=name, kind=chosen, columns=columns, params=params)  # type: ignore[arg-type]


def feature_keys(kind: str) -> tuple[Declared, ...]:
    """The keys of a feature of this kind: what all kinds have, then its parameters."""
    kind_key, columns = keys_of(Feature)
    needs_columns = FEATURES[kind].fewest > 1
    columns = dataclasses.replace(columns, is_required=needs_columns)
    return (kind_key, columns, *keys_of(FEATURES[kind].params))


def _feature_columns(
    name: str,
    chosen: str,
    kind: Kind,
    entry: Entry,
    found: Found,
    table: GoldDraft | None,
    errors: Errors,
) -> tuple[str, ...] | None:
    if table is None or not table.columns.are_known or "columns" in found.broken:
        return None
    if not found.has("columns"):
        if name in table.columns.by_name:
            return (name,)
        problem = entry.error(
            f"there is no column {name!r} in {table.name}",
            valid=nearest(name, table.columns.names),
            hint="write columns: [COLUMN] where the feature has another name than its column",
        )
        errors.found.append(problem)
        return None
    columns = table.columns.find_all(found.entries["columns"], errors)
    if columns is not None:
        wanted = str(kind.fewest) if kind.fewest == kind.most else f"{kind.fewest} to {kind.most}"
        if not kind.fewest <= len(columns) <= kind.most:
            problem = found.entries["columns"].error(
                f"a {chosen} feature reads {wanted} columns, got {len(columns)}",
                valid=f"{wanted} of: {', '.join(table.columns.names)}",
            )
            errors.found.append(problem)
            return None
    return columns


def _split(
    found: Found,
    columns: Columns,
    table: GoldDraft | None,
    read: Sequence[str],
    event_time: str,
    errors: Errors,
) -> Split | None:
    """The split, which by default hashes the key of a table without times.

    Args:
        found: The model.
        columns: The columns of its table.
        table: The table, as far as it holds.
        read: Columns that the model reads, its label among them.
        event_time: Its column of time, or "".
        errors: Where errors are kept.
    """
    if "split" in found.broken:
        return None
    if not found.has("split"):
        if found.has("event_time"):
            missing = found.entry.error(
                "the key 'split' is missing, which a model with an event time must have",
                valid="such as split: {kind: relative, eval_days: 30, test_days: 90}",
            )
            errors.found.append(missing)
            return None
        split: Split | None = Split("hash")
    else:
        split = _read_split(found.entries["split"], columns, errors)
    if split is None:
        return None
    has_time = "event_time" in found.entries
    is_sound = errors.add(rules.by_time_errors(split, found, has_time=has_time))
    if table is not None:
        where = found.at("split")
        torn = rules.torn_errors(
            split,
            table.unit,
            where,
            looks_back=table.looks_back,
            event_time=event_time,
            are_past=table.is_stretch and table.origins.ahead.isdisjoint(read),
        )
        is_sound &= errors.add(torn)
        is_sound &= errors.add(fitted_errors(read, split, event_time, table.origins, where))
    return split if is_sound else None


def _read_split(entry: Entry, columns: Columns, errors: Errors) -> Split | None:
    kind = _kind(entry, SPLIT_KINDS, errors)
    if kind is None:
        return None
    found = read_section(entry, keys_of(Split, kind), errors)
    if found.broken:
        return None
    values = dict(found.values)
    is_sound = True
    if kind == "fixed":
        is_sound = errors.add(rules.day_order_errors(found))
        is_sound &= errors.add(rules.gap_errors(found))
    if kind == "hash":
        is_sound = errors.add(rules.share_errors(found))
    if found.has("by"):
        by = columns.find_all(found.entries["by"], errors)
        if by is None:
            return None
        values["by"] = by
    if found.has("column"):
        column = columns.find(found.entries["column"], errors)
        if column is None:
            return None
        is_sound = errors.add(type_errors(found.entries["column"], column, "string"))
        values["column"] = column.name
    return Split(**values) if is_sound else None


def _decision(found: Found, head: Head | None, errors: Errors) -> Decision | None:
    if not found.has("decision"):
        return None
    inner = read_section(found.entries["decision"], keys_of(Decision), errors)
    is_sound = errors.add(rules.decision_errors(head.kind if head else None, inner))
    values = dict(inner.values)
    if inner.has("costs"):
        costs = read_section(inner.entries["costs"], keys_of(Costs), errors)
        if costs.broken:
            return None
        values["costs"] = Costs(**costs.values)
    return Decision(**values) if is_sound and not inner.broken else None


def _serving(entry: Entry, known: Columns, errors: Errors) -> Serving | None:
    before = len(errors.found)
    found = read_section(entry, keys_of(Serving), errors)
    errors.add(rules.record_key_errors(found))
    values = dict(found.values)
    if found.has("request_log"):
        inner = read_section(found.entries["request_log"], keys_of(RequestLog), errors)
        redacted: tuple[str, ...] | None = ()
        if inner.has("redact"):
            redacted = known.find_all(inner.entries["redact"], errors)
        if not inner.broken and redacted is not None:
            values["request_log"] = RequestLog(**{**inner.values, "redact": redacted})
    if found.has("explain"):
        inner = read_section(found.entries["explain"], keys_of(Explain), errors)
        if not inner.broken:
            values["explain"] = Explain(**inner.values)
    return Serving(**values) if len(errors.found) == before else None


def _thresholds(entry: Entry, kind: HeadKind | None, errors: Errors) -> tuple[Threshold, ...]:
    thresholds: list[Threshold] = []
    members = errors.catch(entry.members)
    for metric, item in (members or {}).items():
        if not errors.add(rules.metric_errors(metric, kind, item)):
            continue
        found = read_section(item, keys_of(Threshold), errors)
        if not found.broken and errors.add(rules.threshold_errors(metric, found)):
            bounds = (found.values[key] for key in ("min", "max", "max_drop", "over_baseline"))
            thresholds.append(Threshold(metric, *bounds))
    if members is not None and not members:
        problem = entry.error(
            "there is no threshold, so every candidate would be blessed",
            valid="at least one metric, such as auc: {min: 0.7}",
        )
        errors.found.append(problem)
    return tuple(thresholds)


def _slices(entry: Entry, known: Columns, errors: Errors) -> tuple[tuple[str, ...], ...]:
    slices: list[tuple[str, ...]] = []
    for item in errors.catch(entry.items) or ():
        columns = known.find_all(item, errors)
        if columns is None:
            continue
        if columns in slices:
            errors.found.append(item.error("the slice is listed twice", valid="each slice once"))
        slices.append(columns)
    return tuple(slices)


def _limits(entry: Entry, known: Columns, errors: Errors) -> dict[int, DriftLimit]:
    limits: dict[int, DriftLimit] = {}
    for index, item in enumerate(errors.catch(entry.items) or ()):
        found = read_section(item, keys_of(DriftLimit), errors)
        name = None
        if found.has("column") and known.are_known:
            where = found.entries["column"]
            name = errors.catch(lambda: column_name(where, known.names))  # noqa: B023
        if name is None or found.broken:
            continue
        limit = DriftLimit(**{**found.values, "column": name})
        others = tuple(limits.values())
        errors.add(rules.limit_errors(limit, others, known.by_name[name], found))
        limits[index] = limit
    return limits


def _examples(
    entry: Entry,
    features: _Features,
    head: Head | None,
    table: GoldDraft | None,
    errors: Errors,
) -> tuple[Mapping[str, Any], ...]:
    items = errors.catch(entry.items) or ()
    rows = tuple(errors.catch(item.free) for item in items)
    if table is not None and table.table is not None and features.columns.are_known:
        exposure = (head.exposure,) if head is not None and head.exposure else ()
        names = dict.fromkeys((*features.columns.names, *exposure))
        columns = [travelling(table.table.column(name)) for name in names]
        for item, row in zip(items, rows, strict=True):
            if row is not None:
                errors.add(rules.example_errors(columns, item))
    return tuple(row for row in rows if isinstance(row, dict))
