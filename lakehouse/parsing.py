"""From a record's text to typed columns and reason codes, by the contract. Pure."""

from __future__ import annotations

import re
from functools import reduce
from typing import TYPE_CHECKING, Any

from goldlake_core.contracts.column_types import NUMBERS
from goldlake_core.contracts.sections import Column, Silver
from lakehouse import sql_rules
from lakehouse.specs import CONTENT_HASH

if TYPE_CHECKING:
    from pyspark.sql import Column as SparkColumn
    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructType

REASONS, KEY = "_reasons", "_key"
_RECORD, _TEXT = "_record", "_text_"
_INTEGER = r"^\s*[+-]?[0-9]+(\.0*)?\s*$"
_NUMBER = r"^\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*$"
_ZONE_LETTERS = set("XxZzVO")
_Tree = dict[str, "_Tree"]
"""Fields of a JSON object by name; a field that holds no other fields is a text."""


def parsed(records: DataFrame, silver: Silver) -> DataFrame:
    """Types records by the contract.

    Args:
        records: Any columns and ``value`` (string), one JSON object each.
        silver: The contract of the silver table.

    Returns:
        The columns of ``records``, the contract's columns typed (null where a text does not
        parse), ``_reasons`` (array of reason codes, empty for a valid row), ``_key`` (the key as
        text, null where a part is missing) and ``_content_hash`` (long).
    """
    from pyspark.sql import functions as F

    # Wrapped in an array, two objects on one line are two elements and text after an object is an
    # error; the parser alone would read the first object and forget the rest.
    wrapped = F.concat(F.lit("["), F.col("value"), F.lit("]"))
    elements = F.from_json(wrapped, _json_schema(silver))
    looks_like_object = F.trim(F.col("value")).rlike(r"(?s)\A\{.*\}\z")
    rows = records.withColumn("_elements", elements).withColumn(
        _RECORD,
        F.when(looks_like_object & (F.size("_elements") == 1), F.col("_elements")[0]),
    )
    is_object = F.col(_RECORD).isNotNull()
    rows = rows.select(
        *records.columns,
        is_object.alias("_is_object"),
        *(_text(column).alias(_TEXT + column.name) for column in silver.columns),
    )
    rows = rows.select("*", *(_typed(column).alias(column.name) for column in silver.columns))
    reasons = F.array_compact(F.array(*_reasons(silver)))
    invalid = F.array(F.lit(sql_rules.JSON_INVALID))
    return rows.select(
        *records.columns,
        *silver.names,
        F.when(F.col("_is_object"), reasons).otherwise(invalid).alias(REASONS),
        _key(silver).alias(KEY),
        content_hash(silver.names).alias(CONTENT_HASH),
    )


def content_hash(names: tuple[str, ...]) -> SparkColumn:
    """A 64-bit hash of a row's columns that tells (null, 'a') from ('a', null).

    A missing value adds nothing, so that a nullable column added later leaves the hash of a row
    without it unchanged.
    """
    from pyspark.sql import functions as F

    parts: list[Any] = []
    for name in names:
        column = F.col(sql_rules.quoted(name))
        parts += [F.when(column.isNotNull(), F.lit(name)), column]
    return F.xxhash64(*parts)


def _json_schema(silver: Silver) -> Any:
    """Array of a struct of strings, nested where a field's name has dots."""
    from pyspark.sql.types import ArrayType

    tree: _Tree = {}
    for column in silver.columns:
        *parents, leaf = column.field.split(".")
        place = reduce(lambda level, part: level.setdefault(part, {}), parents, tree)
        place.setdefault(leaf, {})
    return ArrayType(_struct(tree))


def _struct(tree: _Tree) -> StructType:
    from pyspark.sql.types import StringType, StructField, StructType

    return StructType(
        [StructField(name, _struct(sub) if sub else StringType()) for name, sub in tree.items()]
    )


