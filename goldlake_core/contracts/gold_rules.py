"""Rules over several keys of a gold table, and what models may read of it. Pure.

What a computed column is made of is read off its text: each word that names a column counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from goldlake_core.contracts import windows
from goldlake_core.contracts.column_section import Columns
from goldlake_core.contracts.column_types import NUMBERS, TIMES
from goldlake_core.contracts.durations import seconds_of
from goldlake_core.contracts.errors import ContractError
from goldlake_core.contracts.names import nearest
from goldlake_core.contracts.read import Found
from goldlake_core.contracts.sections import Cluster, Column, Split
from goldlake_core.contracts.sql_literals import without_literals
from goldlake_core.contracts.yaml_entry import Entry

_DAY_S = 86_400
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Origins:
    """What the columns of a table are made of.

    Attributes:
        reads: By computed column, the columns that its expression reads.
        windowed: Columns that are made of several rows.
        ahead: Columns that are made of later rows, directly or by another column.
        amended: Columns that are, or are made of, what is amended after the event.
        fitted: By column that is fitted on rows, or made of such a column, the column of time
            before which those rows happened.
    """

    reads: Mapping[str, frozenset[str]] = field(default_factory=dict)
    windowed: frozenset[str] = frozenset()
    ahead: frozenset[str] = frozenset()
    amended: frozenset[str] = frozenset()
    fitted: Mapping[str, str] = field(default_factory=dict)

    def made_of(self, name: str) -> frozenset[str]:
        """All columns that a column is made of, itself included."""
        found: set[str] = set()
        waiting = [name]
        while waiting:
            each = waiting.pop()
            if each not in found:
                found.add(each)
                waiting.extend(self.reads.get(each, ()))
        return frozenset(found)


def origins(
    columns: Iterable[Column],
    lengths: windows.Lengths,
    clusters: Sequence[Cluster] = (),
    *,
    over: Iterable[str] = (),
    version: str | None = None,
) -> Origins:
    """What columns are made of.

    Args:
        columns: Silver's, those of lookups and the table's own, in the order of computation.
        lengths: The table's windows.
        clusters: Its clusters, which are made of these columns.
        over: Columns that form the units of its windows and order their rows. What is made of a
            window is made of them, too.
        version: Silver's version column, which moves with each amendment.
    """
    columns = list(columns)
    names = {column.name.lower(): column.name for column in columns}
    reads: dict[str, frozenset[str]] = {}
    windowed: set[str] = set()
    ahead: set[str] = set()
    amended: set[str] = set()
    for column in columns:
        words = {word.lower() for word in _WORD.findall(without_literals(column.expr))}
        own = frozenset(names[word] for word in words & names.keys()) - {column.name}
        if next(windows.calls(column.expr), None) is not None:
            windowed.add(column.name)
            own |= frozenset(over) - {column.name}
        if column.expr:
            reads[column.name] = own
        if windowed & own:
            windowed.add(column.name)
        if ahead & own or windows.looks_ahead(column.expr, lengths):
            ahead.add(column.name)
        if amended & own or column.known == "amended" or column.name == version:
            amended.add(column.name)
    for cluster in clusters:
        own = frozenset(cluster.columns)
        reads[cluster.name] = own
        for made_of in (windowed, ahead, amended):
            if made_of & own:
                made_of.add(cluster.name)
    fitted = {cluster.name: cluster.time for cluster in clusters}
    return Origins(reads, frozenset(windowed), frozenset(ahead), frozenset(amended), fitted)


def mode_errors(found: Found) -> Iterator[ContractError]:
    """An aggregate is built and has its own key."""
    if found.values.get("mode") != "aggregate":
        return
    for key in ("build", "key"):
        if not found.has(key) and key not in found.broken:
            yield found.entry.error(
                f"the key {key!r} is missing", valid=f"{key} with mode: aggregate"
            )
    for key in ("lookups", "per", "windows"):
        if found.has(key):
            yield found.entries[key].error(
                f"{key} does not go with mode: aggregate", valid=f"{key} with mode: rows"
            )


def window_errors(found: Found, time: Column | None) -> Iterator[ContractError]:
    """Windows lie in a unit and have an order, which is a time where a window is a length of time.

    Args:
        found: The gold table as it was read.
        time: The first column of its order, or None where it is not known.
    """
    written = [key for key in ("per", "order", "windows") if found.has(key)]
    lengths = found.values.get("windows") or {}
    needed = ("order", "windows") if windows.longest(lengths) else ("per", "order", "windows")
    missing = [key for key in needed if key not in found.entries]
    if written and missing:
        yield found.entries[written[0]].error(
            f"there is {' and '.join(written)}, and no {' and no '.join(missing)}",
            valid="per, order and windows together, or order and windows by time",
        )
    if written and found.values.get("build"):
        yield found.entries[written[0]].error(
            f"{written[0]} is for computed columns, and a function makes the rows",
            valid="reach, which says at which rows the function looks",
        )
    said = [key for key in ("per", "windows") if found.has(key)]
    for key in ("reach", "reach_order"):
        if said and found.has(key):
            yield found.entries[key].error(
                f"the {'unit' if key == 'reach' else 'order'} is said by {said[0]} as well",
                valid="reach with build, or per with windows",
            )
    is_by_time = any(windows.is_by_time(each) for each in lengths.values())
    if is_by_time and time is not None and found.has("order"):
        if time.type not in TIMES:
            yield found.entries["order"].error(
                f"a window is a length of time, and {time.name!r} has type {time.type}",
                valid=f"a {' or '.join(TIMES)} first",
            )
        elif time.nullable:
            yield found.entries["order"].error(
                f"a window is a length of time, and {time.name!r} is nullable",
                valid="a column with nullable: false first",
            )


def unit_errors(
    per: Iterable[str], silver: Columns, origins: Origins, entry: Entry
) -> Iterator[ContractError]:
    """A computed column that forms a unit is made of its silver row alone.

    Args:
        per: Columns of the unit.
        silver: The columns of silver.
        origins: What the table's columns are made of.
        entry: Where the unit is written.
    """
    for name in per:
        others = origins.reads.get(name, frozenset()) - set(silver.names)
        if name in origins.windowed or others:
            of = ", ".join(sorted(others)) or "windows"
            yield entry.error(
                f"{name!r} is made of {of}", valid="a column that is made of silver columns only"
            )


def cluster_errors(
    found: Found, columns: Sequence[Column], time: Column | None
) -> Iterator[ContractError]:
    """Clusters are of numbers, and each row has a time before which the rows of its fit happened.

    Args:
        found: The cluster as it was read.
        columns: The columns that it is made of, as far as they hold.
        time: The column of its time, or None where it is not known.
    """
    for column in columns:
        if column.type not in NUMBERS:
            yield found.entries["columns"].error(
                f"the column {column.name!r} has type {column.type}", valid="columns of numbers"
            )
    where = found.at("time")
    if time is not None and time.type not in TIMES:
        yield where.error(f"the time {time.name!r} has type {time.type}", valid=" or ".join(TIMES))
    if time is not None and time.nullable:
        yield where.error(
            f"the time {time.name!r} is nullable", valid="a column with nullable: false"
        )
    if "every" not in found.broken and seconds_of(found.values["every"]) < _DAY_S:
        yield found.at("every").error("an interval is shorter than a day", valid="1d or more")


def fitted_errors(
    read: Iterable[str], split: Split, event_time: str, origins: Origins, entry: Entry
) -> Iterator[ContractError]:
    """What is fitted on earlier rows is read by models whose splits follow each other in time.

    Args:
        read: Columns that a model reads, its label among them.
        split: How its rows are divided.
        event_time: The column of time that divides them; "" without one.
        origins: What the table's columns are made of.
        entry: Where the split is written.
    """
    for name in dict.fromkeys(read):
        time = origins.fitted.get(name)
        if time is None or (split.is_by_time and time == event_time):
            continue
        yield entry.error(
            f"{name!r} is fitted on all rows before an instant of {time!r}, and this split puts "
            "some of them into eval and test",
            valid=f"event_time: {time} with split kind relative or fixed",
        )


def expression_errors(
    found: Found,
    build: str | None,
    silver: Columns,
    own: Columns,
    lengths: windows.Lengths,
) -> Iterator[ContractError]:
    """A column is computed here where no function makes the rows, from what is there by then."""
    for column in own.sound:
        entry = own.entries[column.name]
        if not column.expr:
            if not build and found.values.get("mode") == "rows":
                yield entry.error(
                    f"nothing says how {column.name!r} is made", valid="expr, or a build"
                )
            continue
        where = entry.members().get("expr", entry)
        if build:
            yield where.error(
                f"{build} makes the rows, so no column is computed here", valid="expr or build"
            )
            continue
        if column.name in silver.by_name:
            yield entry.error(
                f"silver has the column {column.name!r}, so that its name has two meanings",
                valid="another name",
            )
        bare = without_literals(column.expr)
        if ";" in bare or "--" in bare or "/*" in bare:
            yield where.error(
                "the expression holds a ';' or an SQL comment", valid="one Spark SQL expression"
            )
            continue
        for problem, valid in windows.problems(column.expr, lengths):
            yield where.error(problem, valid=valid)


def lookup_errors(
    found: Found, key: Sequence[str] | None, columns: Columns, silver: Columns
) -> Iterator[ContractError]:
    """A lookup is a file of this machine, joined by columns that silver has with the same type."""
    if found.has("path") and "://" in found.values["path"]:
        yield found.entries["path"].error(
            "a lookup is a file of this machine", valid="a path; copy the file there"
        )
    for name in key or ():
        column = columns.by_name[name]
        if not silver.are_known or column is None:
            continue
        if name not in silver.by_name:
            yield found.entries["key"].error(
                f"silver has no column {name!r}", valid=nearest(name, silver.names)
            )
            continue
        other = silver.by_name[name]
        if other is not None and other.type != column.type:
            yield columns.entries[name].error(
                f"{name!r} has type {column.type}, and in silver {other.type}",
                valid=f"type: {other.type}",
            )
    at = found.entries["at"].exact_text() if found.has("at") else ""
    joined = {*(key or ()), at}
    own = [column for column in columns.sound if key is not None and column.name not in joined]
    if key is not None and columns.are_sound and not own:
        yield found.entry.error("the lookup has no column besides its key", valid="at least one")
    for column in own:
        entry = columns.entries[column.name]
        if not column.nullable:
            yield entry.error(
                f"a row without its key in the lookup has no {column.name}",
                valid="no nullable: false",
            )
        if column.name in silver.by_name:
            yield entry.error(f"silver has the column {column.name!r}", valid="another name")


def time_errors(found: Found, at: Column | None, of: Column | None) -> Iterator[ContractError]:
    """A lookup is joined by a key, by a time, or by both; a time has one to compare with."""
    if not found.has("key") and "key" not in found.broken and "at" not in found.entries:
        yield found.entry.error("the key 'key' is missing", valid="key, or at and of")
    for one, other in (("at", "of"), ("of", "at"), ("within", "at")):
        if found.has(one) and other not in found.entries:
            yield found.entries[one].error(
                f"there is {one} and no {other}",
                valid="at: a time of the file, of: a time of silver",
            )
    for name, column in (("at", at), ("of", of)):
        if column is not None and column.type not in TIMES:
            yield found.entries[name].error(
                f"the column {column.name!r} has type {column.type}", valid=" or ".join(TIMES)
            )
    if found.has("within") and not seconds_of(found.values["within"]):
        yield found.entries["within"].error("no record is that young", valid="such as 3h")


def feature_errors(
    column: str, label: str | None, origins: Origins, entry: Entry
) -> Iterator[ContractError]:
    """A feature is known at the event: it reads neither later rows, nor amendments, nor the label.

    Args:
        column: Column that a feature reads.
        label: The model's label, or None where it is not known.
        origins: What the table's columns are made of.
        entry: Where the feature is.
    """
    valid = "columns known before the outcome"
    if column in origins.ahead:
        yield entry.error(f"{column!r} is made of later rows of its unit", valid=valid)
    if column in origins.amended:
        made_of = sorted(origins.made_of(column) & origins.amended - origins.reads.keys())
        of = "" if made_of == [column] else f", made of {', '.join(made_of)},"
        yield entry.error(f"{column!r}{of} is amended after the event", valid=valid)
    if label is not None and column != label and label in origins.made_of(column):
        yield entry.error(f"{column!r} is made of the label {label!r}", valid=valid)


def told_label_errors(
    read: Sequence[str], label: str, origins: Origins, entry: Entry
) -> Iterator[ContractError]:
    """Features do not read all that the label is computed from.

    Args:
        read: Columns that the features read.
        label: The model's label.
        origins: What the table's columns are made of.
        entry: Where the features are.
    """
    if label not in origins.reads or label in origins.windowed:
        return
    base = {name for name in origins.made_of(label) if name not in origins.reads}
    if base and base <= set(read):
        listed = ", ".join(sorted(base))
        yield entry.error(
            f"the features read {listed}, of which the label {label!r} is computed",
            valid="columns known before the outcome",
        )
