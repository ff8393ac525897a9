"""From a record's text to typed columns and reason codes, by the contract. Pure.

`lakehouse.texts` says what the texts mean that this module and its twin without a JVM,
`lakehouse.typed`, both read.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import reduce
from typing import TYPE_CHECKING, Any

from goldlake_core.contracts import sql_rules
from goldlake_core.contracts.column_types import NUMBERS
from goldlake_core.contracts.fields import CONTENT_DIGITS, CONTENT_FIELD, is_path
from goldlake_core.contracts.rules import tells_instant
from goldlake_core.contracts.sections import Column, Silver
from goldlake_core.storage.erasures import ERASED_FIELD
from lakehouse import texts
from lakehouse.specs import CONTENT_HASH, KEY, REASONS, SOURCE_UPDATED

if TYPE_CHECKING:
    from pyspark.sql import Column as SparkColumn
    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructType

IS_DELETION = "_is_deletion"
DELETED_FIELD = "$deleted"
"""Field that is true in a record which says that the source holds its key no more."""
# No code holds it: they are made of names of columns and of checks.
_BETWEEN_CODES = " "
_RECORD, _TEXT, _RAW = "_record", "_text_", "_raw_"
_Tree = dict[str, "_Tree"]
"""Fields of a JSON object by name; a field that holds no other fields is a text."""


def parsed(records: DataFrame, silver: Silver, updated_field: str | None = None) -> DataFrame:
    """Types records by the contract.

    Args:
        records: Any columns and ``value`` (string), one JSON object each. Where ``landed_at``
            (timestamp) is among them, a version or event more than a day after it is a reason.
        silver: The contract of the silver table.
        updated_field: Field in which the source says when it changed a record, or None.

    Returns:
        The columns of ``records``, the contract's columns typed (null where a text does not
        parse), ``_reasons`` (array of reason codes, empty for a valid row), ``_key`` (the key as
        text, null where a part is missing), ``_content_hash`` (long), ``_source_updated`` (string
        or null) and ``_is_deletion`` (boolean).
    """
    from pyspark.sql import functions as F

    # Wrapped in an array, two objects on one line are two elements and text after an object is an
    # error; the parser alone would read the first object and forget the rest.
    wrapped = F.concat(F.lit("["), F.col("value"), F.lit("]"))
    elements = F.from_json(wrapped, _json_schema(silver, updated_field))
    trimmed = F.trim("value")
    looks_like_object = trimmed.startswith("{") & trimmed.endswith("}")
    rows = records.withColumn("_elements", elements).withColumn(
        _RECORD,
        F.when(looks_like_object & (F.size("_elements") == 1), F.col("_elements")[0]),
    )
    is_object = F.col(_RECORD).isNotNull()
    rows = rows.select(
        *records.columns,
        is_object.alias("_is_object"),
        _field(ERASED_FIELD).isNotNull().alias("_is_erased"),
        F.coalesce(_field(DELETED_FIELD) == "true", F.lit(False)).alias(IS_DELETION),
        (_field(updated_field) if updated_field else F.lit(None).cast("string")).alias(
            SOURCE_UPDATED
        ),
        *(_text(column, silver).alias(_TEXT + column.name) for column in silver.columns),
        *(_is_nested(column, silver).alias(_RAW + column.name) for column in _texts(silver)),
    )
    rows = rows.select("*", *(_typed(column).alias(column.name) for column in silver.columns))
    reasons = _listed([*_reasons(silver), *_future(silver, records)])
    of_key = _listed(_reasons(silver, only_key=True))
    invalid = F.array(F.lit(sql_rules.JSON_INVALID))
    return rows.select(
        *records.columns,
        *silver.names,
        F.when(~F.col("_is_object"), invalid)
        .when(F.col("_is_erased"), F.array(F.lit(sql_rules.ERASED)))
        .when(F.col(IS_DELETION), of_key)
        .otherwise(reasons)
        .alias(REASONS),
        _key(silver).alias(KEY),
        content_hash(silver.names).alias(CONTENT_HASH),
        SOURCE_UPDATED,
        IS_DELETION,
    )


def _listed(codes: list[SparkColumn]) -> SparkColumn:
    """The codes that are not null, as an array.

    Spark generates code for this, where it would interpret ``array_compact`` and all that is in it.
    """
    from pyspark.sql import functions as F

    joined = F.concat_ws(_BETWEEN_CODES, *codes)
    none = F.array().cast("array<string>")
    return F.when(joined == "", none).otherwise(F.split(joined, _BETWEEN_CODES))


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


def _json_schema(silver: Silver, updated_field: str | None) -> Any:
    """Array of a struct of strings, nested where a field's name has dots."""
    from pyspark.sql.types import ArrayType

    tree: _Tree = {DELETED_FIELD: {}, ERASED_FIELD: {}}
    if updated_field:
        tree[updated_field] = {}
    for column in silver.columns:
        for path in _paths(column, silver):
            *parents, leaf = path
            place = reduce(lambda level, part: level.setdefault(part, {}), parents, tree)
            place.setdefault(leaf, {})
    return ArrayType(_struct(tree))