def _text(column: Column) -> SparkColumn:
    """The source's text of a column: missing spellings are null, replaced and padded."""
    from pyspark.sql import functions as F

    path = ".".join(sql_rules.quoted(part) for part in column.field.split("."))
    text = F.col(f"{_RECORD}.{path}")
    if column.null_values:
        is_missing = text.isin(*column.null_values)
        if column.type in NUMBERS:
            numbers = [float(v) for v in column.null_values if _is_number(v)]
            if numbers:
                is_equal = text.try_cast("double").isin(*numbers)  # "0", "0.0" and 0 are one
                is_missing = is_missing | F.coalesce(is_equal, F.lit(False))
        text = F.when(~is_missing, text)
    if column.replace:
        pairs = [F.lit(part) for pair in column.replace.items() for part in pair]
        text = F.coalesce(F.element_at(F.create_map(*pairs), text), text)
    if column.pad is not None:
        stripped = F.regexp_replace(text, "^0+", "")
        padded = F.lpad(stripped, column.pad, "0")
        text = F.when(F.length(stripped) < column.pad, padded).otherwise(stripped)
    return text


def _typed(column: Column) -> SparkColumn:
    from pyspark.sql import functions as F

    text = F.col(sql_rules.quoted(_TEXT + column.name))
    match column.type:  # mypy refuses a match that leaves a type out
        case "string":
            return text
        case "long":
            digits = F.regexp_replace(text, r"\.0*\s*$", "")
            return F.when(text.rlike(_INTEGER), digits.try_cast("bigint"))
        case "double":
            number = F.when(text.rlike(_NUMBER), text.try_cast("double"))
            return F.when(F.abs(number) < F.lit(float("inf")), number)
        case "boolean":
            lower = F.lower(text)
            return F.when(lower == "true", F.lit(True)).when(lower == "false", F.lit(False))
        case "date":
            if column.format:
                return _clock_time(column, text).cast("date")
            return text.try_cast("date")
        case "timestamp":
            return _timestamp(column, text)


def _clock_time(column: Column, text: SparkColumn) -> SparkColumn:
    """The timestamp in a text, read as UTC; null if it does not have the column's format."""
    from pyspark.sql import functions as F

    if not column.format:
        return text.try_cast("timestamp")
    if re.fullmatch(r"yyyy-MM-dd('T'| )HH:mm:ss(\.S{1,6})?", column.format):
        # Spark's cast reads ISO 8601 several times faster than a pattern does, but takes other
        # spellings too: the shape is checked first.
        shape = re.sub("[yMdHmsS]", "[0-9]", column.format.replace("'T'", "T").replace(".", r"\."))
        is_shaped = text.rlike(rf"\A{shape}\z")
        return F.when(is_shaped, text.try_cast("timestamp"))
    return F.try_to_timestamp(text, F.lit(column.format))


def _timestamp(column: Column, text: SparkColumn) -> SparkColumn:
    """Converts a local time of the source to an instant.

    A local time that does not exist (clocks going forward) moves on by the hour that is missing;
    one that happens twice is its first occurrence: java.time's rule.
    """
    from pyspark.sql import functions as F

    instant = _clock_time(column, text)
    has_zone = bool(_ZONE_LETTERS & set(_unquoted(column.format or "")))
    if column.time_zone and not has_zone:
        return F.to_utc_timestamp(instant, column.time_zone)
    return instant


def _reasons(silver: Silver) -> list[SparkColumn]:
    """One expression per possible reason: its code where the row has it, else null."""
    from pyspark.sql import functions as F

    found = []
    for column in silver.columns:
        text = F.col(sql_rules.quoted(_TEXT + column.name))
        value = F.col(sql_rules.quoted(column.name))
        if not column.nullable:
            found.append(F.when(text.isNull(), F.lit(f"{column.name}.missing")))
        if column.type != "string":
            is_unparsable = text.isNotNull() & value.isNull()
            found.append(F.when(is_unparsable, F.lit(f"{column.name}.unparsable")))
    for rule in sql_rules.row_rules(silver.columns, silver.checks):
        is_broken = ~F.coalesce(F.expr(rule.expect), F.lit(True))
        found.append(F.when(is_broken, F.lit(rule.code)))
    return found


def _key(silver: Silver) -> SparkColumn:
    from pyspark.sql import functions as F

    columns = [F.col(sql_rules.quoted(name)) for name in silver.key]
    if len(columns) == 1:
        return columns[0].cast("string")
    is_whole = reduce(lambda a, b: a & b, (column.isNotNull() for column in columns))
    return F.when(is_whole, F.to_json(F.struct(*columns)))


def _unquoted(pattern: str) -> str:
    """A datetime pattern without its quoted literals."""
    return "".join(pattern.split("'")[::2])


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
