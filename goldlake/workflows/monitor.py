"""What logged requests say of a served model: metrics, calibration, drift. No JVM."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Literal

from goldlake.workflows import names
from goldlake.workflows.live_drift import Drift, drift
from goldlake.workflows.live_log import AT, LiveLog, live_log
from goldlake.workflows.live_metrics import Live, live
from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.ids import ModelId
from goldlake_core.documents.monitoring import LogAccount, MonitorReport, Unjudged
from goldlake_core.instants import utc_text
from goldlake_core.storage.home import Home
from goldlake_core.storage.model_versions import pushed_versions

_NO_LOG = "the contract has no serving.request_log, so no request is kept"


Wanted = Literal["metrics", "slices", "drift"]
WHOLE: frozenset[Wanted] = frozenset(("metrics", "slices", "drift"))


def monitor(
    name: str,
    home: Home,
    folder: str | None = None,
    wanted: Collection[Wanted] = WHOLE,
    windows: Sequence[str] = (),
) -> MonitorReport:
    """Reads the request log of a model, and compares it with labels and with what it learned from.

    Tables are only read. What was read of the log, and what was counted of the version that the
    model learned from, is kept where it may be, so that the next look costs what came since.

    Args:
        name: The model, or one version of it; without a version the one that serves.
        home: Home that holds the model, its tables and its request log.
        folder: Folder of the request log where the server was given another one.
        wanted: Parts of the report; ``slices`` are weeks, slices and calibration of ``metrics``.
        windows: Lengths of time, such as ``28d``. For each the report has ``metrics`` of the
            answers about the newest records with a ripe label.

    Raises:
        UsageError: There is no such model or version, or no version serves.
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
    log = live_log(usecase, model, version, home, folder)
    is_empty = log.frame.is_empty()
    found, moved = Live(), Drift()
    if not is_empty and "metrics" in wanted:
        found = live(
            usecase, model, log.frame, home, with_slices="slices" in wanted, windows=windows
        )
    if not is_empty and "drift" in wanted:
        learned = about.table_version if about is not None else None
        moved = drift(usecase, model, learned, log, home)
    unjudged = (*found.unjudged, *moved.unjudged)
    if is_empty:
        keeps = log.files or model.serving.request_log is not None
        why = _why_nothing(log, version) if keeps else _NO_LOG
        unjudged = (Unjudged(what="metrics and drift", why=why),)
    return MonitorReport(
        model=str(model_id.at(version)),
        log=_account(log),
        labels=found.labels,
        table=found.table,
        total=found.total,
        windows=tuple(found.windows),
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


def _why_nothing(log: LiveLog, version: int) -> str:
    others = f": {log.others:,} lines are of other versions or signatures" if log.others else ""
    return f"{log.folder} has no answer of version {version}{others}"


def _account(log: LiveLog) -> LogAccount:
    first, last = log.frame[AT].min(), log.frame[AT].max()
    return LogAccount(
        folder=str(log.folder),
        files=log.files,
        lines=log.frame.height,
        first_at=utc_text(first) if isinstance(first, datetime) else None,
        last_at=utc_text(last) if isinstance(last, datetime) else None,
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
