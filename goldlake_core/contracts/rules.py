"""Rules over several keys of ``contract.yaml``. Each yields the errors of one law; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from goldlake_core.contracts.addresses import is_private
from goldlake_core.contracts.column_types import SERVED, TIMES
from goldlake_core.contracts.errors import ContractError
from goldlake_core.contracts.names import nearest
from goldlake_core.contracts.read import Found, compiled
from goldlake_core.contracts.sections import Column, WireNull
from goldlake_core.contracts.sql_literals import without_literals
from goldlake_core.contracts.yaml_entry import Entry

RULES = ("domain", "range", "pattern")
"""Rules of single columns that become CHECK constraints, called ``COLUMN_RULE``."""

_QUOTED = re.compile(r"'[^']*'")
FILES, REST, DOCUMENTS = "files", "rest", "documents"
OF_FILES = (FILES, DOCUMENTS)
"""Kinds of source that are files, known by their content."""
WITHOUT_DATASET = (*OF_FILES, REST)
"""Kinds of source whose data set needs no identifier: the use case's name tells it."""
ISO = "iso"
NAMED_FORMATS = (ISO, "epoch_s", "epoch_ms")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WIRE_NULL = 'nan, {text: "…"} or {flag: has_x}, which is true when the value is present'


def same_name_errors(
    what: str, place: str, name: str, actual: str, entry: Entry
) -> Iterator[ContractError]:
    """A use case is called like its folder, and a model like its file."""
    if name != actual:
        ending = ".yaml" if place == "file" else ""
        shown = f"{actual}{ending}" if ending else repr(actual)
        yield entry.error(
            f"the {what} is called {name!r} and its {place} {shown}",
            valid="the same name for both",
            hint=f"rename the {place} to {name}{ending} or change this key",
        )


def notify_errors(found: Found) -> Iterator[ContractError]:
    """Somebody has to be named, and nobody on the way may read what is sent."""
    webhook = found.values["webhook"]
    if not found.values["command"] and webhook is None:
        yield found.entry.error("nobody is named", valid="command or webhook, or both")
    if found.values["headers"] and webhook is None:
        where = found.entries["headers"]
        yield where.error("there is no webhook that gets headers", valid="webhook")
    is_plain = webhook is not None and webhook.text and not is_private(webhook.text)
    if is_plain and not found.values["plain_http"]:
        yield found.entries["webhook"].error(
            "the address is one of another machine without TLS",
            valid="https://…",
            hint="write plain_http: true where everybody on the way may read it",
        )


def wrong_type(entry: Entry, key: str, kind: str, *types: str) -> ContractError:
    """The error of a key that a column of this type cannot have."""
    return entry.error(
        f"{key} does not go with type {kind}", valid=f"{key} with type {' or '.join(types)}"
    )


def type_errors(entry: Entry, column: Column, *types: str) -> Iterator[ContractError]:
    """A column that has to have one of these types."""
    if column.type not in types:
        yield entry.error(
            f"the column {column.name!r} has type {column.type}", valid=" or ".join(types)
        )


def format_errors(found: Found, kind: str, entry: Entry) -> Iterator[ContractError]:
    """A time of the source needs its format, and a timestamp needs to know the source's clock."""
    if kind not in TIMES or {"format", "time_zone"} & found.broken:
        return
    written = found.values["format"]
    if written is None:
        yield entry.error(
            f"a {kind} of the source needs its format",
            valid="a Spark datetime pattern, such as yyyy-MM-dd'T'HH:mm:ss.SSS, iso or epoch_s",
            hint="write format: …",
        )
        return
    formats = (written,) if isinstance(written, str) else written
    has_offset = all(tells_instant(each) for each in formats)
    if kind == "timestamp" and found.values["time_zone"] is None and not has_offset:
        yield entry.error(
            "the format has no offset, so the clock of the source is unknown",
            valid="time_zone: an IANA zone, such as UTC or Europe/London",
            hint="write time_zone: …",
        )


