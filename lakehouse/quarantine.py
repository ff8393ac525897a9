"""Rejected records and why, read without a JVM. Read-only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.names import nearest
from goldlake_core.documents.lakehouse import QuarantineView, Rejected
from goldlake_core.instants import utc_text
from goldlake_core.storage.home import Home
from lakehouse import catalog, rows
from lakehouse.specs import FILE, KEY, KIND, KNOWN_FROM, LINE, REASONS, SEQUENCE

if TYPE_CHECKING:
    import polars as pl


def rejected(
    usecase: str, home: Home, *, reason: str | None = None, record: str | None = None, limit: int
) -> QuarantineView:
    """The records of a use case that its contract rejects, the newest first.

    Args:
        usecase: Name of the use case.
        home: Where everything is kept.
        reason: Only records with this reason code, or None for all.
        record: Only this record, ``PAGE:LINE``, or None for all.
        limit: Most records to return.

    Returns:
        How many there are, by reason code too, and some of them with their text.

    Raises:
        UsageError: Nothing was refined yet, no record has the reason, or no such record was
            rejected.
    """
    import polars as pl

    frames = _frames(usecase, home)
    all_rejected = frames["silver"].filter(pl.col(KIND) == "quarantined")
    counts = _counts(all_rejected)
    if reason is not None and reason not in counts:
        raise UsageError(
            f"No record of {usecase} was rejected for {reason!r}",
            valid=nearest(reason, list(counts)) if counts else "nothing was rejected",
        )
    wanted = all_rejected
    if reason is not None:
        wanted = wanted.filter(pl.col(REASONS).list.contains(reason))
    if record is not None:
        page, _, line = record.rpartition(":")
        wanted = wanted.filter(
            (pl.col(FILE) == page) & (pl.col(LINE) == (int(line) if line.isdigit() else -1))
        )
    total = int(wanted.select(pl.len()).collect().item())
    if record is not None and not total:
        raise UsageError(
            f"The record {record!r} of {usecase} is not in quarantine",
            valid="PAGE:LINE",
            hint=f"goldlake quarantine list {usecase}",
        )
    newest = wanted.sort(SEQUENCE, LINE, descending=True).head(limit)
    texts = frames["bronze"].select("file", "line", "value")
    shown = newest.join(
        texts,
        left_on=[FILE, LINE],
        right_on=["file", "line"],
        how="left",
        maintain_order="left",
    )
    records = tuple(
        Rejected(
            record=f"{row[FILE]}:{row[LINE]}",
            key=row[KEY],
            reasons=tuple(row[REASONS]),
            landed_at=utc_text(row[KNOWN_FROM]),
            value=row["value"] or "",
        )
        for row in shown.collect().iter_rows(named=True)
    )
    return QuarantineView(usecase=usecase, total=total, reasons=counts, records=records)


def reasons_by_record(usecase: str, home: Home) -> dict[tuple[int, int], tuple[str, ...]]:
    """Reason codes of every rejected record, by the number of its page and its line. Read-only.

    Raises:
        UsageError: Nothing was refined yet.
    """
    import polars as pl

    all_rejected = _frames(usecase, home)["silver"].filter(pl.col(KIND) == "quarantined")
    found = all_rejected.select(SEQUENCE, LINE, REASONS).collect().iter_rows()
    return {(sequence, line): tuple(codes) for sequence, line, codes in found}


def _frames(usecase: str, home: Home) -> dict[str, pl.LazyFrame]:
    """Bronze and the table of versions, by layer."""
    names = dict(catalog.current_tables(home, usecase))
    versions = catalog.versions(usecase, home)
    if versions is None or "bronze" not in names:
        raise UsageError(
            f"No records of {usecase} were refined in the home {home.root}",
            hint=f"goldlake ingest {usecase} --source URL|live",
        )
    folders = {"bronze": names["bronze"], "silver": versions}
    return {
        layer: rows.frame(catalog.location(home, usecase, layer, folder))
        for layer, folder in folders.items()
    }


def _counts(frame: pl.LazyFrame) -> dict[str, int]:
    """Records per reason code, most frequent first."""
    import polars as pl

    codes = frame.select(pl.col(REASONS).explode().alias("code")).group_by("code").len()
    pairs = codes.sort(["len", "code"], descending=[True, False]).collect().iter_rows()
    return {code: count for code, count in pairs if code is not None}
