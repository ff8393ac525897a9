"""The functions that Spark SQL has: those in ``spark_functions.yaml``, which says where from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import msgspec
import yaml


class _Arguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    fewest: int
    most: int | None
    names: str


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    spark: str
    functions: str
    aggregates: str
    windows: str
    generators: str
    uncounted: str
    arguments: list[_Arguments]


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


_FILE = Path(__file__).with_suffix(".yaml")
_DOCUMENT = msgspec.convert(yaml.safe_load(_FILE.read_text("utf-8")), _Document)

SPARK_VERSION = _DOCUMENT.spark
FUNCTIONS = words(_DOCUMENT.functions)
"""All names that may come before a parenthesis; Spark does not tell upper from lower case."""
AGGREGATES = words(_DOCUMENT.aggregates)
"""Functions over many rows."""
WINDOWS = words(_DOCUMENT.windows)
"""Functions over a window of rows."""
GENERATORS = words(_DOCUMENT.generators)
"""Functions that give a table."""
UNCOUNTED = words(_DOCUMENT.uncounted)
"""Functions whose name has another grammar too, or is also an operator or a type with sizes."""
ARGUMENTS: Mapping[str, tuple[int, float]] = {
    name: (group.fewest, math.inf if group.most is None else group.most)
    for group in _DOCUMENT.arguments
    for name in group.names.split()
}
"""Fewest and most arguments of the functions over one row that Spark refuses with another count."""