def tells_instant(format: str) -> bool:
    """Whether a time in this format is an instant by itself: it has an offset or counts from 1970.

    ISO 8601 does not always have an offset.
    """
    if format in NAMED_FORMATS:
        return format != ISO
    return any(letter in _QUOTED.sub("", format) for letter in "XxZOVz")


def file_errors(found: Found) -> Iterator[ContractError]:
    """A value out of a file's name is what the first group of its pattern matches."""
    if not found.has("file"):
        return
    pattern = compiled(found.values["file"])
    if pattern is None or pattern.groups < 1:
        yield found.entries["file"].error(
            f"{found.values['file']!r} has no group that could be the value",
            valid='a regular expression with a group, such as "sales_([0-9]{4})"',
        )
    if "field" in found.entries:
        yield found.entries["field"].error(
            "the value comes from the file's name, so no field is read", valid="file or field"
        )


def mark_errors(found: Found) -> Iterator[ContractError]:
    """Marks of numbers differ, and there is a decimal mark."""
    decimal, thousands = found.values.get("decimal"), found.values.get("thousands")
    if decimal == "":
        yield found.at("decimal").error("numbers have a decimal mark", valid='"." or ","')
    elif decimal == thousands:
        yield found.at("thousands").error(
            f"{decimal!r} is the decimal mark too", valid="two different marks"
        )


def source_errors(found: Found) -> Iterator[ContractError]:
    """What goes with files goes with files only, and an API has a data set."""
    kind = found.values.get("kind")
    if kind is None:
        return
    if kind in WITHOUT_DATASET:
        old = [name for name in ("encoding", "delimiter", "skip") if name in found.options]
        if found.has("format") and old:
            yield found.entries["format"].error(
                f"the same is said by options ({', '.join(old)})", valid="one of the two"
            )
    elif not found.has("dataset") and "dataset" not in found.broken:
        yield found.entry.error("the key 'dataset' is missing", valid="required here: dataset")
    for key in ("path", "format"):
        if found.has(key) and kind not in OF_FILES:
            yield found.entries[key].error(
                f"{key} does not go with a source of kind {kind}", valid=f"{key} with kind files"
            )
    if found.has("rest") and kind != REST:
        yield found.entries["rest"].error(
            f"rest does not go with a source of kind {kind}", valid="rest with kind rest"
        )
    if kind == REST and not found.values.get("address") and "address" not in found.broken:
        yield found.entry.error("a rest source has no address", valid="address: https://…")
    if found.has("path", "address") and found.values["address"]:
        yield found.entries["address"].error(
            "files have a path and no address", valid="one of the two"
        )


def rest_errors(found: Found) -> Iterator[ContractError]:
    """Pages are numbered or follow a record, and a cursor is somewhere."""
    if found.has("paging", "incremental"):
        yield found.entries["paging"].error(
            "incremental pages follow the last record", valid="paging or incremental"
        )


def paging_errors(found: Found) -> Iterator[ContractError]:
    """Only a cursor is in the answer, at one place."""
    places = [key for key in ("path", "header") if found.has(key)]
    if found.values.get("kind") == "cursor" and len(places) != 1:
        yield found.entry.error(
            "the next cursor has no place" if not places else "the next cursor has two places",
            valid="path or header",
        )
    if found.values.get("kind") not in ("cursor", None) and places:
        kind = found.values["kind"]
        yield found.entries[places[0]].error(
            f"{places[0]} does not go with paging of kind {kind}", valid="kind: cursor"
        )


def auth_errors(found: Found) -> Iterator[ContractError]:
    """A key has the name of its header, and only a key."""
    is_header = found.values.get("kind") == "header"
    if is_header and not found.has("header"):
        yield found.entry.error("the key 'header' is missing", valid="such as header: X-Api-Key")
    if found.has("header") and not is_header:
        yield found.entries["header"].error("the header has a fixed name", valid="kind: header")


