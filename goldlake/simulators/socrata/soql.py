"""SoQL, as much of it as paging, filtering and reconciling need: text to a small syntax tree.

Grammar of ``$where`` (keywords in any case)::

    expression  = conjunction {"or" conjunction}
    conjunction = negation {"and" negation}
    negation    = ["not"] predicate
    predicate   = operand [comparison operand | "is" ["not"] "null"
                  | ["not"] ("in" "(" operand {"," operand} ")" | "between" operand "and" operand
                  | "like" text)]
    comparison  = "=" | "==" | "!=" | "<>" | "<" | "<=" | ">" | ">="
    operand     = number | text | "true" | "false" | "null" | field | function | "(" expression ")"

``$select`` adds ``*``, ``:*``, ``count(*)`` and ``as name``; ``$order`` adds ``asc`` and ``desc``.
Source of the language: https://dev.socrata.com/docs/queries/.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

MAX_DEPTH = 100

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>'(?:[^']|'')*')
      | (?P<number>-?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)
      | (?P<quoted>`[^`]+`)
      | (?P<name>:?@?[A-Za-z_][A-Za-z0-9_]*)
      | (?P<symbol><=|>=|!=|<>|==|[=<>(),]|:\*|\*)
    )""",
    re.VERBOSE,
)
_COMPARISONS = {"=": "=", "==": "=", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">"}
_COMPARISONS[">="] = ">="
_RESERVED = frozenset({"and", "or", "not", "is", "in", "between", "like", "as", "asc", "desc"})


class SoqlError(Exception):
    """A query that the API answers with 400.

    Attributes:
        code: The API's error code, such as ``query.compiler.malformed``.
    """

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


@dataclass(frozen=True)
class Literal_:
    """A constant; None is null."""

    value: str | float | bool | None


@dataclass(frozen=True)
class Field:
    """A column or system field."""

    name: str


@dataclass(frozen=True)
class Call:
    """A function of operands; ``count(*)`` has the one argument ``Field("*")``."""

    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True)
class Compare:
    """``left operator right``, operator one of = != < <= > >=."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True)
class IsNull:
    """``operand is null``."""

    operand: Node


@dataclass(frozen=True)
class In:
    """``operand in (…)``."""

    operand: Node
    options: tuple[Node, ...]


@dataclass(frozen=True)
class Like:
    """``operand like 'pattern'``; % is any text, _ any one character."""

    operand: Node
    pattern: str


@dataclass(frozen=True)
class Not:
    """Negation."""

    operand: Node


@dataclass(frozen=True)
class Logic:
    """``left and right`` or ``left or right``."""

    operator: Literal["and", "or"]
    left: Node
    right: Node


Node = Literal_ | Field | Call | Compare | IsNull | In | Like | Not | Logic


@dataclass(frozen=True)
class Selected:
    """One part of ``$select``: ``*``, ``:*``, a field or an aggregate, with its name."""

    node: Node
    name: str


@dataclass(frozen=True)
class OrderBy:
    """One part of ``$order``."""

    field: str
    is_descending: bool


def parse_where(text: str) -> Node:
    """The condition of ``$where``.

    Raises:
        SoqlError: The text is not a condition.
    """
    parser = _Parser(text)
    node = parser.expression()
    parser.end()
    return node


def parse_select(text: str) -> list[Selected]:
    """The parts of ``$select``.

    Raises:
        SoqlError: The text is not a list of columns and aggregates.
    """
    parser = _Parser(text)
    parts = [_selected(parser)]
    while parser.take(","):
        parts.append(_selected(parser))
    parser.end()
    return parts


def parse_order(text: str) -> list[OrderBy]:
    """The parts of ``$order``.

    Raises:
        SoqlError: The text is not a list of columns.
    """
    parser = _Parser(text)
    parts = []
    while True:
        node = parser.operand()
        if not isinstance(node, Field):
            raise malformed(text, "a column name")
        is_descending = bool(parser.take("desc"))
        if not is_descending:
            parser.take("asc")
        parts.append(OrderBy(node.name, is_descending))
        if not parser.take(","):
            break
    parser.end()
    return parts


def malformed(text: str, wanted: str, at: int | None = None) -> SoqlError:
    """The API's answer to a text that does not parse."""
    where = "" if at is None else f" at position {at}"
    return SoqlError(
        "query.compiler.malformed",
        f"Could not parse SoQL query {text!r}{where}; expected {wanted}",
    )


