"""The stages land, refine and export: from a request to a result."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from typing import TYPE_CHECKING

import msgspec

from goldlake_core.contracts.errors import StoreError, UsageError
from goldlake_core.contracts.ids import TableId
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents.examples import ExamplesRefined, ExamplesRequest
from goldlake_core.documents.keeping import Erased
from goldlake_core.documents.lakehouse import (
    Audited,
    Exported,
    Followed,
    Landed,
    Refined,
    TableState,
    Totals,
)
from goldlake_core.documents.reproducing import Remade, RemakeRequest
from goldlake_core.documents.stages import (
    AuditRequest,
    EraseRequest,
    ExportRequest,
    FollowRequest,
    LandRequest,
    RefineRequest,
    RestoreRequest,
    Stage,
)
from goldlake_core.stages import Emit, StageFunction, require_same_contract
from goldlake_core.storage import erasures, gatefiles
from goldlake_core.storage.deltalog import DeltaLog
from goldlake_core.storage.gatefiles import GateFiles
from goldlake_core.storage.home import Home
from goldlake_core.storage.locks import StoreLock
from lakehouse import (
    audit,
    bronze,
    clusters,
    commits,
    epochs,
    erase,
    export,
    follow,
    maintain,
    mending,
    remade,
    restore,
    session,
    silver,
    specs,
    standing,
)
from lakehouse.commits import VersionsCommit
from lakehouse.gold import tables as gold
from lakehouse.scores import keep_stage
from lakehouse.translate import told, translated

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def land_stage(request: LandRequest, emit: Emit) -> Landed:
    """Lands pages of the source; starts no JVM.

    Raises:
        UsageError: The contract's section ``source`` changed since the run began.
    """
    from lakehouse.sources.land import land

    usecase = load_usecase(request.usecase)
    require_same_contract(request, usecase, "source")
    home = Home.at(request.home)
    return land(
        usecase,
        home,
        request.source,
        request.since,
        request.until,
        request.run_id,
        emit,
        looks_back=request.looks_back,
    )


def refine_stage(request: RefineRequest, emit: Emit) -> Refined:
    """Refines the landing zone into gold.

    Raises:
        UsageError: The contract's tables changed since the run began.
    """
    usecase, home = load_usecase(request.usecase), Home.at(request.home)
    require_same_contract(request, usecase, "source", "silver", "gold.")
    with StoreLock(home, usecase.name, "refine"):
        erasures.require_done(home, usecase.name)
        started = time.monotonic()
        done = None if request.rebuild else _unchanged(usecase, home, request.run_id, emit)
        if done is not None:
            return done
        pending = standing.pending_rows(usecase, home, is_rebuild=request.rebuild)
        emit("progress", "starting Spark")
        spark = session.spark_session(rows=pending)
        result = refine(
            spark,
            usecase,
            home,
            request.run_id,
            emit,
            is_rebuild=request.rebuild,
            accept_rejected=request.accept_rejected,
            refit=request.refit,
            judge=_judge_of(usecase, home, request, emit),
        )
    session_s = round(time.monotonic() - started - sum(result.seconds.values()), 3)
    return msgspec.structs.replace(result, seconds={**result.seconds, "session": session_s})


def follow_stage(request: FollowRequest, emit: Emit) -> Followed:
    """Lands and refines again and again; see `lakehouse.follow.follow`."""
    land, refine = translated(land_stage), translated(refine_stage)
    return follow.follow(request, emit, land, refine, session.spark_session)


def _unchanged(usecase: UseCase, home: Home, run_id: str, emit: Emit) -> Refined | None:
    """The result of a refinement that has nothing to do, or None; without a JVM."""
    seconds: dict[str, float] = {}
    with _timed(seconds, "logs"):
        plan = _plan(usecase, home, is_rebuild=False)
        totals = standing.unchanged(usecase, home, plan)
    if totals is None:
        return None
    epochs.keep_gold(usecase, home)
    emit("info", _nothing_new(usecase, totals))
    _tell_left_over(usecase, home, emit)
    return _result(run_id, [], totals, _tables(usecase, home, plan.epoch), seconds)


def export_stage(request: ExportRequest, emit: Emit) -> Exported:
    """Writes a gold version as CSV.

    Raises:
        UsageError: There is no such model, or its contract changed since the run began.
        DataRefused: The validation gate refuses the gold table.
    """
    usecase, home = load_usecase(request.usecase), Home.at(request.home)
    model = usecase.models.get(request.model)
    if model is None:
        raise UsageError(
            f"{usecase.name} has no model {request.model!r}", valid=", ".join(usecase.models)
        )
    sections = ("source", f"gold.{model.table}", f"model.{model.name}.export")
    require_same_contract(request, usecase, *sections)
    from lakehouse import gate, gaterows

    found = gaterows.gold_rows(usecase, home, usecase.gold[model.table], request.version)
    if found is not None:
        verdict = gate.judge(found, home, request.run_id, emit)
        gate.require_passed(verdict, GateFiles(home, TableId.parse(found.layout.table)))
    return export.export(
        session.spark_session,
        usecase,
        model,
        home,
        emit,
        version=request.version,
        out=request.out,
        manifest_sha256=request.manifest_sha256,
    )


def audit_stage(request: AuditRequest, emit: Emit) -> Audited:
    """Compares all contents of the tables of a use case; see `lakehouse.audit.deep`.

    Raises:
        UsageError: The contract changed since the tables were made.
    """
    usecase, home = load_usecase(request.usecase), Home.at(request.home)
    with StoreLock(home, usecase.name, "audit"):
        emit("progress", "starting Spark")
        spark = session.spark_session()
        epoch = epochs.current(home, usecase.name)
        plan = epochs.plan(usecase, home, has_tables_of_before=True)
        if plan.epoch != epoch:
            raise UsageError(
                f"The tables of {usecase.name} were made under another contract",
                hint=f"goldlake rebuild {usecase.name}",
            )
        try:
            audit.check(spark, usecase, home, epoch, emit)
            audit.deep(spark, usecase, home, epoch, emit)
        except StoreError as error:
            return Audited(usecase=usecase.name, problem=str(error))
    return Audited(usecase=usecase.name, problem=None)


def erase_stage(request: EraseRequest, emit: Emit) -> Erased:
    """Takes the records of the erasure that was begun out of landed pages and tables.

    Raises:
        StoreError: No erasure was begun, or a page is not the one that was landed.
        UsageError: The contract's tables changed since the run began.
    """
    usecase, home = load_usecase(request.usecase), Home.at(request.home)
    require_same_contract(request, usecase, "source", "silver", "gold.")
    with StoreLock(home, usecase.name, "erase"):
        emit("progress", "starting Spark")
        return erased(session.spark_session(), usecase, home, request.run_id, emit)


def erased(spark: SparkSession, usecase: UseCase, home: Home, run_id: str, emit: Emit) -> Erased:
    """As `erase_stage`, for a caller that holds the store's lock. Idempotent."""
    begun = erasures.pending(home, usecase.name)
    if begun is None:
        raise StoreError(f"No erasure was begun in {usecase.name}")
    if not begun.rewritten:
        erase.rewrite(spark, usecase, home, begun, run_id, emit)
        begun = msgspec.structs.replace(begun, rewritten=True)
        erasures.put(home, usecase.name, begun)
    # An epoch that was begun before would be continued with the records that it holds.
    erase.forget(usecase, home, gold=True)
    clusters.fit_anew(usecase, home, f"erasure {begun.id}")
    refined = refine(spark, usecase, home, run_id, emit, is_rebuild=True, accept_rejected=True)
    erase.forget(usecase, home, gold=False)
    clusters.forget(usecase, home)
    gatefiles.forget(home, usecase.name)
    pages = {place.page for place in begun.places}
    epoch = epochs.current(home, usecase.name)
    return Erased(pages=len(pages), epoch=epoch, totals=refined.totals)


