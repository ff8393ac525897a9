"""How a model and its table stand, and which conditions of a retraining hold."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from goldlake.workflows import names
from goldlake.workflows.conditions import Condition
from goldlake.workflows.monitor import Wanted, monitor
from goldlake_core.contracts.errors import GoldlakeError
from goldlake_core.contracts.ids import ModelId
from goldlake_core.contracts.sections import Model, UseCase
from goldlake_core.documents.monitoring import ConditionResult, MonitorReport
from goldlake_core.documents.training import PushedVersion, SliceReport
from goldlake_core.instants import of_text
from goldlake_core.storage.deltalog import DeltaLog
from goldlake_core.storage.home import Home
from goldlake_core.storage.model_versions import pushed_versions

DAY_S = 86_400
FIRST = "no version was trained yet"
_PARTS: dict[str, Wanted] = {"drift": "drift", "metric": "metrics"}


@dataclass(frozen=True)
class Standing:
    """How a model and its table stand; what no condition asks for is not looked up.

    Attributes:
        name: The model as it was named.
        usecase: The use case of the model.
        model: The contract of the model.
        home: Where everything is kept.
        folder: Folder of the request log where the server was given another one, or None.
        conditions: The conditions to check.
    """

    name: str
    usecase: UseCase
    model: Model
    home: Home
    folder: str | None
    conditions: tuple[Condition, ...]

    @cached_property
    def pushed(self) -> dict[int, PushedVersion | None]:
        """Every pushed version."""
        return pushed_versions(self.home, self.usecase.name, self.model.name)

    @cached_property
    def newest(self) -> int | None:
        """The newest pushed version, or None."""
        return max(self.pushed, default=None)

    @cached_property
    def served(self) -> int | None:
        """The version that serves, or None."""
        return names.served_version(str(ModelId(self.usecase.name, self.model.name)), self.home)

    @cached_property
    def log(self) -> DeltaLog:
        """The log of the gold table."""
        return DeltaLog(self.home.table(self.usecase.name, "gold", self.model.table))

    def results(self) -> tuple[ConditionResult, ...]:
        """What was found of each condition.

        What is damaged is an error; what is not known does not hold.
        """
        return tuple(_ASKED[each.kind](self, each) for each in self.conditions)

    @cached_property
    def _monitored(self) -> MonitorReport:
        return monitor(
            f"{self.name}@{self.served}",
            self.home,
            self.folder,
            {_PARTS[each.kind] for each in self.conditions if each.kind in _PARTS},
            tuple(dict.fromkeys(each.window for each in self.conditions if each.window)),
        )

    def _rows(self, condition: Condition) -> ConditionResult:
        about = self._about()
        if isinstance(about, str):
            return _unknown(condition, about)
        try:
            before = self.log.snapshot(about.table_version).rows
        except GoldlakeError as error:
            return _unknown(condition, error.problem)
        more = self.log.snapshot().rows - before
        return _found(condition, more, f"{more:,} rows more than @{self.newest} learned from")

    def _age(self, condition: Condition) -> ConditionResult:
        from lakehouse.gold.basis import basis_of

        about = self._about()
        if isinstance(about, str):
            return _unknown(condition, about)
        commit = self.log.last_commit_with("as_of", self.log.snapshot().version)
        if commit is None or about.as_of is None:
            return _unknown(condition, "the table does not say what its newest change is")
        newer = of_text(basis_of(commit).as_of) - of_text(about.as_of)
        seconds = newer.total_seconds()
        text = f"data {seconds / DAY_S:.1f} days newer than those of @{self.newest}"
        return _found(condition, seconds, text)

    def _drift(self, condition: Condition) -> ConditionResult:
        if self.served is None:
            return _unknown(condition, "no version serves")
        found = self._monitored
        judged = [each for each in found.drift if each.values]
        if not judged:
            whys = (each.why for each in found.unjudged if "drift" in each.what)
            return _unknown(condition, next(whys, "no request is in the log"))
        # What drifted once, and does not any more, does not begin a training today.
        newest = ([each for each in judged if each.has_limits] or judged)[-1].period
        moved = [each for each in found.alarms if each.startswith(f"requests of {newest} ")]
        text = "; ".join(moved) or f"requests of {newest} are as @{self.served} learned"
        return ConditionResult(text=condition.text, holds=bool(moved), found=text)

    def _metric(self, condition: Condition) -> ConditionResult:
        if self.served is None:
            return _unknown(condition, "no version serves")
        if condition.window:
            return self._metric_of_window(condition)
        whys = (each.why for each in self._monitored.unjudged if "drift in" not in each.what)
        why = next(whys, f"{condition.metric} is undefined")
        return self._metric_of(condition, self._monitored.total, why, "")

    def _metric_of_window(self, condition: Condition) -> ConditionResult:
        found = next((w for w in self._monitored.windows if w.length == condition.window), None)
        if found is None or found.until is None:
            whys = (each.why for each in self._monitored.unjudged if "drift in" not in each.what)
            return _unknown(condition, next(whys, "no logged answer has a ripe label yet"))
        span = f" up to {found.until[:10]}"
        count = found.total.rows if found.total is not None else 0
        why = (
            f"{count:,} answers of @{self.served} with a ripe label{span}, which are too few: "
            f"at least {found.fewest}"
        )
        if found.total is not None and found.total.is_judged:
            why = f"{condition.metric} is undefined"
        return self._metric_of(condition, found.total, why, span)

    def _metric_of(
        self, condition: Condition, part: SliceReport | None, why: str, span: str
    ) -> ConditionResult:
        value = part.metrics.get(condition.metric) if part is not None else None
        answers = part.rows if part is not None else 0
        if part is None or not part.is_judged or value is None:
            return _unknown(condition, why, answers)
        text = f"{value:.4f} of {answers:,} answers of @{self.served}{span}"
        return _found(condition, value, text, answers)

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


def _found(
    condition: Condition, value: float, text: str, answers: int | None = None
) -> ConditionResult:
    holds = condition.holds(value)
    return ConditionResult(text=condition.text, holds=holds, found=text, answers=answers)


def _unknown(condition: Condition, why: str, answers: int | None = None) -> ConditionResult:
    return ConditionResult(text=condition.text, holds=None, found=why, answers=answers)


_ASKED = {
    "rows": Standing._rows,
    "age": Standing._age,
    "drift": Standing._drift,
    "metric": Standing._metric,
}
