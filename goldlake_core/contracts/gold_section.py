"""Reads the gold tables of a ``contract.yaml``, each as far as it holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import cast

import msgspec

from goldlake_core.contracts import gold_rules, rules, windows
from goldlake_core.contracts.column_section import Columns, read_columns
from goldlake_core.contracts.column_types import TIMES
from goldlake_core.contracts.durations import seconds_of
from goldlake_core.contracts.errors import ContractError
from goldlake_core.contracts.gold_rules import Origins
from goldlake_core.contracts.keys import declared, keys_of
from goldlake_core.contracts.names import is_name
from goldlake_core.contracts.read import Errors, Found, name_errors, read_section
from goldlake_core.contracts.sections import Cluster, Column, Format, GoldTable, Lookup
from goldlake_core.contracts.windows import Lengths
from goldlake_core.contracts.yaml_entry import Entry

ROWS = "rows"
"""Name of the gold table of a contract that declares none."""
_VALUES = ("comment", "mode", "build", "windows")


@dataclass
class GoldDraft:
    """A gold table as far as it holds.

    Attributes:
        name: The table's name.
        mode: Its mode, or None.
        columns: Its columns: the kept ones, those of lookups, its own.
        build: The function that makes its rows; None or "" without one.
        key: Its key, or None.
        table: The table, or None where something in it does not hold.
        origins: What its computed columns are made of.
        readable: What an expression may read, by the column that has it.
        windows: Its windows by name, each with its length.
        unit: Columns of a unit whose rows are made of each other; () where the whole table is one,
            None where each row is made of one silver row.
        looks_back: Column of time such that rows are made of earlier rows of it only; "" where they
            may be made of later ones.
        is_stretch: Whether a unit is computed from the order of its rows alone, such as a thousand
            numbers of a sequence.
    """

    name: str
    mode: str | None
    columns: Columns
    build: str | None = None
    key: tuple[str, ...] | None = None
    table: GoldTable | None = None
    origins: Origins = field(default_factory=Origins)
    readable: dict[str, dict[str, str | None]] = field(default_factory=dict)
    windows: Lengths = field(default_factory=dict)
    unit: tuple[str, ...] | None = None
    looks_back: str = ""
    is_stretch: bool = False


@dataclass(frozen=True)
class OfSilver:
    """The silver table as far as it holds.

    Attributes:
        columns: The columns that it declares.
        key: Its key, or None.
        version: Name of its version column, or None.
        event_time: Name of its column of event times; "" without one, None where it does not hold.
    """

    columns: Columns
    key: tuple[str, ...] | None = None
    version: str | None = None
    event_time: str | None = None

    @property
    def amended(self) -> str | None:
        """The version column where it moves with each amendment, as a time of events does not."""
        return self.version if self.version != self.event_time else None


def rows_of(silver: OfSilver) -> GoldDraft:
    """The gold table of a contract that declares none: silver's columns."""
    columns, key = silver.columns, silver.key
    draft = GoldDraft(ROWS, "rows", columns, key=key)
    draft.origins = gold_rules.origins(columns.sound, {}, version=silver.amended)
    if key is not None and columns.are_sound:
        draft.table = GoldTable(
            name=ROWS,
            comment="Silver's columns.",
            key=key,
            columns=columns.sound,
            keep=columns.names,
        )
    return draft


def read_gold(entry: Entry, silver: OfSilver, errors: Errors) -> dict[str, GoldDraft] | None:
    """The gold tables that a contract declares.

    Args:
        entry: Mapping of table name to mapping.
        silver: The silver table that they are made from.
        errors: Where errors are kept.

    Returns:
        The tables by name, or None where the section cannot be read.
    """
    members = errors.catch(entry.members)
    if members is None:
        return None
    if not members:
        errors.found.append(entry.error("there is no gold table", valid="at least one"))
    return {name: _read_table(name, item, silver, errors) for name, item in members.items()}


