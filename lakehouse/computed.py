"""Gold columns that the contract computes: Spark SQL over a row and over windows of its unit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from goldlake_core.contracts.gold_rules import origins
from goldlake_core.contracts.sections import Column, GoldTable, UseCase
from goldlake_core.contracts.sql_rules import quoted
from goldlake_core.contracts.windows import written_out

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@dataclass(frozen=True)
class Windowed:
    """What of a table is made of several rows.

    Attributes:
        columns: Its columns that are, in the table's order.
        reads: The silver columns that decide them, those that form units and order rows included.
    """

    columns: tuple[str, ...]
    reads: tuple[str, ...]

    @classmethod
    def of(cls, usecase: UseCase, table: GoldTable) -> Windowed:
        """What of a table without a build is made of windows; nothing of one that has none."""
        silver = {column.name: column for column in usecase.silver.columns}
        of_lookup = {c.name: lookup for lookup in table.lookups for c in lookup.columns}
        looked_up = [c for lookup in table.lookups for c in lookup.columns if c.name not in silver]
        over = (*table.per, *table.order)
        known = (*silver.values(), *looked_up, *table.columns)
        found = origins(known, table.windows, over=over)
        columns = tuple(c.name for c in table.columns if c.name in found.windowed)
        reads = {*table.key}.union(*map(found.made_of, columns))
        for lookup in [of_lookup[name] for name in reads if name in of_lookup]:
            reads |= {*lookup.key, lookup.of}
        return cls(columns, tuple(name for name in silver if name in reads))


def with_units(rows: DataFrame, table: GoldTable) -> DataFrame:
    """Silver's columns and those that form the table's units, where the table computes them."""
    return _with(rows, table, table.computed_units)


def with_computed(rows: DataFrame, table: GoldTable, held: Iterable[str] = ()) -> DataFrame:
    """Rows with the computed columns of a gold table, in the order of the contract.

    Args:
        rows: Silver's columns and those of the table's lookups. Of a unit, all rows are there.
        table: The gold table.
        held: Computed columns that the rows have already. Where those made of windows are there,
            no other rows of a unit are needed.
    """
    rows = with_units(rows, table)
    done = {*table.per, *held}
    return _with(rows, table, (column for column in table.columns if column.name not in done))


def _with(rows: DataFrame, table: GoldTable, columns: Iterable[Column]) -> DataFrame:
    from pyspark.sql import functions as F

    unit = [quoted(name) for name in table.per]
    # The key tells rows of one order apart: windows have the same rows in each plan.
    order = [quoted(name) for name in dict.fromkeys((*table.order, *table.key))]
    for column in columns:
        if column.expr:
            sql = written_out(column.expr, table.windows, unit, order)
            rows = rows.withColumn(column.name, F.expr(sql))
    return rows
