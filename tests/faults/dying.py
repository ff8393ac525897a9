"""Processes that die at a write of a table, without a process: an error that nothing catches."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import pytest

from lakehouse import delta

When = Literal["before", "after"]


class Killed(BaseException):
    """Stands for the process dying."""


@contextmanager
def dies(write: str, table: str, when: str) -> Iterator[None]:
    """While the block runs, a write to a table dies.

    Args:
        write: Name of the function of `lakehouse.delta`.
        table: End of the table's location without its epoch, such as ``silver/calls``.
        when: ``before`` the write, or ``after`` it.
    """
    original: Callable[..., Any] = getattr(delta, write)

    def dying(*args: Any, **kwargs: Any) -> Any:
        where = next((a if isinstance(a, str) else a.uri for a in args[1:2]), "")
        if not re.sub(r"@\d+$", "", where).endswith(table):
            return original(*args, **kwargs)
        if when == "after":
            original(*args, **kwargs)
        raise Killed(f"{when} {table}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delta, write, dying)
        yield


DEATHS: tuple[tuple[str, str, When], ...] = (
    ("create", "bronze/calls", "after"),
    ("append", "bronze/calls", "before"),
    ("append", "bronze/calls", "after"),
    ("append", "silver/calls_versions", "before"),
    ("append", "silver/calls_versions", "after"),
    ("append", "silver/calls", "before"),
    ("append", "silver/calls", "after"),
    ("merge", "silver/calls", "before"),
    ("merge", "silver/calls", "after"),
    ("merge", "gold/facts", "before"),
    ("merge", "gold/facts", "after"),
    ("merge", "gold/kinds", "before"),
    ("merge", "gold/kinds", "after"),
)
"""Every write of a refinement: the function, the table, and on which side of it."""