def _struct(tree: _Tree) -> StructType:
    from pyspark.sql.types import StringType, StructField, StructType

    return StructType(
        [StructField(name, _struct(sub) if sub else StringType()) for name, sub in tree.items()]
    )


def _field(path: str, *more: str) -> SparkColumn:
    """The source's text of a field."""
    from pyspark.sql import functions as F

    return F.col(".".join((_RECORD, *map(sql_rules.quoted, (path, *more)))))


def _texts(silver: Silver) -> list[Column]:
    return [column for column in silver.columns if column.type == "string"]


def _paths(column: Column, silver: Silver) -> list[tuple[str, ...]]:
    """Where a column's text may lie in a record: under its field's name, or along its path."""
    paths: list[tuple[str, ...]] = [(column.field,)]
    if is_path(column.field, (each.field for each in silver.columns)):
        paths.append(tuple(column.field.split(".")))
    return paths


def _source_text(column: Column, silver: Silver) -> SparkColumn:
    """The source's text of a column as it came."""
    from pyspark.sql import functions as F

    text = F.coalesce(*(_field(*path) for path in _paths(column, silver)))
    if column.field == CONTENT_FIELD:
        # A tombstone holds the hash of the record that is gone.
        return F.coalesce(text, F.substring(F.sha2("value", 256), 1, CONTENT_DIGITS))
    if column.file is not None:
        found = F.regexp_extract(text, column.file, 1)
        return F.when(found != "", found)
    return text


def _is_nested(column: Column, silver: Silver) -> SparkColumn:
    """Whether a text is the JSON of an object or an array, and not a text that looks like one."""
    from pyspark.sql import functions as F

    is_other = F.lit(False)
    for parts in _paths(column, silver):
        names = (part.replace("\\", "\\\\").replace("'", "\\'") for part in parts)
        path = "$" + "".join(f"['{name}']" for name in names)
        value = F.try_variant_get(F.try_parse_json("value"), path, "variant")
        kind = F.coalesce(F.schema_of_variant(value), F.lit(""))
        is_other = is_other | kind.startswith("OBJECT") | kind.startswith("ARRAY")
    text = _source_text(column, silver)
    # Looked at only where the first character leaves it open: parsing a record twice is dear.
    may_be = text.startswith("{") | text.startswith("[")
    return F.when(may_be, is_other).otherwise(F.lit(False))


def _text(column: Column, silver: Silver) -> SparkColumn:
    """The source's text of a column: missing spellings are null, replaced and padded."""
    from pyspark.sql import functions as F

    text = _source_text(column, silver)
    if column.null_values:
        is_missing = text.isin(*column.null_values)
        if column.type in NUMBERS:
            numbers = [float(v) for v in column.null_values if texts.is_number(v)]
            if numbers:
                is_equal = text.try_cast("double").isin(*numbers)  # "0", "0.0" and 0 are one
                is_missing = is_missing | F.coalesce(is_equal, F.lit(False))
        text = F.when(~is_missing, text)
    if column.replace:
        pairs = [F.lit(part) for pair in column.replace.items() for part in pair]
        text = F.coalesce(F.element_at(F.create_map(*pairs), text), text)
    if column.pad is not None:
        stripped = F.ltrim(text, F.lit("0"))
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
            plain = _plain_number(column, text)
            no_fraction = F.regexp_replace(plain, r"\.0*\s*$", "")
            digits = F.when(plain.contains("."), no_fraction).otherwise(plain)
            return F.when(plain.rlike(texts.INTEGER), digits.try_cast("bigint"))
        case "double":
            plain = _plain_number(column, text)
            number = F.when(plain.rlike(texts.NUMBER), plain.try_cast("double"))
            return F.when(F.abs(number) < F.lit(float("inf")), number)
        case "boolean":
            lower = F.lower(text)
            is_true, is_false = lower.isin(*texts.TRUE), lower.isin(*texts.FALSE)
            return F.when(is_true, F.lit(True)).when(is_false, F.lit(False))
        case "date":
            return _first(column, text, lambda each: _day(each, text), text.try_cast("date"))
        case "timestamp":
            at_once = text.try_cast("timestamp")
            return _first(column, text, lambda each: _instant(each, column, text), at_once)


def _first(
    column: Column,
    text: SparkColumn,
    read: Callable[[str], SparkColumn],
    otherwise: SparkColumn,
) -> SparkColumn:
    """What the first of the column's formats that fits reads; without a format, something else."""
    from pyspark.sql import functions as F

    found = [read(each) for each in column.formats]
    return F.coalesce(*found) if found else otherwise


