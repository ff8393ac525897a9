"""SQL of contracts: does it parse, and are its columns and functions there.

sqlglot parses it as Spark SQL; the functions are those that Spark itself lists, because sqlglot
also knows the functions of other databases.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING

from goldlake_core.contracts.findings import Remark, error, warning
from goldlake_core.contracts.names import nearest
from goldlake_core.contracts.windows import calls
from lakehouse.checks.functions import arguments_text
from lakehouse.checks.spark_functions import (
    AGGREGATES,
    ARGUMENTS,
    FUNCTIONS,
    GENERATORS,
    WINDOWS,
    words,
)

if TYPE_CHECKING:
    from sqlglot.expressions import Condition
    from sqlglot.tokens import Token

# Spark's grammar has these; its list of functions has not.
_SYNTAX = frozenset({"all", "group", "identifier", "timestampadd", "timestampdiff"})
_UNSTABLE = words(
    """
    curdate current_date current_time current_timestamp current_user input_file_block_length
    input_file_block_start input_file_name localtimestamp monotonically_increasing_id now rand
    randn random randstr session_user shuffle spark_partition_id uniform user uuid
    """
)
_WITHOUT_PARENTHESES = words(
    """
    current_date current_time current_timestamp current_user localtimestamp session_user user
    """
)
# How sqlglot begins to say that a call has too few or too many arguments.
_COUNTS = ("Required argument", "The number of provided arguments")


@dataclass(frozen=True)
class Purpose:
    """What an expression is for.

    Attributes:
        noun: What people call it.
        valid: What would be right.
        columns: What its columns are called.
        is_rule: Whether it is true or false of a row; else it is a value, maybe over windows.
        unstable: What follows from a function that gives another value each time.
    """

    noun: str
    valid: str
    columns: str
    is_rule: bool
    unstable: str


RULE = Purpose(
    noun="the rule",
    valid="one Spark SQL expression over the silver columns of one row that is true or false",
    columns="silver column",
    is_rule=True,
    unstable="depends on more than the row, so a rebuild may quarantine other rows",
)
COLUMN = Purpose(
    noun="the expression",
    valid="one Spark SQL expression over the columns of one row, with aggregates over windows",
    columns="column",
    is_rule=False,
    unstable="depends on more than the row, so a rebuild would make other values",
)


def expression_remarks(
    sql: str, columns: Mapping[str, str | None] | None, use: Purpose = RULE
) -> tuple[Remark, ...]:
    """What is wrong with a rule over one row, or with what computes a gold column.

    Args:
        sql: The rule as it is written.
        columns: Type by name of the columns that it may read. The type of a column that does not
            load is None; the whole is None where not even all names are known.
        use: What it is for.
    """
    import sqlglot
    from sqlglot import errors, exp
    from sqlglot.tokens import TokenType

    windowed = frozenset[int]()
    if not use.is_rule:
        windowed = frozenset(call.start for call in calls(sql))
    try:
        tokens = sqlglot.tokenize(sql, read="spark")
        counts = tuple(_count_remarks(tokens))
        rule = sqlglot.parse_one(sql, into=exp.Condition, read="spark")
    except errors.TokenError:
        return (error(f"{use.noun} does not parse: {sql}", "text in quotes that are closed"),)
    except (errors.ParseError, ValueError, IndexError) as raised:
        # sqlglot has its own counts of arguments, which it also reports by these exceptions. Spark
        # decides about them: it takes shuffle with a seed.
        if counts:
            return counts
        if isinstance(raised, errors.ParseError) and not _is_about_a_count(raised):
            return (_parse_remark(sql, raised, use),)
        problem = f"{use.noun} has a call that cannot be read here, and was not checked: {sql}"
        return (warning(problem, valid=use.valid),)
    except RecursionError:
        return (error(f"{use.noun} is nested too deeply to be parsed", valid="several rules"),)
    kinds = {token.token_type for token in tokens}
    if TokenType.SEMICOLON in kinds:
        return (error(f"{use.noun} contains several statements", valid=use.valid),)
    if kinds & {TokenType.PLACEHOLDER, TokenType.PARAMETER} or rule.find(exp.Placeholder):
        return (
            error(f"{use.noun} contains a parameter, and nothing sets its value", valid=use.valid),
        )
    shape = [*_shape_remarks(rule, use)]
    functions = [] if shape else [*_function_remarks(tokens, columns, use, windowed), *counts]
    remarks = [*shape, *functions]
    if columns is None:
        return tuple(remarks)
    remarks += _column_remarks(rule, columns, use)
    if use.is_rule and not any(remark.severity == "error" for remark in remarks):
        remarks += _result_remarks(rule, columns, use)
    return tuple(remarks)


def _parse_remark(sql: str, raised: Exception, use: Purpose) -> Remark:
    details = getattr(raised, "errors", None)
    where = ""
    if details and details[0].get("highlight"):
        before = str(details[0].get("start_context") or "").strip()[-30:]
        where = f" at {details[0]['highlight']!r}" + (f", after {before!r}" if before else "")
    return error(f"{use.noun} does not parse{where}: {sql}", valid=use.valid)


def _is_about_a_count(raised: Exception) -> bool:
    """Whether sqlglot refuses a function's count of arguments, which is Spark's to say."""
    found = getattr(raised, "errors", None) or [{}]
    return str(found[0].get("description")).startswith(_COUNTS)


def _count_remarks(tokens: list[Token]) -> Iterator[Remark]:
    """Calls with another count of arguments than Spark takes."""
    for index, name in _calls(tokens):
        low, high = ARGUMENTS.get(name.lower(), (0, math.inf))
        count = _count_of_arguments(tokens, index + 1)
        if count is not None and not low <= count <= high:
            takes = arguments_text(low, high)
            yield error(f"{name} takes {takes}, and is called with {count}", f"{name} with {takes}")


def _calls(tokens: list[Token]) -> Iterator[tuple[int, str]]:
    """Position and name of each function that is called by its name alone."""
    from sqlglot.dialects.spark import Spark
    from sqlglot.tokens import TokenType

    names = Spark.Parser.FUNC_TOKENS | {TokenType.VAR}
    for index, token in enumerate(tokens[:-1]):
        before = tokens[index - 1].token_type if index else None
        is_call = tokens[index + 1].token_type == TokenType.L_PAREN and token.token_type in names
        if is_call and before != TokenType.DOT and not _is_type(token, before):
            yield index, token.text


def _count_of_arguments(tokens: list[Token], opening: int) -> int | None:
    """How many arguments follow a parenthesis; None where that is not sure."""
    from sqlglot.tokens import TokenType

    inside = {TokenType.L_PAREN: 1, TokenType.L_BRACKET: 1}
    outside = {TokenType.R_PAREN: -1, TokenType.R_BRACKET: -1}
    depth, commas = 0, 0
    for index in range(opening, len(tokens)):
        kind = tokens[index].token_type
        if kind == TokenType.LT and tokens[index - 1].text.lower() in ("array", "map", "struct"):
            return None  # The commas of a type separate no arguments.
        depth += inside.get(kind, 0) + outside.get(kind, 0)
        if depth == 0:
            return 0 if index == opening + 1 else commas + 1
        commas += depth == 1 and kind == TokenType.COMMA
    return None


def _shape_remarks(rule: Condition, use: Purpose) -> Iterator[Remark]:
    from sqlglot import exp

    if rule.find(exp.Query) is not None:
        yield error(f"{use.noun} contains a subquery, and it applies to one row", valid=use.valid)
    if use.is_rule and rule.find(exp.Window) is not None:
        yield error(
            f"{use.noun} contains a window (OVER), and it applies to one row", valid=use.valid
        )
    if any(not isinstance(star.parent, exp.Count) for star in rule.find_all(exp.Star)):
        yield error(f"{use.noun} contains *, which is not one value", valid=use.valid)


def _function_remarks(
    tokens: list[Token],
    columns: Mapping[str, str | None] | None,
    use: Purpose,
    windowed: Set[int],
) -> Iterator[Remark]:
    # What is not called may be a column where the columns are not known.
    own = _WITHOUT_PARENTHESES if columns is None else {name.lower() for name in columns}
    for name, is_windowed in dict.fromkeys(_called(tokens, own, windowed)):
        lower = name.lower()
        if lower not in FUNCTIONS | _SYNTAX:
            near, is_near, _ = nearest(lower, sorted(FUNCTIONS)).partition(" (nearest)")
            valid = near + is_near if is_near else "a built-in function of Spark"
            yield error(f"there is no function {name!r} in Spark SQL", valid=valid)
        elif lower in AGGREGATES and not is_windowed:
            yield error(
                f"{name} works over many rows, and {use.noun} applies to one row", valid=use.valid
            )
        elif lower in WINDOWS and not is_windowed:
            yield error(
                f"{name} needs a window, and {use.noun} applies to one row", valid=use.valid
            )
        elif lower in GENERATORS:
            yield error(
                f"{name} returns a table, and {use.noun} applies to one row", valid=use.valid
            )
        elif lower in _UNSTABLE:
            tell = warning if use.is_rule else error
            yield tell(f"{name} {use.unstable}", valid="columns of the row only")


def _called(
    tokens: list[Token], columns: Set[str], windowed: Set[int]
) -> Iterator[tuple[str, bool]]:
    """Names of functions as written, with what comes before a dot, and whether over a window."""
    from sqlglot.dialects.spark import Spark
    from sqlglot.tokens import TokenType

    names = Spark.Parser.FUNC_TOKENS | {TokenType.VAR, TokenType.IDENTIFIER}
    bare = {TokenType.VAR, *Spark.Parser.NO_PAREN_FUNCTIONS}
    likes = (TokenType.LIKE, TokenType.ILIKE, TokenType.RLIKE)
    for index, token in enumerate(tokens):
        before = tokens[index - 1].token_type if index else None
        is_call = index + 1 < len(tokens) and tokens[index + 1].token_type == TokenType.L_PAREN
        lower = token.text.lower()
        if before in likes and lower in ("any", "some", "all"):
            continue
        if is_call and token.token_type in names and not _is_type(token, before):
            parent = f"{tokens[index - 2].text}." if before == TokenType.DOT else ""
            yield parent + token.text, token.start in windowed
            continue
        is_alone = token.token_type in bare and not is_call and before != TokenType.DOT
        if is_alone and lower in _WITHOUT_PARENTHESES - columns:
            yield token.text, False


def _is_type(token: Token, before: object) -> bool:
    """Whether a name with a parenthesis is a type, such as DECIMAL(10, 2) after AS."""
    from sqlglot.dialects.spark import Spark
    from sqlglot.tokens import TokenType

    is_place = before in (TokenType.ALIAS, TokenType.DCOLON, TokenType.LT, TokenType.COLON)
    return is_place and token.token_type in Spark.Parser.TYPE_TOKENS


def _column_remarks(
    rule: Condition, columns: Mapping[str, str | None], use: Purpose
) -> Iterator[Remark]:
    from sqlglot import exp

    # Spark does not tell upper from lower case, and knows some functions without parentheses.
    known = {name.lower() for name in columns} | _WITHOUT_PARENTHESES
    named = dict.fromkeys(
        ".".join(part.name for part in column.parts)
        for column in rule.find_all(exp.Column)
        if not isinstance(column.this, exp.Star)
    )
    for name in named:
        if name.lower() not in known:
            yield error(f"there is no {use.columns} {name!r}", valid=nearest(name, columns))


def _result_remarks(
    rule: Condition, columns: Mapping[str, str | None], use: Purpose
) -> Iterator[Remark]:
    from sqlglot import exp

    types = {name.lower(): type_ for name, type_ in columns.items()}
    if not any(column.name.lower() in types for column in rule.find_all(exp.Column)):
        yield error(f"{use.noun} names no silver column", valid=", ".join(columns))
        return
    result = rule.unnest()
    found = None
    if isinstance(result, exp.Column):
        found = types.get(result.name.lower())
    elif isinstance(result, exp.Literal):
        found = "string" if result.is_string else "number"
    elif isinstance(result, exp.Add | exp.Sub | exp.Mul | exp.Div | exp.Mod | exp.Neg):
        found = "number"
    if found is not None and found != "boolean":
        yield error(f"{use.noun} returns a {found}, not true or false", valid=use.valid)
