"""What `goldlake check` says of formats and SQL, held against the Spark that would run them."""

from __future__ import annotations

import dataclasses
import math
import re
import string
from pathlib import Path
from typing import Any

import pytest

from goldlake_core.contracts.sections import Column
from goldlake_core.contracts.sql_rules import Rule
from lakehouse import delta
from lakehouse.checks import spark_functions
from lakehouse.checks.expressions import expression_remarks
from lakehouse.checks.formats import LETTERS, format_remarks
from lakehouse.specs import Field, TableSpec
from tests.lakehouse.checks import test_expressions as rules
from tests.lakehouse.checks import test_formats as formats

pytestmark = pytest.mark.spark

# Spark takes these in a projection; in the CHECK constraint that a rule becomes, Delta does not.
ONLY_IN_A_PROJECTION = ("over (", "(select", "1 < 2")
RULES_REFUSED = [
    sql
    for sql, *_ in (*rules.UNPARSABLE, *rules.REFUSED)
    if not any(part in sql for part in ONLY_IN_A_PROJECTION)
]


def is_refused(plan: Any) -> bool:
    """Whether Spark refuses a plan when it analyzes and folds it; nothing is run."""
    from py4j.protocol import Py4JJavaError
    from pyspark.errors import PySparkException

    try:
        plan()._jdf.queryExecution().optimizedPlan()
    except (Py4JJavaError, PySparkException):
        return True
    return False


def parsed(spark: Any, text: str, pattern: str) -> Any:
    from pyspark.sql import functions as F

    return spark.range(1).select(F.try_to_timestamp(F.lit(text), F.lit(pattern)).cast("string"))


def is_error(pattern: str) -> bool:
    column = Column(name="t", type="timestamp", comment="", format=pattern)
    return any(remark.severity == "error" for remark in format_remarks(column))


def test_spark_takes_a_letter_as_often_as_the_check_does(spark: Any) -> None:
    from py4j.protocol import Py4JJavaError
    from pyspark.errors import PySparkException

    util = spark._jvm.org.apache.spark.sql.catalyst.util
    formatters = getattr(getattr(util, "TimestampFormatter$"), "MODULE$")
    utc = spark._jvm.java.time.ZoneOffset.UTC

    def is_taken(pattern: str) -> bool:
        try:
            formatters.apply(pattern, utc, True)
        except (Py4JJavaError, PySparkException):
            return False
        return True

    letters = [letter * count for letter in LETTERS for count in range(1, 12)]
    patterns = [*letters, *(letter for letter in string.ascii_letters if letter not in LETTERS)]
    assert [p for p in patterns if is_taken(p)] == [p for p in patterns if not is_error(p)]


@pytest.mark.parametrize("pattern", formats.GOOD)
def test_spark_takes_the_good_patterns(spark: Any, pattern: str) -> None:
    assert not is_refused(lambda: parsed(spark, "1", pattern))


@pytest.mark.parametrize("pattern", ["epoch", *(pattern for pattern, _ in formats.REFUSED)])
def test_spark_refuses_the_refused_patterns(spark: Any, pattern: str) -> None:
    assert is_refused(lambda: parsed(spark, "1", pattern))


@pytest.mark.parametrize(
    ("pattern", "text", "instant"),
    [
        ("yyyy-mm-dd", "2024-03-05", "2024-01-05 00:03:00"),
        ("yyyy-MM-DD", "2024-03-05", None),
        ("HH:mm:ss", "11:02:03", "1970-01-01 11:02:03"),
        ("yyyy-MM", "2024-03", "2024-03-01 00:00:00"),
        ("yyyy-MM-dd hh:mm", "2024-03-05 11:02", "2024-03-05 11:02:00"),
        ("yyyy-MM-dd hh:mm", "2024-03-05 13:02", None),
        ("yyyy-MM-dd HH:MM:ss", "2024-03-05 11:03:04", "2024-03-05 11:00:04"),
        ("yyyy-MM-dd HH:mm:SS", "2024-03-05 11:30:45", "2024-03-05 11:30:00.45"),
    ],
)
def test_warnings_are_about_what_spark_reads(
    spark: Any, pattern: str, text: str, instant: str | None
) -> None:
    assert parsed(spark, text, pattern).collect()[0][0] == instant
    assert formats.said(pattern)[0].startswith("warning: ")


def test_the_lists_of_functions_are_those_of_the_installed_spark(spark: Any) -> None:
    assert spark.version == spark_functions.SPARK_VERSION
    names = {row[0] for row in spark.sql("SHOW SYSTEM FUNCTIONS").collect()}
    words = {name for name in names if re.fullmatch("[a-z_][a-z0-9_]*", name)}
    assert words == spark_functions.FUNCTIONS


