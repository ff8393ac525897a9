"""Trains again when it is due, promotes what is blessed, and puts the reason on record."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import cached_property

import msgspec

from goldlake.workflows import names
from goldlake.workflows.conditions import Condition, parsed
from goldlake.workflows.monitor import Wanted, monitor
from goldlake.workflows.processes import OnEvent
from goldlake_core.contracts.errors import GoldlakeError
from goldlake_core.contracts.heads import HEADS
from goldlake_core.contracts.ids import ModelId, TableId
from goldlake_core.contracts.sections import Model, UseCase
from goldlake_core.documents import codec
from goldlake_core.documents.monitoring import ConditionResult, MonitorReport, RetrainReport
from goldlake_core.documents.training import PushedVersion
from goldlake_core.instants import now_text, of_text
from goldlake_core.storage.deltalog import DeltaLog
from goldlake_core.storage.files import read_bytes, write_atomic
from goldlake_core.storage.home import Home
from goldlake_core.storage.locks import FileLock
from goldlake_core.storage.model_versions import pushed_versions

DAY_S = 86_400
FIRST = "no version was trained yet"


def retrain(
    name: str,
    home: Home,
    conditions: str,
    on_event: OnEvent,
    *,
    is_promoted: bool = False,
    folder: str | None = None,
) -> RetrainReport:
    """Trains a model when one of the conditions holds, or when no version of it is there.

    ``rows`` and ``age`` compare the newest gold version with that which the newest pushed version
    learned from; ``drift`` and ``metric`` are about the version that serves. A training that finds
    nothing changed gives the answer that is on record. A retraining that was cut off is due until
    it ends, for its version may be pushed already, so that no condition holds any more.

    Args:
        name: The model, such as ``city_bikes.is_late``.
        home: Where everything is kept.
        conditions: Such as ``rows>=5000, age>=30d, drift, metric:auc<0.88``.
        on_event: Called with the stages' events.
        is_promoted: Whether a blessed version is to serve.
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
    lock = FileLock(
        f"{place}/retrain.lock",
        f"retraining {model_id}",
        work="retrain",
    )
    with lock:
        kinds = {each.kind for each in wanted}
        parts: dict[str, Wanted] = {"drift": "drift", "metric": "metrics"}
        looked = frozenset(parts[kind] for kind in kinds & parts.keys())
        standing = _Standing(name, usecase, model, home, folder, looked)
        results = tuple(standing.result(each) for each in wanted)
        held = [each.text for each in results if each.holds]
        if standing.newest is None:
            held.insert(0, FIRST)
        begun = _Begun(home, f"{place}/retrain.json")
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
        if cut is None:
            begun.write(report.reason)
        return _trained(name, home, report, is_promoted, on_event, begun)


class _Unfinished(msgspec.Struct, frozen=True):
    """A retraining that has begun: when, and why."""

    at: str
    reason: str


@dataclass(frozen=True)
class _Begun:
    """The file that is there from the beginning of a retraining to its end."""

    home: Home
    path: str

    def read(self) -> _Unfinished | None:
        """The retraining that was cut off, or None."""
        data = read_bytes(self.home.fs, self.path)
        return codec.decode(data, _Unfinished, self.path) if data else None

    def write(self, reason: str) -> None:
        """Says that a retraining has begun."""
        begun = _Unfinished(now_text("seconds"), reason)
        write_atomic(self.home.fs, self.path, codec.encode(begun))

    def remove(self) -> None:
        """Says that it has ended."""
        with contextlib.suppress(FileNotFoundError):
            self.home.fs.rm(self.path)


def _trained(
    name: str,
    home: Home,
    report: RetrainReport,
    is_promoted: bool,
    on_event: OnEvent,
    begun: _Begun,
) -> RetrainReport:
    from goldlake.workflows.train import train
    from metadata import retraining

    found = {each.text: each.found for each in report.conditions if each.holds}
    try:
        made = train(name, home, None, on_event)
    except GoldlakeError as error:
        retraining.record(home, report.model, report.reason, found, "failed", why=error.message)
        begun.remove()
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
    report = msgspec.structs.replace(report, outcome=outcome, reason_id=reason_id, train=made)
    version = trained.model_version
    if not (is_promoted and trained.blessed and version is not None and version != report.served):
        begun.remove()
        return report
    from goldlake.workflows.promote import Options, promote

    because = f"goldlake retrain: {report.reason}"
    moved = promote(home, f"{report.model}@{version}", "stable", Options(because=because), on_event)
    begun.remove()
    unconfirmed = tuple(f"{each.url}: {each.problem}" for each in moved.servers if each.problem)
    return msgspec.structs.replace(report, promoted=version, unconfirmed=unconfirmed)


