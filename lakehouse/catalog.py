"""Lists the tables of a home, read from their logs without a JVM. Read-only."""

from __future__ import annotations

import posixpath
from datetime import datetime, timezone

import msgspec

from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.ids import LAYERS, TableId
from goldlake_core.documents.lakehouse import TableEntry, Totals
from goldlake_core.instants import of_text, utc_text
from goldlake_core.storage.deltalog import DeltaLog, Snapshot
from goldlake_core.storage.home import Home
from lakehouse import commits, epochs
from lakehouse.specs import FATES, VERSIONS

RUNS = "runs"


def tables(
    usecase: str | None, home: Home, as_of: str | datetime | None = None
) -> list[TableEntry]:
    """The Delta tables of a home.

    Args:
        usecase: Name of a use case, or None for every use case with tables in the home.
        home: Home to read from.
        as_of: A timestamp (ISO 8601; UTC if it has no zone), or None for now.

    Returns:
        One entry per table, ordered by layer, then name.

    Raises:
        UsageError: ``as_of`` is not a valid instant.
    """
    at = instant(as_of, "--as-of") if isinstance(as_of, str) else as_of
    names = [usecase] if usecase else usecases(home)
    found = []
    for name in names:
        for layer, table in current_tables(home, name):
            if (listed := _entry(home, name, layer, table, at)) is not None:
                found.append(listed)
    return found


def fates(usecase: str, home: Home) -> Totals:
    """Landed records by fate over all time, and silver's rows now.

    Returns:
        The counts; all 0 where nothing was refined yet.
    """
    counts = dict.fromkeys(("landed", *FATES, "silver"), 0)
    for layer, table in current_tables(home, usecase):
        log = DeltaLog(home.table(usecase, layer, table))
        name = epochs.table_of(table)[0]
        if layer == "audit" and name == "fates" and log.exists():
            for item in log.read(["fate"])["fate"].value_counts().to_pylist():
                counts[item["values"]] += item["counts"]
                counts["landed"] += item["counts"]
        elif layer == "silver" and name.endswith(VERSIONS):
            stored = commits.newest(log.uri, commits.VersionsCommit)
            counts.update(msgspec.structs.asdict(stored.totals))
        elif layer == "silver" and log.exists():
            counts["silver"] += log.snapshot().rows
    return Totals(**counts)


def location(home: Home, usecase: str, layer: str, name: str) -> str:
    """Location of a table: of the epoch that answers, where the layer has epochs."""
    number = epochs.current(home, usecase) if layer == "silver" else epochs.FIRST
    folder = name if "@" in name else epochs.table_folder(name, number)
    return home.table(usecase, layer, folder)


def current_tables(home: Home, usecase: str) -> list[tuple[str, str]]:
    """Layer and folder name of the tables that answer, by layer and name.

    Fates and quarantine had tables before silver had epochs. The table of runs is left out: it says
    what was done, and is not made of what was landed.
    """
    book = epochs.read(home, usecase)
    number = book.current if book else epochs.FIRST
    found: list[tuple[str, str]] = []
    for layer in LAYERS:
        for folder in _folders(home, "tables", usecase, layer):
            if layer == "audit" and (number > epochs.FIRST or folder == RUNS):
                continue
            if layer != "silver" or epochs.table_of(folder)[1] == number:
                found.append((layer, folder))
    return found


def usecases(home: Home) -> list[str]:
    """Names of the use cases that have tables in a home."""
    return _folders(home, "tables")


def versions(usecase: str, home: Home) -> str | None:
    """Folder of the table of versions that answers, or None where nothing was refined."""
    found = [
        folder
        for layer, folder in current_tables(home, usecase)
        if layer == "silver" and epochs.table_of(folder)[0].endswith(VERSIONS)
    ]
    # A silver table may be called so too, and then its versions have the longer name.
    return max(found, key=len, default=None)


def silver_name(usecase: str, home: Home) -> str:
    """Name of the silver table, without its epoch; "" where nothing was refined."""
    folder = versions(usecase, home)
    return epochs.table_of(folder)[0].removesuffix(VERSIONS) if folder else ""


def tables_in(home: Home, usecase: str, layer: str) -> list[str]:
    """Folders of the tables in a layer that answer."""
    return [folder for each, folder in current_tables(home, usecase) if each == layer]


def datasets(usecase: str, home: Home) -> list[str]:
    """Names of the data sets of a use case that have landed pages."""
    names = _folders(home, "landing", usecase)
    return [name for name in names if home.fs.exists(home.landing(usecase, name, "manifest"))]


def standing(usecase: str, home: Home) -> tuple[int | None, int | None]:
    """Number of the epoch that answers, and of the last page that it holds; None before both."""
    folder = versions(usecase, home)
    if folder is None:
        return None, None
    uri = home.table(usecase, "silver", folder)
    return epochs.table_of(folder)[1], commits.newest(uri, commits.VersionsCommit).through


def _entry(
    home: Home, usecase: str, layer: str, name: str, at: datetime | None
) -> TableEntry | None:
    uri = home.table(usecase, layer, name)
    log = DeltaLog(uri)
    version = log.latest() if at is None else log.version_at(at)
    if version is None:
        return None
    return entry(TableId(usecase, layer, epochs.table_of(name)[0]), log, log.snapshot(version))


def entry(table: TableId, log: DeltaLog, snapshot: Snapshot) -> TableEntry:
    """What one version of a table is, as `tables` says it."""
    version = snapshot.version
    basis = log.last_commit_with("as_of", version) if table.layer == "gold" else None
    return TableEntry(
        id=str(table.at(None)),
        uri=snapshot.uri,
        rows=snapshot.rows,
        version=version,
        bytes=snapshot.bytes,
        committed_at=utc_text(log.commit(version).time),
        as_of=str(basis.metadata["as_of"]) if basis else None,
    )


def _folders(home: Home, *parts: str) -> list[str]:
    try:
        entries = home.fs.ls(home.path(*parts), detail=True)
    except FileNotFoundError:
        return []
    names = (posixpath.basename(e["name"].rstrip("/")) for e in entries if e["type"] == "directory")
    return sorted(name for name in names if not name.startswith(("_", ".")))


def instant(text: str, option: str) -> datetime:
    """The instant that a person typed; UTC if it has no zone.

    Raises:
        UsageError: The text is not an instant; the error names the option.
    """
    try:
        value = of_text(text)
    except ValueError as error:
        raise UsageError(
            f"{option} {text!r} is not a valid instant",
            valid="ISO 8601, such as 2016-12-31T18:00:00Z",
        ) from error
    return value if value.tzinfo else value.replace(tzinfo=timezone.utc)
