"""The stage ``remake``: landed pages refined again in an empty home, and compared step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from msgspec.structs import replace

from goldlake_core.contracts.hashing import section_hash
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import Model, UseCase
from goldlake_core.documents import codec
from goldlake_core.documents.export import ExportManifest
from goldlake_core.documents.reproducing import Remade, RemakeRequest
from goldlake_core.stages import Emit
from goldlake_core.storage.deltalog import DeltaLog
from goldlake_core.storage.exports import MANIFEST
from goldlake_core.storage.files import read_bytes
from goldlake_core.storage.home import Home
from goldlake_core.storage.locks import StoreLock
from lakehouse import epochs, export, session, specs
from lakehouse.changes import changed_keys
from lakehouse.gold.basis import SILVER_VERSION, basis_of
from lakehouse.remade_steps import STEPS, Both

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Refine = Callable[..., object]
"""`lakehouse.stages.refine`."""


def remake(request: RemakeRequest, emit: Emit, refine: Refine) -> Remade:
    """Refines the landed pages of another home and exports them, and compares with this home.

    Writes only in the other home. No gate judges there: what it let pass then is made again.

    Args:
        request: The export to make again, and the other home, which holds its pages.
        emit: Takes progress events.
        refine: Brings a home up to its landed pages; `lakehouse.stages.refine`.

    Raises:
        StoreError: A page is not the one that was landed, or the first manifest cannot be read.
        PermanentError: The rows cannot be exported under the contract as it is now.
    """
    usecase = load_usecase(request.usecase)
    pages = specs.landing(usecase, Home.at(request.place)).manifest()
    emit("progress", "starting Spark")
    spark = session.spark_session(rows=sum(page.rows for page in pages))
    return remade(spark, usecase, usecase.models[request.model], request, emit, refine)


def remade(
    spark: SparkSession,
    usecase: UseCase,
    model: Model,
    request: RemakeRequest,
    emit: Emit,
    refine: Refine,
) -> Remade:
    """As `remake`, with a Spark session and a model of a use case that were read before."""
    table = usecase.gold[model.table]
    home, place = Home.at(request.home), Home.at(request.place)
    own = replace(usecase, gold={table.name: table})
    pages = specs.landing(own, place).manifest()
    with StoreLock(place, usecase.name, "refine"):
        refine(spark, own, place, request.run_id, emit, accept_rejected=True)
    made = export.export(lambda: spark, own, model, place, emit)
    then, now = _manifest(home, request.export_id), _manifest(place, made.export_id)
    both = Both(spark, own, model, home, place, request, then, now, made.export_id)
    steps = []
    for name, compare in STEPS.items():
        emit("progress", f"comparing {name}")
        steps.append(compare(both))
    return Remade(
        pages=len(pages),
        records=sum(page.rows for page in pages),
        export_id=made.export_id,
        manifest_sha256=made.manifest_sha256,
        steps=tuple(steps),
        causes=tuple(_causes(both)),
        has_same_columns=then.columns == now.columns,
    )


def _causes(both: Both) -> Iterator[str]:
    """What is not as it was when the export was made, one sentence each."""
    usecase, then = both.usecase, both.then
    table = usecase.gold[both.model.table]
    log = DeltaLog(specs.gold(usecase, both.home, table).uri)
    commit = log.last_commit_with(SILVER_VERSION, then.version) if log.exists() else None
    basis = basis_of(commit) if commit is not None else None
    if basis and basis.silver_contract not in ("", section_hash(usecase.silver)):
        keys = ", ".join(_changed(both)) or "silver"
        yield f"the contract changed since in {keys}"
    if basis and basis.gold_contract not in ("", specs.gold_hash(usecase, table)):
        yield (
            f"gold.{table.name} changed since: its columns, its rules, its build function or a file"
            " that it looks up"
        )
    section = f"model.{both.model.name}.export"
    if then.sections.get(section) != usecase.hashes[section]:
        yield f"models/{both.model.name}.yaml changed since in what an export is made of"
    if then.clusters != both.now.clusters:
        yield f"the clusters of gold.{table.name} were fitted anew since"
    for name, (before, after) in {
        "the newest change that the rows know": (then.as_of, both.now.as_of),
        "the boundaries of the splits": (then.boundaries, both.now.boundaries),
    }.items():
        if before != after:
            yield f"{name} was {_told(before)}, and is {_told(after)}"


def _changed(both: Both) -> Iterator[str]:
    """Keys of silver that are not those that the epoch was made under, as far as it is known."""
    book = epochs.read(both.home, both.usecase.name)
    known = {epoch.number: epoch.silver for epoch in book.epochs} if book else {}
    before = known.get(both.request.epoch)
    if before:
        yield from (change.key for change in changed_keys(before, both.usecase.silver))


def _told(value: object) -> str:
    if isinstance(value, str):
        return value
    found: dict[str, object] = codec.plain(value) or {}
    return ", ".join(f"{name} {each}" for name, each in found.items() if each) or "not there"


def _manifest(home: Home, export_id: str) -> ExportManifest:
    path = home.path("exports", export_id, MANIFEST)
    return codec.decode(read_bytes(home.fs, path) or b"", ExportManifest, path)
