"""From a page, a row, a quarantine reason or a table version to the models. Read-only, no JVM."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from goldlake.workflows import names
from goldlake.workflows.lineage import stored
from goldlake_core.contracts.errors import StoreError, UsageError
from goldlake_core.contracts.ids import ModelId, TableId
from goldlake_core.contracts.registry import find_usecase
from goldlake_core.documents.lineage import LandedPage, Reach, ReachedModel, TableStep
from goldlake_core.documents.training import PushedVersion
from goldlake_core.storage.home import Home
from goldlake_core.storage.landing import LandingZone
from goldlake_core.storage.model_versions import pushed_versions
from lakehouse import catalog, epochs, steps, traced
from lakehouse.traced import Traced
from metadata.database import Names
from metadata.store import Store
from serving import config
from tfx_pipeline.exports import read_manifest

MOST_MODELS = 20
MOST_RECORDS = 10


@dataclass(frozen=True)
class _Version:
    """A pushed version with the gold version that it learned from."""

    model: ModelId
    about: PushedVersion
    gold: TableStep | None

    @property
    def through(self) -> int:
        return (self.gold.through if self.gold else None) or 0


def of_page(usecase: str, page: str, home: Home, most: int | None = MOST_MODELS) -> Reach:
    """Which models a landed page reached.

    Args:
        usecase: Name or path of the use case.
        page: Number of the page, its file's name, the digest of the file, or the page's URL.
        home: Where everything is kept.
        most: Most models to show, or None for all, with all records.

    Raises:
        UsageError: There is no such page.
    """
    name = find_usecase(usecase).resolve().name
    found = _page(name, page, home)

    def of(epoch: int) -> Traced:
        return traced.of_page(name, home, epoch, found.sequence)

    return _reach(name, "page", found.name, home, of, most, page=found)


def of_row(usecase: str, key: str, home: Home, most: int | None = MOST_MODELS) -> Reach:
    """Which models a row of silver reached, by its key; arguments are those of `of_page`.

    Raises:
        UsageError: No landed record has the key.
    """
    name = find_usecase(usecase).resolve().name

    def of(epoch: int) -> Traced:
        return traced.of_key(name, home, epoch, key)

    found = _reach(name, "row", key, home, of, most)
    if not found.records:
        raise UsageError(
            f"No landed record of {name} has the key {key!r}",
            valid="a value of the key in silver",
            hint=f"goldlake show {name}.silver.{catalog.silver_name(name, home) or 'TABLE'}",
        )
    return found


def of_reason(usecase: str, reason: str, home: Home, most: int | None = MOST_MODELS) -> Reach:
    """Which models lack rows for a quarantine reason; arguments are those of `of_page`.

    Raises:
        UsageError: No record was rejected for it.
    """
    name = find_usecase(usecase).resolve().name

    def of(epoch: int) -> Traced:
        return traced.of_reason(name, home, epoch, reason)

    found = _reach(name, "reason", reason, home, of, most)
    if not found.records:
        known = traced.reasons(name, home, epochs.current(home, name))
        problem = f"No record of {name} was rejected for {reason!r}"
        raise names.unknown(problem, reason, known, hint=f"goldlake quarantine list {name}")
    return found


def of_table(table: TableId, home: Home, most: int | None = MOST_MODELS) -> Reach:
    """Which models learned from a version of a table, or from a later one that holds its rows.

    Args:
        table: The table, at a version or at all of them.
        home: Where everything is kept.
        most: Most models to show, or None for all.

    Raises:
        UsageError: There is no such table or version.
    """
    names.require_table(table, home)
    reached = []
    versions = list(_versions(table.usecase, home))
    store = _store(home)
    with Names(home) as recorded:
        for each in versions:
            gold = TableId.parse(f"{each.about.table}@{each.about.table_version}")
            chain = steps.steps(home, gold, recorded, stored(store))
            mine = [step for step in chain if step.table == str(table.at(None))]
            if any(table.version is None or table.version <= step.version for step in mine):
                reached.append(each)
    shown = reached if most is None else reached[:most]
    return Reach(
        usecase=table.usecase,
        kind="table",
        subject=str(table),
        reached=len(reached),
        models=tuple(_model(home, each) for each in shown),
        others=len(versions) - len(reached),
    )


def _reach(
    usecase: str,
    kind: str,
    subject: str,
    home: Home,
    of: Callable[[int], Traced],
    most: int | None,
    page: LandedPage | None = None,
) -> Reach:
    """Records of the epoch that answers; models of other epochs are compared with theirs."""
    if not catalog.silver_name(usecase, home):
        raise UsageError(
            f"No records of {usecase} were refined in the home {home.root}",
            hint=f"goldlake ingest {usecase} --source URL|live",
        )
    found = of(epochs.current(home, usecase))
    reached, missing = list[_Version](), dict[str, None]()
    others = 0
    by_epoch: dict[int, Traced | None] = {}
    for each in _versions(usecase, home):
        if each.gold is None or each.gold.through is None:
            missing[f"Which pages {each.model} learned from is not on record."] = None
            continue
        epoch = each.gold.epoch or epochs.FIRST
        if epoch not in by_epoch:
            by_epoch[epoch] = _of(of, epoch)
        of_epoch = by_epoch[epoch]
        if of_epoch is None:
            missing[f"The records of epoch {epoch}, which {each.model} knew, are gone."] = None
        elif of_epoch.known(each.through):
            reached.append(each)
        else:
            others += 1
    shown = reached if most is None else reached[:most]
    fates = found.fates()
    return Reach(
        usecase=usecase,
        kind=kind,  # type: ignore[arg-type]
        subject=subject,
        page=page,
        records=sum(fates.values()),
        fates=fates,
        shown=found.shown(None if most is None else MOST_RECORDS),
        reached=len(reached),
        models=tuple(
            _traced(home, each, traced_of)
            for each in shown
            if (traced_of := by_epoch[(each.gold.epoch if each.gold else None) or epochs.FIRST])
        ),
        others=others,
        not_recorded=tuple(missing),
    )


def _of(of: Callable[[int], Traced], epoch: int) -> Traced | None:
    try:
        return of(epoch)
    except StoreError:  # the table of that epoch is not in the home any more
        return None


def _page(usecase: str, text: str, home: Home) -> LandedPage:
    for dataset in catalog.datasets(usecase, home):
        zone = LandingZone(home, usecase, dataset)
        listed = zone.names()
        sequence = next((n for name, n in listed if text in (name, str(n)) and n), None)
        # A number or a name is in the listing; an address or a digest only in the lines.
        lines = zone.scan_all(sequence - 1 if sequence else 0).entries
        for entry in lines:
            if entry.sequence == sequence or text in (entry.url, entry.sha256, entry.name):
                return steps.page(entry)
            if sequence:
                break
    raise UsageError(
        f"{usecase} has no landed page {text!r}",
        valid="the number of a page, the name or the sha256 of its file, or its URL",
        hint=f"goldlake lineage MODEL --all, or look into {home.landing(usecase)}",
    )


def _versions(usecase: str, home: Home) -> Iterator[_Version]:
    """The pushed versions of a use case's models, the newest first."""
    found = []
    for name in names.pushed_models(home):
        model = ModelId.parse(name)
        if model.usecase == usecase:
            versions = pushed_versions(home, usecase, model.name).items()
            found += [(about.pushed_at, model.at(v), about) for v, about in versions if about]
    store = _store(home)
    golds: dict[str, TableStep | None] = {}
    with Names(home) as recorded:
        for _, model, about in sorted(found, key=lambda each: each[0], reverse=True):
            if about.table is None or about.export_id is None:
                continue
            gold = f"{about.table}@{about.table_version}"
            if gold not in golds:
                parsed = TableId.parse(gold)
                golds[gold] = steps.gold_step(home, parsed, recorded, stored(store))
            yield _Version(model, about, golds[gold])