@dataclass(frozen=True)
class _Standing:
    """How a model and its table stand; what no condition asks for is not looked up."""

    name: str
    usecase: UseCase
    model: Model
    home: Home
    folder: str | None
    looked: frozenset[Wanted]

    @cached_property
    def pushed(self) -> dict[int, PushedVersion | None]:
        return pushed_versions(self.home, self.usecase.name, self.model.name)

    @cached_property
    def newest(self) -> int | None:
        return max(self.pushed, default=None)

    @cached_property
    def served(self) -> int | None:
        return names.served_version(str(ModelId(self.usecase.name, self.model.name)), self.home)

    @cached_property
    def monitored(self) -> MonitorReport:
        return monitor(f"{self.name}@{self.served}", self.home, self.folder, self.looked)

    @cached_property
    def log(self) -> DeltaLog:
        from lakehouse import specs

        return DeltaLog(
            specs.gold(self.usecase, self.home, self.usecase.gold[self.model.table]).uri
        )

    def result(self, condition: Condition) -> ConditionResult:
        """Whether a condition holds. What is damaged is an error, what is not known is not."""
        holds, found = _ASKED[condition.kind](self, condition)
        return ConditionResult(text=condition.text, holds=holds, found=found)

    def rows(self, condition: Condition) -> tuple[bool | None, str]:
        about = self._about()
        if isinstance(about, str):
            return None, about
        try:
            before = self.log.snapshot(about.table_version).rows
        except GoldlakeError as error:
            return None, error.problem
        more = self.log.snapshot().rows - before
        return condition.holds(more), f"{more:,} rows more than @{self.newest} learned from"

    def age(self, condition: Condition) -> tuple[bool | None, str]:
        from lakehouse.gold.basis import basis_of

        about = self._about()
        if isinstance(about, str):
            return None, about
        commit = self.log.last_commit_with("as_of", self.log.snapshot().version)
        if commit is None or about.as_of is None:
            return None, "the table does not say what its newest change is"
        newer = of_text(basis_of(commit).as_of) - of_text(about.as_of)
        seconds = newer.total_seconds()
        text = f"data {seconds / DAY_S:.1f} days newer than those of @{self.newest}"
        return condition.holds(seconds), text

    def drift(self, condition: Condition) -> tuple[bool | None, str]:
        if self.served is None:
            return None, "no version serves"
        found = self.monitored
        if not any(period.values for period in found.drift):
            whys = [each.why for each in found.unjudged if "drift" in each.what]
            return None, whys[0] if whys else "no request is in the log"
        moved = [each for each in found.alarms if each.startswith("requests")]
        return bool(moved), "; ".join(moved) or f"requests are as @{self.served} learned"

    def metric(self, condition: Condition) -> tuple[bool | None, str]:
        if self.served is None:
            return None, "no version serves"
        total = self.monitored.total
        value = total.metrics.get(condition.metric) if total is not None else None
        if total is None or not total.is_judged or value is None:
            whys = [each.why for each in self.monitored.unjudged if "drift in" not in each.what]
            return None, whys[0] if whys else f"{condition.metric} is undefined"
        text = f"{value:.4f} of {total.rows:,} answers of @{self.served}"
        return condition.holds(value), text

    def _about(self) -> PushedVersion | str:
        """What the newest version says of itself, or why that is not known."""
        if self.newest is None:
            return FIRST
        about = self.pushed[self.newest]
        if about is None or about.table_version is None:
            return f"@{self.newest} does not say what it learned from"
        if about.table_uuid not in (None, self.log.snapshot().uuid):
            return f"@{self.newest} learned from a table that was made again since"
        return about


_ASKED = {
    "rows": _Standing.rows,
    "age": _Standing.age,
    "drift": _Standing.drift,
    "metric": _Standing.metric,
}
