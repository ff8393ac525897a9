"""What the store holds: tables and fates, read without a JVM."""

from __future__ import annotations

from goldlake_core.contracts.registry import find_usecase
from goldlake_core.stages import Document
from goldlake_core.storage.home import Home
from lakehouse import catalog


def tables_document(usecase: str | None, home: Home, as_of: str | None = None) -> Document:
    """Tables and fates per use case. Read-only.

    Args:
        usecase: Name or path of one use case, or None for all in the home.
        home: Where everything is kept.
        as_of: Instant (ISO 8601) whose table versions are wanted, or None for now.

    Returns:
        Per use case: ``landed, inserted, amended, unchanged, stale, quarantined, deleted``
        (records, now), ``silver`` (rows now) and ``tables`` (list of ``id, uri, rows, version,
        bytes, as_of``).

    Raises:
        UsageError: There is no such use case.
    """
    name = find_usecase(usecase).resolve().name if usecase is not None else None
    document: Document = {}
    for entry in catalog.tables(name, home, as_of):
        document.setdefault(str(entry["id"]).partition(".")[0], {"tables": []})
    for found, part in document.items():
        part.update(catalog.fates(found, home))
        part["tables"] = catalog.tables(found, home, as_of)
    return document
