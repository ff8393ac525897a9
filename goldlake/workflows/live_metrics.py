"""Logged answers beside the labels that came to be known: metrics by week and slice. No JVM."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from goldlake.workflows.live_log import AT, KEY, OUTPUTS
from goldlake.workflows.live_windows import Scored, window_metrics
from goldlake_core.contracts.ids import TableId
from goldlake_core.contracts.sections import Model, UseCase
from goldlake_core.documents.examining import CalibrationBin
from goldlake_core.documents.lineage import Output
from goldlake_core.documents.monitoring import LabelAccount, Unjudged, WindowMetrics
from goldlake_core.documents.training import Bound, SliceReport
from goldlake_core.storage.home import Home

if TYPE_CHECKING:
    import polars as pl

    from tfx_pipeline.heads.base import Head

WEEK = "week"
_LABEL, _IS_KNOWN, _EVENT = "_label", "_is_known", "_event"


@dataclass
class Live:
    """Metrics of answers whose label is ripe.

    Attributes:
        labels: What became of the answers.
        table: The gold table and version that the labels are of, or None.
        total: Metrics of all, or None without any.
        windows: Metrics of the windows that were asked for.
        weeks: Metrics by week of the request.
        slices: Metrics by slice.
        calibration: Probability and outcome, of binary models.
        bounds: What the contract's thresholds allow, with what was found.
        unjudged: What could not be judged, and why.
    """

    labels: LabelAccount = field(default_factory=LabelAccount)
    table: str | None = None
    total: SliceReport | None = None
    windows: list[WindowMetrics] = field(default_factory=list)
    weeks: list[SliceReport] = field(default_factory=list)
    slices: list[SliceReport] = field(default_factory=list)
    calibration: tuple[CalibrationBin, ...] = ()
    bounds: list[Bound] = field(default_factory=list)
    unjudged: list[Unjudged] = field(default_factory=list)

    def without(self, why: str, what: str = "metrics") -> Live:
        """Adds a reason why something is not judged."""
        self.unjudged.append(Unjudged(what=what, why=why))
        return self


def live(
    usecase: UseCase,
    model: Model,
    answers: pl.DataFrame,
    home: Home,
    *,
    with_slices: bool = True,
    windows: Sequence[str] = (),
) -> Live:
    """Compares answers with the labels of the newest gold version, by the record key.

    Args:
        usecase: The use case.
        model: The model that answered.
        answers: Its answers, the oldest first, as `live_log` has them.
        home: Home that holds the table.
        with_slices: Whether weeks, slices and calibration are computed, too.
        windows: Lengths of the windows that are computed, too, such as ``28d``.
    """
    found = Live()
    keyed = answers.drop_nulls(KEY)
    without_key = answers.height - keyed.height
    found.labels = LabelAccount(without_key=without_key)
    if keyed.is_empty():
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
    slicing = _slicing(model) if with_slices else []
    known = _labels(usecase, model, key[0], keyed, slicing, home)
    found.table = known.table
    _score(found, model, keyed, known, windows, with_slices=with_slices)
    return found


@dataclass(frozen=True)
class _Known:
    """What the gold table says of the records that were asked about.

    Attributes:
        rows: Its rows by `KEY`: slices, event time, and the label, which is null until it is ripe.
        table: The table and its version.
        until: Events after this instant are not ripe; None where every label is.
    """

    rows: pl.DataFrame
    table: str
    until: datetime | None


def _labels(
    usecase: UseCase,
    model: Model,
    key: str,
    keyed: pl.DataFrame,
    slicing: Sequence[str],
    home: Home,
) -> _Known:
    import polars as pl

    from lakehouse.gaterows import gold_rows
    from lakehouse.rows import all_rows

    table = TableId(usecase.name, "gold", model.table)
    frame, version = all_rows(table, home)
    instant = pl.Datetime("us", "UTC")
    event, until = pl.lit(None, instant), None
    if model.event_time:
        rows = gold_rows(usecase, home, usecase.gold[model.table], version)
        if rows is not None:
            until = rows.as_of - timedelta(days=model.maturity_days)
            event = pl.col(model.event_time).cast(instant)
    label = pl.col(model.label)
    if until is not None:
        label = pl.when(event <= until).then(label)
    texts = [pl.col(name).cast(pl.String) for name in slicing]
    by_key = pl.col(key).cast(pl.String).alias(KEY)
    some = frame.select(by_key, label.alias(_LABEL), event.alias(_EVENT), *texts)
    asked = keyed.select(KEY).unique().lazy()
    found = some.join(asked, on=KEY, how="semi").collect()
    return _Known(found, str(table.at(version)), until)


def _slicing(model: Model) -> list[str]:
    """Columns of the slices."""
    return list(dict.fromkeys(name for names in model.slices for name in names))


def _score(
    found: Live,
    model: Model,
    keyed: pl.DataFrame,
    known: _Known,
    windows: Sequence[str],
    *,
    with_slices: bool,
) -> None:
    import numpy as np
    import polars as pl

    from tfx_pipeline.evaluation.slices import Answers, slice_reports
    from tfx_pipeline.heads.registry import HEADS

    head = HEADS[model.head.kind]
    asked = keyed.select(AT, KEY, OUTPUTS).join(
        known.rows.with_columns(pl.lit(True).alias(_IS_KNOWN)),
        on=KEY,
        how="left",
        maintain_order="left",
    )
    is_known = asked[_IS_KNOWN].is_not_null()
    ripe = asked.filter(is_known & asked[_LABEL].is_not_null())
    places, kept, unusable = _records(head, ripe)
    scored = ripe[places]
    found.labels = LabelAccount(
        scored=len(places),
        without_key=found.labels.without_key,
        unknown=int((~is_known).sum()),
        unripe=int(is_known.sum()) - ripe.height,
        repeated=ripe.height - len(places) - unusable,
        unusable=unusable,
    )
    if not places:
        found.without("no logged answer has a ripe label yet")
        return
    columns = tuple(np.frombuffer(each, each.typecode) for each in kept)
    costs = model.decision.costs if model.decision is not None else None
    times = scored[AT] if known.until is None else scored[_EVENT]
    found.windows = list(window_metrics(Scored(head, columns, times, known.until, costs), windows))
    if not with_slices:
        (found.total,), _ = slice_reports(head, Answers(columns, None, {}), [], costs)
    else:
        weeks = {WEEK: scored[AT].dt.strftime("%G-W%V").to_list()}
        (found.total, *found.weeks), _ = slice_reports(
            head, Answers(columns, None, weeks), [[WEEK]], costs
        )
        values = {name: scored[name].to_list() for name in _slicing(model)}
        (_, *found.slices), _ = slice_reports(
            head, Answers(columns, None, values), model.slices, costs
        )
        if model.head.kind == "binary":
            from tfx_pipeline.answered import calibration

            found.calibration = calibration(columns[0] > 0.5, columns[1])
    _judge(found, model, found.total)


def _records(head: Head, ripe: pl.DataFrame) -> tuple[list[int], tuple[array[Any], ...], int]:
    """What the head keeps of the first usable answer about each record.

    Returns:
        Places of these answers, what is kept of them by column, and the number of answers that
        are not usable.
    """
    kept: tuple[array[Any], ...] = tuple(array(code) for code in head.kept)
    places: list[int] = []
    seen: set[str] = set()
    unusable = 0
    decode = msgspec.json.Decoder(dict[str, Output]).decode
    rows = zip(ripe[KEY].to_list(), ripe[_LABEL].to_list(), ripe[OUTPUTS].to_list(), strict=True)
    for place, (key, label, outputs) in enumerate(rows):
        if key in seen:
            continue
        record = _record(head, label, decode(outputs))
        if record is None:
            unusable += 1
            continue
        seen.add(key)
        places.append(place)
        for column, value in zip(kept, record, strict=True):
            column.append(value)
    return places, kept, unusable


def _record(head: Head, label: Any, answered: Mapping[str, Output]) -> Sequence[float] | None:
    """What the head keeps of an answer, or None where the answer does not have its outputs."""
    outputs: Mapping[str, Any] = answered
    if list in map(type, answered.values()):
        outputs = {name: _output(value) for name, value in answered.items()}
    try:
        record = head.record(label, outputs)
    except (KeyError, TypeError, ValueError, IndexError):
        return None
    return record if all(map(math.isfinite, record)) else None


def _output(value: Output) -> Any:
    """Outputs of texts are bytes where the model gives them."""
    if isinstance(value, list) and value and isinstance(value[0], str):
        import numpy as np

        return np.array([text.encode() for text in value])
    return value


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
