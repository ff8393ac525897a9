"""Gold columns that the contract computes: Spark SQL over a row and over windows of its unit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from goldlake_core.contracts.sections import GoldTable
from goldlake_core.contracts.sql_rules import quoted
from goldlake_core.contracts.windows import written_out

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def with_computed(rows: DataFrame, table: GoldTable) -> DataFrame:
    """Rows with the computed columns of a gold table, in the order of the contract.

    Args:
        rows: Silver's columns and those of the table's lookups. Of a unit, all rows are there.
        table: The gold table.
    """
    from pyspark.sql import functions as F

    unit = [quoted(name) for name in table.per]
    # The key tells rows of one order apart: windows have the same rows in each plan.
    order = [quoted(name) for name in dict.fromkeys((*table.order, *table.key))]
    for column in table.columns:
        if column.expr:
            sql = written_out(column.expr, table.windows, unit, order)
            rows = rows.withColumn(column.name, F.expr(sql))
    return rows
