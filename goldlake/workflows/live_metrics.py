"""Logged answers beside the labels that came to be known: metrics by week and slice. No JVM."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from goldlake_core.contracts.ids import TableId
from goldlake_core.contracts.sections import Model, UseCase
from goldlake_core.documents.examining import CalibrationBin
from goldlake_core.documents.monitoring import LabelAccount, Unjudged
from goldlake_core.documents.training import Bound, SliceReport
from goldlake_core.gate.periods import period_of
from goldlake_core.instants import of_text
from goldlake_core.storage.home import Home

if TYPE_CHECKING:
    from serving.answeredlog import Answered
    from tfx_pipeline.heads.base import Head

WEEK = "week"


@dataclass
class Live:
    """Metrics of answers whose label is ripe.

    Attributes:
        labels: What became of the answers.
        table: The gold table and version that the labels are of, or None.
        total: Metrics of all, or None without any.
        weeks: Metrics by week of the request.
        slices: Metrics by slice.
        calibration: Probability and outcome, of binary models.
        bounds: What the contract's thresholds allow, with what was found.
        unjudged: What could not be judged, and why.
    """

    labels: LabelAccount = field(default_factory=LabelAccount)
    table: str | None = None
    total: SliceReport | None = None
    weeks: list[SliceReport] = field(default_factory=list)
    slices: list[SliceReport] = field(default_factory=list)
    calibration: tuple[CalibrationBin, ...] = ()
    bounds: list[Bound] = field(default_factory=list)
    unjudged: list[Unjudged] = field(default_factory=list)

    def without(self, why: str, what: str = "metrics") -> Live:
        """Adds a reason why something is not judged."""
        self.unjudged.append(Unjudged(what=what, why=why))
        return self


def live(usecase: UseCase, model: Model, lines: Sequence[Answered], home: Home) -> Live:
    """Compares answers with the labels of the newest gold version, by the record key.

    Args:
        usecase: The use case.
        model: The model that answered.
        lines: Its answers, the oldest first.
        home: Home that holds the table.
    """
    found = Live()
    keyed = [line for line in lines if line.record_key is not None]
    without_key = len(lines) - len(keyed)
    found.labels = LabelAccount(without_key=without_key)
    if not keyed:
        header = model.serving.record_key
        return found.without(
            f"no request carries the record key {header}"
            if header
            else "the contract names no serving.record_key, so requests cannot be joined to labels"
        )
    key = usecase.gold[model.table].key
    if len(key) != 1:
        return found.without(
            f"the gold table {model.table} has the key {', '.join(key)}, and a record key is one"
        )
    known, found.table = _labels(usecase, model, key[0], keyed, home)
    _score(found, model, keyed, known, without_key)
    return found


@dataclass(frozen=True)
class _Known:
    """A row of the gold table: its label, None while that is not ripe, and values of slices."""

    label: Any
    values: Mapping[str, str | None]


def _labels(
    usecase: UseCase, model: Model, key: str, lines: Sequence[Answered], home: Home
) -> tuple[dict[str, _Known], str]:
    import polars as pl

    from lakehouse.gaterows import gold_rows
    from lakehouse.rows import all_rows

    table = TableId(usecase.name, "gold", model.table)
    frame, version = all_rows(table, home)
    slices = list(dict.fromkeys(name for names in model.slices for name in names))
    wanted = pl.Series([line.record_key for line in lines]).unique()
    ripe = pl.lit(True)
    if model.event_time:
        rows = gold_rows(usecase, home, usecase.gold[model.table], version)
        if rows is not None:
            until = rows.as_of - timedelta(days=model.maturity_days)
            ripe = pl.col(model.event_time).cast(pl.Datetime("us", "UTC")) <= until
    text = pl.col(key).cast(pl.String)
    label = pl.when(ripe).then(pl.col(model.label)).alias("_label")
    some = frame.select(text.alias("_key"), label, *(pl.col(s).cast(pl.String) for s in slices))
    rows_of = some.filter(pl.col("_key").is_in(wanted.implode())).collect()
    return {
        row["_key"]: _Known(row["_label"], {name: row[name] for name in slices})
        for row in rows_of.iter_rows(named=True)
    }, str(table.at(version))


def _score(
    found: Live,
    model: Model,
    lines: Sequence[Answered],
    known: Mapping[str, _Known],
    without_key: int,
) -> None:
    import numpy as np

    from tfx_pipeline.evaluation.slices import Answers, slice_reports
    from tfx_pipeline.heads.registry import HEADS

    head = HEADS[model.head.kind]
    kept: tuple[array[Any], ...] = tuple(array(code) for code in head.kept)
    slices = list(dict.fromkeys(name for names in model.slices for name in names))
    values: dict[str, list[str | None]] = {name: [] for name in (WEEK, *slices)}
    counts = dict.fromkeys(("unknown", "unripe", "repeated", "unusable"), 0)
    seen: set[str] = set()
    for line in lines:
        assert line.record_key is not None
        row = known.get(line.record_key)
        if row is None:
            counts["unknown"] += 1
        elif row.label is None:
            counts["unripe"] += 1
        elif line.record_key in seen:
            counts["repeated"] += 1
        elif (record := _record(head, row.label, line)) is None:
            counts["unusable"] += 1
        else:
            seen.add(line.record_key)
            for column, value in zip(kept, record, strict=True):
                column.append(value)
            values[WEEK].append(period_of(of_text(line.at).date(), "week").name)
            for name in slices:
                values[name].append(row.values[name])
    columns = tuple(np.frombuffer(each, each.typecode) for each in kept)
    found.labels = LabelAccount(scored=len(seen), without_key=without_key, **counts)
    if not seen:
        found.without("no logged answer has a ripe label yet")
        return
    costs = model.decision.costs if model.decision is not None else None
    answers = Answers(columns, None, values)
    (found.total, *found.weeks), _ = slice_reports(head, answers, [[WEEK]], costs)
    (_, *found.slices), _ = slice_reports(head, answers, model.slices, costs)
    if model.head.kind == "binary":
        from tfx_pipeline.answered import calibration

        found.calibration = calibration(columns[0] > 0.5, columns[1])
    _judge(found, model, found.total)


def _record(head: Head, label: Any, line: Answered) -> Sequence[float] | None:
    """What the head keeps of an answer, or None where the answer does not have its outputs."""
    import numpy as np

    # Outputs of texts are bytes where the model gives them.
    outputs = {
        name: np.array([text.encode() for text in value])
        if isinstance(value, list) and value and isinstance(value[0], str)
        else value
        for name, value in line.outputs.items()
    }
    try:
        record = head.record(label, outputs)
    except (KeyError, TypeError, ValueError, IndexError):
        return None
    return record if all(np.isfinite(each) for each in record) else None


def _judge(found: Live, model: Model, total: SliceReport) -> None:
    """The bounds of the contract that are about one model; an interval has to be outside whole."""
    if not total.is_judged:
        found.without(f"{total.rows} answers have a ripe label, which are too few", "bounds")
        return
    for each in model.thresholds:
        if each.metric not in total.metrics:
            continue
        value = total.metrics[each.metric]
        low, high = total.intervals.get(each.metric, (value, value))
        if each.minimum is not None:
            is_kept = high is not None and high >= each.minimum
            found.bounds.append(_bound(each.metric, "minimum", value, each.minimum, is_kept))
        if each.maximum is not None:
            is_kept = low is not None and low <= each.maximum
            found.bounds.append(_bound(each.metric, "maximum", value, each.maximum, is_kept))


def _bound(metric: str, kind: Any, value: float | None, bound: float, is_kept: bool) -> Bound:
    return Bound(metric=metric, kind=kind, value=value, bound=bound, ok=is_kept)