def _store(home: Home) -> Store | None:
    return Store(home) if home.is_local and home.fs.exists(home.mlmd) else None


def _model(home: Home, version: _Version) -> ReachedModel:
    served = config.read_or_empty(home.models_config)
    name = str(version.model.at(None))
    found = served.model(name)
    labels = found.labels.items() if found else ()
    return ReachedModel(
        id=str(version.model),
        serves=config.served_version(served, name) == version.model.version,
        labels=tuple(sorted(k for k, v in labels if v == version.model.version)),
        pushed_at=version.about.pushed_at,
        table=f"{version.about.table}@{version.about.table_version}",
        export_id=version.about.export_id or "",
        through=version.through,
    )


def _traced(home: Home, version: _Version, of: Traced) -> ReachedModel:
    from msgspec.structs import replace

    rows = of.rows(version.through)
    splits = None
    about = version.about
    try:
        manifest, _ = read_manifest(str(about.export_id), about.manifest_sha256, home)
        splits = traced.in_export(home, str(about.export_id), manifest, rows)
    except StoreError:  # the export is gone, and nothing tells what it held
        splits = None
    places = traced.places(rows) if len(rows) == 1 else []
    return replace(
        _model(home, version),
        records=of.known(version.through),
        splits=splits,
        record=places[0] if places else None,
    )
