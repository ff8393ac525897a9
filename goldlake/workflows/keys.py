"""The keys that a source holds, typed as silver types them, without a JVM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from goldlake_core.contracts.sections import Silver
from lakehouse.typed import source_text, value

if TYPE_CHECKING:
    import polars as pl


def typed(texts: Mapping[str, Sequence[str | None]], silver: Silver) -> pl.DataFrame:
    """Texts of key columns with silver's types; rows whose key does not parse are left out.

    Args:
        texts: The texts by key column.
        silver: The contract of the silver table.

    Raises:
        UsageError: A time of the key has a format that only Spark reads.
    """
    import polars as pl

    frame = pl.DataFrame({name: pl.Series(texts[name], dtype=pl.String) for name in silver.key})
    keys = [silver.column(name) for name in silver.key]
    columns = [value(key, source_text(key, pl.col(key.name))).alias(key.name) for key in keys]
    return frame.select(columns).drop_nulls().unique()
