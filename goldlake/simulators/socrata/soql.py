"""SoQL, as much of it as paging, filtering and reconciling need, translated into SQL for SQLite.

Grammar of ``$where`` (keywords in any case)::

    expression  = conjunction {"or" conjunction}
    conjunction = negation {"and" negation}
    negation    = ["not"] predicate
    predicate   = operand [comparison operand | "is" ["not"] "null"
                  | ["not"] ("in" "(" literal {"," literal} ")" | "between" operand "and" operand
                  | "like" text)]
    comparison  = "=" | "==" | "!=" | "<>" | "<" | "<=" | ">" | ">="
    operand     = number | text | "true" | "false" | "null" | field | function | "(" expression ")"

``$select`` adds ``*``, ``:*``, ``count(*)`` and ``as name``; ``$order`` adds ``asc`` and ``desc``.
Source of the language: https://dev.socrata.com/docs/queries/.

Nothing of a request's text becomes SQL: operators and functions are chosen from those known here,
fields become the data set's own column names, and literals become parameters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from goldlake.simulators.socrata.dataset import Dataset
from goldlake.simulators.socrata.values import SoqlError, constant, mismatch

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
_CONSTANTS = {"true": True, "false": False, "null": None}
_RESERVED = frozenset({"and", "or", "not", "is", "in", "between", "like", "as", "asc", "desc"})
_FUNCTIONS: dict[tuple[str, ...], tuple[str, str]] = {
    ("upper", "text"): ("upper_({})", "text"),
    ("lower", "text"): ("lower_({})", "text"),
    ("starts_with", "text", "text"): ("(instr({}, {}) = 1)", "checkbox"),
    ("contains", "text", "text"): ("(instr({}, {}) > 0)", "checkbox"),
}
_AFTER_ALL_IDS = "\U0010ffff"
_NAME = "a column name"
_OPERAND = "a value or a column"


@dataclass(frozen=True)
class Expression:
    """A part of a condition.

    Attributes:
        sql: Its SQL; "" for a literal, whose type its neighbor decides.
        kind: Its SODA type.
        value: A literal's value.
        field: The field, where it is only that.
        bound: A pair (:updated_at, :id) that comes before every row that fulfills it, or None.
        after_id: An ``:id`` that comes before that of every row that fulfills it, or None.
    """

    sql: str
    kind: str
    value: str | float | bool | None = None
    field: str | None = None
    bound: tuple[str, str] | None = None
    after_id: str | None = None

    @property
    def is_literal(self) -> bool:
        """Whether it is a constant."""
        return not self.sql


@dataclass(frozen=True)
class Selected:
    """One part of ``$select``: ``*``, ``:*``, a field or an aggregate of a field or ``*``."""

    field: str
    name: str
    function: str | None = None


@dataclass(frozen=True)
class OrderBy:
    """One part of ``$order``."""

    field: str
    is_descending: bool


class Translator:
    """Translates conditions on a data set, whose literals it collects.

    Attributes:
        dataset: Knows fields, types and columns.
        parameters: Values of ``?1``, ``?2``, … in the SQL.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.parameters: list[Any] = []

    def bind(self, value: Any) -> str:
        """A parameter with the value."""
        self.parameters.append(value)
        return f"?{len(self.parameters)}"

    def column(self, field: str) -> Expression:
        """A field's column."""
        # The plus keeps SQLite from choosing an index by this condition: `query` chooses it.
        sql = f"+{self.dataset.column(field)}"
        return Expression(sql, self.dataset.type_of(field), field=field)

    def plain(self, node: Expression) -> str:
        """SQL of an expression; a literal has its own type."""
        return node.sql or self.bind(node.value)

    def as_kind(self, node: Expression, kind: str) -> str:
        """SQL of an expression that is compared with a value of a type."""
        if node.is_literal:
            return self.bind(constant(node.value, kind))
        if node.kind != kind:
            raise mismatch(f"Type mismatch: a {kind} cannot be compared with a {node.kind}")
        return node.sql

    def condition(self, node: Expression) -> Expression:
        """The expression, made sure to be a condition."""
        if node.kind != "checkbox":
            raise mismatch(f"A {node.kind} is not a condition")
        return Expression(self.plain(node), "checkbox", bound=node.bound, after_id=node.after_id)

    def all_of(self, nodes: Sequence[Expression]) -> Expression:
        """``a and b and …``."""
        parts = [self.condition(node) for node in nodes]
        bound = max((part.bound for part in parts if part.bound), default=None)
        after_id = max((part.after_id for part in parts if part.after_id), default=None)
        if bound and not bound[1] and after_id:
            bound = (bound[0], after_id)
        return Expression(_joined("AND", parts), "checkbox", bound=bound, after_id=after_id)

    def any_of(self, nodes: Sequence[Expression]) -> Expression:
        """``a or b or …``."""
        parts = [self.condition(node) for node in nodes]
        bounds = [part.bound for part in parts if part.bound]
        bound = min(bounds) if len(bounds) == len(parts) else None
        return Expression(_joined("OR", parts), "checkbox", bound=bound)

    def negated(self, node: Expression) -> Expression:
        """``not a``."""
        return Expression(f"(NOT {self.condition(node).sql})", "checkbox")

    def is_null(self, node: Expression) -> Expression:
        """``a is null``."""
        return Expression(f"({self.plain(node)} IS NULL)", "checkbox")

    def compare(self, operator: str, left: Expression, right: Expression) -> Expression:
        """A comparison, with literals read as what they are compared with."""
        if left.is_literal and not right.is_literal:
            sql = f"({self.as_kind(left, right.kind)} {operator} {right.sql})"
            return Expression(sql, "checkbox")
        sql = f"({self.plain(left)} {operator} {self.as_kind(right, left.kind)})"
        bound = after_id = None
        if right.is_literal and right.value is not None:
            value = str(constant(right.value, left.kind))
            if left.field == ":updated_at" and operator in (">", ">=", "="):
                bound = (value, _AFTER_ALL_IDS if operator == ">" else "")
            elif left.field == ":id" and operator == ">":
                after_id = value
        return Expression(sql, "checkbox", bound=bound, after_id=after_id)

    def between(self, node: Expression, low: Expression, high: Expression) -> Expression:
        """``a between b and c``."""
        if node.is_literal:
            return self.all_of([self.compare(">=", node, low), self.compare("<=", node, high)])
        ends = f"{self.as_kind(low, node.kind)} AND {self.as_kind(high, node.kind)}"
        return Expression(f"({node.sql} BETWEEN {ends})", "checkbox")

    def among(self, node: Expression, options: Sequence[Expression]) -> Expression:
        """``a in (…)``."""
        if not all(option.is_literal for option in options):
            raise SoqlError("query.compiler.malformed", "A list may hold constants only")
        values = ", ".join(self.as_kind(option, node.kind) for option in options)
        return Expression(f"({self.plain(node)} IN ({values}))", "checkbox")

    def like(self, node: Expression, pattern: Expression) -> Expression:
        """``a like 'pattern'``; % is any text, _ any one character."""
        if node.kind != "text":
            raise mismatch(f"Type mismatch: a {node.kind} is not like a text")
        return Expression(f"({self.plain(node)} LIKE {self.bind(pattern.value)})", "checkbox")

    def call(self, name: str, arguments: Sequence[Expression]) -> Expression:
        """``name(a, …)``."""
        kinds = [argument.kind for argument in arguments]
        known = _FUNCTIONS.get((name, *kinds))
        if known is None:
            raise SoqlError(
                "query.soql.no-such-function", f"No such function: {name}({', '.join(kinds)})"
            )
        template, kind = known
        return Expression(template.format(*map(self.plain, arguments)), kind)