def _plain_number(column: Column, text: SparkColumn) -> SparkColumn:
    """A text of a number with Python's marks; null where its marks are not the column's."""
    from pyspark.sql import functions as F

    decimal, thousands = column.decimal, column.thousands
    if thousands:
        is_grouped = text.rlike(texts.grouped(decimal, thousands))
        text = F.when(is_grouped, F.replace(text, F.lit(thousands), F.lit(""))).otherwise(text)
    if decimal != ".":
        has_point = text.contains(".")
        text = F.when(~has_point, F.replace(text, F.lit(decimal), F.lit(".")))
    return text


def _day(format: str, text: SparkColumn) -> SparkColumn:
    """The day in a text as it is written there; null if it does not have the format."""
    from pyspark.sql import functions as F

    if format == "iso":
        is_shaped = text.rlike(texts.ISO)
        return F.when(is_shaped, F.substring(text, 1, 10).try_cast("date"))
    return _read_by(format, text).cast("date")


def _instant(format: str, column: Column, text: SparkColumn) -> SparkColumn:
    """The instant of a time of the source.

    A local time that does not exist (clocks going forward) moves on by the hour that is missing;
    one that happens twice is its first occurrence: java.time's rule.
    """
    from pyspark.sql import functions as F

    instant = _read_by(format, text)
    if not column.time_zone or (format != "iso" and tells_instant(format)):
        return instant
    local = F.to_utc_timestamp(instant, column.time_zone)
    if format == "iso":
        return F.when(text.rlike(texts.HAS_OFFSET), instant).otherwise(local)
    return local


def _read_by(format: str, text: SparkColumn) -> SparkColumn:
    """The timestamp in a text, read as UTC; null if it does not have the format."""
    from pyspark.sql import functions as F

    if format == "iso":
        return F.when(text.rlike(texts.ISO), text.try_cast("timestamp"))
    if format in texts.EPOCHS:
        micros = (F.trim(text).try_cast("decimal(24, 6)") * texts.EPOCHS[format]).cast("bigint")
        is_shaped = text.rlike(texts.EPOCH_SHAPES[format])
        is_inside = micros.between(*texts.MICROS)
        return F.when(is_shaped & is_inside, F.timestamp_micros(micros))
    if re.fullmatch(r"yyyy-MM-dd('T'| )HH:mm:ss(\.S{1,6})?", format):
        # Spark's cast reads ISO 8601 several times faster than a pattern does, but takes other
        # spellings too: the shape is checked first.
        shape = re.sub("[yMdHmsS]", "[0-9]", format.replace("'T'", "T").replace(".", r"\."))
        is_shaped = text.rlike(rf"\A{shape}\z")
        return F.when(is_shaped, text.try_cast("timestamp"))
    return F.try_to_timestamp(text, F.lit(format))


def _reasons(silver: Silver, *, only_key: bool = False) -> list[SparkColumn]:
    """One expression per possible reason: its code where the row has it, else null."""
    from pyspark.sql import functions as F

    found = []
    for column in silver.columns:
        if only_key and column.name not in silver.key:
            continue
        text = F.col(sql_rules.quoted(_TEXT + column.name))
        value = F.col(sql_rules.quoted(column.name))
        if not column.nullable:
            found.append(F.when(text.isNull(), F.lit(f"{column.name}.missing")))
        is_unparsable = (
            F.coalesce(F.col(sql_rules.quoted(_RAW + column.name)), F.lit(False))
            if column.type == "string"
            else text.isNotNull() & value.isNull()
        )
        found.append(F.when(is_unparsable, F.lit(f"{column.name}.unparsable")))
    if only_key:
        return found
    for rule in sql_rules.row_rules(silver.columns, silver.checks):
        is_broken = ~F.coalesce(F.expr(rule.expect), F.lit(True))
        found.append(F.when(is_broken, F.lit(rule.code)))
    return found


def _future(silver: Silver, records: DataFrame) -> list[SparkColumn]:
    """One expression per time that may lie too far after the landing of its page."""
    from pyspark.sql import functions as F

    if "landed_at" not in records.columns:
        return []
    latest = F.col("landed_at") + F.expr("interval 1 day")
    return [
        F.when(F.col(sql_rules.quoted(name)) > latest, F.lit(f"{name}.future"))
        for name in sql_rules.times(silver)
    ]


def _key(silver: Silver) -> SparkColumn:
    from pyspark.sql import functions as F

    columns = [F.col(sql_rules.quoted(name)) for name in silver.key]
    if len(columns) == 1:
        return columns[0].cast("string")
    is_whole = reduce(lambda a, b: a & b, (column.isNotNull() for column in columns))
    return F.when(is_whole, F.to_json(F.struct(*columns)))
