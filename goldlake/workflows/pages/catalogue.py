"""The data catalogue of a use case as Markdown: what each table, column, check and model means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from goldlake.workflows.pages.reference import table
from goldlake_core.contracts import ids, sql_rules, wire
from goldlake_core.contracts.fields import CONTENT_FIELD
from goldlake_core.contracts.sections import (
    Column,
    Feature,
    GoldTable,
    Head,
    Model,
    Silver,
    Source,
    Split,
    Threshold,
    UseCase,
    WireNull,
)
from goldlake_core.contracts.windows import ALL


def data_catalogue(usecase: UseCase) -> str:
    """A Markdown page about a use case: source, tables, columns, checks, models. Pure."""
    silver = usecase.silver
    parts = [
        f"# {usecase.title}\n",
        f"{usecase.description}\n",
        table(("", ""), _facts(usecase.source, usecase.licence)),
        f"## `{ids.TableId(usecase.name, 'silver', silver.table)}`\n",
        f"{silver.comment}\n",
        f"Key: {_names(silver.key)}. {_order(silver)}\n",
        _columns(silver.columns, has_field=True),
        "Records that break a rule are quarantined under its code:\n",
        table(
            ("reason code", "a row passes when"),
            [(f"`{code}`", text) for code, text in sql_rules.reasons(silver).items()],
        ),
        "Rules over several columns:\n" if silver.checks else "",
        table(
            ("code", "Spark SQL", "meaning"),
            [(f"`{c.code}`", f"`{c.expect}`", c.comment) for c in silver.checks],
        )
        if silver.checks
        else "",
    ]
    parts += [_gold(usecase, gold) for gold in usecase.gold.values()]
    parts += [_model(usecase, model) for model in usecase.models.values()]
    return "\n".join(part for part in parts if part)


def _order(silver: Silver) -> str:
    """Which version of a row is newer, and when a fact happened."""
    newer = "What was landed later is the newer version of a row."
    if silver.version:
        newer = f"The larger `{silver.version}` is the newer version of a row."
    return f"{newer} A fact happened at `{silver.event_time}`." if silver.event_time else newer


def null_text(wire_null: WireNull | None) -> str:
    """How a missing value travels to a served model, in words."""
    if wire_null is None:
        return ""
    if wire_null.kind == "nan":
        return "`NaN`"
    if wire_null.kind == "text":
        return f'`"{wire_null.token}"`'
    return f"`{wire_null.token}: false`"


def _facts(source: Source, licence: str) -> list[tuple[str, str]]:
    place = f"{source.kind}: {source.address or source.path} {source.dataset}".replace(":  ", ": ")
    return [("source", place.strip()), ("licence", licence or "not stated")]


def _columns(columns: Iterable[Column], *, has_field: bool) -> str:
    header = ("column", "type", "missing", "unit", "allowed", "meaning")
    rows = []
    for column in columns:
        row = (
            f"`{column.name}`",
            column.type,
            _missing(column),
            column.unit or "",
            _allowed(column, is_short=not has_field),
            column.comment or f"Field `{column.field or column.name}` of the source.",
        )
        rows.append((*row, _origin(column)) if has_field else row)
    return table((*header, "from") if has_field else header, rows)


def _missing(column: Column) -> str:
    if not column.nullable:
        return "never"
    travels = null_text(column.wire_null)
    return f"allowed; travels as {travels}" if travels else "allowed"


def _allowed(column: Column, *, is_short: bool) -> str:
    if column.domain is not None:
        if is_short and len(column.domain) > 6:
            return f"{len(column.domain)} values, see silver"
        return ", ".join(column.domain)
    if column.pattern is not None:
        return f"matches `{column.pattern}`"
    return sql_rules.range_text(column)


def _origin(column: Column) -> str:
    parts = [f"`{column.field}`"]
    if column.field == CONTENT_FIELD:
        parts = ["the whole record"]
    if column.file:
        parts = [f"`{column.file}` of the file's name"]
    if column.formats:
        zone = f", {column.time_zone}" if column.time_zone else ""
        parts.append(f"as {' or '.join(f'`{each}`' for each in column.formats)}{zone}")
    if column.null_values:
        parts.append("missing: " + ", ".join(f"`{v}`" for v in column.null_values))
    if column.pad:
        parts.append(f"padded to {column.pad}")
    parts += [f"`{old}` becomes `{new}`" for old, new in column.replace.items()]
    return "; ".join(parts)


def _gold(usecase: UseCase, gold: GoldTable) -> str:
    return "\n".join(
        [
            f"## `{ids.TableId(usecase.name, 'gold', gold.name)}`\n",
            f"{gold.comment}\n",
            f"Key: {_names(gold.key)}. Mode: {gold.mode}. {_maker(gold)}\n",
            _columns(gold.columns, has_field=False),
            *_computed(gold),
        ]
    )


def _maker(gold: GoldTable) -> str:
    if gold.build:
        return f"Made by `{gold.build}`."
    has_own = any(column.expr for column in gold.columns)
    return "Computed by the contract." if has_own else "It holds silver's columns."


def _computed(gold: GoldTable) -> Iterator[str]:
    """Where the columns come from that are not silver's, and over which rows."""
    if gold.windows:
        lengths = ", ".join(f"`{name}` has {_window(each)}" for name, each in gold.windows.items())
        unit = f"rows of one {_names(gold.per)}" if gold.per else "the whole table"
        yield f"Windows lie in {unit}, ordered by {_names(gold.order)}: {lengths}.\n"
    for lookup in gold.lookups:
        joined = (*lookup.key, lookup.at)
        own = [column.name for column in lookup.columns if column.name not in joined]
        by = [f"by {_names(lookup.key)}"] if lookup.key else []
        if lookup.at:
            by.append(f"the newest `{lookup.at}` at or before `{lookup.of}` ({lookup.within})")
        yield f"{_names(own)}: from `{lookup.path}`, {', '.join(by)}.\n"
    computed = [(f"`{c.name}`", f"`{' '.join(c.expr.split())}`") for c in gold.columns if c.expr]
    if computed:
        yield table(("column", "Spark SQL"), computed)
    for cluster in gold.clusters:
        yield (
            f"`{cluster.name}`: one of {cluster.k} clusters of {_names(cluster.columns)}, by "
            f"KMeans on rows before the row's interval of `{cluster.time}` ({cluster.every}).\n"
        )


