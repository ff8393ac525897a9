"""What the plan of a build function shows: which rows meet, and calls that differ each time.

Spark analyzes a build's plan before a row is read. The plan cannot see into Python: functions that
run per row, and values that a build computes beforehand, are left to the sampled rebuild of
`lakehouse.gold`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_AGGREGATES = "org.apache.spark.sql.catalyst.expressions.aggregate."
# Spark counts these as deterministic, because they do not change within a query.
_CURRENT = frozenset(
    {"CurrentDate", "CurrentTime", "CurrentTimestamp", "CurrentUser", "LocalTimestamp", "Now"}
)
_CUTS = frozenset({"GlobalLimit", "LocalLimit", "Offset", "Sample", "Tail"})
_Step: TypeAlias = tuple[str, set[str]]
"""What brings rows together, in words, and the silver columns in which they agree."""

_PYTHON = ("PythonUDF", "PythonUDAF", "PythonUDTF", "InPandas", "InArrow", "LogicalRDD")


@dataclass(frozen=True)
class Calls:
    """What a plan calls.

    Attributes:
        unstable: Names of the functions that give another value each time, such as ``rand``. An
            aggregate that depends on the order of rows, such as ``first``, is not one: over ordered
            rows it gives one value.
        has_python: Whether parts of the plan are Python, which Spark cannot see into.
    """

    unstable: tuple[str, ...]
    has_python: bool


def calls(rows: DataFrame) -> Calls:
    """Looks for calls that a plan alone does not decide."""
    unstable, has_python = set(), False
    for node in _nodes(_analyzed(rows)):
        has_python |= any(word in node.nodeName() for word in _PYTHON)
        for expression in _each(node.expressions()):
            for kind, name, is_unstable in _walked(expression):
                has_python |= kind in _PYTHON
                if is_unstable:
                    unstable.add(name)
    return Calls(tuple(sorted(unstable)), has_python)


def meeting(
    rows: DataFrame,
    silver: DataFrame,
    units: Sequence[Sequence[str]],
    computed: Sequence[str] = (),
) -> str | None:
    """The first step of a plan that brings silver rows of several units together.

    Args:
        rows: What a build function returned, or what the contract computes.
        silver: The frame that it was given.
        units: Lists of columns. A step is allowed whose rows agree in all columns of one of them.
        computed: Columns of units that the contract computes of a silver row.

    Returns:
        The step in words, such as ``a window over kind``, or None.
    """
    plan = _analyzed(rows)
    sources = list(_each(_analyzed(silver).collectLeaves()))
    columns: dict[int, str] = {}
    for leaf in _each(plan.collectLeaves()):
        if any(leaf.sameResult(source) for source in sources):
            columns |= {each.exprId().id(): each.name() for each in _each(leaf.output())}
    if computed:
        for node in _nodes(plan):
            if node.nodeName() == "Project":
                made = (each for each in _each(node.projectList()) if each.name() in computed)
                columns |= {each.exprId().id(): each.name() for each in made}
    for words, together in _steps(plan, columns)[1]:
        if not any(set(unit) <= together for unit in units):
            return words
    return None


def _analyzed(rows: DataFrame) -> Any:
    return rows._jdf.queryExecution().analyzed()


def _each(items: Any) -> Iterator[Any]:
    """The items of a Scala sequence."""
    return (items.apply(index) for index in range(items.size()))


def _nodes(plan: Any) -> Iterator[Any]:
    """A plan and all below it, plans of subqueries included."""
    yield plan
    for below in (plan.children(), plan.subqueries()):
        for child in _each(below):
            yield from _nodes(child)


def _walked(expression: Any) -> Iterator[tuple[str, str, bool]]:
    """Kind and name of an expression and of all below it, and whether it differs each time."""
    children = list(_each(expression.children()))
    kind = expression.getClass().getName()
    short = kind.rpartition(".")[2]
    is_unstable = short in _CURRENT
    if not expression.deterministic() and not kind.startswith(_AGGREGATES):
        is_unstable |= all(child.deterministic() for child in children)
    yield short, expression.prettyName(), is_unstable
    for child in children:
        yield from _walked(child)


def _steps(node: Any, columns: dict[int, str]) -> tuple[bool, list[_Step]]:
    """Whether a plan reads silver, and its steps that bring silver rows together, in order."""
    children = list(_each(node.children()))
    if not children:
        return any(each.exprId().id() in columns for each in _each(node.output())), []
    below = [_steps(child, columns) for child in children]
    found = [step for _, steps in below for step in steps]
    number = sum(is_silver for is_silver, _ in below)
    step = _step(node, number, columns) if number else None
    return number > 0, [*found, step] if step else found


def _step(node: Any, number: int, columns: dict[int, str]) -> _Step | None:
    """What a node with so many children that read silver does to their rows."""
    name = node.nodeName()
    if name == "Window":
        return _over("a window", node.partitionSpec(), columns)
    if name == "Aggregate":
        return _over("an aggregation", node.groupingExpressions(), columns)
    if name == "Deduplicate":
        return _over("dropped duplicates", node.keys(), columns)
    if name == "Distinct":
        return _over("distinct rows", node.output(), columns)
    if name in _CUTS:
        return f"a part of the rows ({name})", set()
    if number > 1 and name != "Union":
        condition = node.condition() if name == "Join" else None
        is_given = condition is not None and condition.isDefined()
        together = set(_equal(condition.get(), columns)) if condition and is_given else set()
        return f"silver joined with itself over {_listed(together)}", together
    return None


def _over(what: str, expressions: Any, columns: dict[int, str]) -> _Step:
    together = set(filter(None, (_column(each, columns) for each in _each(expressions))))
    return f"{what} over {_listed(together)}", together


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "all rows"


def _column(expression: Any, columns: dict[int, str]) -> str | None:
    """The silver column that an expression is, unchanged, or None."""
    is_column = expression.getClass().getSimpleName() == "AttributeReference"
    return columns.get(expression.exprId().id()) if is_column else None


def _equal(condition: Any, columns: dict[int, str]) -> Iterator[str]:
    """The silver columns that a join compares with themselves."""
    name = condition.getClass().getSimpleName()
    if name == "And":
        yield from _equal(condition.left(), columns)
        yield from _equal(condition.right(), columns)
    elif name in ("EqualTo", "EqualNullSafe"):
        left, right = (_column(side, columns) for side in (condition.left(), condition.right()))
        if left is not None and left == right:
            yield left
