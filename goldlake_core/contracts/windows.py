"""Windows over the rows of a unit, as gold columns name them: ``avg(x) over last5``. Pure.

A window ends with the row itself, ends with the row's own time, or has all rows of the unit. Rows
that are equal in the order are ordered by the table's key, so that a window has the same rows each
time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from goldlake_core.contracts.durations import seconds_of
from goldlake_core.contracts.names import nearest
from goldlake_core.contracts.sql_literals import blanked

ALL = 0
"""Length of a window that has all rows of its unit."""
Lengths: TypeAlias = Mapping[str, int | str]
"""By window a number of rows, `ALL`, or a length of time such as ``28d``."""
WITHOUT_FRAME = frozenset({"lag", "row_number"})
"""Functions that have no frame in Spark, and that look at no later row."""
_AHEAD = frozenset({"lead", "ntile", "percent_rank", "cume_dist"})
_RANKS = frozenset({"rank", "dense_rank"})
_OVER = re.compile(r"\bover\s*(\(|[A-Za-z_]\w*)", re.IGNORECASE)
_NULLS = re.compile(r"\b(?:ignore|respect)\s+nulls\s*\Z", re.IGNORECASE)
_FILTER = re.compile(r"\bfilter\s*\Z", re.IGNORECASE)
_NAME = re.compile(r"([A-Za-z_]\w*)\s*\Z")


@dataclass(frozen=True)
class Call:
    """A function over a window.

    Attributes:
        function: Its name in lower case; "" where none is there.
        arguments: What is between its parentheses, literals blank.
        window: Name of the window; "" where it is written out.
        start: Place of the function's name in the expression.
        at: Where ``over`` begins and the window's name ends.
    """

    function: str
    arguments: str
    window: str
    start: int
    at: tuple[int, int]

    @property
    def has_frame(self) -> bool:
        """Whether the window's length says which rows the function sees."""
        return self.function not in WITHOUT_FRAME


def calls(expr: str) -> Iterator[Call]:
    """The functions over windows in a Spark SQL expression, in order."""
    text = blanked(expr)
    for over in _OVER.finditer(text):
        window = "" if over[1] == "(" else over[1]
        before = text[: over.start()].rstrip()
        before = _NULLS.sub("", before).rstrip()
        opening = _opening(before)
        filtered = _FILTER.search(before[:opening]) if opening is not None else None
        if filtered:
            before = before[: filtered.start()].rstrip()
            opening = _opening(before)
        name = _NAME.search(before[:opening]) if opening is not None else None
        if name is None or opening is None:
            yield Call("", "", window, over.start(), (over.start(), over.end()))
            continue
        arguments = before[opening + 1 : -1].strip()
        place = (over.start(), over.end())
        yield Call(name[1].lower(), arguments, window, name.start(1), place)


def _opening(text: str) -> int | None:
    """Where the parenthesis opens that closes at the end of a text; None without one."""
    if not text.endswith(")"):
        return None
    depth = 0
    for place in range(len(text) - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(text[place], 0)
        if depth == 0:
            return place
    return None


def problems(expr: str, windows: Lengths) -> Iterator[tuple[str, str]]:
    """What is wrong with the windows of an expression, each with what would be right."""
    for call in calls(expr):
        if not call.window:
            yield (
                "the window is written out, so goldlake does not know which rows it has",
                "over NAME, with NAME: rows in windows, and per and order",
            )
        elif call.window not in windows:
            yield f"there is no window {call.window!r}", nearest(call.window, windows)
        elif not call.function:
            yield f"no function comes before over {call.window}", "such as avg(x) over last5"
        elif call.function in _AHEAD:
            yield f"{call.function} depends on later rows", "an aggregate, lag or row_number"
        elif call.function in _RANKS:
            yield f"{call.function} is row_number here: no two rows are equal", "row_number"
        elif not call.has_frame and is_by_time(windows[call.window]):
            yield (
                f"{call.function} counts rows, and {call.window} is a length of time",
                "a window of a number of rows",
            )
        elif call.function == "lag" and not _is_back(call.arguments):
            yield (
                f"lag({call.arguments}) may look ahead",
                "lag(x) or lag(x, N) with a whole number N",
            )


def _is_back(arguments: str) -> bool:
    parts = _parts(arguments)
    return len(parts) < 2 or parts[1].strip().isdecimal()


def _parts(arguments: str) -> list[str]:
    """Arguments between commas that no parenthesis encloses."""
    parts, depth = [""], 0
    for letter in arguments:
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def is_by_time(length: int | str) -> bool:
    """Whether a window is a length of time."""
    return isinstance(length, str)


def longest(windows: Lengths) -> str | None:
    """The longest of windows that are all by time; None where one is not, or there is none."""
    lengths = [each for each in windows.values() if isinstance(each, str)]
    if not lengths or len(lengths) < len(windows):
        return None
    return max(lengths, key=seconds_of)


def looks_ahead(expr: str, windows: Lengths) -> bool:
    """Whether an expression reads rows after its own, directly."""
    return any(call.has_frame and windows.get(call.window) == ALL for call in calls(expr))


def written_out(expr: str, windows: Lengths, per: Sequence[str], order: Sequence[str]) -> str:
    """An expression with its windows as Spark SQL.

    Args:
        expr: The expression as the contract has it.
        windows: The table's windows.
        per: Quoted columns that form a unit; without any, all rows are one.
        order: Quoted columns by which its rows are ordered; no two rows are equal in them. The
            first is a timestamp or a date where a window is by time.
    """
    unit = f"partition by {', '.join(per)} " if per else ""
    for call in reversed(list(calls(expr))):
        start, end = call.at
        length = windows[call.window]
        if isinstance(length, str):
            over = _recent(order[0], length)
        else:
            over = f"order by {', '.join(order)}{_frame(length) if call.has_frame else ''}"
        expr = f"{expr[:start]}over ({unit}{over}){expr[end:]}"
    return expr


def _frame(rows: int) -> str:
    if rows == ALL:
        return " rows between unbounded preceding and unbounded following"
    return f" rows between {rows - 1} preceding and current row"


def _recent(time: str, length: str) -> str:
    """The order and the frame of a length of time: rows of the same instant are in it."""
    before = int(seconds_of(length) * 1_000_000) - 1
    return (
        f"order by unix_micros(cast({time} as timestamp)) "
        f"range between {before} preceding and current row"
    )
