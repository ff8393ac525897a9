"""The versions of tables from a gold version back to the landed pages. Read-only, without a JVM.

What a table's log does not hold any more, ML Metadata may still have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from goldlake_core.contracts.errors import StoreError
from goldlake_core.contracts.ids import TableId
from goldlake_core.documents.lineage import LandedPage, LandedPages, TableStep
from goldlake_core.documents.provenance import TABLE, ArtifactFacts
from goldlake_core.storage.deltalog import DeltaLog
from goldlake_core.storage.home import Home
from goldlake_core.storage.landing import LandingZone, PageEntry
from lakehouse import catalog, epochs
from lakehouse.provenance import RUN_ID, OnRecord, TableCommit, own_commit
from lakehouse.specs import VERSIONS

Stored = Callable[[str, str], "Mapping[str, object] | None"]
"""Returns the properties of an artifact of ML Metadata by its type and name, or None."""


def gold_step(home: Home, gold: TableId, on_record: OnRecord, stored: Stored) -> TableStep | None:
    """A gold version, or None where neither its log nor ML Metadata tells.

    Args:
        home: Where everything is kept.
        gold: The table at a version.
        on_record: Names in ML Metadata.
        stored: Reads ML Metadata.
    """
    place = (gold.usecase, "gold", gold.name)
    found = own_commit(home, *place, gold.version)
    if found is not None:
        return _step(home, found, found.artifact(), gold.version, on_record)
    prefix = f"{gold.at(None)}@{gold.version}"
    for name in on_record.between(TABLE, f"{prefix}/", f"{prefix}0"):
        properties = stored(TABLE, name)
        if properties is not None:
            return _of_properties(home, place, properties)
    return None


def steps(home: Home, gold: TableId, on_record: OnRecord, stored: Stored) -> list[TableStep]:
    """A gold version, the version of silver that it reflects, of all versions, and of bronze.

    Arguments are those of `gold_step`. What is not known any more is left out.
    """
    first = gold_step(home, gold, on_record, stored)
    if first is None or first.through is None:
        return [first] if first else []
    name = catalog.silver_name(gold.usecase, home)
    number = first.epoch or epochs.FIRST
    places = [
        ("silver", epochs.table_folder(name, number)),
        ("silver", epochs.table_folder(name + VERSIONS, number)),
        *(("bronze", folder) for folder in catalog.tables_in(home, gold.usecase, "bronze")),
    ]
    found = [first]
    for layer, folder in places:
        commit = _through(home, gold.usecase, layer, folder, first)
        if commit is not None:
            version = commit.commit.version
            found.append(_step(home, commit, commit.artifact(), version, on_record))
    return found


def pages(
    usecase: str, home: Home, through: int, most: int | None, run: str | None = None
) -> LandedPages:
    """The landed pages through a number, the newest first.

    Their lines are read for those that are shown; the others are counted by their names, so that
    the cost does not grow with their number. Records of the others are not counted.

    Args:
        usecase: Name of the use case.
        home: Where everything is kept.
        through: Number of the last page.
        most: Most pages to return, or None for all.
        run: Only pages of this run, or None.
    """
    total, rows, shown = 0, 0, list[LandedPage]()
    for dataset in catalog.datasets(usecase, home):
        zone = LandingZone(home, usecase, dataset)
        names = [name for name, number in zone.names() if number <= through]
        total += len(names)
        after = 0 if most is None else max(0, through - most)
        entries = [e for e in zone.scan_all(after).entries if e.sequence <= through]
        shown += [page(each) for each in reversed(entries)][:most]
        rows += sum(each.rows for each in entries)
    return LandedPages(total=total, rows=rows, pages=tuple(shown))


def page(entry: PageEntry) -> LandedPage:
    """A line of the manifest as the answer has it."""
    return LandedPage(
        sequence=entry.sequence,
        name=entry.name,
        url=entry.url,
        landed_at=entry.landed_at,
        rows=entry.rows,
        sha256=entry.sha256,
        run_id=entry.run_id,
    )


def _through(
    home: Home, usecase: str, layer: str, folder: str, gold: TableStep
) -> TableCommit | None:
    """The newest commit of a table that holds no page after those that a gold version holds."""
    log = DeltaLog(home.table(usecase, layer, folder))
    for version in reversed(log.versions()):
        commit = log.commit(version)
        through = commit.metadata.get("through")
        if (
            RUN_ID in commit.metadata
            and isinstance(through, int)
            and through <= (gold.through or 0)
        ):
            return TableCommit(usecase, layer, folder, commit)
    return None


def _step(
    home: Home,
    found: TableCommit,
    facts: ArtifactFacts,
    version: int | None,
    on_record: OnRecord,
) -> TableStep:
    properties = facts.properties
    place = (found.usecase, found.layer, found.folder)
    return TableStep(
        table=found.table,
        version=found.commit.version if version is None else version,
        made_at=found.commit.version,
        committed_at=str(properties["committed_at"]),
        run_id=found.run_id,
        rows=_rows(home, place, found.commit.version),
        epoch=_number(properties.get("epoch")),
        through=_number(properties.get("through")),
        recorded=on_record.has(TABLE, facts.name),
    )


def _of_properties(
    home: Home, place: tuple[str, str, str], properties: Mapping[str, object]
) -> TableStep:
    version = _number(properties.get("version")) or 0
    return TableStep(
        table=str(properties.get("table")),
        version=version,
        made_at=version,
        committed_at=str(properties.get("committed_at")),
        run_id=str(properties.get(RUN_ID)),
        rows=_rows(home, place, version),
        epoch=_number(properties.get("epoch")),
        through=_number(properties.get("through")),
        recorded=True,
    )


def _rows(home: Home, place: tuple[str, str, str], version: int) -> int | None:
    try:
        return DeltaLog(home.table(*place)).snapshot(version).rows
    except StoreError:  # the log was shortened since
        return None


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None