def restore_stage(request: RestoreRequest, emit: Emit) -> Refined:
    """Goes back, or forward again, to what had been landed by a run or an instant.

    Killed before `restore.write`, nothing has changed; afterwards, the same command and every
    refinement complete it.

    Raises:
        UsageError: There is no such run, or the contract changed since the run began.
    """
    usecase, home = load_usecase(request.usecase), Home.at(request.home)
    require_same_contract(request, usecase, "source", "silver", "gold.")
    with StoreLock(home, usecase.name):
        erasures.require_done(home, usecase.name)
        zone = specs.landing(usecase, home)
        planned = restore.plan(zone, request.to)
        emit("progress", "starting Spark")
        spark = session.spark_session(rows=sum(page.rows for page in planned.pages))
        restore.write(zone, planned, request.run_id)
        return refine(spark, usecase, home, request.run_id, emit)


def _nobody(*event: object, **more: object) -> None:
    """An `Emit` of examples, whose steps nobody waits for."""


def examples_stage(request: ExamplesRequest, emit: Emit) -> ExamplesRefined:
    """Refines the landed records of each example in its own home."""
    usecase = load_usecase(request.usecase)
    require_same_contract(request, usecase, "source", "silver", "gold.")
    emit("progress", "starting Spark", done=0, total=len(request.homes))
    spark = session.spark_session(shuffle_partitions=1, rows=len(request.homes))
    # Compiling a plan takes longer than interpreting it for a handful of rows.
    spark.conf.set("spark.sql.codegen.wholeStage", "false")
    problems = {}
    for done, (name, root) in enumerate(request.homes.items(), start=1):
        place = Home.at(root)
        try:
            refine(spark, usecase, place, request.run_id, _nobody, accept_rejected=True)
        except Exception as error:  # of the use case's own functions, too; the others still run
            problems[name] = str(told(error, place, usecase.folder) or error)
        emit("progress", name, done=done, total=len(request.homes))
    return ExamplesRefined(problems=problems)


