"""Section 3: the distribution of each column, the gate's distances, and anomalies."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from goldlake.workflows.report import charts
from goldlake.workflows.report.charts import Bar
from goldlake.workflows.report.frame import Series
from goldlake.workflows.report.gate import standing
from goldlake.workflows.report.gathered import Gathered, GatheredModel
from goldlake.workflows.report.markup import (
    Part,
    State,
    badge,
    counted,
    html,
    joined,
    number,
    paragraph,
    percent,
    table,
    words,
)
from goldlake_core.documents.training import Distance
from tfx_pipeline.statistics import Bucket, ColumnStatistics

MOST_VALUES = 6
_NEAR, _SMEARED = 1e-6, 0.02
_MEASURES = {"l_infty": "largest difference of a share", "jensen_shannon": "Jensen-Shannon"}
_NO_LIMITS = "the contract limits no distance between the splits (key limits)"
NOTEBOOK = "notebooks/validation.ipynb"


def part(found: Gathered) -> Part:
    """The section."""
    gate = standing(found)
    if not isinstance(found, GatheredModel):
        return Part("validation", "Validation", gate.lead, gate.body, gate.state)
    trained, statistics = found.subject.trained, found.statistics.splits
    state: State = "plain"
    if found.subject.refusal is not None:
        errors = [each for each in found.subject.anomalies if each.severity == "error"]
        lead = f"The gate refused the data: {counted(len(errors), 'anomaly', 'anomalies')}."
        state = "bad"
    elif trained is None:
        lead = "The result of the training run is not on record any more."
    else:
        lead, state = _lead(found)
    body = []
    if found.subject.anomalies:
        rows = [
            (a.column or "whole data set", a.split, a.kind, a.severity, a.description)
            for a in found.subject.anomalies
        ]
        head = ("Column", "Split", "Kind", "Severity", "What TFDV says")
        body.append(table("Anomalies", head, rows))
    if statistics:
        body.append(_columns(found))
    else:
        body.append(paragraph("TFDV's statistics are not in this home any more.", "soft"))
    body.append(html("<h3>{t}</h3>{p}", t="Gate of the lakehouse", p=paragraph(gate.lead)))
    body.append(gate.body)
    about = f"The notebook {NOTEBOOK} shows the same statistics with TFDV's own views."
    body.append(paragraph(about, "soft"))
    return Part("validation", "Validation", lead, joined(body), state)


def _lead(found: GatheredModel) -> tuple[str, State]:
    trained = found.subject.trained
    assert trained is not None
    errors = [each for each in trained.anomalies if each.severity == "error"]
    beyond = [each for each in trained.distances if each.value > each.limit]
    count = len(trained.distances)
    if errors or beyond:
        return (
            f"The gate says {trained.verdict}: {counted(len(errors), 'anomaly', 'anomalies')} that "
            f"would refuse the data, and {len(beyond)} of {count} distances beyond their limits.",
            "bad",
        )
    others = len(trained.anomalies)
    noted = " There are no anomalies."
    if others:
        verb = "does" if others == 1 else "do"
        noted = f" {counted(others, 'anomaly', 'anomalies')} {verb} not refuse it."
    measured = f"all {count} measured distances are inside their limits"
    if count < 2:
        measured = "the measured distance is inside its limit"
    lead = f"The data passed, and {measured if count else _NO_LIMITS}.{noted}"
    return lead, "warning" if others else "good"


def _columns(found: GatheredModel) -> Markup:
    """One row per column, those with a limit first."""
    trained, model = found.subject.trained, found.subject.model
    distances: dict[str, list[Distance]] = {}
    for distance in trained.distances if trained else ():
        distances.setdefault(distance.column, []).append(distance)
    splits = found.statistics.splits
    train, test = splits.get("train", {}), splits.get("test", {})
    known = [name for name in (model.label, *model.feature_columns) if name in train]
    ordered = sorted(dict.fromkeys(known), key=lambda name: name not in distances)
    cards = []
    for name in ordered:
        held = distances.get(name, [])
        notes = joined(_distance(each) for each in held) or paragraph("no limit", "soft")
        missing = _missing(train[name], test.get(name))
        cards.append(
            html(
                "<div><h3>{name}</h3>{chart}{missing}{notes}</div>",
                name=name,
                chart=_chart(train[name], test.get(name)),
                missing=paragraph(missing, "soft"),
                notes=notes,
            )
        )
    legend = html(
        '<p class="legend"><span class="key c1">{a}</span><span class="key c2">{b}</span></p>',
        a="test, the newest rows" if model.split.kind in ("relative", "fixed") else "test",
        b="train, the baseline",
    )
    return html(
        "<h3>Each column that the model reads, test against train</h3>{legend}"
        '<div class="grid small">{cards}</div>',
        legend=legend,
        cards=joined(cards),
    )


def _distance(each: Distance) -> Markup:
    state: State = "good" if each.value <= each.limit else "bad"
    text = f"{each.compare} {number(each.value)} of {number(each.limit)}"
    return html(
        "<p>{badge} {measure}</p>",
        badge=badge(text, state),
        measure=_MEASURES.get(each.measure, words(each.measure)),
    )


def _missing(train: ColumnStatistics, test: ColumnStatistics | None) -> str:
    def share(each: ColumnStatistics | None) -> float | None:
        total = each.rows + each.missing if each else 0
        return each.missing / total if each and total else None

    if not train.missing and not (test and test.missing):
        return "no value is missing"
    return f"missing: {percent(share(test))} of test, {percent(share(train))} of train"


def _chart(train: ColumnStatistics, test: ColumnStatistics | None) -> Markup:
    title = "Share of the rows"
    if train.values or (test is not None and test.values):
        ours = dict(test.values) if test else {}
        bars = [
            Bar(
                name or "(empty)",
                ours.get(name, 0.0) / max(test.rows if test else 0, 1),
                other=count / max(train.rows, 1),
                text=percent(ours.get(name, 0.0) / max(test.rows if test else 0, 1)),
            )
            for name, count in train.values[:MOST_VALUES]
        ]
        title = f"The commonest of {train.distinct or 0:,} texts"
        return charts.bars(title, bars, is_small=True)
    one = Series("test", _outline(test), 1)
    margin = 0.5 if _whole(train.buckets) else 0.0
    return charts.steps(title, one, Series("train", _outline(train), 2), margin=margin)


def _outline(column: ColumnStatistics | None) -> list[tuple[float, float]]:
    """The outline of a histogram, with density in place of counts."""
    if column is None or not column.rows:
        return []
    points: list[tuple[float, float]] = []
    for bucket in _whole(column.buckets) or column.buckets:
        wide = max(bucket.high - bucket.low, 1e-12)
        density = bucket.count / column.rows / wide
        points += [(bucket.low, density), (bucket.high, density)]
    if points:
        points = [(points[0][0], 0.0), *points, (points[-1][0], 0.0)]
    return points


def _whole(buckets: Sequence[Bucket]) -> list[Bucket]:
    """A bar per whole number, where TFDV's bars are narrower and some hold none; else []."""
    if not buckets:
        return []
    low, high = float(buckets[0].low), float(buckets[-1].high)
    if not (low.is_integer() and high.is_integer() and 1 < high - low < len(buckets)):
        return []
    bars = [
        Bucket(
            low=number - 0.5,
            high=number + 0.5,
            count=sum(b.count for b in buckets if b.low - _NEAR <= number <= b.high + _NEAR),
        )
        for number in range(int(low), int(high) + 1)
    ]
    # TFDV's counts are estimates: a little of each number is in the bar beside its own. Numbers
    # that are not whole would lie in bars that are left out here.
    total = sum(b.count for b in buckets)
    return bars if abs(sum(b.count for b in bars) - total) <= _SMEARED * total else []