def _selected(parser: _Parser) -> Selected:
    for star in ("*", ":*"):
        if parser.take(star):
            return Selected(Field(star), star)
    node = parser.operand()
    name = _default_name(node)
    if parser.take("as"):
        alias = parser.operand()
        if not isinstance(alias, Field):
            raise malformed(parser.text, "a name behind 'as'")
        name = alias.name
    if not isinstance(node, (Field, Call)):
        raise malformed(parser.text, "a column or an aggregate")
    return Selected(node, name)


def _default_name(node: Node) -> str:
    if isinstance(node, Field):
        return node.name
    if isinstance(node, Call) and node.arguments:
        inner = node.arguments[0]
        if isinstance(inner, Field):
            return node.function if inner.name == "*" else f"{node.function}_{inner.name}"
    return "expression"


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self._tokens = list(_tokens(text))
        self._at = 0
        self._depth = 0

    def end(self) -> None:
        if self._at < len(self._tokens):
            raise self._unexpected("the end")

    def take(self, symbol: str) -> str | None:
        """Steps over a symbol or keyword, if it stands next."""
        if self._at < len(self._tokens):
            kind, value, _ = self._tokens[self._at]
            if kind in ("symbol", "name") and value.lower() == symbol:
                self._at += 1
                return value
        return None

    def expression(self) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise malformed(self.text, f"at most {MAX_DEPTH} levels of parentheses")
        node = self._conjunction()
        while self.take("or"):
            node = Logic("or", node, self._conjunction())
        self._depth -= 1
        return node

    def operand(self) -> Node:
        if self._at >= len(self._tokens):
            raise self._unexpected("a value or a column")
        kind, value, _ = self._tokens[self._at]
        self._at += 1
        if kind == "text":
            return Literal_(value[1:-1].replace("''", "'"))
        if kind == "number":
            return Literal_(float(value))
        if kind == "quoted":
            return Field(value[1:-1])
        if kind == "name" and value.lower() not in _RESERVED:
            return self._name(value)
        if value == "(":
            node = self.expression()
            self._need(")")
            return node
        self._at -= 1
        raise self._unexpected("a value or a column")

    def _conjunction(self) -> Node:
        node = self._negation()
        while self.take("and"):
            node = Logic("and", node, self._negation())
        return node

    def _negation(self) -> Node:
        is_negated = False
        while self.take("not"):
            is_negated = not is_negated
        node = self._predicate()
        return Not(node) if is_negated else node

    def _predicate(self) -> Node:
        left = self.operand()
        for symbol, operator in _COMPARISONS.items():
            if self.take(symbol):
                return Compare(operator, left, self.operand())
        if self.take("is"):
            is_negated = self.take("not")
            self._need("null")
            return Not(IsNull(left)) if is_negated else IsNull(left)
        is_negated = self.take("not")
        node = self._set_predicate(left)
        if node is None:
            if is_negated:
                raise self._unexpected("'in', 'between' or 'like'")
            return left
        return Not(node) if is_negated else node

    def _set_predicate(self, left: Node) -> Node | None:
        if self.take("in"):
            return In(left, self._arguments())
        if self.take("between"):
            low = self.operand()
            self._need("and")
            high = self.operand()
            return Logic("and", Compare(">=", left, low), Compare("<=", left, high))
        if self.take("like"):
            pattern = self.operand()
            if not isinstance(pattern, Literal_) or not isinstance(pattern.value, str):
                raise self._unexpected("a text behind 'like'")
            return Like(left, pattern.value)
        return None

    def _name(self, value: str) -> Node:
        lower = value.lower()
        if lower in ("true", "false"):
            return Literal_(lower == "true")
        if lower == "null":
            return Literal_(None)
        if self._at < len(self._tokens) and self._tokens[self._at][1] == "(":
            return Call(lower, self._arguments())
        return Field(value)

    def _arguments(self) -> tuple[Node, ...]:
        self._need("(")
        if self.take("*"):
            self._need(")")
            return (Field("*"),)
        nodes = [self.expression()]
        while self.take(","):
            nodes.append(self.expression())
        self._need(")")
        return tuple(nodes)

    def _need(self, symbol: str) -> None:
        if not self.take(symbol):
            raise self._unexpected(f"{symbol!r}")

    def _unexpected(self, wanted: str) -> SoqlError:
        at = self._tokens[self._at][2] if self._at < len(self._tokens) else len(self.text)
        return malformed(self.text, wanted, at)


def _tokens(text: str) -> list[tuple[str, str, int]]:
    tokens = []
    at = 0
    while at < len(text):
        if text[at:].isspace():
            break
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise malformed(text, "a name, a value or an operator", at)
        tokens.append((match.lastgroup, match[match.lastgroup], match.start(match.lastgroup)))
        at = match.end()
    return tokens
