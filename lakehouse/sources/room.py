"""How much room landed records need, and whether the disk has it."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from goldlake_core.contracts.errors import StoreError
from goldlake_core.stages import Emit
from goldlake_core.storage.home import Home
from goldlake_core.storage.landing import PageEntry, packed

TABLES_PER_LANDED = 2.5
"""Bytes of all tables per byte of landed pages: 2.1 was measured with 20,000 records."""


def bytes_per_record(entries: Iterable[PageEntry]) -> float | None:
    """Bytes of a landed record in its page; None where no page tells."""
    told = [(entry.bytes, entry.rows) for entry in entries if entry.bytes and entry.rows]
    return sum(size for size, _ in told) / sum(rows for _, rows in told) if told else None


def bytes_per_record_of(rows: list[bytes]) -> float:
    """Bytes that each of these records would have in a page; 0.0 without any."""
    return len(packed(rows)) / len(rows) if rows else 0.0


def needed(records: int, per_record: float) -> int:
    """Estimate of the bytes that records need as pages and in tables."""
    return int(records * per_record * (1 + TABLES_PER_LANDED))


def check(home: Home, records: int, rows: list[bytes], emit: Emit, *, is_empty: bool) -> None:
    """Warns where the disk may not hold what the source has.

    Args:
        home: Where everything is kept.
        records: How many records the source counts.
        rows: Some of them, which tell how large they are.
        emit: Called with the warning.
        is_empty: Whether none of the records is landed already.

    Raises:
        StoreError: Nothing is landed yet, and not even half of the pages alone would fit.
    """
    has, per_record = free(home), bytes_per_record_of(rows)
    needs = needed(records, per_record)
    if has is None or needs <= has:
        return
    told = (
        f"the disk of {home.root} has {has / 2**20:,.0f} MiB free; up to {records:,} records need "
        f"about {needs / 2**20:,.0f} MiB as pages and in tables"
    )
    if is_empty and records * per_record / 2 > has:
        raise StoreError(
            f"T{told[1:]}; nothing was landed",
            hint="make room on that disk, a shorter range (--since, --until), or another --home",
        )
    emit("info", f"warning: {told}")


def free(home: Home) -> int | None:
    """Free bytes on the disk of a home, or None where it is not on this machine's disk."""
    if not home.is_local:
        return None
    root = Path(home.root)
    return shutil.disk_usage(next(p for p in (root, *root.parents) if p.exists())).free
