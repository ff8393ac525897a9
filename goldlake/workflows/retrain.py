"""Trains again when it is due, promotes what is blessed, and puts the reason on record."""

from __future__ import annotations

from msgspec.structs import replace

from goldlake.workflows import names, retrainings
from goldlake.workflows.conditions import parsed
from goldlake.workflows.due import FIRST, Standing
from goldlake.workflows.processes import OnEvent
from goldlake.workflows.retrainings import Remembered, Unfinished
from goldlake_core.contracts.errors import GoldlakeError
from goldlake_core.contracts.heads import HEADS
from goldlake_core.contracts.ids import ModelId, TableId
from goldlake_core.documents.monitoring import RefusedBefore, RetrainReport
from goldlake_core.instants import now_text
from goldlake_core.storage.home import Home
from goldlake_core.storage.locks import FileLock


def retrain(
    name: str,
    home: Home,
    conditions: str,
    on_event: OnEvent,
    *,
    is_promoted: bool = False,
    is_again: bool = False,
    folder: str | None = None,
) -> RetrainReport:
    """Trains a model when one of the conditions holds, or when no version of it is there.

    ``rows`` and ``age`` compare the newest gold version with that which the newest pushed version
    learned from; ``drift`` and ``metric`` are about the version that serves. A training that finds
    nothing changed gives the answer that is on record. A retraining that was cut off is due until
    it ends, for its version may be pushed already, so that no condition holds any more. Where a
    candidate was refused, none is trained from the same rows, contract and code, compared with the
    same version.

    Args:
        name: The model, such as ``city_bikes.is_late``.
        home: Where everything is kept.
        conditions: Such as ``rows>=5000, age>=30d, drift, metric:auc[28d]<0.88``.
        on_event: Called with the stages' events.
        is_promoted: Whether a blessed version is to serve.
        is_again: Whether to train also where a candidate of the same data was refused.
        folder: Folder of the request log where the server was given another one.

    Raises:
        UsageError: There is no such model or gold table, or a condition cannot be read.
        LockedError: Another process retrains the model.
        StageFailed: A stage ended with an error; exit code 3 when the validation gate said no.
    """
    usecase, model = names.load_model(name)
    wanted = parsed(conditions, HEADS[model.head.kind].metrics)
    names.require_table(TableId(usecase.name, "gold", model.table), home)
    model_id = ModelId(usecase.name, model.name)
    place = home.pipeline(usecase.name, model.name)
    with FileLock(f"{place}/retrain.lock", f"retraining {model_id}", work="retrain"):
        standing = Standing(name, usecase, model, home, folder, wanted)
        results = standing.results()
        held = [each.text for each in results if each.holds]
        if standing.newest is None:
            held.insert(0, FIRST)
        begun = retrainings.begun(home, usecase.name, model.name)
        if (cut := begun.read()) is not None:
            held.insert(0, f"the retraining of {cut.at} was cut off ({cut.reason})")
        report = RetrainReport(
            model=str(model_id),
            learned=standing.newest,
            served=standing.served,
            conditions=results,
            outcome="quiet",
            reason="; ".join(held),
        )
        if not held:
            return report
        refused = retrainings.refused(home, usecase.name, model.name)
        key = retrainings.candidate_key(usecase, model, standing.log, standing.served)
        known = refused.read()
        if known is not None and known.key == key and cut is None and not is_again:
            return replace(report, outcome="refused_before", refused_before=known.refused)
        if cut is None:
            begun.write(Unfinished(now_text("seconds"), report.reason))
        try:
            report = _trained(name, home, report, on_event)
        except GoldlakeError:
            begun.remove()
            raise
        if report.outcome == "refused":
            refused.write(Remembered(key=key, refused=_refused(report)))
        else:
            refused.remove()
        # A promotion that fails leaves the note: the next call promotes what this one trained.
        report = _promoted(home, report, on_event) if is_promoted else report
        begun.remove()
        return report


def _trained(name: str, home: Home, report: RetrainReport, on_event: OnEvent) -> RetrainReport:
    """Trains, and puts the reason and what came of it on record."""
    from goldlake.workflows.train import train
    from metadata import retraining

    found = {each.text: each.found for each in report.conditions if each.holds}
    try:
        made = train(name, home, None, on_event)
    except GoldlakeError as error:
        retraining.record(home, report.model, report.reason, found, "failed", why=error.message)
        raise
    trained = made.train
    outcome = "blessed" if trained.blessed else "refused"
    reason_id = retraining.record(
        home,
        report.model,
        report.reason,
        found,
        outcome,
        run_id=made.run_id,
        version=trained.model_version,
        why="; ".join(trained.reasons),
    )
    return replace(report, outcome=outcome, reason_id=reason_id, train=made)


def _refused(report: RetrainReport) -> RefusedBefore:
    """What the next call tells of a candidate that was refused now."""
    made = report.train
    assert made is not None
    return RefusedBefore(
        at=now_text("seconds"),
        reason=report.reason,
        why="; ".join(made.train.reasons) or made.train.serving_problem or "not blessed",
        run_id=made.train.recorded or made.run_id,
        table=str(TableId.parse(made.export.table).at(made.export.version)),
        reason_id=report.reason_id,
    )


def _promoted(home: Home, report: RetrainReport, on_event: OnEvent) -> RetrainReport:
    """Lets a blessed version serve which does not yet."""
    assert report.train is not None
    trained = report.train.train
    version = trained.model_version
    if not trained.blessed or version is None or version == report.served:
        return report
    from goldlake.workflows.promote import Options, promote

    because = f"goldlake retrain: {report.reason}"
    moved = promote(home, f"{report.model}@{version}", "stable", Options(because=because), on_event)
    unconfirmed = tuple(f"{each.url}: {each.problem}" for each in moved.servers if each.problem)
    return replace(report, promoted=version, unconfirmed=unconfirmed)
