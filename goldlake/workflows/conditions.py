"""The conditions of `goldlake retrain`: ``rows>=5000, age>=30d, drift, metric:auc[28d]<0.88``."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from goldlake_core.contracts.durations import is_duration, seconds_of
from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.names import nearest

Kind = Literal["rows", "age", "drift", "metric"]
VALID = (
    "rows>=5000, age>=30d, drift, metric:auc<0.88, metric:auc[28d]<0.88, or several of them with"
    " commas between"
)
VALID_WINDOW = "such as 12h, 28d or 4w"
_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_SHAPE = re.compile(
    r"(?P<name>[a-z][a-z0-9_:]*)(?P<window>\[[^\]]*\])?"
    r"\s*(?:(?P<sign>>=|<=|>|<)\s*(?P<value>\S+))?"
)


@dataclass(frozen=True)
class Condition:
    """One condition.

    Attributes:
        text: As it was written.
        kind: What it is about.
        metric: Name of the metric, or "".
        sign: How it compares, or "" for ``drift``.
        bound: What it compares with: rows, seconds, or a value of the metric.
        window: Length of time of the newest records whose answers the metric is about, such as
            ``28d``, or "" for all of them.
    """

    text: str
    kind: Kind
    metric: str = ""
    sign: str = ""
    bound: float = 0.0
    window: str = ""

    def holds(self, value: float) -> bool:
        """Whether a value meets the condition."""
        return _COMPARISONS[self.sign](value, self.bound)


def parsed(text: str, metrics: Mapping[str, object]) -> tuple[Condition, ...]:
    """The conditions of a text.

    Args:
        text: Conditions with commas between.
        metrics: Names of the metrics that the model has.

    Raises:
        UsageError: One is none; the error says at which character, and what would be.
    """
    found = []
    place = 0
    for part in text.split(","):
        begin = place + len(part) - len(part.lstrip()) + 1
        found.append(_condition(part.strip(), begin, text, metrics))
        place += len(part) + 1
    return tuple(found)


def _condition(part: str, begin: int, text: str, metrics: Mapping[str, object]) -> Condition:
    def bad(problem: str, offset: int, valid: str) -> UsageError:
        return UsageError(f"--if {text!r}: character {begin + offset}: {problem}", valid=valid)

    if not part:
        raise bad("a condition is missing", 0, VALID)
    match = _SHAPE.fullmatch(part)
    if match is None:
        raise bad(f"{part!r} is not a condition", 0, VALID)
    name, sign, value = match["name"], match["sign"] or "", match["value"] or ""
    kind, _, metric = name.partition(":")
    offset, bracket = match.start("value"), match.start("window")
    window = (match["window"] or "")[1:-1].strip()
    if match["window"] and name in ("rows", "age", "drift"):
        raise bad(f"{kind} has no window", bracket, "a window of a metric, as metric:auc[28d]<0.88")
    if kind == "drift" and not metric:
        if sign:
            raise bad("drift is compared with the gate's own limits", match.start("sign"), "drift")
        return Condition(part, "drift")
    if kind not in ("rows", "age", "metric") or bool(metric) != (kind == "metric"):
        raise bad(f"{name!r} is nothing that can be compared", 0, VALID)
    if kind == "metric" and metric not in metrics:
        raise bad(f"the model has no metric {metric!r}", len("metric:"), nearest(metric, metrics))
    if match["window"] and (window == "0" or not is_duration(window)):
        raise bad(f"{window!r} is not the length of a window", bracket + 1, VALID_WINDOW)
    if not sign:
        end = len(part)
        raise bad(f"{part} is compared with nothing", end, f"{part} and one of >=, <=, >, <")
    if kind == "age":
        if not is_duration(value):
            raise bad(f"{value!r} is not a length of time", offset, "such as 12h, 30d or 4w")
        return Condition(part, "age", sign=sign, bound=seconds_of(value))
    bound = _number(value)
    if bound is None or kind == "rows" and (bound < 0 or bound != int(bound)):
        valid = "a whole number" if kind == "rows" else "a number"
        raise bad(f"{value!r} is not {valid}", offset, valid)
    return Condition(part, "rows" if kind == "rows" else "metric", metric, sign, bound, window)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
