"""What a home holds, as typed answers: tables, models and lineage. Read-only, without a JVM."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from goldlake.workflows import lineage as model_lineage
from goldlake.workflows import names, reach
from goldlake.workflows.lineage import MOST_PAGES
from goldlake_core.contracts import ids
from goldlake_core.contracts.errors import StoreError, UsageError
from goldlake_core.contracts.ids import TableId
from goldlake_core.contracts.registry import find_usecase
from goldlake_core.documents.lineage import ModelLineage, TableLineage
from goldlake_core.documents.reports import (
    Lineage,
    ModelsView,
    ModelVersion,
    ModelVersions,
    TablesView,
    UseCaseTables,
)
from goldlake_core.documents.training import PushedVersion
from goldlake_core.instants import utc_text
from goldlake_core.storage.deltalog import DeltaLog
from goldlake_core.storage.home import Home
from goldlake_core.storage.model_versions import pushed_versions
from lakehouse import catalog
from metadata import lineage as recorded
from metadata.lineage import SNAPSHOT
from metadata.pushed import PUSHED_MODEL, pushed_model_id
from metadata.refusals import refusals
from metadata.store import Store
from serving import config

MOST_REFUSED = 3
"""Refused candidates of a model that `models` shows."""

if TYPE_CHECKING:
    import polars as pl

    from lakehouse.rows import Rows, TableVersion


def tables(
    usecase: str | None, home: Home, as_of: str | None = None, happened_by: str | None = None
) -> TablesView:
    """Tables and fates per use case.

    Args:
        usecase: Name or path of one use case, or None for all in the home.
        home: Where everything is kept.
        as_of: Instant (ISO 8601) whose knowledge and table versions are read, or None for now.
        happened_by: Instant of the last event that the fates count, or None for all.

    Returns:
        Per use case the records by fate, and the tables. A table that was made later is left out.

    Raises:
        UsageError: There is no such use case, or ``as_of`` or ``happened_by`` is not an instant.
    """
    from lakehouse import knowledge

    name = find_usecase(usecase).resolve().name if usecase is not None else None
    known = catalog.instant(as_of, "--as-of") if as_of else None
    happened = catalog.instant(happened_by, "--happened-by") if happened_by else None
    view: TablesView = {}
    for found in [name] if name else catalog.usecases(home):
        entries = tuple(catalog.tables(found, home, known))
        if known or happened:
            totals = knowledge.fates(found, home, known, happened)
        else:
            totals = catalog.fates(found, home)
        if entries or totals.landed or (known and catalog.current_tables(home, found)):
            view[found] = UseCaseTables(tables=entries, **msgspec.structs.asdict(totals))
    return view


def models(home: Home) -> ModelsView:
    """Every model with its pushed versions, their labels and verdicts, and what was refused.

    Args:
        home: Where everything is kept.

    Raises:
        StoreError: The document of a pushed version does not hold what it should.
    """
    served = config.read_or_empty(home.models_config)
    refused = refusals(home)
    view = {}
    for name in sorted({*names.pushed_models(home), *refused}):
        found = served.model(name)
        labels = dict(found.labels) if found is not None else {}
        serving = config.served_version(served, name)
        usecase, _, model = name.partition(".")
        view[name] = ModelVersions(
            versions=tuple(
                _version(
                    version,
                    about,
                    sorted(k for k, v in labels.items() if v == version),
                    serves=version == serving,
                )
                for version, about in pushed_versions(home, usecase, model).items()
            ),
            refused=tuple(refused.get(name, [])[:MOST_REFUSED]),
        )
    return ModelsView(models=view)


def rows(
    table: str,
    home: Home,
    *,
    where: str | None,
    columns: tuple[str, ...],
    limit: int,
    as_of: str | None = None,
) -> Rows:
    """Some rows of a table; see `lakehouse.rows.read_rows` for the other arguments and errors.

    Args:
        table: The table, at a version or at its newest.
        home: The home that holds it.
        where: An SQL condition over its columns, or None for all rows.
        columns: The columns wanted; none: all.
        limit: Most rows to return.
        as_of: Instant (ISO 8601). Of silver the rows that were known then, of another table those
            of the version that existed then.

    Raises:
        UsageError: ``as_of`` is not an instant, a version is named too, or nothing was there yet.
    """
    from lakehouse.rows import chosen

    called, frame = scan(table, home, as_of)
    return chosen(called, frame, where=where, columns=columns, limit=limit)


def scan(table: str, home: Home, as_of: str | None = None) -> tuple[str, pl.LazyFrame]:
    """What the rows of a table are called, and all of them, to be read as they are asked for.

    Arguments and errors are those of `rows`.
    """
    wanted = TableId.parse(table)
    if as_of is None:
        found = table_version(table, home)
        return str(found.id), found.frame()
    names.require_table(wanted, home)
    if wanted.version is not None:
        raise UsageError(f"{table} names a version, and --as-of an instant", valid="one of the two")
    at = catalog.instant(as_of, "--as-of")
    frame = _silver_at(wanted, home, at)
    if frame is not None:
        return f"{table} as of {as_of}", frame
    log = DeltaLog(catalog.location(home, wanted.usecase, wanted.layer, wanted.name))
    version = log.version_at(at)
    if version is None:
        first = utc_text(log.commit(log.versions()[0]).time)
        raise UsageError(f"There was no table {table} at {as_of}", valid=f"{first} or later")
    return scan(str(wanted.at(version)), home)


def table_version(table: str, home: Home) -> TableVersion:
    """A table at the version that is named, or at its newest. Reads the log and no rows.

    Args:
        table: The table, such as ``city_bikes.silver.rentals`` or ``…@3``.
        home: The home that holds it.

    Raises:
        UsageError: There is no such table or version.
        StoreError: Files of the version are gone.
    """
    from goldlake.workflows.old_versions import readable
    from lakehouse.rows import open_version

    wanted = TableId.parse(table)
    names.require_table(wanted, home)
    found = open_version(wanted, home)
    if wanted.version is None or (loss := found.loss) is None:
        return found
    name = str(wanted.at(None))
    state = readable(name, found.log.uri)
    valid = f"{name}@{state.oldest} to {name}@{state.newest}"
    raise StoreError(loss, valid=valid, hint="goldlake tables")


def _silver_at(table: TableId, home: Home, at: datetime) -> pl.LazyFrame | None:
    """Rows that were known, where the table is one of silver's current rows; else None."""
    from lakehouse import knowledge

    name = catalog.silver_name(table.usecase, home)
    is_silver = bool(name) and (table.layer, table.name) == ("silver", name)
    return knowledge.silver(table.usecase, home, at) if is_silver else None