def _read_table(name: str, entry: Entry, given: OfSilver, errors: Errors) -> GoldDraft:
    silver = given.columns
    before = len(errors.found)
    errors.add(name_errors(name, entry))
    found = read_section(entry, keys_of(GoldTable), errors)
    errors.add(gold_rules.mode_errors(found))
    draft = GoldDraft(name, found.values.get("mode"), Columns(are_known=not found.broken))
    draft.build = found.values.get("build")
    kept: tuple[str, ...] | None = () if draft.build or draft.mode != "rows" else silver.names
    if found.has("keep"):
        kept = silver.find_all(found.entries["keep"], errors, minimum=0)
    lookups, looked_up = _lookups(found, silver, errors)
    own = Columns()
    if found.has("columns"):
        keys = declared(Column, lambda key: key.in_gold)
        own = read_columns(found.entries["columns"], keys, errors)
    errors.add(_twice_errors(own.entries, kept or (), looked_up))
    draft.columns.are_known &= own.are_known and looked_up.are_known and kept is not None
    draft.columns.are_known &= silver.are_known or found.has("keep") or bool(draft.build)
    kept_columns = {n: silver.by_name[n] for n in kept or ()}
    draft.columns.by_name = kept_columns | looked_up.by_name | own.by_name
    draft.key = _key(found, draft, own, given.key, errors)
    for column in draft.key or ():
        is_nullable = draft.columns.by_name[column]
        if is_nullable is not None:  # a kept key column is never null here
            draft.columns.by_name[column] = msgspec.structs.replace(
                is_nullable, nullable=False, wire_null=None
            )
    errors.add(rules.flag_errors(draft.columns.sound, own.entries | looked_up.entries))
    order = _named("order", found, silver, errors)
    computed = {n: c for n, c in own.by_name.items() if c is None or c.expr}
    units = Columns(silver.by_name | computed, are_known=silver.are_known and own.are_known)
    per = _named("per", found, units, errors)
    draft.windows = found.values.get("windows") or {}
    sound = len(errors.found)
    reach = _reach(found, silver, per, order, errors)
    if (reach.unit or reach.order) and len(errors.found) == sound:
        draft.unit = reach.unit
        is_back = reach.order and not seconds_of(reach.after)
        draft.looks_back = reach.order if is_back else ""
    errors.add(gold_rules.window_errors(found, silver.by_name[order[0]] if order else None))
    errors.add(gold_rules.expression_errors(found, draft.build, silver, own, draft.windows))
    clusters = _clusters(found, draft, given.event_time, errors)
    known = {**silver.by_name, **looked_up.by_name, **own.by_name}
    draft.origins = gold_rules.origins(
        [c for c in known.values() if c],
        draft.windows,
        clusters,
        over=(*per, *order),
        version=given.amended,
    )
    if per:
        errors.add(gold_rules.unit_errors(per, silver, draft.origins, found.entries["per"]))
        made_of = [draft.origins.reads.get(name, frozenset()) for name in per]
        draft.is_stretch = all(each and each <= set(order) for each in made_of)
    draft.readable = _readable(silver, looked_up, own)
    if len(errors.found) > before or draft.key is None or not draft.columns.are_sound:
        return draft
    draft.table = GoldTable(
        name=name,
        key=draft.key,
        columns=draft.columns.sound,
        keep=cast(tuple[str, ...], kept),
        reach=reach.unit,
        reach_order=reach.order or None,
        reach_before=reach.before,
        reach_after=reach.after,
        lookups=lookups,
        per=per,
        order=order,
        clusters=clusters,
        **{each: found.values[each] for each in _VALUES},
    )
    return draft


def _readable(
    silver: Columns, looked_up: Columns, own: Columns
) -> dict[str, dict[str, str | None]]:
    """Per computed column the type by name of what its expression may read."""
    if not (silver.are_known and looked_up.are_known and own.are_known):
        return {}
    types: dict[str, str | None] = {
        name: column.type if column else None
        for name, column in (silver.by_name | looked_up.by_name).items()
    }
    found = {}
    for name, column in own.by_name.items():
        if column is not None and column.expr:
            found[name] = dict(types)
        types[name] = column.type if column else None
    return found


