"""Conditions of ``$where`` as functions of a row's index, and the bounds that spare them work.

Comparisons follow SQL: with null on either side the answer is null, which keeps no row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from typing import Any, Protocol

from goldlake.simulators.socrata.soql import (
    Call,
    Compare,
    Field,
    In,
    IsNull,
    Like,
    Literal_,
    Logic,
    Node,
    Not,
    SoqlError,
)

LAST = "\uffff"  # behind every id

Condition = Callable[[int], Any]

_FLIPPED = {"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
_TEXT_FUNCTIONS: dict[str, Callable[[str, str], bool]] = {
    "starts_with": lambda text, part: text.startswith(part),
    "contains": lambda text, part: part in text,
}


class Columns(Protocol):
    """What conditions need of a data set."""

    def type_of(self, field: str) -> str:
        """The field's SODA type; raises SoqlError for an unknown field."""

    def column(self, field: str) -> Sequence[Any]:
        """A field's values by row index: text, float, bool, normalised time text or None."""


def compiled(node: Node, columns: Columns) -> Condition:
    """A condition as a function of the row's index that answers True, False or None (null).

    Raises:
        SoqlError: An unknown column or function, or types that cannot be compared.
    """
    if isinstance(node, Logic):
        return _logic(node, columns)
    if isinstance(node, Not):
        inner = compiled(node.operand, columns)
        return lambda row: None if (value := inner(row)) is None else not value
    if isinstance(node, Compare):
        return _compare(node, columns)
    if isinstance(node, IsNull):
        operand, _ = _operand(node.operand, columns)
        return lambda row: operand(row) is None
    if isinstance(node, In):
        operand, kind = _operand(node.operand, columns)
        options = {_constant(option, kind) for option in node.options}
        return lambda row: None if (value := operand(row)) is None else value in options
    if isinstance(node, Like):
        return _like(node, columns)
    operand, kind = _operand(node, columns)
    if kind != "checkbox":
        raise SoqlError("query.soql.type-mismatch", f"A {kind} is no condition")
    return operand


def constant_of(value: str | float | bool | None, kind: str) -> Any:
    """A literal as values of the type are stored, such as a time text of full length.

    Raises:
        SoqlError: The literal is not of this type.
    """
    if value is None:
        return None
    if kind == "number" and not isinstance(value, bool):
        try:
            return float(value)
        except ValueError:
            pass
    elif kind == "checkbox":
        if isinstance(value, bool):
            return value
        if value in ("true", "false"):
            return value == "true"
    elif isinstance(value, str):
        if kind in ("floating_timestamp", "fixed_timestamp"):
            time = time_text(value, is_utc=kind == "fixed_timestamp")
            if time is not None:
                return time
        else:
            return value
    raise SoqlError(
        "query.soql.type-mismatch", f"Type mismatch: {value!r} cannot be compared with a {kind}"
    )


def time_text(text: str, *, is_utc: bool) -> str | None:
    """A time as the API writes it, whose order as text is the order in time; None if it is none.

    Args:
        text: ISO 8601, as short as a date.
        is_utc: Whether to write UTC with a Z (system fields) or no zone (columns).
    """
    try:
        time = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError:
        return None
    if is_utc and time.tzinfo is not None:
        time = time.astimezone(timezone.utc)
    short = time.replace(tzinfo=None).isoformat(timespec="milliseconds")
    return short + "Z" if is_utc else short


def lower_bound(node: Node | None) -> tuple[str, str] | None:
    """A pair (:updated_at, :id) that every row which fulfils the condition lies behind, or None.

    Keyset paging asks for ``:updated_at > T or (:updated_at = T and :id > X)``: the bound is then
    (T, X), and the rows before it need not be looked at.
    """
    if isinstance(node, Compare):
        return _comparison_bound(node)
    if not isinstance(node, Logic):
        return None
    left, right = lower_bound(node.left), lower_bound(node.right)
    if node.operator == "or":
        return min(left, right) if left and right else None
    same = _equals_time(node.left) or _equals_time(node.right)
    after = _after_id(node.left) or _after_id(node.right)
    bounds = [b for b in (left, right) if b]
    if same and after:
        bounds.append((same, after))
    return max(bounds, default=None)