def lineage(home: Home, name: str, most: int | None = MOST_PAGES) -> ModelLineage | TableLineage:
    """Where a model comes from, or which models a table's rows reached. No JVM.

    Args:
        home: The home that is asked.
        name: ``USECASE.MODEL[@V]`` or ``USECASE.LAYER.TABLE[@V]``.
        most: Most pages or models to show, or None for all.

    Raises:
        UsageError: No such model, table or version is recorded; the error names those that are.
        PermanentError: The home is not local.
    """
    wanted = ids.parse(name)
    if isinstance(wanted, TableId) and wanted.layer != "gold":
        return _forwards(wanted, home, most)
    if home.is_local and not home.fs.exists(home.mlmd):
        problem = f"Nothing is recorded yet in {home.root}"
        raise names.unknown(problem, name, (), home=home, hint="goldlake train MODEL")
    try:
        if isinstance(wanted, TableId):
            return _forwards(wanted, home, most, recorded.lineage(home, name))
        return model_lineage.of_model(home, wanted, most=most)
    except UsageError as error:
        kind = SNAPSHOT if isinstance(wanted, TableId) else PUSHED_MODEL
        known = _recorded(Store(home), kind)
        raise names.unknown(error.problem, name, known, home=home, hint=error.hint) from error


def _forwards(
    table: TableId, home: Home, most: int | None, graph: Lineage | None = None
) -> TableLineage:
    """What is on record of a table's versions, and the models that learned from it."""
    found = graph or Lineage(
        id=str(table),
        direction="forwards",
        roots=(),
        snapshots=(),
        models=(),
        artifacts=(),
        executions=(),
        steps=(),
    )
    fields = {name: getattr(found, name) for name in Lineage.__struct_fields__}
    return TableLineage(**fields, reach=reach.of_table(table, home, most))


def _recorded(store: Store, kind: str) -> list[str]:
    """Table versions or model versions on record, such as ``city_bikes.is_late@7``."""
    found = store.artifacts_of_type(kind)
    if kind == PUSHED_MODEL:
        return sorted({str(pushed_model_id(artifact)) for artifact in found} - {"None"})
    return sorted({"{table}@{version}".format(**artifact.properties) for artifact in found})


def _version(
    version: int, about: PushedVersion | None, labels: list[str], *, serves: bool
) -> ModelVersion:
    return ModelVersion(
        version=version,
        table=about.table if about else None,
        table_version=about.table_version if about else None,
        content_hash=about.content_hash if about else None,
        metrics=about.metrics if about else {},
        pushed_at=about.pushed_at if about else None,
        labels=tuple(labels),
        serves=serves,
        # What is not blessed is not pushed.
        blessed=True if about else None,
        why=about.why if about else None,
    )
