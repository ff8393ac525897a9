"""Reads ``contract.yaml``: source, silver, checks and gold tables, each checked where it stands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from goldlake_core.contracts import keys
from goldlake_core.contracts.checks.literals import without_literals
from goldlake_core.contracts.column_section import read_column, read_kept_column
from goldlake_core.contracts.names import MAX_NAME, is_name, nearest
from goldlake_core.contracts.nodes import Entry
from goldlake_core.contracts.usecase import Check, Column, GoldTable, Silver, Source, UseCase

_DOTTED = re.compile(r"[a-z_][a-z0-9_]*\.[A-Za-z_][A-Za-z0-9_]*")
_DATASET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def read_contract(document: Entry, folder: Path) -> UseCase:
    """The use case in a ``contract.yaml``, without models and hashes.

    Args:
        document: The composed file.
        folder: Its folder; the use case has the same name.

    Raises:
        ContractError: Something in it does not hold.
    """
    found = document.section(keys.CONTRACT)
    name = found["name"].name()
    actual = folder.resolve().name
    if name != actual:
        raise found["name"].error(
            f"the use case is called {name!r} and its folder {actual!r}",
            valid="the same name for both",
            hint=f"rename the folder to {name} or change this key",
        )
    silver = read_silver(found["silver"])
    return UseCase(
        name=name,
        title=found["title"].text(),
        description=found["description"].text(),
        licence=found["licence"].text(),
        folder=folder,
        source=read_source(found["source"]),
        silver=silver,
        gold=read_gold(found["gold"], silver),
        models={},
        hashes={},
    )


def dotted_function(entry: Entry) -> str:
    """``module.function`` of the use-case folder; no folders, no ``..``."""
    text = entry.exact_text()
    if not _DOTTED.fullmatch(text) or text.startswith("__"):
        raise entry.error(
            f"{text!r} names no function of the use-case folder",
            valid="module.function, such as tables.rows for the function rows in tables.py",
        )
    return text


def column_names(entry: Entry, known: tuple[str, ...], *, minimum: int = 1) -> tuple[str, ...]:
    """A list of known columns, each once."""
    names: list[str] = []
    for item in entry.items():
        name = column_name(item, known)
        if name in names:
            raise item.error(f"the column {name!r} is listed twice", valid="each column once")
        names.append(name)
    if len(names) < minimum:
        raise entry.error(
            f"{len(names)} columns are listed", valid=f"at least {minimum} of: {', '.join(known)}"
        )
    return tuple(names)


def column_name(entry: Entry, known: tuple[str, ...]) -> str:
    """One known column."""
    name = entry.exact_text()
    if name not in known:
        raise entry.error(f"there is no column {name!r}", valid=nearest(name, known))
    return name


def read_source(entry: Entry) -> Source:
    """The ``source`` section."""
    found = entry.section(keys.SOURCE)
    dataset = found["dataset"].exact_text()
    if not _DATASET.fullmatch(dataset):
        raise found["dataset"].error(
            f"{dataset!r} cannot be part of a path",
            valid="letters, digits, '.', '_' and '-', a letter or digit first",
        )
    page_rows = found["page_rows"].integer(1, 1_000_000) if "page_rows" in found else 10_000
    options = found.get("options")
    if options is not None and not options.is_mapping:
        raise options.error(f"expected a mapping, got {options.shape}", valid="lines with 'key: '")
    return Source(
        kind=found["kind"].name(),
        address=_address(found["address"]) if "address" in found else "",
        dataset=dataset,
        page_rows=page_rows,
        time_field=found["time_field"].text() if "time_field" in found else "",
        generator=dotted_function(found["generator"]) if "generator" in found else None,
        options=options.free() if options is not None else {},
    )


def _address(entry: Entry) -> str:
    text = entry.exact_text()
    if not text:
        return ""
    try:
        parts = urlsplit(text)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        is_url = False
    if not is_url or re.search(r"\s", text):
        raise entry.error(f"{text!r} is no web address", valid="http://… or https://…")
    if parts.username or parts.password:
        raise entry.error(
            "the address carries a user name or password",
            valid="an address without them; secrets belong into the environment",
        )
    return text.rstrip("/")


def read_silver(entry: Entry) -> Silver:
    """The ``silver`` section, with its cross-references resolved."""
    found = entry.section(keys.SILVER)
    entries = found["columns"].members()
    columns = tuple(read_column(name, e, keys.COLUMN) for name, e in entries.items())
    if not columns:
        raise found["columns"].error("there is no column", valid="at least one")
    by_name = {c.name: c for c in columns}
    names = tuple(by_name)
    refuse_wire_collisions(columns, entries)
    _refuse_nested_fields(columns, entries)
    key = column_names(found["key"], names)
    version = column_name(found["version"], names)
    event_time = column_name(found["event_time"], names)
    for where, column in [("key", by_name[k]) for k in key] + [
        ("version", by_name[version]),
        ("event_time", by_name[event_time]),
    ]:
        if column.nullable:
            raise found[where].error(
                f"the column {column.name!r} is nullable",
                valid="a column with nullable: false",
                hint=f"write nullable: false at silver.columns.{column.name}",
            )
    require_type(found["event_time"], by_name[event_time], "timestamp", "date")
    require_type(found["version"], by_name[version], "timestamp", "date", "long", "double")
    checks = read_checks(found["checks"], names) if "checks" in found else ()
    return Silver(
        table=found["table"].name(),
        comment=found["comment"].text(),
        key=key,
        version=version,
        event_time=event_time,
        columns=columns,
        checks=checks,
    )


def _refuse_nested_fields(columns: tuple[Column, ...], entries: Mapping[str, Entry]) -> None:
    """Refuses a field that is read as a value here and as an object there."""
    fields = {c.field: c.name for c in columns}
    for column in columns:
        parts = column.field.split(".")
        for count in range(1, len(parts)):
            parent = ".".join(parts[:count])
            if parent in fields:
                raise entries[column.name].error(
                    f"the field {column.field!r} lies inside the field {parent!r}, "
                    f"which the column {fields[parent]!r} reads as a value",
                    valid="one of the two",
                )


def require_type(entry: Entry, column: Column, *types: str) -> None:
    """Refuses a column whose type is none of ``types``."""
    if column.type not in types:
        raise entry.error(
            f"the column {column.name!r} has type {column.type}", valid=" or ".join(types)
        )


def read_checks(entry: Entry, names: tuple[str, ...]) -> tuple[Check, ...]:
    """The rules over several silver columns."""
    checks: list[Check] = []
    derived = {f"{n}_{rule}" for n in names for rule in ("missing", *RULES)}
    for item in entry.items():
        found = item.section(keys.CHECK)
        code = found["code"].name()
        if code in (c.code for c in checks) or code in derived:
            raise found["code"].error(
                f"the reason code {code!r} is in use already",
                valid="a code that no other check has and no column's own rules make",
            )
        expect = found["expect"].text()
        bare = without_literals(expect)
        if ";" in bare or "--" in bare or "/*" in bare:
            raise found["expect"].error(
                "the rule holds a ';' or an SQL comment", valid="one Spark SQL expression"
            )
        if not set(_WORD.findall(bare)) & set(names):
            raise found["expect"].error(
                f"the rule names no silver column: {expect}", valid=nearest(expect, names)
            )
        checks.append(Check(code=code, expect=expect, comment=found["comment"].text()))
    return tuple(checks)


RULES = ("domain", "range", "pattern")
"""Rules of single columns that become CHECK constraints, called ``COLUMN_RULE``."""


def read_gold(entry: Entry, silver: Silver) -> Mapping[str, GoldTable]:
    """The ``gold`` section: at least one table."""
    tables = {name: _read_gold_table(name, e, silver) for name, e in entry.members().items()}
    if not tables:
        raise entry.error("there is no gold table", valid="at least one")
    return tables


def _read_gold_table(name: str, entry: Entry, silver: Silver) -> GoldTable:
    refuse_bad_name(name, entry)
    found = entry.section(keys.GOLD)
    mode = found["mode"].choice("rows", "aggregate")
    kept = column_names(found["keep"], silver.names, minimum=0) if "keep" in found else ()
    own = found["columns"].members() if "columns" in found else {}
    for column, where in own.items():
        if column in kept:
            raise where.error(
                f"the column {column!r} is declared here and under keep", valid="one of the two"
            )
    columns = [silver.column(column) for column in kept]
    columns += [read_column(column, e, keys.GOLD_COLUMN) for column, e in own.items()]
    key = column_names(found["key"], tuple(c.name for c in columns))
    if mode == "rows" and key != silver.key:
        raise found["key"].error(
            f"the key of a table of mode rows is silver's, got {', '.join(key)}",
            valid=f"[{', '.join(silver.key)}]",
        )
    for column in key:
        if column in own and {c.name: c for c in columns}[column].nullable:
            raise own[column].error(
                "a key column is nullable", valid="nullable: false", hint="write nullable: false"
            )
    columns = [read_kept_column(c) if c.name in key else c for c in columns]
    refuse_wire_collisions(
        tuple(columns), {c.name: own.get(c.name, found.get("keep", entry)) for c in columns}
    )
    return GoldTable(
        name=name,
        comment=found["comment"].text(),
        mode="rows" if mode == "rows" else "aggregate",
        build=dotted_function(found["build"]),
        key=key,
        columns=tuple(columns),
    )


def refuse_bad_name(name: str, entry: Entry) -> None:
    """Refuses a mapping key that is to become a name and is none."""
    if not is_name(name):
        raise entry.error(
            f"{name!r} is not a name",
            valid=f"a lower-case letter, then lower-case letters, digits or _ (at most {MAX_NAME})",
        )


def refuse_wire_collisions(columns: tuple[Column, ...], entries: Mapping[str, Entry]) -> None:
    """Refuses a presence flag that is called like a column or like another flag."""
    taken = {c.name: c.name for c in columns}
    for column in columns:
        if column.wire_null is None or column.wire_null.kind != "flag":
            continue
        flag = column.wire_null.token
        if flag in taken:
            raise entries[column.name].error(
                f"the presence flag {flag!r} of {column.name!r} is taken by {taken[flag]!r}",
                valid="a name that no column and no other flag has",
            )
        taken[flag] = column.name