def _logic(node: Logic, columns: Columns) -> Condition:
    left, right = compiled(node.left, columns), compiled(node.right, columns)
    decisive = node.operator == "or"

    def condition(row: int) -> bool | None:
        first = left(row)
        if first is decisive:
            return decisive
        second = right(row)
        if second is decisive:
            return decisive
        return None if first is None or second is None else not decisive

    return condition


def _compare(node: Compare, columns: Columns) -> Condition:
    if isinstance(node.left, Literal_) and not isinstance(node.right, Literal_):
        node = Compare(_FLIPPED[node.operator], node.right, node.left)
    test = _TESTS[node.operator]
    left, kind = _operand(node.left, columns)
    if isinstance(node.right, Literal_):
        constant = _constant(node.right, kind)
        if constant is None:
            return lambda row: None
        return lambda row: None if (value := left(row)) is None else test(value, constant)
    right, other = _operand(node.right, columns)
    if kind != other:
        raise SoqlError(
            "query.soql.type-mismatch", f"Type mismatch: a {kind} cannot be compared with a {other}"
        )

    def condition(row: int) -> bool | None:
        a, b = left(row), right(row)
        return None if a is None or b is None else test(a, b)

    return condition


def _like(node: Like, columns: Columns) -> Condition:
    operand, kind = _operand(node.operand, columns)
    if kind != "text":
        raise SoqlError("query.soql.type-mismatch", f"Type mismatch: a {kind} is not like a text")
    parts = (".*" if c == "%" else "." if c == "_" else re.escape(c) for c in node.pattern)
    pattern = re.compile("".join(parts), re.DOTALL)
    return lambda row: None if (v := operand(row)) is None else bool(pattern.fullmatch(v))


def _operand(node: Node, columns: Columns) -> tuple[Condition, str]:
    if isinstance(node, Field):
        kind = columns.type_of(node.name)
        return columns.column(node.name).__getitem__, kind
    if isinstance(node, Literal_):
        value = node.value
        is_number = isinstance(value, float)
        kind = "checkbox" if isinstance(value, bool) else "number" if is_number else "text"
        return (lambda row: value), kind
    if isinstance(node, Call):
        return _call(node, columns)
    return compiled(node, columns), "checkbox"


def _call(node: Call, columns: Columns) -> tuple[Condition, str]:
    name, arguments = node.function, [_operand(a, columns) for a in node.arguments]
    kinds = [kind for _, kind in arguments]
    if name in ("upper", "lower") and kinds == ["text"]:
        change = str.upper if name == "upper" else str.lower
        inner = arguments[0][0]
        return (lambda row: None if (v := inner(row)) is None else change(v)), "text"
    if name in _TEXT_FUNCTIONS and kinds == ["text", "text"]:
        test = _TEXT_FUNCTIONS[name]
        (text, _), (part, _) = arguments

        def condition(row: int) -> bool | None:
            a, b = text(row), part(row)
            return None if a is None or b is None else test(a, b)

        return condition, "checkbox"
    raise SoqlError("query.soql.no-such-function", f"No such function: {name}({', '.join(kinds)})")


def _constant(node: Node, kind: str) -> Any:
    if not isinstance(node, Literal_):
        raise SoqlError("query.compiler.malformed", "A list may hold constants only")
    return constant_of(node.value, kind)


def _time_comparison(node: Node, operators: str) -> tuple[str, str] | None:
    """Operator and time of ``:updated_at OPERATOR 'time'``."""
    if isinstance(node, Compare) and node.operator in operators.split():
        left, right = node.left, node.right
        if left == Field(":updated_at") and isinstance(right, Literal_):
            time = time_text(str(right.value), is_utc=True)
            return (node.operator, time) if time else None
    return None


def _comparison_bound(node: Compare) -> tuple[str, str] | None:
    found = _time_comparison(node, "> >= =")
    if found is None:
        return None
    operator, time = found
    return (time, LAST) if operator == ">" else (time, "")


def _equals_time(node: Node) -> str | None:
    found = _time_comparison(node, "=")
    return found[1] if found else None


def _after_id(node: Node) -> str | None:
    if isinstance(node, Compare) and node.operator == ">" and node.left == Field(":id"):
        right = node.right
        return right.value if isinstance(right, Literal_) and isinstance(right.value, str) else None
    return None
