"""Writes a drafted ``contract.yaml``, with a comment on each column. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from goldlake.workflows.drafting.columns import Profile
from goldlake.workflows.drafting.table import Table
from goldlake_core.contracts.fields import placed
from goldlake_core.contracts.sections import Format
from goldlake_core.contracts.yaml_text import Value, comment, commented, written
from lakehouse.sources.base import DataSet

_FEW = 4


def contract_text(name: str, path: str, table: Table, label: str | None) -> str:
    """The text of a contract.

    Args:
        name: Name of the use case.
        path: The files, as ``source.path`` has it.
        table: What they are taken for.
        label: Name of the column that a model is to predict, or None.
    """
    always = table.always | ({label} if label and not table.column(label).missing else set())
    origin = table.sample.origin
    title = name.replace("_", " ").capitalize()
    lines = [
        "# Drafted by `goldlake init` from the first records. What a line with ? says is guessed:",
        "# look at it. All keys are explained on the page docs/reference/contract.md.",
        f"name: {written(name)}",
        *(_heading(title) if origin is None else _headings(origin, title)),
        "",
        "source:",
        *(_files(path, table) if origin is None else _data_set(origin, table)),
        "",
        "silver:",
        *_keys(table),
        "  columns:",
        *(_column(column, table, is_always=column.name in always) for column in table.columns),
    ]
    return "\n".join([*lines, *_left_out(table)]) + "\n"


def _heading(title: str) -> Iterator[str]:
    yield commented(f"title: {written(title)}", "? a heading for people")


def _headings(origin: DataSet, title: str) -> Iterator[str]:
    """What the API says of the data set as a whole."""
    yield f"title: {written(origin.title or title)}"
    for key, text in (("description", origin.description), ("licence", origin.licence)):
        if text:
            yield f"{key}: {written(text)}"


def _files(path: str, table: Table) -> Iterator[str]:
    yield "  kind: files"
    yield f"  path: {written(path)}"
    yield from _format(table)


def _data_set(origin: DataSet, table: Table) -> Iterator[str]:
    yield f"  kind: {written(origin.kind)}"
    yield f"  address: {written(origin.address)}"
    yield f"  dataset: {written(origin.dataset)}"
    if table.event_time:
        yield f"  time_field: {written(table.column(table.event_time).field)}"


def format_of(table: Table) -> dict[str, Value]:
    """The keys of ``source.format`` that differ from their defaults."""
    found = msgspec.to_builtins(table.sample.format)
    found["decimal"], found["thousands"] = table.marks
    plain = msgspec.to_builtins(Format())
    return {key: value for key, value in found.items() if value != plain[key]}


def _format(table: Table) -> Iterator[str]:
    keys = format_of(table)
    if keys:
        yield f"  format: {written(keys)}"


def _keys(table: Table) -> Iterator[str]:
    if not table.key:
        be = "is" if table.repeated == 1 else "are"
        repeated = f"; {table.repeated:,} {be} equal to another" if table.repeated else ""
        yield commented("  key: content", f"no columns tell the records apart{repeated}")
    else:
        is_certain = table.sample.is_whole or table.sample.origin is not None
        guess = "" if is_certain else "? tells the records of the sample apart"
        yield commented(f"  key: {written(table.key)}", guess)
    if table.version:
        yield commented(
            f"  version: {written(table.version)}", "? the larger is the newer version of a row"
        )
    if table.event_time:
        yield commented(f"  event_time: {written(table.event_time)}", "? when the fact happened")


def _column(column: Profile, table: Table, *, is_always: bool) -> str:
    declared = declaration(column, table, is_always=is_always)
    alone = declared["type"] if set(declared) == {"type"} else declared
    line = f"    {written(column.name)}: {written(alone)}"
    guesses = [f"? {each}" for each in column.guesses]
    if "time_zone" in declared and column.times is not None and not column.times.has_offset:
        guesses.append("? the zone of the source's clock")
    return commented(line, "; ".join([_numbers(column, table), *guesses]))


def declaration(column: Profile, table: Table, *, is_always: bool) -> Mapping[str, Value]:
    """The keys of a column, without those at their defaults."""
    declared: dict[str, Value] = {"type": column.type}
    if column.field != column.name:
        declared["field"] = _field(column, table)
    if column.times is not None:
        formats = column.times.formats
        declared["format"] = formats[0] if len(formats) == 1 else formats
        # Of ISO 8601 a later text may have no offset, though all of the sample do.
        if column.type == "timestamp" and (not column.times.has_offset or "iso" in formats):
            declared["time_zone"] = "UTC"
    if column.marks and column.marks[0] != table.marks:
        declared["decimal"], declared["thousands"] = column.marks[0]
    if column.nulls:
        declared["null_values"] = column.nulls
    if is_always:
        declared["nullable"] = False
    origin = table.sample.origin
    if origin is not None and (about := _about(column.field, origin)):
        declared["comment"] = about
    return declared


def _about(field: str, origin: DataSet) -> str:
    own = {
        origin.key: "Id that the source gives the row.",
        origin.version: "When the source last changed the row.",
    }
    return own.get(field) or origin.comments.get(field, "")


def _field(column: Profile, table: Table) -> Value:
    """The field's name, or the place of a column that has none."""
    place = list(table.sample.texts).index(column.field) + 1
    is_unnamed = table.sample.is_text and column.field == placed(place)
    return place if is_unnamed else column.field


def _numbers(column: Profile, table: Table) -> str:
    parts = ["each once" if column.is_unique else f"{column.distinct:,} values"]
    if column.distinct == 1:
        parts = ["always the same"]
    if column.missing:
        parts.append(f"{column.missing / table.sample.rows:.1%} missing")
    return ", ".join(parts)


def _left_out(table: Table) -> Iterator[str]:
    for reason, fields in left_out(table):
        shown = ", ".join(written(field) for field in fields)
        yield f"    {comment(f'left out, {reason}: {shown}')}"


def left_out(table: Table) -> list[tuple[str, tuple[str, ...]]]:
    """Fields that become no column, by the reason."""
    found = [
        ("without a value", table.empty),
        ("lists", tuple(table.sample.nested)),
        ("names that a contract cannot have", table.unnameable),
    ]
    return [(reason, fields) for reason, fields in found if fields]