def _lookups(found: Found, silver: Columns, errors: Errors) -> tuple[tuple[Lookup, ...], Columns]:
    """The lookups that hold, and the columns that they add to the table."""
    added = Columns()
    if not found.has("lookups"):
        return (), added
    members = errors.catch(found.entries["lookups"].members)
    added.are_known = members is not None
    lookups = []
    for name, item in (members or {}).items():
        errors.add(name_errors(name, item))
        inner = read_section(item, keys_of(Lookup), errors)
        written = Format()
        if inner.has("format"):
            layout = read_section(inner.entries["format"], keys_of(Format), errors)
            errors.add(rules.mark_errors(layout))
            written = Format() if layout.broken else Format(**layout.values)
        columns = Columns(are_known=False)
        if inner.has("columns"):
            keys = declared(Column, lambda key: key.in_silver)
            columns = read_columns(inner.entries["columns"], keys, errors, written)
        key = columns.find_all(inner.entries["key"], errors) if inner.has("key") else None
        if not inner.has("key") and "key" not in inner.broken and columns.are_known:
            key = ()
        at = columns.find(inner.entries["at"], errors) if inner.has("at") else None
        of = silver.find(inner.entries["of"], errors) if inner.has("of") else None
        errors.add(gold_rules.lookup_errors(inner, key, columns, silver))
        errors.add(gold_rules.time_errors(inner, at, of))
        joined = (*(key or ()), at.name if at else "")
        own = {n: c for n, c in columns.by_name.items() if n not in joined}
        for each in own.keys() & added.by_name.keys():
            problem = columns.entries[each].error(
                f"another lookup has the column {each!r}", valid="another name"
            )
            errors.found.append(problem)
        added.by_name |= own
        added.entries |= {n: columns.entries[n] for n in own}
        added.are_known &= columns.are_known and key is not None
        if key is not None and columns.are_sound and not inner.broken:
            path = inner.values["path"]
            lookup = Lookup(
                name=name,
                path=path,
                format=written,
                key=key,
                at=at.name if at else "",
                of=of.name if of else "",
                within=inner.values["within"],
                columns=columns.sound,
            )
            lookups.append(lookup)
    return tuple(lookups), added


def _named(key: str, found: Found, columns: Columns, errors: Errors) -> tuple[str, ...]:
    return (columns.find_all(found.entries[key], errors) or ()) if found.has(key) else ()


@dataclass(frozen=True)
class _Reach:
    """At which rows a row looks: those of its unit, near in the order."""

    unit: tuple[str, ...]
    order: str
    before: str
    after: str


def _reach(
    found: Found,
    silver: Columns,
    per: tuple[str, ...],
    order: tuple[str, ...],
    errors: Errors,
) -> _Reach:
    """What the contract says of it, or what follows from its windows."""
    errors.add(rules.reach_errors(found))
    unit = _named("reach", found, silver, errors)
    longest = windows.longest(found.values.get("windows") or {})
    if longest and order:
        return _Reach(per, order[0], longest, "0")
    time = ""
    if found.has("reach_order"):
        where = found.entries["reach_order"]
        column = silver.find(where, errors)
        if column is not None:
            errors.add(rules.type_errors(where, column, *TIMES))
            errors.add(rules.nullable_errors(where, column))
            time = column.name
    before, after = (found.values.get(key) or "0" for key in ("reach_before", "reach_after"))
    return _Reach(per or unit, time, before, after)


