"""What stages made of what, as the commits of tables and the landed pages themselves tell.

Nothing is noted while a stage runs: what it made says by which run and from what it was made. So a
stage that was killed after its commit is found by the next one, and a repetition finds nothing new.
Read-only, without a JVM.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from goldlake_core.contracts.ids import LAYERS
from goldlake_core.documents.lakehouse import Exported
from goldlake_core.documents.provenance import (
    EXPORT,
    PAGES,
    PREVIOUS,
    TABLE,
    ArtifactFacts,
    ExecutionFacts,
    Reference,
    Value,
    export_name,
)
from goldlake_core.documents.stages import Request, Stage
from goldlake_core.instants import utc_text
from goldlake_core.storage.deltalog import Commit, DeltaLog
from goldlake_core.storage.home import Home
from goldlake_core.storage.landing import LandingZone, PageEntry, describe_identity
from lakehouse import catalog, epochs

RUN_ID = "run_id"
MOST_COMMITS = 1000
"""Commits of one table that are caught up with at once; older ones only its log tells."""
_OTHERS: frozenset[Stage] = frozenset({"land", "export"})
_KEPT = ("through", "epoch", "as_of", "silver_version", "silver_contract", "gold_contract")


class OnRecord(Protocol):
    """Names of the artifacts that are on record."""

    def has(self, kind: str, name: str) -> bool:
        """Whether an artifact of a type has a name."""

    def between(self, kind: str, low: str, high: str) -> list[str]:
        """Names of the artifacts of a type from one to before another, in their order."""


@dataclass(frozen=True)
class TableCommit:
    """A commit of goldlake's own to a table.

    Attributes:
        usecase: Name of the use case.
        layer: Such as ``silver``.
        folder: Folder of the table in its layer.
        commit: The commit with what goldlake stored in it.
    """

    usecase: str
    layer: str
    folder: str
    commit: Commit

    @property
    def run_id(self) -> str:
        """The run that wrote it."""
        return str(self.commit.metadata[RUN_ID])

    @property
    def name(self) -> str:
        """Name of the version in ML Metadata; a table that is made again has other runs."""
        return f"{self.usecase}.{self.layer}.{self.folder}@{self.commit.version}/{self.run_id}"

    @property
    def table(self) -> str:
        """Id of the table, without its epoch."""
        return f"{self.usecase}.{self.layer}.{epochs.table_of(self.folder)[0]}"

    def artifact(self) -> ArtifactFacts:
        """The version as an artifact."""
        stored = self.commit.metadata
        kept = {name: stored[name] for name in _KEPT if isinstance(stored.get(name), int | str)}
        properties: dict[str, Value] = {
            "table": self.table,
            "version": self.commit.version,
            RUN_ID: self.run_id,
            "committed_at": utc_text(self.commit.time),
            **{k: v for k, v in kept.items() if isinstance(v, int | str)},
        }
        if self.layer == "silver":
            properties["epoch"] = epochs.table_of(self.folder)[1]
        return ArtifactFacts(
            type=TABLE,
            name=self.name,
            uri=f"tables/{self.usecase}/{self.layer}/{self.folder}",
            properties=properties,
        )


def own_commit(
    home: Home, usecase: str, layer: str, folder: str, version: int | None = None
) -> TableCommit | None:
    """The newest commit of goldlake's own at or before a version; None where the log has none."""
    found = DeltaLog(home.table(usecase, layer, folder)).last_commit_with(RUN_ID, version)
    return TableCommit(usecase, layer, folder, found) if found else None


def executions(
    usecase: str,
    home: Home,
    request: Request,
    stage: Stage,
    result: object,
    about: Callable[[], Mapping[str, Value]],
    on_record: OnRecord,
) -> list[ExecutionFacts]:
    """What is not on record yet, in the order in which it was made.

    Args:
        usecase: Name of the use case.
        home: Where everything is kept.
        request: Request of the stage that ended now.
        stage: Name of the stage that ended.
        result: What it returned, or None where it failed.
        about: Returns what is known of the process of that stage, such as the commit of its code.
        on_record: What is on record.
    """

    def properties(run_id: str, kind: str) -> dict[str, Value]:
        """Of a run that was not recorded when it ended, only its name is known."""
        known: dict[str, Value] = {"stage": kind, "usecase": usecase, RUN_ID: run_id}
        if run_id == request.run_id:
            contract = msgspec.json.encode(request.contract).decode()
            known |= {**about(), "contract": contract}
            # Erasing, restoring and following refine, too.
            known["stage"] = stage if kind == "refine" and stage not in _OTHERS else kind
        return known

    landed = list(_landed(usecase, home, on_record))
    found = [
        ExecutionFacts(
            type="goldlake.Land",
            name=pages.name,
            run_id=str(pages.properties[RUN_ID]),
            properties=properties(str(pages.properties[RUN_ID]), "land"),
            inputs=(),
            outputs=(("pages", pages),),
        )
        for pages in landed
    ]
    commits = [c for each in _tables(usecase, home) for c in _new(home, *each, on_record)]
    by_run: dict[str, list[TableCommit]] = {}
    for each in sorted(commits, key=lambda c: c.commit.time):
        by_run.setdefault(each.run_id, []).append(each)
    names = [pages.name for pages in landed]
    found += [
        ExecutionFacts(
            type="goldlake.Refine",
            name=made[-1].name,
            run_id=run_id,
            properties=properties(run_id, "refine"),
            inputs=tuple(_inputs(home, made, names, on_record)),
            outputs=tuple((_key(each), each.artifact()) for each in made),
        )
        for run_id, made in by_run.items()
    ]
    if isinstance(result, Exported):
        name = export_name(result.export_id, result.manifest_sha256)
        if not on_record.has(EXPORT, name):
            found.append(_exported(home, name, result, properties(request.run_id, "export")))
    return found


