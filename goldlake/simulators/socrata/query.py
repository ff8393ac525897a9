"""One request to a data set: its parameters checked and answered. No HTTP in here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from goldlake.simulators.socrata.conditions import compiled, lower_bound
from goldlake.simulators.socrata.dataset import SYSTEM_TYPES, Dataset
from goldlake.simulators.socrata.soql import (
    Call,
    Compare,
    Field,
    Literal_,
    Logic,
    Node,
    OrderBy,
    Selected,
    SoqlError,
    parse_order,
    parse_select,
    parse_where,
)
from lakehouse.sources.socrata import MAX_LIMIT

DEFAULT_LIMIT = 1_000

_PARAMETERS = ("$select", "$where", "$order", "$limit", "$offset")
_PAGING_ORDER = [OrderBy(":updated_at", False), OrderBy(":id", False)]
_AGGREGATES = ("count", "min", "max", "sum", "avg")


@dataclass(frozen=True)
class Query:
    """The parameters of a request, parsed.

    Attributes:
        select: What each row of the answer holds.
        where: Condition, or None.
        order: Columns to sort by; empty: the order is nobody's business.
        limit: Rows at most.
        offset: Rows to leave out first.
    """

    select: tuple[Selected, ...]
    where: Node | None
    order: tuple[OrderBy, ...]
    limit: int
    offset: int


@dataclass(frozen=True)
class Answer:
    """Rows as a JSON array, and the types of their fields in order."""

    body: bytes
    types: dict[str, str]


def parse(parameters: Iterable[tuple[str, str]]) -> Query:
    """The query that URL parameters describe.

    Raises:
        SoqlError: A parameter is unknown or does not parse.
    """
    known = dict.fromkeys(_PARAMETERS, "")
    where: Node | None = None
    for name, value in parameters:
        if name in known:
            known[name] = value
        elif not name.startswith("$"):  # ?field=value
            where = _and(where, Compare("=", Field(name), Literal_(value)))
        elif name != "$$app_token":
            raise SoqlError(
                "query.soql.unsupported-parameter",
                f"Unknown parameter {name}; known are {', '.join(_PARAMETERS)}",
            )
    if known["$where"]:
        where = _and(where, parse_where(known["$where"]))
    return Query(
        select=tuple(parse_select(known["$select"] or "*")),
        where=where,
        order=tuple(parse_order(known["$order"])) if known["$order"] else (),
        limit=_count("$limit", known["$limit"], DEFAULT_LIMIT, MAX_LIMIT),
        offset=_count("$offset", known["$offset"], 0, None),
    )


def answer(query: Query, dataset: Dataset, at: str | None) -> Answer:
    """What the portal answers at an instant.

    Args:
        query: From `parse`.
        dataset: What it is asked of.
        at: The newest ``:updated_at`` that is published by then, or None for everything.

    Raises:
        SoqlError: The query names what the data set does not have.
    """
    types = _selected_types(query.select, dataset)
    aggregates = [s for s in query.select if isinstance(s.node, Call)]
    if aggregates and len(aggregates) < len(query.select):
        raise SoqlError(
            "query.soql.column-not-in-group-bys", "Columns beside aggregates need $group"
        )
    for part in query.order:
        dataset.type_of(part.field)
    wanted = None if aggregates else query.offset + query.limit
    rows = _rows(query, dataset, at, wanted)
    if aggregates:
        values = {s.name: _aggregate(s.node, dataset, rows) for s in aggregates}
        row = {name: value for name, value in values.items() if value is not None}
        return Answer(orjson.dumps([row]) + b"\n", types)
    page = rows[query.offset : query.offset + query.limit]
    return Answer(_json(page, query.select, dataset, types), types)


def _rows(query: Query, dataset: Dataset, at: str | None, wanted: int | None) -> Sequence[int]:
    rows = dataset.visible(at, lower_bound(query.where))
    is_paging = list(query.order) == _PAGING_ORDER
    if query.where is not None:
        condition = compiled(query.where, dataset)
        if is_paging and wanted is not None:
            return _first(rows, condition, wanted)
        rows = [row for row in rows if condition(row) is True]
    if is_paging or wanted is None:
        return rows
    if not query.order:
        # The API promises no order between pages, and so gives none: callers that page by offset
        # without $order notice here and not in production.
        turn = (query.offset * 7919 + query.limit) % max(len(rows), 1)
        return [*rows[turn:], *rows[:turn]]
    ordered = list(rows)
    for part in reversed(query.order):
        ordered.sort(key=_sort_key(dataset.column(part.field)), reverse=part.is_descending)
    return ordered


def _first(rows: Sequence[int], condition: Callable[[int], Any], wanted: int) -> list[int]:
    found: list[int] = []
    for row in rows:
        if len(found) >= wanted:
            break
        if condition(row) is True:
            found.append(row)
    return found


def _sort_key(column: Sequence[Any]) -> Callable[[int], Any]:
    # Nulls come last ascending and first descending, as in PostgreSQL.
    return lambda row: (column[row] is None, column[row] if column[row] is not None else 0)


def _selected_types(select: Iterable[Selected], dataset: Dataset) -> dict[str, str]:
    types: dict[str, str] = {}
    for part in select:
        if part.name == "*" and part.node == Field("*"):
            types.update(dataset.types)
        elif part.name == ":*":
            types.update(SYSTEM_TYPES)
        elif isinstance(part.node, Call):
            types[part.name] = _aggregate_type(part.node, dataset)
        elif isinstance(part.node, Field):
            types[part.name] = dataset.type_of(part.node.name)
    return types


def _aggregate_type(call: Call, dataset: Dataset) -> str:
    column = call.arguments[0] if len(call.arguments) == 1 else None
    if call.function not in _AGGREGATES or not isinstance(column, Field):
        raise SoqlError("query.soql.no-such-function", f"No such aggregate: {call.function}")
    if column.name == "*":
        if call.function != "count":
            raise SoqlError("query.soql.type-mismatch", f"{call.function}(*) has no meaning")
        return "number"
    kind = dataset.type_of(column.name)
    if call.function in ("sum", "avg") and kind != "number":
        raise SoqlError("query.soql.type-mismatch", f"{call.function} of a {kind}")
    return kind if call.function in ("min", "max") else "number"


def _aggregate(call: Node, dataset: Dataset, rows: Sequence[int]) -> Any:
    assert isinstance(call, Call)
    argument = call.arguments[0]
    assert isinstance(argument, Field)
    if argument.name == "*":
        return str(len(rows))
    column = dataset.column(argument.name)
    values = [column[row] for row in rows if column[row] is not None]
    if call.function == "count":
        return str(len(values))
    if not values:
        return None
    if call.function == "sum":
        result: Any = sum(values)
    elif call.function == "avg":
        result = sum(values) / len(values)
    else:
        result = min(values) if call.function == "min" else max(values)
    return _number_text(result) if isinstance(result, float) else result


def _number_text(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)


def _json(
    rows: Sequence[int], select: Sequence[Selected], dataset: Dataset, types: Mapping[str, str]
) -> bytes:
    names = [s.name for s in select]
    if sorted(names) in (["*"], ["*", ":*"]):
        texts = [dataset.json_row(row, has_system=":*" in names) for row in rows]
    else:
        fields = [(s.name, s.node.name) for s in select if isinstance(s.node, Field)]
        plain = [(name, field) for name, field in fields if name not in ("*", ":*")]
        plain += [(field, field) for field in types if "*" in names and field in dataset.types]
        plain += [(field, field) for field in SYSTEM_TYPES if ":*" in names]
        texts = []
        for row in rows:
            whole = orjson.loads(dataset.json_row(row, has_system=True))
            texts.append(orjson.dumps({name: whole[f] for name, f in plain if f in whole}))
    return b"[" + b"\n,".join(texts) + b"]\n"


def _and(left: Node | None, right: Node) -> Node:
    return right if left is None else Logic("and", left, right)


def _count(name: str, text: str, default: int, maximum: int | None) -> int:
    if not text:
        return default
    value = int(text) if text.isascii() and text.isdigit() and len(text) < 16 else -1
    if value < 0 or (maximum is not None and value > maximum):
        most = f" up to {maximum}" if maximum is not None else ""
        raise SoqlError("query.soql.invalid-parameter", f"{name} is {text!r}, not a number{most}")
    return value