def remake_stage(request: RemakeRequest, emit: Emit) -> Remade:
    """Refines landed pages again in another home, and compares; see `lakehouse.remade.remake`.

    Raises:
        UsageError: The contract changed since the run began.
    """
    usecase = load_usecase(request.usecase)
    export_of = f"model.{request.model}.export"
    require_same_contract(request, usecase, "source", "silver", "gold.", export_of)
    return remade.remake(request, emit, refine)


def refine(
    spark: SparkSession,
    usecase: UseCase,
    home: Home,
    run_id: str,
    emit: Emit,
    *,
    is_rebuild: bool = False,
    accept_rejected: bool = False,
    refit: bool = False,
    judge: Callable[[int], None] | None = None,
) -> Refined:
    """Brings bronze, silver and gold up to the landing zone and checks the account. Idempotent.

    A contract that stored rows cannot follow makes a new epoch of silver. It answers, and gold
    follows it, when it is whole and its account balances. The caller holds the store's lock.
    ``judge`` is called with the epoch after silver's commit: what it refuses does not reach gold.

    Returns:
        What became of the records of this run's batches, and what the tables hold now.

    Raises:
        GateRefused: More records would be rejected than the contract accepts; silver and gold are
            as they were. Or the validation gate refuses silver; gold is as it was.
        StoreError: A record is lost, doubled or changed.
    """
    seconds: dict[str, float] = {}
    plan = _plan(usecase, home, is_rebuild=is_rebuild)
    if plan.why:
        emit("info", f"{usecase.name}: {plan.told}")
    if not specs.landing(usecase, home).manifest() and plan.is_new and plan.is_current:
        emit("info", f"{usecase.name}: nothing has been landed yet")
        none = Totals(**msgspec.structs.asdict(commits.NO_RECORDS), silver=0)
        return _result(run_id, [], none, {}, seconds)
    if is_rebuild:
        mending.set_aside_damaged(spark, usecase, home, run_id, emit)
        clusters.mend(usecase, home, emit)
    if refit:
        clusters.fit_anew(usecase, home, f"asked for by run {run_id}")
    with _timed(seconds, "bronze"):
        silver.follow(spark, usecase, home, plan.epoch, run_id)
        bronze.follow(spark, usecase, home, run_id)
        bronze.ingest(spark, usecase, home, run_id, emit)
    with _timed(seconds, "silver"):
        epochs.begin(usecase, home, plan, run_id)
        made = silver.refine(
            spark,
            usecase,
            home,
            plan.epoch,
            run_id,
            emit,
            is_current=plan.is_current,
            accept_rejected=accept_rejected,
        )
    with _timed(seconds, "audit"):
        totals = audit.check(spark, usecase, home, plan.epoch, emit)
    epochs.make_current(usecase, home, plan.epoch)
    if judge is not None:
        with _timed(seconds, "gate"):
            judge(plan.epoch)
    with _timed(seconds, "gold"):
        changed = gold.refine(spark, usecase, home, plan.epoch, run_id, emit)
    epochs.keep_gold(usecase, home)
    if not made and not any(changed.values()):
        emit("info", _nothing_new(usecase, totals))
    _tell_left_over(usecase, home, emit)
    return _result(run_id, made, totals, _tables(usecase, home, plan.epoch), seconds)