def _window(length: int | str) -> str:
    if isinstance(length, str):
        return f"the rows of the last {length}"
    return "all rows" if length == ALL else f"the last {length:,} rows"


def _model(usecase: UseCase, model: Model) -> str:
    inputs = wire.raw_inputs(model, usecase.gold[model.table])
    return "\n".join(
        [
            f"## Model `{ids.ModelId(usecase.name, model.name)}`: {model.title}\n",
            f"{model.description}\n",
            table(
                ("", ""),
                [
                    ("learns from", f"`{ids.TableId(usecase.name, 'gold', model.table)}`"),
                    ("label", f"`{model.label}`"),
                    ("head", _head(model.head)),
                    ("event time", f"`{model.event_time}`" if model.event_time else "none"),
                    ("maturity", f"{model.maturity_days} days"),
                    ("split", _split(model.split)),
                    ("blessed when", "; ".join(map(_threshold, model.thresholds))),
                ],
            ),
            table(
                ("feature", "kind", "columns", "parameters"),
                [_feature(feature) for feature in model.features],
            ),
            "Inputs of the served model:\n",
            table(
                ("input", "dtype", "missing travels as"),
                [(f"`{i.name}`", i.dtype, _input_null(i)) for i in inputs],
            ),
        ]
    )


def _input_null(each: wire.RawInput) -> str:
    if each.flag_of is not None:
        return f"tells whether `{each.flag_of}` is there"
    return null_text(each.wire_null) or "must be there"


def _feature(feature: Feature) -> tuple[str, str, str, str]:
    params = ", ".join(f"{name} {value}" for name, value in feature.params.items())
    return (f"`{feature.name}`", feature.kind, _names(feature.columns), params)


def _head(head: Head) -> str:
    return f"{head.kind}, in proportion to `{head.exposure}`" if head.exposure else head.kind


def _split(split: Split) -> str:
    if split.kind == "column":
        return f"as `{split.column}` says"
    if split.kind == "hash":
        by = _names(split.by) if split.by else "the key"
        return f"by the hash of {by}: {split.eval:.0%} eval, {split.test:.0%} test"
    gap = f", {split.gap_days} days left out between them" if split.gap_days else ""
    if split.kind == "fixed":
        days = f"eval from {split.eval_from}, test from {split.test_from}, until {split.until}"
        return days + gap
    train = "all before" if split.train_days is None else f"{split.train_days} days before"
    days = f"the last {split.test_days} days test, {split.eval_days} before eval, {train} train"
    return days + gap


def _threshold(threshold: Threshold) -> str:
    bounds = {
        "at least": threshold.minimum,
        "at most": threshold.maximum,
        "worse than what serves by at most": threshold.max_drop,
        "better than a constant answer by at least": threshold.over_baseline,
    }
    given = [f"{words} {value:g}" for words, value in bounds.items() if value is not None]
    return f"{threshold.metric} {', '.join(given)}"


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
