"""One request to a data set: its parameters checked, asked of SQLite and answered. No HTTP here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from goldlake_simulators.socrata.dataset import ID, PAGING_ORDER, UPDATED_AT, Dataset
from goldlake_simulators.socrata.soql import Expression, OrderBy, Parser, Selected, literal
from goldlake_simulators.socrata.values import SYSTEM_TYPES, SoqlError, mismatch
from lakehouse.sources.socrata import MAX_LIMIT

DEFAULT_LIMIT = 1_000

_PARAMETERS = ("$select", "$where", "$order", "$limit", "$offset")
_BY_KEY = [OrderBy(":updated_at", False), OrderBy(":id", False)]
_AGGREGATES = ("count", "min", "max", "sum", "avg")
_ORDERED_TYPES = ("number", "text", "checkbox", "floating_timestamp", *SYSTEM_TYPES.values())

Row = tuple[str, str, str, bytes]


@dataclass(frozen=True)
class Answer:
    """Rows as a JSON array, and the types of their fields in order."""

    body: bytes
    types: dict[str, str]


@dataclass(frozen=True)
class _Query:
    """Which rows to answer with, as SQL.

    Attributes:
        dataset: Where from.
        where: Condition on the table of versions.
        parameters: Values of its parameters.
    """

    dataset: Dataset
    where: str
    parameters: Sequence[Any]

    def select(self, what: str, rest: str = "") -> list[Any]:
        return self.dataset.query(
            f"SELECT {what} FROM version WHERE {self.where} {rest}", self.parameters
        )

    def rows(self, order: str, offset: int, limit: int) -> list[Row]:
        what = f"{ID}, created_at, {UPDATED_AT}, body"
        return self.select(what, f"ORDER BY {order} LIMIT {limit:d} OFFSET {offset:d}")


def answer(parameters: Iterable[tuple[str, str]], dataset: Dataset, at: str | None) -> Answer:
    """What the portal answers at an instant.

    Args:
        parameters: Parameters of the URL by name.
        dataset: The data set they are sent to.
        at: The newest ``:updated_at`` that is published by then, or None for everything.

    Raises:
        SoqlError: A parameter is unknown, does not parse or names what the data set does not have.
    """
    known, filters = _known(parameters)
    values: list[Any] = []
    parser = Parser(known["$where"], dataset, values)
    where = [parser.where()] if known["$where"] else []
    select = Parser(known["$select"] or "*", dataset, values).select()
    order = Parser(known["$order"], dataset, values).order() if known["$order"] else []
    limit = _count("$limit", known["$limit"], DEFAULT_LIMIT, MAX_LIMIT)
    offset = _count("$offset", known["$offset"], 0, None)
    types = _selected_types(select, dataset)
    aggregates = [part for part in select if part.function]
    if aggregates and len(aggregates) < len(select):
        raise SoqlError(
            "query.soql.column-not-in-group-bys", "Columns beside aggregates need $group"
        )
    for part in order:
        dataset.type_of(part.field)
    filtering = Parser("", dataset, values)
    equal = [filtering.compare("=", filtering.column(f), literal(text)) for f, text in filters]
    problem = filtering.problem or parser.problem
    if problem:
        raise problem
    condition = parser.all_of([*equal, *where]) if filters or where else None
    query = _query(dataset, condition, values, at)
    if aggregates:
        return Answer(orjson.dumps([_aggregated(query, aggregates, types)]) + b"\n", types)
    return Answer(_json(_page(query, order, offset, limit), select, dataset, types), types)


def _known(parameters: Iterable[tuple[str, str]]) -> tuple[dict[str, str], list[tuple[str, str]]]:
    known, filters = dict.fromkeys(_PARAMETERS, ""), []
    for name, value in parameters:
        if name in known:
            known[name] = value
        elif not name.startswith("$"):  # ?field=value
            filters.append((name, value))
        elif name != "$$app_token":
            raise SoqlError(
                "query.soql.unsupported-parameter",
                f"Unknown parameter {name}; known are {', '.join(_PARAMETERS)}",
            )
    return known, filters


def _query(
    dataset: Dataset, condition: Expression | None, values: Sequence[Any], at: str | None
) -> _Query:
    parameters = list(values)

    def bind(value: str) -> str:
        parameters.append(value)
        return f"?{len(parameters)}"

    parts = ["replaced_at IS NULL"]
    if at is not None:
        # The newest version of each row until then.
        now = bind(at)
        parts = [f"{UPDATED_AT} <= {now}", f"(replaced_at IS NULL OR replaced_at > {now})"]
    if condition is not None:
        parts.append(condition.sql)
        if condition.bound is not None:
            # Spares paging by key the rows before the page: SQLite finds no such bound in an OR.
            time, row_id = map(bind, condition.bound)
            parts.append(f"({PAGING_ORDER}) > ({time}, {row_id})")
    return _Query(dataset, " AND ".join(parts), parameters)


def _page(query: _Query, order: Sequence[OrderBy], offset: int, limit: int) -> list[Row]:
    if list(order) == _BY_KEY:
        return query.rows(PAGING_ORDER, offset, limit)
    if order:
        # Nulls come last ascending and first descending, as in PostgreSQL.
        directions = ("ASC NULLS LAST", "DESC NULLS FIRST")
        columns = [f"{query.dataset.column(o.field)} {directions[o.is_descending]}" for o in order]
        return query.rows(", ".join([*columns, PAGING_ORDER]), offset, limit)
    # The API promises no order between pages, and so gives none: callers that page by offset
    # without $order notice here and not in production. The rows are rotated.
    total: int = query.select("count(*)")[0][0]
    turn = (offset * 7919 + limit) % max(total, 1)
    begin, end = turn + offset, turn + min(offset + limit, total)
    rows: list[Row] = []
    for low, high in ((begin, min(end, total)), (max(begin - total, 0), end - total)):
        if low < high:
            rows += query.rows(PAGING_ORDER, low, high - low)
    return rows


def _selected_types(select: Iterable[Selected], dataset: Dataset) -> dict[str, str]:
    types: dict[str, str] = {}
    for part in select:
        if part.function:
            types[part.name] = _aggregate_type(part.function, part.field, dataset)
        elif part.field == "*":
            types.update(dataset.types)
        elif part.field == ":*":
            types.update(SYSTEM_TYPES)
        else:
            types[part.name] = dataset.type_of(part.field)
    return types


def _aggregate_type(function: str, field: str, dataset: Dataset) -> str:
    if function not in _AGGREGATES:
        raise SoqlError("query.soql.no-such-function", f"No such aggregate: {function}")
    if field == "*":
        if function != "count":
            raise mismatch(f"{function}(*) has no meaning")
        return "number"
    kind = dataset.type_of(field)
    is_numeric = function in ("sum", "avg")
    if (is_numeric and kind != "number") or (function != "count" and kind not in _ORDERED_TYPES):
        raise mismatch(f"{function} of a {kind}")
    return kind if function in ("min", "max") else "number"


def _aggregated(
    query: _Query, aggregates: Sequence[Selected], types: Mapping[str, str]
) -> dict[str, object]:
    calls = [
        f"{part.function}({'*' if part.field == '*' else query.dataset.column(part.field)})"
        for part in aggregates
    ]
    values = query.select(", ".join(calls))[0]
    return {
        part.name: _api_value(value, types[part.name])
        for part, value in zip(aggregates, values, strict=True)
        if value is not None
    }


def _api_value(value: Any, kind: str) -> Any:
    if kind == "checkbox":
        return bool(value)
    if kind != "number":
        return value
    return str(int(value)) if float(value).is_integer() else repr(value)


def _json(
    rows: Sequence[Row], select: Sequence[Selected], dataset: Dataset, types: Mapping[str, str]
) -> bytes:
    names = sorted(part.name for part in select)
    if names == ["*"]:
        texts: Iterable[bytes] = (row[-1] for row in rows)
    elif names == ["*", ":*"]:
        texts = map(_with_system_fields, rows)
    else:
        stars = {"*": dataset.types, ":*": SYSTEM_TYPES}
        fields = [(part.name, part.field) for part in select if part.field not in stars]
        for star, starred in stars.items():
            if star in names:
                fields += [(field, field) for field in types if field in starred]
        texts = _picked(rows, fields)
    return b"[" + b"\n,".join(texts) + b"]\n"


def _with_system_fields(row: Row) -> bytes:
    body = row[-1]
    system = orjson.dumps(dict(zip(SYSTEM_TYPES, row[:-1], strict=True)))
    return system[:-1] + b"," + body[1:] if len(body) > 2 else system


def _picked(rows: Iterable[Row], fields: Sequence[tuple[str, str]]) -> Iterator[bytes]:
    for row in rows:
        whole = dict(zip(SYSTEM_TYPES, row[:-1], strict=True)) | orjson.loads(row[-1])
        yield orjson.dumps({name: whole[field] for name, field in fields if field in whole})


def _count(name: str, text: str, default: int, maximum: int | None) -> int:
    if not text:
        return default
    value = int(text) if text.isascii() and text.isdigit() and len(text) < 16 else -1
    if value < 0 or (maximum is not None and value > maximum):
        most = f" up to {maximum}" if maximum is not None else ""
        raise SoqlError("query.soql.invalid-parameter", f"{name} is {text!r}, not a number{most}")
    return value