def _clusters(
    found: Found, draft: GoldDraft, event_time: str | None, errors: Errors
) -> tuple[Cluster, ...]:
    """The clusters that hold; the table gets their columns."""
    if not found.has("clusters"):
        return ()
    columns = draft.columns
    members = errors.catch(found.entries["clusters"].members)
    made: dict[str, Column | None] = {}
    clusters = []
    for name, item in (members or {}).items():
        before = len(errors.found)
        errors.add(name_errors(name, item))
        inner = read_section(item, keys_of(Cluster), errors)
        made[name] = None
        if columns.are_known and name in columns.by_name:
            problem = item.error(f"the table has the column {name!r}", valid="another name")
            errors.found.append(problem)
        read = columns.find_all(inner.entries["columns"], errors) if inner.has("columns") else None
        time = _cluster_time(inner, columns, event_time, errors)
        sound = [each for each in map(columns.by_name.get, read or ()) if each is not None]
        errors.add(gold_rules.cluster_errors(inner, sound, time))
        if len(errors.found) > before or read is None or time is None:
            columns.are_known &= is_name(name)
            continue
        column = Column(
            name=name,
            type="long",
            comment=inner.values["comment"] or f"Cluster of {', '.join(read)}.",
            range=(0, inner.values["k"] - 1),
        )
        way = None
        if inner.has("wire_null"):
            where = inner.entries["wire_null"]
            way = errors.catch(partial(rules.wire_null_value, where, column))
        made[name] = msgspec.structs.replace(column, wire_null=way)
        values = {key: inner.values[key] for key in ("k", "every", "scale", "rows", "seed")}
        comment = inner.values["comment"]
        clusters.append(
            Cluster(
                name=name,
                columns=read,
                time=time.name,
                comment=comment,
                wire_null=way,
                **values,
            )
        )
    columns.are_known &= members is not None
    columns.by_name |= made
    errors.add(rules.flag_errors(columns.sound, members or {}))
    return tuple(clusters)


def _cluster_time(
    found: Found, columns: Columns, event_time: str | None, errors: Errors
) -> Column | None:
    """The column of time of a cluster: the one that it names, or silver's event time."""
    if found.has("time"):
        return columns.find(found.entries["time"], errors)
    if "time" in found.broken or not columns.are_known or event_time is None:
        return None
    if event_time not in columns.by_name:
        without = f"the table lacks {event_time!r}" if event_time else "silver has no event_time"
        problem = found.entry.error(
            f"the rows have no time: {without}",
            valid="time: a timestamp or date column of the table",
        )
        errors.found.append(problem)
        return None
    return columns.by_name[event_time]


def _twice_errors(
    own: Mapping[str, Entry], kept: tuple[str, ...], looked_up: Columns
) -> Iterator[ContractError]:
    for name, entry in {**looked_up.entries, **own}.items():
        if name in kept:
            yield entry.error(
                f"the column {name!r} is declared here and kept from silver",
                valid="another name, or a list keep without it",
            )
    for name in own.keys() & looked_up.entries.keys():
        yield own[name].error(f"a lookup has the column {name!r}", valid="another name")


def _key(
    found: Found,
    draft: GoldDraft,
    own: Columns,
    silver_key: tuple[str, ...] | None,
    errors: Errors,
) -> tuple[str, ...] | None:
    if not found.has("key") and "key" not in found.broken and draft.mode == "rows":
        return _silvers_key(found, draft, silver_key, errors)
    key = draft.columns.find_all(found.entries["key"], errors) if found.has("key") else None
    if key is None:
        return None
    is_sound = True
    if found.has("mode") and silver_key is not None:
        law = rules.gold_key_errors(found.values["mode"], key, silver_key, found.entries["key"])
        is_sound &= errors.add(law)
    for name in key:
        column = own.by_name.get(name)
        if column is not None and column.nullable:
            problem = own.entries[name].error(
                "a key column is nullable", valid="nullable: false", hint="write nullable: false"
            )
            errors.found.append(problem)
            is_sound = False
    return key if is_sound else None


def _silvers_key(
    found: Found, draft: GoldDraft, silver_key: tuple[str, ...] | None, errors: Errors
) -> tuple[str, ...] | None:
    missing = [name for name in silver_key or () if name not in draft.columns.by_name]
    if missing and draft.columns.are_known:
        problem = found.entry.error(
            f"the table lacks the key column {missing[0]!r} of silver",
            valid=f"keep: [{', '.join(silver_key or ())}, …]",
        )
        errors.found.append(problem)
        return None
    return None if missing else silver_key