def test_the_groups_of_functions_are_those_of_the_installed_spark(spark: Any) -> None:
    jvm, state = spark._jvm, spark._jsparkSession.sessionState()
    system = jvm.scala.Some("builtin"), jvm.scala.Some("system")
    groups: dict[str, set[str]] = {"agg_funcs": set(), "window_funcs": set(), "tables": set()}
    for name in spark_functions.FUNCTIONS - {"case"}:
        function = jvm.org.apache.spark.sql.catalyst.FunctionIdentifier(name, *system)
        found = state.functionRegistry().lookupFunction(function)
        is_table = not found.isDefined()
        if is_table:
            found = state.tableFunctionRegistry().lookupFunction(function)
        group = found.get().getGroup()
        if is_table or group == "generator_funcs":
            groups["tables"].add(name)
        elif group in groups:
            groups[group].add(name)
    # Aggregates that Spark files under the type they are about.
    others = {"schema_of_variant_agg", "vector_avg", "vector_sum"}
    assert groups["agg_funcs"] | others == spark_functions.AGGREGATES
    assert groups["window_funcs"] == spark_functions.WINDOWS
    assert groups["tables"] == spark_functions.GENERATORS


@pytest.mark.long
def test_the_counts_of_arguments_are_those_of_the_installed_spark(spark: Any) -> None:
    from py4j.protocol import Py4JJavaError
    from pyspark.errors import PySparkException

    jvm, registry = spark._jvm, spark._jsparkSession.sessionState().functionRegistry()
    system = jvm.scala.Some("builtin"), jvm.scala.Some("system")
    literals = getattr(jvm.org.apache.spark.sql.catalyst.expressions, "Literal$")
    null = getattr(literals, "MODULE$").apply(None)
    counted = ("WRONG_NUM_ARGS", "REQUIRED_PARAMETER_NOT_FOUND")

    def is_refused(name: str, count: int) -> bool:
        function = jvm.org.apache.spark.sql.catalyst.FunctionIdentifier(name, *system)
        arguments = jvm.java.util.ArrayList()
        for _ in range(count):
            arguments.add(null)
        try:
            registry.lookupFunction(
                function, jvm.scala.jdk.javaapi.CollectionConverters.asScala(arguments).toSeq()
            )
        except (Py4JJavaError, PySparkException) as error:
            return any(word in str(error) for word in counted)
        return False

    most = 9  # No function takes more and has an end.
    one_row = spark_functions.FUNCTIONS - spark_functions.AGGREGATES - spark_functions.WINDOWS
    found = {}
    for name in one_row - spark_functions.GENERATORS - spark_functions.UNCOUNTED:
        taken = [count for count in range(most + 1) if not is_refused(name, count)]
        if len(taken) <= most:
            found[name] = (taken[0], math.inf if taken[-1] == most else taken[-1])
    assert found == spark_functions.ARGUMENTS


def test_text_that_looks_like_sql_is_text_in_a_constraint_too(spark: Any, tmp_path: Path) -> None:
    rule = """name <> ';' and name <> '--' and name <> ")" and name <> '/*'"""
    assert expression_remarks(rule, {"name": "string"}) == ()
    name, expression = Rule("no_syntax", f"({rule})").constraint
    for folder in ("created", "altered"):
        uri = str(tmp_path / folder)
        spec = TableSpec("t", uri, "t", (Field("name", "string", "", True),))
        whole = dataclasses.replace(spec, constraints={name: expression})
        delta.create(spark, whole if folder == "created" else spec)
        if folder == "altered":
            delta.add_constraints(spark, whole, [name])
        table = f"delta.`{uri}`"
        spark.sql(f"INSERT INTO {table} VALUES ('harbour'), (null)")
        for text in (";", "--"):
            with pytest.raises(Exception, match="no_syntax"):
                spark.sql(f"INSERT INTO {table} VALUES ('{text}')")
        assert spark.sql(f"SELECT * FROM {table}").count() == 2


@pytest.fixture
def rows(spark: Any) -> Any:
    kinds = {"long": "bigint"}
    ddl = ", ".join(f"{name} {kinds.get(kind, kind)}" for name, kind in rules.COLUMNS.items())
    return spark.createDataFrame(spark.sparkContext.emptyRDD(), ddl)


@pytest.mark.parametrize("sql", rules.HOLDS)
def test_spark_takes_the_rules_that_hold(rows: Any, sql: str) -> None:
    from pyspark.sql import functions as F

    assert not is_refused(lambda: rows.select("berth", F.expr(f"coalesce(({sql}), true)")))


@pytest.mark.parametrize("sql", RULES_REFUSED)
def test_spark_refuses_the_rules_that_do_not_hold(rows: Any, sql: str) -> None:
    from pyspark.sql import functions as F

    assert is_refused(lambda: rows.select("berth", F.expr(f"coalesce(({sql}), true)")))