def parse_where(text: str, translator: Translator) -> Callable[[], Expression]:
    """The condition of ``$where``, as a function that gives its SQL.

    Raises:
        SoqlError: The text is not a condition; by the function: it does not fit the data set.
    """
    parser = _Parser(text, translator)
    node = parser.expression()
    parser.end()

    def condition() -> Expression:
        if parser.problem is not None:
            raise parser.problem
        return translator.condition(node)

    return condition


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
        field = parser.name(_NAME)
        is_descending = bool(parser.take("desc"))
        if not is_descending:
            parser.take("asc")
        parts.append(OrderBy(field, is_descending))
        if not parser.take(","):
            break
    parser.end()
    return parts


def _selected(parser: _Parser) -> Selected:
    for star in ("*", ":*"):
        if parser.take(star):
            return Selected(star, star)
    function, field = None, parser.name("a column or an aggregate")
    name = field
    if parser.take("("):
        function = field.lower()
        field = parser.take("*") or parser.name(_NAME)
        parser.need(")")
        name = function if field == "*" else f"{function}_{field}"
    if parser.take("as"):
        name = parser.name("a name after 'as'")
    return Selected(field, name, function)


class _Parser:
    """Reads a text from left to right; a syntax error is reported before a type error.

    Attributes:
        problem: The first part that parses but does not fit the data set, or None.
    """

    def __init__(self, text: str, translator: Translator | None = None) -> None:
        self.problem: SoqlError | None = None
        self._text = text
        self._translator = translator
        self._tokens = _tokens(text)
        self._at = 0
        self._depth = 0

    def end(self) -> None:
        """Makes sure that nothing is left."""
        if self._at < len(self._tokens):
            raise self._unexpected("the end")

    def take(self, symbol: str) -> str | None:
        """Steps over a symbol or keyword, if it comes next."""
        if self._at < len(self._tokens):
            kind, value, _ = self._tokens[self._at]
            if kind in ("symbol", "name") and value.lower() == symbol:
                self._at += 1
                return value
        return None

    def need(self, symbol: str) -> None:
        """Steps over a symbol or keyword that must come next."""
        if not self.take(symbol):
            raise self._unexpected(f"{symbol!r}")

    def name(self, wanted: str) -> str:
        """A name that must come next."""
        kind, value = self._next(wanted)
        if kind == "quoted":
            return value[1:-1]
        if kind != "name" or value.lower() in _RESERVED or value.lower() in _CONSTANTS:
            self._at -= 1
            raise self._unexpected(wanted)
        return value

    def expression(self) -> Expression:
        """An expression that must come next."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _malformed(self._text, f"at most {MAX_DEPTH} levels of parentheses")
        alternatives = [self._conjunction()]
        while self.take("or"):
            alternatives.append(self._conjunction())
        self._depth -= 1
        if len(alternatives) == 1:
            return alternatives[0]
        return self._fit(lambda t: t.any_of(alternatives))

    def _conjunction(self) -> Expression:
        parts = [self._negation()]
        while self.take("and"):
            parts.append(self._negation())
        return parts[0] if len(parts) == 1 else self._fit(lambda t: t.all_of(parts))

    def _negation(self) -> Expression:
        is_negated = False
        while self.take("not"):
            is_negated = not is_negated
        return self._unless(is_negated, self._predicate())

    def _unless(self, is_negated: object, node: Expression) -> Expression:
        return self._fit(lambda t: t.negated(node)) if is_negated else node

    def _predicate(self) -> Expression:
        left = self._operand()
        for symbol, operator in _COMPARISONS.items():
            if self.take(symbol):
                right = self._operand()
                return self._fit(lambda t: t.compare(operator, left, right))  # noqa: B023
        if self.take("is"):
            is_negated = self.take("not")
            self.need("null")
            return self._unless(is_negated, self._fit(lambda t: t.is_null(left)))
        is_negated = self.take("not")
        node = self._set_predicate(left)
        if node is None and is_negated:
            raise self._unexpected("'in', 'between' or 'like'")
        return left if node is None else self._unless(is_negated, node)

    def _set_predicate(self, left: Expression) -> Expression | None:
        if self.take("in"):
            options = self._arguments()
            return self._fit(lambda t: t.among(left, options))
        if self.take("between"):
            low = self._operand()
            self.need("and")
            high = self._operand()
            return self._fit(lambda t: t.between(left, low, high))
        if self.take("like"):
            pattern = self._operand()
            if not pattern.is_literal or not isinstance(pattern.value, str):
                raise self._unexpected("a text after 'like'")
            return self._fit(lambda t: t.like(left, pattern))
        return None

    def _operand(self) -> Expression:
        kind, value = self._next(_OPERAND)
        if kind == "text":
            return Expression("", "text", value[1:-1].replace("''", "'"))
        if kind == "number":
            return Expression("", "number", float(value))
        if kind == "name" and value.lower() in _CONSTANTS:
            known = _CONSTANTS[value.lower()]
            return Expression("", "text" if known is None else "checkbox", known)
        if value == "(":
            node = self.expression()
            self.need(")")
            return node
        self._at -= 1
        field = self.name(_OPERAND)
        if kind == "name" and self._at < len(self._tokens) and self._tokens[self._at][1] == "(":
            arguments = self._arguments()
            return self._fit(lambda t: t.call(field.lower(), arguments))
        return self._fit(lambda t: t.column(field))

    def _arguments(self) -> list[Expression]:
        self.need("(")
        nodes = [self._fit(lambda t: t.column("*")) if self.take("*") else self.expression()]
        while self.take(","):
            nodes.append(self.expression())
        self.need(")")
        return nodes

    def _fit(self, translate: Callable[[Translator], Expression]) -> Expression:
        assert self._translator is not None
        if self.problem is None:
            try:
                return translate(self._translator)
            except SoqlError as error:
                self.problem = error
        return Expression("NULL", "checkbox")

    def _next(self, wanted: str) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise self._unexpected(wanted)
        kind, value, _ = self._tokens[self._at]
        self._at += 1
        return kind, value

    def _unexpected(self, wanted: str) -> SoqlError:
        at = self._tokens[self._at][2] if self._at < len(self._tokens) else len(self._text)
        return _malformed(self._text, wanted, at)


def _joined(word: str, parts: Sequence[Expression]) -> str:
    # What comes first is off the stack of SQLite's parser when the rest is read: with the longest
    # first, each level of parentheses takes one of its 100 places and not three.
    return f"({f' {word} '.join(sorted((part.sql for part in parts), key=len, reverse=True))})"


def _malformed(text: str, wanted: str, at: int | None = None) -> SoqlError:
    where = "" if at is None else f" at position {at}"
    return SoqlError(
        "query.compiler.malformed",
        f"Could not parse SoQL query {text!r}{where}; expected {wanted}",
    )


def _tokens(text: str) -> list[tuple[str, str, int]]:
    tokens = []
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise _malformed(text, "a name, a value or an operator", at)
        tokens.append((match.lastgroup, match[match.lastgroup], match.start(match.lastgroup)))
        at = match.end()
    return tokens