def range_value(entry: Entry, kind: str) -> tuple[float | None, float | None]:
    """The range of a long or double column.

    Raises:
        ContractError: It has not two ends, none is given, or the lowest is above the highest.
    """
    ends = entry.items()
    if len(ends) != 2:
        raise entry.error(f"the range has {len(ends)} ends", valid="[lowest, highest]")
    low, high = (
        None if end.is_null else _long(end) if kind == "long" else end.number() for end in ends
    )
    if low is None and high is None:
        raise entry.error("the range has no end", valid="a number at one end at least")
    if low is not None and high is not None and low > high:
        raise entry.error(f"the range is upside down: {low} > {high}", valid="[lowest, highest]")
    return low, high


def _long(entry: Entry) -> int:
    value = entry.integer()
    if not -(2**63) <= value < 2**63:
        raise entry.error(f"{value} is out of bounds", valid="a whole number of 64 bits")
    return value


def replacement_errors(
    replace: Mapping[str, str], domain: Sequence[str] | None, entry: Entry
) -> Iterator[ContractError]:
    """A replaced spelling becomes the final one, which lies in the domain."""
    for old, where in entry.members().items():
        new = replace[old]
        if new in replace:
            yield where.error(
                f"{old!r} becomes {new!r}, which is itself replaced",
                valid="the final spelling at once",
            )
        elif domain is not None and new not in domain:
            yield where.error(
                f"{old!r} becomes {new!r}, which is not in the domain", valid=nearest(new, domain)
            )
        elif domain is not None and old in domain:
            yield where.error(f"{old!r} is replaced and is in the domain", valid="one of the two")


def wire_null_value(entry: Entry, column: Column) -> WireNull:
    """How a missing value of this column travels.

    Raises:
        ContractError: No null travels, the way does not go with the type, or the reserved text can
            be a value.
    """
    if not column.nullable:
        raise entry.error("the column is not nullable, so no null travels", valid="no wire_null")
    if entry.is_text and entry.exact_text() == "nan":
        if column.type != "double":
            raise wrong_type(entry, "wire_null: nan", column.type, "double")
        return WireNull("nan")
    members = entry.members() if entry.is_mapping else {}
    if len(members) != 1 or next(iter(members)) not in ("text", "flag"):
        given = (", ".join(members) or "nothing") if entry.is_mapping else entry.shape
        raise entry.error(f"expected how a null travels, got {given}", valid=_WIRE_NULL)
    if "flag" in members:
        if column.type not in SERVED:
            raise wrong_type(entry, "wire_null: {flag}", column.type, *SERVED)
        return WireNull("flag", members["flag"].name())
    if column.type != "string":
        raise wrong_type(entry, "wire_null: {text}", column.type, "string")
    return WireNull("text", _reserved_text(members["text"], column))


def _reserved_text(entry: Entry, column: Column) -> str:
    token = entry.exact_text()
    valid = 'a text that no value has, such as "(none)"'
    if not token:
        raise entry.error(
            "the reserved text is empty, and an empty text is not a missing one", valid=valid
        )
    can_be_value = column.domain is not None and token in column.domain
    can_be_value = can_be_value or token in column.replace.values()
    if column.pattern is not None and column.domain is None:
        pattern = compiled(column.pattern)
        can_be_value = can_be_value or bool(pattern and pattern.fullmatch(token))
    if can_be_value:
        raise entry.error(f"the reserved text {token!r} can be a value of the column", valid=valid)
    return token


def flag_errors(columns: Sequence[Column], entries: Mapping[str, Entry]) -> Iterator[ContractError]:
    """A presence flag is called like no column and like no other flag.

    Args:
        columns: The columns of a table.
        entries: Where each column is declared; collisions of columns without one are not reported,
            because the table that declares them reports them.
    """
    taken = {c.name: c.name for c in columns}
    for column in columns:
        if column.wire_null is None or column.wire_null.kind != "flag":
            continue
        flag = column.wire_null.token
        if flag in taken and (column.name in entries or taken[flag] in entries):
            yield entries.get(
                column.name, entries.get(taken[flag], next(iter(entries.values())))
            ).error(
                f"the presence flag {flag!r} of {column.name!r} is taken by {taken[flag]!r}",
                valid="a name that no column and no other flag has",
            )
        taken.setdefault(flag, column.name)


