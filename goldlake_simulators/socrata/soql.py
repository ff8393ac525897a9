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
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from goldlake_simulators.socrata.dataset import Dataset
from goldlake_simulators.socrata.values import SoqlError, constant, mismatch

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


class Parser:
    """Reads one parameter from left to right and translates conditions as it reads them.

    Attributes:
        problem: The first part that parses but does not fit the data set, or None. A syntax error
            is raised before it.

    Args:
        text: The parameter's value.
        dataset: Knows fields, types and columns.
        parameters: Takes the values of ``?1``, ``?2``, … in the SQL.
    """

    def __init__(self, text: str, dataset: Dataset, parameters: list[Any]) -> None:
        self.problem: SoqlError | None = None
        self._text = text
        self._dataset = dataset
        self._parameters = parameters
        self._tokens = _tokens(text)
        self._at = 0
        self._depth = 0

    def where(self) -> Expression:
        """The condition of ``$where``; see `problem`."""
        node = self._condition(self._expression())
        self._end()
        return node

    def select(self) -> list[Selected]:
        """The parts of ``$select``."""
        parts = [self._selected()]
        while self._take(","):
            parts.append(self._selected())
        self._end()
        return parts

    def order(self) -> list[OrderBy]:
        """The parts of ``$order``."""
        parts = [self._ordered()]
        while self._take(","):
            parts.append(self._ordered())
        self._end()
        return parts

    def _ordered(self) -> OrderBy:
        field = self._name("a column name")
        is_descending = bool(self._take("desc"))
        if not is_descending:
            self._take("asc")
        return OrderBy(field, is_descending)

    def _selected(self) -> Selected:
        for star in ("*", ":*"):
            if self._take(star):
                return Selected(star, star)
        function, field = None, self._name("a column or an aggregate")
        name = field
        if self._take("("):
            function = field.lower()
            field = self._take("*") or self._name("a column name")
            self._need(")")
            name = function if field == "*" else f"{function}_{field}"
        if self._take("as"):
            name = self._name("a name after 'as'")
        return Selected(field, name, function)

    def _expression(self) -> Expression:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _malformed(self._text, f"at most {MAX_DEPTH} levels of parentheses")
        parts = [self._conjunction()]
        while self._take("or"):
            parts.append(self._conjunction())
        self._depth -= 1
        if len(parts) == 1:
            return parts[0]
        bounds = [part.bound for part in parts if part.bound]
        return self._joined("OR", parts, min(bounds) if len(bounds) == len(parts) else None)

    def _conjunction(self) -> Expression:
        parts = [self._negation()]
        while self._take("and"):
            parts.append(self._negation())
        return parts[0] if len(parts) == 1 else self.all_of(parts)

    def all_of(self, parts: Sequence[Expression]) -> Expression:
        """The condition that holds where all the given ones hold."""
        bound = max((part.bound for part in parts if part.bound), default=None)
        after_id = max((part.after_id for part in parts if part.after_id), default=None)
        if bound and not bound[1] and after_id:
            bound = (bound[0], after_id)
        return self._joined("AND", parts, bound, after_id)

    def _joined(
        self,
        word: str,
        parts: Sequence[Expression],
        bound: tuple[str, str] | None,
        after_id: str | None = None,
    ) -> Expression:
        # What comes first is off the stack of SQLite's parser when the rest is read: with the
        # longest first, each level of parentheses takes one of its 100 places and not three.
        texts = sorted((self._condition(part).sql for part in parts), key=len, reverse=True)
        sql = f"({f' {word} '.join(texts)})"
        return Expression(sql, "checkbox", bound=bound, after_id=after_id)

    def _negation(self) -> Expression:
        is_negated = False
        while self._take("not"):
            is_negated = not is_negated
        return self._unless(is_negated, self._predicate())

    def _unless(self, is_negated: object, node: Expression) -> Expression:
        return _condition(f"NOT {self._condition(node).sql}") if is_negated else node

    def _predicate(self) -> Expression:
        left = self._operand()
        for symbol, operator in _COMPARISONS.items():
            if self._take(symbol):
                return self.compare(operator, left, self._operand())
        if self._take("is"):
            is_negated = self._take("not")
            self._need("null")
            return self._unless(is_negated, _condition(f"{self._plain(left)} IS NULL"))
        is_negated = self._take("not")
        for word, read in (("in", self._in), ("between", self._between), ("like", self._like)):
            if self._take(word):
                return self._unless(is_negated, read(left))
        if is_negated:
            raise self._unexpected("'in', 'between' or 'like'")
        return left

    def compare(self, operator: str, left: Expression, right: Expression) -> Expression:
        """A comparison; a literal is read as the type that it is compared with."""
        if left.is_literal and not right.is_literal:
            return _condition(f"{self._typed(left, right.kind)} {operator} {right.sql}")
        text = self._typed(right, left.kind)
        value = self._parameters[-1] if right.is_literal else None
        node = _condition(f"{self._plain(left)} {operator} {text}")
        if value is not None and left.field == ":updated_at" and operator in (">", ">=", "="):
            return replace(node, bound=(value, _AFTER_ALL_IDS if operator == ">" else ""))
        if value is not None and left.field == ":id" and operator == ">":
            return replace(node, after_id=value)
        return node

    def _in(self, left: Expression) -> Expression:
        options = self._arguments()
        if not all(option.is_literal for option in options):
            self._note(SoqlError("query.compiler.malformed", "A list may hold constants only"))
        values = ", ".join(self._typed(option, left.kind) for option in options)
        return _condition(f"{self._plain(left)} IN ({values})")

    def _between(self, left: Expression) -> Expression:
        low = self._operand()
        self._need("and")
        high = self._operand()
        if left.is_literal:
            return self.all_of([self.compare(">=", left, low), self.compare("<=", left, high)])
        ends = f"{self._typed(low, left.kind)} AND {self._typed(high, left.kind)}"
        return _condition(f"{left.sql} BETWEEN {ends}")

    def _like(self, left: Expression) -> Expression:
        pattern = self._operand()
        if not pattern.is_literal or not isinstance(pattern.value, str):
            raise self._unexpected("a text after 'like'")
        if left.kind != "text":
            self._note(mismatch(f"Type mismatch: a {left.kind} is not like a text"))
        return _condition(f"{self._plain(left)} LIKE {self._bind(pattern.value)}")

    def _operand(self) -> Expression:
        kind, value = self._next("a value or a column")
        if kind == "text":
            return literal(value[1:-1].replace("''", "'"))
        if kind == "number":
            return Expression("", "number", float(value))
        if kind == "name" and value.lower() in _CONSTANTS:
            known = _CONSTANTS[value.lower()]
            return Expression("", "text" if known is None else "checkbox", known)
        if value == "(":
            node = self._expression()
            self._need(")")
            return node
        self._at -= 1
        field = self._name("a value or a column")
        if kind == "name" and self._at < len(self._tokens) and self._tokens[self._at][1] == "(":
            return self._call(field.lower())
        return self.column(field)

    def column(self, field: str) -> Expression:
        """A field's column."""
        try:
            # The plus keeps SQLite from choosing an index by this condition: `query` chooses it.
            sql = f"+{self._dataset.column(field)}"
            return Expression(sql, self._dataset.type_of(field), field=field)
        except SoqlError as error:
            self._note(error)
            return Expression("NULL", "checkbox")

    def _call(self, name: str) -> Expression:
        arguments = self._arguments()
        kinds = [argument.kind for argument in arguments]
        known = _FUNCTIONS.get((name, *kinds))
        if known is None:
            message = f"No such function: {name}({', '.join(kinds)})"
            self._note(SoqlError("query.soql.no-such-function", message))
            return Expression("NULL", "checkbox")
        return Expression(known[0].format(*map(self._plain, arguments)), known[1])

    def _arguments(self) -> list[Expression]:
        self._need("(")
        nodes = [self.column("*") if self._take("*") else self._expression()]
        while self._take(","):
            nodes.append(self._expression())
        self._need(")")
        return nodes

    def _condition(self, node: Expression) -> Expression:
        if node.kind != "checkbox":
            self._note(mismatch(f"A {node.kind} is not a condition"))
        return replace(node, sql=self._plain(node))

    def _typed(self, node: Expression, kind: str) -> str:
        """SQL of an expression that is compared with a value of a type."""
        if node.is_literal:
            try:
                return self._bind(constant(node.value, kind))
            except SoqlError as error:
                self._note(error)
                return self._bind(None)
        if node.kind != kind:
            self._note(mismatch(f"Type mismatch: a {kind} cannot be compared with a {node.kind}"))
        return node.sql

    def _plain(self, node: Expression) -> str:
        return node.sql or self._bind(node.value)

    def _bind(self, value: Any) -> str:
        self._parameters.append(value)
        return f"?{len(self._parameters)}"

    def _note(self, error: SoqlError) -> None:
        self.problem = self.problem or error

    def _take(self, symbol: str) -> str | None:
        """Steps over a symbol or keyword, if it comes next."""
        if self._at < len(self._tokens):
            kind, value, _ = self._tokens[self._at]
            if kind in ("symbol", "name") and value.lower() == symbol:
                self._at += 1
                return value
        return None

    def _need(self, symbol: str) -> None:
        if not self._take(symbol):
            raise self._unexpected(f"{symbol!r}")

    def _name(self, wanted: str) -> str:
        kind, value = self._next(wanted)
        if kind == "quoted":
            return value[1:-1]
        if kind != "name" or value.lower() in _RESERVED or value.lower() in _CONSTANTS:
            self._at -= 1
            raise self._unexpected(wanted)
        return value

    def _end(self) -> None:
        if self._at < len(self._tokens):
            raise self._unexpected("the end")

    def _next(self, wanted: str) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise self._unexpected(wanted)
        kind, value, _ = self._tokens[self._at]
        self._at += 1
        return kind, value

    def _unexpected(self, wanted: str) -> SoqlError:
        at = self._tokens[self._at][2] if self._at < len(self._tokens) else len(self._text)
        return _malformed(self._text, wanted, at)


def literal(text: str) -> Expression:
    """A text, which is read as the type of what it is compared with."""
    return Expression("", "text", text)


def _condition(sql: str) -> Expression:
    return Expression(f"({sql})", "checkbox")


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
