"""What logged requests say of a served model: metrics, calibration, drift. Read-only, no JVM."""

from __future__ import annotations

from collections.abc import Iterator

from goldlake.workflows import names
from goldlake.workflows.live_drift import Drift, drift
from goldlake.workflows.live_metrics import Live, live
from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.ids import ModelId
from goldlake_core.documents.monitoring import LogAccount, MonitorReport, Unjudged
from goldlake_core.instants import of_text, utc_text
from goldlake_core.storage.home import Home
from goldlake_core.storage.model_versions import pushed_versions
from serving.answeredlog import AnsweredLog, answered

_NO_LOG = "the contract has no serving.request_log, so no request is kept"


def monitor(name: str, home: Home, folder: str | None = None) -> MonitorReport:
    """Reads the request log of a model, and compares it with labels and with what it learned from.

    Args:
        name: The model, or one version of it; without a version the one that serves.
        home: Home that holds the model, its tables and its request log.
        folder: Folder of the request log where the server was given another one.

    Raises:
        UsageError: There is no such model, it has no such version, or none serves.
        StoreError: The gold table cannot be read.
    """
    text, at, number = name.partition("@")
    usecase, model = names.load_model(text)
    model_id = ModelId(usecase.name, model.name)
    version = names.pushed_version(model_id, number if at else None, home)
    about = pushed_versions(home, usecase.name, model.name).get(version)
    if not home.is_local and folder is None:
        raise UsageError(
            f"The request log of a server is on its own disk, and {home.root} is not",
            valid="the folder that the server was given",
            hint="goldlake monitor MODEL --request-log FOLDER",
        )
    log = answered(str(model_id), version, home, folder)
    found = live(usecase, model, log.lines, home) if log.lines else Live()
    learned = about.table_version if about is not None else None
    moved = drift(usecase, model, learned, log.lines, home) if log.lines else Drift()
    unjudged = (*found.unjudged, *moved.unjudged)
    if not log.lines:
        keeps = log.files or model.serving.request_log is not None
        why = _why_nothing(log, version) if keeps else _NO_LOG
        unjudged = (Unjudged(what="metrics and drift", why=why),)
    return MonitorReport(
        model=str(model_id.at(version)),
        log=_account(log),
        labels=found.labels,
        table=found.table,
        total=found.total,
        weeks=tuple(found.weeks),
        slices=tuple(found.slices),
        calibration=found.calibration,
        tested=dict(about.metrics) if about is not None else {},
        bounds=tuple(found.bounds),
        learned=moved.learned,
        drift=tuple(moved.periods),
        unjudged=unjudged,
        alarms=tuple(_alarms(found, moved)),
    )


def _why_nothing(log: AnsweredLog, version: int) -> str:
    others = f": {log.others:,} lines are of other versions or signatures" if log.others else ""
    return f"{log.folder} has no answer of version {version}{others}"


def _account(log: AnsweredLog) -> LogAccount:
    instants = sorted((line.at for line in log.lines), key=of_text)
    return LogAccount(
        folder=str(log.folder),
        files=log.files,
        lines=len(log.lines),
        first_at=utc_text(of_text(instants[0])) if instants else None,
        last_at=utc_text(of_text(instants[-1])) if instants else None,
        refused=log.refused,
        others=log.others,
        damaged=log.damaged,
        is_cut=log.is_cut,
    )


def _alarms(found: Live, moved: Drift) -> Iterator[str]:
    for each in found.bounds:
        if not each.ok:
            side = "at least" if each.kind == "minimum" else "at most"
            shown = "undefined" if each.value is None else f"{each.value:.4g}"
            yield f"{each.metric} is {shown}, and the contract wants {side} {each.bound:.4g}"
    for period in moved.periods:
        beyond = [value for value in period.beyond if value.stops]
        columns = dict.fromkeys(" x ".join(value.columns) for value in beyond)
        if columns:
            names_of = list(columns)
            more = f" and {len(names_of) - 3} more" if len(names_of) > 3 else ""
            yield f"requests of {period.period} drift in {', '.join(names_of[:3])}{more}"