def nested_field_errors(
    columns: Sequence[Column], entries: Mapping[str, Entry]
) -> Iterator[ContractError]:
    """A field of JSON is a path, and is read as a value or as an object, not as both."""
    fields = {c.field: c.name for c in columns}
    for column in columns:
        if not all(part.strip() == part and part for part in column.field.split(".")):
            where = entries[column.name]
            where = where.members().get("field", where) if where.is_mapping else where
            yield where.error(
                f"{column.field!r} is not a field name",
                valid="names with dots between them, such as place.city",
            )
        parts = column.field.split(".")
        for parent in (".".join(parts[:count]) for count in range(1, len(parts))):
            if parent in fields:
                yield entries[column.name].error(
                    f"the field {column.field!r} lies inside the field {parent!r}, "
                    f"which the column {fields[parent]!r} reads as a value",
                    valid="one of the two",
                )


def nullable_errors(entry: Entry, column: Column) -> Iterator[ContractError]:
    """Keys, version and event time are never missing."""
    if column.nullable:
        yield entry.error(
            f"the column {column.name!r} is nullable",
            valid="a column with nullable: false",
            hint=f"write nullable: false at silver.columns.{column.name}",
        )


def code_errors(code: str, taken: Sequence[str], entry: Entry) -> Iterator[ContractError]:
    """A reason code is used once."""
    if code in taken:
        yield entry.error(
            f"the reason code {code!r} is in use already",
            valid="a code that no other check has and no column's own rules make",
        )


def derived_codes(names: Sequence[str]) -> list[str]:
    """Names of the constraints that the columns' own rules make."""
    return [f"{name}_{rule}" for name in names for rule in ("missing", *RULES)]


def expect_errors(
    expect: str, names: Sequence[str] | None, entry: Entry
) -> Iterator[ContractError]:
    """A rule is one expression that reads silver columns; what it means, `goldlake check` says.

    Args:
        expect: The rule as it is written.
        names: Names of the silver columns; None where they are not known.
        entry: Where the rule is written.
    """
    bare = without_literals(expect)
    if ";" in bare or "--" in bare or "/*" in bare:
        yield entry.error(
            "the rule holds a ';' or an SQL comment", valid="one Spark SQL expression"
        )
    elif names is not None and not set(_WORD.findall(bare)) & set(names):
        yield entry.error(
            f"the rule names no silver column: {expect}", valid=nearest(expect, names)
        )


def gold_key_errors(
    mode: str, key: Sequence[str], silver_key: Sequence[str], entry: Entry
) -> Iterator[ContractError]:
    """A table with one row per silver row has silver's key."""
    if mode == "rows" and tuple(key) != tuple(silver_key):
        yield entry.error(
            f"the key of a table of mode rows is silver's, got {', '.join(key)}",
            valid=f"[{', '.join(silver_key)}]",
        )


def reach_errors(found: Found) -> Iterator[ContractError]:
    """Only a table with one row per silver row has a reach, and only an order has bounds."""
    keys = ("reach", "reach_order", "reach_before", "reach_after")
    written = [key for key in keys if found.has(key)]
    if written and found.values.get("mode") == "aggregate":
        yield found.entries[written[0]].error(
            "a table of mode aggregate looks at all rows by itself",
            valid=f"{written[0]} with mode: rows",
        )
    for bound in keys[2:]:
        if found.has(bound) and "reach_order" not in found.entries:
            yield found.entries[bound].error(
                f"{bound} has no column to count along",
                valid="reach_order: a timestamp or date column of silver",
                hint="write reach_order: …",
            )
