"""What a column's type is called elsewhere: one row per type of the contract. Plain data.

Every package takes the names it needs from here, so that a new type is one row, which the tests ask
every package to read. What a package *does* with a type (parsing a text, drawing a domain) is code,
and is beside that code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

ColumnType = Literal["string", "long", "double", "boolean", "timestamp", "date"]
Family = Literal["text", "number", "truth", "time"]
ExampleType = Literal["bytes", "int64", "float"]
Dtype = Literal["string", "int64", "float32", "bool"]


@dataclass(frozen=True)
class Names:
    """What one type is called elsewhere. No attribute has a default: a new type says them all.

    Attributes:
        family: What the values are, whatever their width.
        spark: The type in Spark SQL.
        delta: The type in the schema that Delta's log holds.
        arrow: The function of pyarrow that makes the type; a timestamp is microseconds in UTC.
        polars: The data type of Polars; a timestamp is microseconds in UTC.
        example: The kind of tf.Example that carries a value: booleans are 0 and 1, and times are
            ISO 8601 texts in UTC.
        dtype: The TensorFlow dtype of a served model's input, or None where no input has the type.
    """

    family: Family
    spark: str
    delta: str
    arrow: str
    polars: str
    example: ExampleType
    dtype: Dtype | None


COLUMN_TYPES: Mapping[ColumnType, Names] = {
    "string": Names("text", "string", "string", "string", "String", "bytes", "string"),
    "long": Names("number", "bigint", "long", "int64", "Int64", "int64", "int64"),
    "double": Names("number", "double", "double", "float64", "Float64", "float", "float32"),
    "boolean": Names("truth", "boolean", "boolean", "bool_", "Boolean", "int64", "bool"),
    "timestamp": Names("time", "timestamp", "timestamp", "timestamp", "Datetime", "bytes", None),
    "date": Names("time", "date", "date", "date32", "Date", "bytes", None),
}
TIMES = tuple(name for name, names in COLUMN_TYPES.items() if names.family == "time")
NUMBERS = tuple(name for name, names in COLUMN_TYPES.items() if names.family == "number")
SERVED = tuple(name for name, names in COLUMN_TYPES.items() if names.dtype is not None)
"""Types that an input of a served model can have."""