def _judge_of(
    usecase: UseCase, home: Home, request: RefineRequest, emit: Emit
) -> Callable[[int], None]:
    """What judges silver of an epoch, and stops the run where a model would read what is wrong."""

    def judge(epoch: int) -> None:
        from lakehouse import gate, gaterows  # NumPy; what has nothing to do needs none

        found = gaterows.silver_rows(usecase, home, epoch)
        if found is None:
            return
        emit("progress", f"gate: {found.layout.table}")
        verdict = gate.judge(found, home, request.run_id, emit, every_s=request.gate_every_s)
        gate.require_passed(verdict, GateFiles(home, TableId.parse(found.layout.table)))

    return judge


def _plan(usecase: UseCase, home: Home, *, is_rebuild: bool) -> epochs.Plan:
    first = specs.silver(usecase, home, epochs.FIRST)
    has_before = DeltaLog(first.uri).exists()
    return epochs.plan(usecase, home, has_tables_of_before=has_before, rebuild=is_rebuild)


def _tell_left_over(usecase: UseCase, home: Home, emit: Emit) -> None:
    for table in gold.left_over(usecase, home):
        emit("info", f"{table} is not in the contract any more; it stays as it is")


def _nothing_new(usecase: UseCase, totals: Totals) -> str:
    return f"{usecase.name}: nothing new; {totals.silver:,} rows in silver"


def _result(
    run_id: str,
    made: Sequence[VersionsCommit],
    totals: Totals,
    tables: dict[str, TableState],
    seconds: dict[str, float],
) -> Refined:
    fates = reduce(commits.added, (commit.batch for commit in made), commits.NO_RECORDS)
    reasons: Counter[str] = Counter()
    for commit in made:
        reasons.update(commit.reasons)
    return Refined(
        run_id=run_id,
        new_records=fates.landed,
        fates=fates,
        totals=totals,
        reasons=dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0]))),
        tables=tables,
        seconds=seconds,
    )


def _tables(usecase: UseCase, home: Home, epoch: int) -> dict[str, TableState]:
    found = {}
    for spec in specs.all_tables(usecase, home, epoch):
        snapshot = DeltaLog(spec.uri).snapshot()
        found[spec.id] = TableState(rows=snapshot.rows, version=snapshot.version)
    return found


@contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    seconds[step] = round(time.monotonic() - started, 3)


STAGES: dict[Stage, StageFunction] = {
    "land": translated(land_stage),
    "refine": translated(refine_stage),
    "follow": translated(follow_stage),
    "audit": translated(audit_stage),
    "erase": translated(erase_stage),
    "maintain": translated(maintain.maintain_stage),
    "restore": translated(restore_stage),
    "examples": translated(examples_stage),
    "export": translated(export_stage),
    "keep": translated(keep_stage),
    "remake": translated(remake_stage),
}
