"""State documents of a home, made again from what the home holds. Each repair is idempotent."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from datetime import datetime

from goldlake.workflows.copied_parts import folders
from goldlake.workflows.names import pushed_models
from goldlake.workflows.processes import OnEvent
from goldlake_core.contracts.durations import seconds_of
from goldlake_core.contracts.errors import StoreError
from goldlake_core.contracts.ids import ModelId
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.documents import codec
from goldlake_core.storage.deltalog import DeltaLog
from goldlake_core.storage.files import read_bytes, write_atomic
from goldlake_core.storage.home import Home
from goldlake_core.storage.landing import LandingZone
from goldlake_core.storage.locks import FileLock, StoreLock
from goldlake_core.storage.model_versions import pushed_versions
from lakehouse import epochs
from lakehouse.sources.plugins import connector
from lakehouse.sources.repair import Repair
from metadata.promotion import promotions_in
from metadata.store import Store
from serving import config

Mend = Callable[[OnEvent], str]


def lines_of(home: Home, usecase: str, dataset: str) -> Mend:
    """Makes damaged and lost manifest lines again from their pages."""

    def mend(on_event: OnEvent) -> str:
        contract = load_usecase(usecase)
        zone = LandingZone(home, usecase, dataset)
        reader = connector(contract, "")
        try:
            with StoreLock(home, usecase, "doctor --repair"):
                overlap_s = seconds_of(contract.source.overlap)
                left = Repair(zone, reader, _quiet, overlap_s).remake_lines()
        finally:
            reader.close()
        if left:
            return (
                f"manifest lines of {usecase} were made again; those of {', '.join(left)} cannot "
                f"be: goldlake ingest {usecase} --source SOURCE fetches their records again"
            )
        return f"manifest lines of {usecase} were made again from their pages"

    return mend


def identity_of(zone: LandingZone) -> Mend:
    """Makes ``identity.json`` again from the newest manifest line that has it."""

    def mend(on_event: OnEvent) -> str:
        with StoreLock(zone.home, zone.usecase, "doctor --repair"):
            path = zone.home.landing(zone.usecase, "identity.json")
            _keep_aside(zone.home, path)
            identity = zone.identity()
            if identity is None:
                raise StoreError(
                    f"No manifest line of {zone.usecase} names its source",
                    hint="restore identity.json from a copy of the home",
                )
            zone.claim(identity)
        return f"identity.json of {zone.usecase} was made again from the manifest"

    return mend


def epochs_of(home: Home, usecase: str, numbers: Iterable[int]) -> Mend:
    """Makes ``epochs.json`` again from the tables.

    The epoch that answers is the one that gold was made from, else the newest. The contract of an
    epoch is stored nowhere else, so the next refinement makes a new epoch.
    """

    def mend(on_event: OnEvent) -> str:
        with StoreLock(home, usecase, "doctor --repair"):
            path = home.path("tables", usecase, "epochs.json")
            known = sorted(numbers)
            by_uuid = _silver_by_uuid(home, usecase)
            current = next(
                (by_uuid[uuid] for uuid in _bases_of_gold(home, usecase) if uuid in by_uuid),
                known[-1],
            )
            made = tuple(epochs.Epoch(number=n, silver="", made_at="", run_id="") for n in known)
            _keep_aside(home, path)
            book = epochs.Book(current=current, epochs=made)
            write_atomic(home.fs, path, codec.encode(book))
        return (
            f"epochs.json of {usecase} was made again from the tables: epoch {current} answers; "
            "the next ingest or rebuild makes a new one, for its contract is not known"
        )

    return mend


def served_by(home: Home) -> config.ModelsConfig:
    """What is served as the promotions in ML Metadata say. Read-only."""
    served = config.ModelsConfig()
    if not home.is_local or not home.fs.exists(home.mlmd):
        return served
    store = Store(home)
    for name in pushed_models(home):
        usecase, _, model = name.partition(".")
        versions = set(pushed_versions(home, usecase, model))
        for record in promotions_in(store, ModelId(usecase, model, None)):
            if record.version in versions:
                served = config.with_version(
                    served, name, record.version, home.path("models", name)
                )
                served = config.with_label(served, name, record.version, record.label)
    return served


def config_of(home: Home) -> Mend:
    """Makes ``models.config`` again from the promotions in ML Metadata."""

    def mend(on_event: OnEvent) -> str:
        with FileLock(f"{home.models_config}.lock", home.models_config):
            served = served_by(home)
            _keep_aside(home, home.models_config)
            config.write(home.models_config, served)
        return f"models.config was made again from {len(served.models)} models' promotions"

    return mend


def _silver_by_uuid(home: Home, usecase: str) -> dict[str, int]:
    found = {}
    for name in folders(home, "tables", usecase, "silver"):
        log = DeltaLog(home.table(usecase, "silver", name))
        if log.exists():
            found[log.snapshot().uuid] = epochs.table_of(name)[1]
    return found


def _bases_of_gold(home: Home, usecase: str) -> list[str]:
    """Ids of the silver tables that gold tables were made from, the newest commit first."""
    found: list[tuple[datetime, str]] = []
    for name in folders(home, "tables", usecase, "gold"):
        log = DeltaLog(home.table(usecase, "gold", name))
        commit = log.last_commit_with("silver_uuid") if log.exists() else None
        if commit is not None:
            found.append((commit.time, str(commit.metadata["silver_uuid"])))
    return [uuid for _, uuid in sorted(found, reverse=True)]


def _keep_aside(home: Home, path: str) -> None:
    """Moves a damaged document beside itself, so that nothing of it is lost."""
    data = read_bytes(home.fs, path)
    if data is not None:
        digest = hashlib.sha256(data).hexdigest()[:8]
        write_atomic(home.fs, f"{path}.damaged-{digest}", data)
        home.fs.rm_file(path)


def _quiet(kind: str, message: str, **fields: object) -> None:
    """Takes what a repair tells; the caller says it in its own words."""
