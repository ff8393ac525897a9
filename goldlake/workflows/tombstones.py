"""Lines that say of rows of silver that the source deleted their records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import msgspec
import xxhash

from goldlake_core.contracts.errors import StoreError
from goldlake_core.contracts.sections import UseCase
from lakehouse import specs
from lakehouse.parsing import DELETED_FIELD
from lakehouse.sources.base import Connector, Forgetful
from lakehouse.sources.keyed import key_fields

if TYPE_CHECKING:
    import polars as pl

PLACE = [specs.SEQUENCE, specs.LINE]
"""Columns of silver that say in which page a row's record is, and where in it."""

_PAGES_AT_ONCE = 16  # of bronze in memory

Text = tuple[int, int, str | None]
"""Sequence of a page, line in it, and bronze's text of the record there; None where it has none."""


def texts(bronze: pl.LazyFrame, gone: pl.DataFrame) -> Iterator[Text]:
    """The record of each row, in the order of the pages.

    Args:
        bronze: The bronze table.
        gone: Rows of silver, with the columns `PLACE`.
    """
    import polars as pl

    place = [pl.col(specs.SEQUENCE).alias("sequence"), pl.col(specs.LINE).alias("line")]
    places = gone.select(place).sort("sequence", "line")
    values = bronze.select("sequence", "line", "value")
    pages = places["sequence"].unique().sort().to_list()
    for start in range(0, len(pages), _PAGES_AT_ONCE):
        some = pages[start : start + _PAGES_AT_ONCE]
        mine = places.filter(pl.col("sequence").is_in(some))
        # The bounds let Polars pass over files by their statistics.
        is_near = pl.col("sequence").is_between(some[0], some[-1])
        found = values.filter(is_near & pl.col("sequence").is_in(some)).collect()
        joined = mine.join(found, on=["sequence", "line"], how="left", maintain_order="left")
        yield from joined.iter_rows()


def deleted(reader: Connector, bronze: pl.LazyFrame, gone: pl.DataFrame) -> pl.DataFrame:
    """Of rows whose keys the source does not hold, those that it did not merely forget.

    Args:
        reader: The connector of the source.
        bronze: The bronze table.
        gone: Rows of silver, with the columns `PLACE`.
    """
    import polars as pl

    if not isinstance(reader, Forgetful) or not gone.height:
        return gone
    forgotten = set[tuple[int, int]]()
    for sequence, line, value in texts(bronze, gone):
        place = reader.key((value or "").encode())
        if place is not None and not reader.holds(place):
            forgotten.add((sequence, line))
    is_deleted = [place not in forgotten for place in gone.select(PLACE).iter_rows()]
    return gone.filter(pl.Series(is_deleted, dtype=pl.Boolean))


def lines(usecase: UseCase, reader: Connector, found: Iterable[Text]) -> Iterator[bytes]:
    """A line per record: its key as the landed record has it, and which record that is.

    Raises:
        StoreError: Bronze does not hold the record.
    """
    for sequence, line, value in found:
        record = (value or "").encode()
        fields = key_fields(record, usecase.silver)
        if fields is None:
            raise StoreError(
                f"Bronze of {usecase.name} does not hold the key of line {line} of page "
                f"{sequence}, which silver has",
                hint="goldlake doctor --deep",
            )
        key = reader.key(record)
        which = {"$id": key.tiebreak} if key else {"$digest": xxhash.xxh3_128_hexdigest(record)}
        yield msgspec.json.encode({DELETED_FIELD: True, **which, **fields})