def _key(each: TableCommit) -> str:
    return f"{each.layer}.{epochs.table_of(each.folder)[0]}"


def _tables(usecase: str, home: Home) -> Iterator[tuple[str, str, str]]:
    for layer, folder in catalog.current_tables(home, usecase):
        if layer in LAYERS and layer != "audit":
            yield usecase, layer, folder


def _new(
    home: Home, usecase: str, layer: str, folder: str, on_record: OnRecord
) -> Iterator[TableCommit]:
    """Commits of a table that are not on record, the newest first."""
    log = DeltaLog(home.table(usecase, layer, folder))
    for version in itertools.islice(reversed(log.versions()), MOST_COMMITS):
        found = log.commit(version)
        if RUN_ID not in found.metadata:
            continue
        each = TableCommit(usecase, layer, folder, found)
        if on_record.has(TABLE, each.name):
            return
        yield each


def _landed(usecase: str, home: Home, on_record: OnRecord) -> Iterator[ArtifactFacts]:
    """Pages that are not on record, by the run that landed them."""
    for dataset in catalog.datasets(usecase, home):
        place = f"{usecase}/{dataset}/"
        known = on_record.between(PAGES, place, f"{usecase}/{dataset}0")  # "0" follows "/"
        after = max((_range(name)[1] for name in known[-1:]), default=0)
        pages = LandingZone(home, usecase, dataset).scan_all(after).entries
        for run_id, group in itertools.groupby(pages, key=lambda page: page.run_id):
            yield _pages(usecase, dataset, run_id, list(group))


def _pages(usecase: str, dataset: str, run_id: str, pages: Sequence[PageEntry]) -> ArtifactFacts:
    first, last = pages[0].sequence, pages[-1].sequence
    digest = hashlib.sha256("\n".join(page.sha256 for page in pages).encode())
    return ArtifactFacts(
        type=PAGES,
        name=f"{usecase}/{dataset}/{first:08d}-{last:08d}/{run_id}",
        uri=f"landing/{usecase}/{dataset}/manifest",
        properties={
            "usecase": usecase,
            "first": first,
            "last": last,
            "pages": len(pages),
            "rows": sum(page.rows for page in pages),
            "sha256": digest.hexdigest(),
            "source": describe_identity(pages[-1].identity or {}),
            "address": pages[-1].address,
            "landed_at": pages[-1].landed_at,
            RUN_ID: run_id,
        },
    )


def _range(name: str) -> tuple[int, int]:
    """First and last page of an artifact's name."""
    first, _, last = name.split("/")[2].partition("-")
    return int(first), int(last)


def _inputs(
    home: Home, made: Sequence[TableCommit], landed: Iterable[str], on_record: OnRecord
) -> Iterator[Reference]:
    """Pages that bronze took in, the versions before, and silver where another run made it."""
    outputs = {each.name for each in made}
    named = dict[str, None]()
    for each in made:
        place = (home, each.usecase, each.layer, each.folder)
        before = own_commit(*place, each.commit.version - 1)
        if before is not None and before.name not in outputs | named.keys():
            named[before.name] = None
            yield Reference(key=PREVIOUS, type=TABLE, name=before.name)
        if each.layer == "bronze":
            after = _through(before) if before else 0
            known = _between(each.usecase, home, after, _through(each), landed, on_record)
            yield from (Reference(key="pages", type=PAGES, name=name) for name in known)
        if each.layer == "gold":
            source = silver_of(home, each)
            if source is not None and source.name not in outputs | named.keys():
                named[source.name] = None
                yield Reference(key="silver", type=TABLE, name=source.name)


def _between(
    usecase: str, home: Home, after: int, through: int, landed: Iterable[str], on_record: OnRecord
) -> list[str]:
    """Names of the pages' artifacts that begin after a page and not after another."""
    found = [name for name in landed if after < _range(name)[0] <= through]
    for dataset in catalog.datasets(usecase, home):
        low, high = (f"{usecase}/{dataset}/{page:08d}" for page in (after + 1, through + 1))
        found += on_record.between(PAGES, low, high)
    return list(dict.fromkeys(found))


def silver_of(home: Home, gold: TableCommit) -> TableCommit | None:
    """The commit of silver that a gold version reflects, or None where no log tells."""
    stored = gold.commit.metadata
    version, number = stored.get("silver_version"), stored.get("epoch") or epochs.FIRST
    if not isinstance(version, int) or not isinstance(number, int):
        return None
    name = catalog.silver_name(gold.usecase, home)
    folder = epochs.table_folder(name, number) if name else ""
    return own_commit(home, gold.usecase, "silver", folder, version) if folder else None


def _through(each: TableCommit) -> int:
    found = each.commit.metadata.get("through")
    return found if isinstance(found, int) else 0


def _exported(
    home: Home, name: str, result: Exported, properties: dict[str, Value]
) -> ExecutionFacts:
    usecase, layer, table = result.table.split(".")
    source = own_commit(home, usecase, layer, table, result.version)
    run_id = str(properties[RUN_ID])
    return ExecutionFacts(
        type="goldlake.Export",
        name=name,
        run_id=run_id,
        properties=properties,
        inputs=(Reference(key="gold", type=TABLE, name=source.name),) if source else (),
        outputs=(
            (
                "export",
                ArtifactFacts(
                    type=EXPORT,
                    name=name,
                    uri=f"exports/{result.export_id}",
                    properties={
                        "export_id": result.export_id,
                        "manifest_sha256": result.manifest_sha256,
                        "table": result.table,
                        "version": result.version,
                        "table_uuid": result.table_uuid,
                        "content_hash": result.content_hash,
                        RUN_ID: run_id,
                    },
                ),
            ),
        ),
    )
