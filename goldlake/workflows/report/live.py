"""What logged requests say of the version: metrics beside labels, calibration, drift."""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import Markup

from goldlake.workflows.report import charts, slices
from goldlake.workflows.report.charts import Series
from goldlake.workflows.report.gathered import GatheredModel
from goldlake.workflows.report.markup import (
    Part,
    State,
    command,
    counted,
    grid,
    html,
    instant,
    joined,
    metric_name,
    number,
    paragraph,
    table,
    words,
)
from goldlake_core.documents.gate import PeriodVerdict
from goldlake_core.documents.monitoring import MonitorReport
from goldlake_core.documents.training import SliceReport

MOST_WEEKS, MOST_VALUES = 12, 10
ID, TITLE = "live", "In use"


def part(found: GatheredModel) -> Part | None:
    """The section; None where no request is kept and none was."""
    live = found.live
    if live is None:
        return None
    if isinstance(live, str):
        return Part(ID, TITLE, f"What was asked is not known: {live.rstrip('.')}.", Markup())
    body = []
    if live.alarms:
        alarms = joined(html("<li>{text}.</li>", text=each) for each in live.alarms)
        body.append(html("<h3>Beyond a limit</h3><ul>{alarms}</ul>", alarms=alarms))
    if live.total is not None:
        body.append(_metrics(live, live.total))
        if live.total.is_judged:
            body.append(slices.drawn([live.total, *live.slices], "All answers together have"))
    drawn = [each for each in (_by_week(live), _calibration(live)) if each]
    body.append(grid(drawn) if drawn else Markup())
    body += [_drift(live, period) for period in live.drift]
    if live.unjudged:
        whys = joined(html("<li>{w}: {y}.</li>", w=e.what, y=e.why) for e in live.unjudged)
        body.append(html("<h3>What was not judged</h3><ul>{whys}</ul>", whys=whys))
    body.append(command(f"goldlake monitor {live.model}"))
    return Part(ID, TITLE, _lead(live), joined(body), _state(live))


def _lead(live: MonitorReport) -> str:
    log = live.log
    if not log.lines:
        return "No answer of this version is in the request log."
    span = f"from {instant(log.first_at)} to {instant(log.last_at)}"
    text = f"The request log has {counted(log.lines, 'answer')} of this version, {span}"
    if live.total is None:
        return f"{text}; none of them has a ripe label."
    text += f"; {live.labels.scored:,} have a ripe label"
    metric = slices.metric_of([live.total])
    if metric is None:
        return f"{text}."
    tested = live.tested.get(metric)
    beside = f", {number(tested)} on its test split" if tested is not None else ""
    value = number(live.total.metrics[metric])
    return f"{text}, and {metric_name(metric)} of these is {value}{beside}."


def _state(live: MonitorReport) -> State:
    if live.alarms:
        return "bad"
    is_judged = live.bounds or any(period.has_limits for period in live.drift)
    return "good" if is_judged else "plain"


def _metrics(live: MonitorReport, total: SliceReport) -> Markup:
    names = [name for name in total.metrics if name != "example_count"]

    def row(name: str, rows: str, values: dict[str, float | None]) -> tuple[str, ...]:
        return name, rows, *(number(values.get(metric), 4) for metric in names)

    rows = [
        row("on its test split", "–", live.tested),
        row("live", f"{total.rows:,}", total.metrics),
    ]
    weeks = live.weeks[-MOST_WEEKS:]
    rows += [row(_week(each), f"{each.rows:,}", each.metrics) for each in weeks]
    head = ("Answers", "Rows", *map(words, names))
    caption = "Answers beside the labels that came to be known"
    shown = table(caption, head, rows, range(1, len(head)))
    more = len(live.weeks) - len(weeks)
    labels = live.labels
    left = {
        "without a record key": labels.without_key,
        "about records that are not in the table": labels.unknown,
        "whose label is not ripe": labels.unripe,
        "about a record that was asked about before": labels.repeated,
        "without the model's outputs": labels.unusable,
    }
    notes = [f"{count:,} {what}" for what, count in left.items() if count]
    text = f"Labels are those of {live.table}."
    text += f" Not compared: {', '.join(notes)}." if notes else ""
    text += f" {counted(more, 'earlier week')} not shown." if more else ""
    return shown + paragraph(text, "soft")


def _week(report: SliceReport) -> str:
    return ", ".join(report.slice.values())


def _calibration(live: MonitorReport) -> Markup:
    bins = live.calibration
    if not bins:
        return Markup()
    title = f"Live calibration in {len(bins)} bins of equally many answers"
    return charts.calibration(title, bins, name="live")


def _by_week(live: MonitorReport) -> Markup:
    """The metric of the slices by week; nothing where fewer than two weeks have an interval."""
    judged = [each for each in live.weeks if each.is_judged]
    metric = slices.metric_of(judged)
    if metric is None or len(judged) < 2:
        return Markup()
    points, errors = [], []
    for place, each in enumerate(judged, 1):
        value = each.metrics[metric]
        assert value is not None
        points.append((float(place), value))
        errors.append((float(place), *slices.intervals(each)[metric]))
    first, last = _week(judged[0]), _week(judged[-1])
    return charts.lines(
        f"{metric_name(metric)} by week of the request, {first} to {last}, with intervals at 95 %",
        [Series("live", points, 1, has_dots=True)],
        x="week",
        y=metric_name(metric),
        x_range=(0.5, len(judged) + 0.5),
        errors=errors,
    )


def _drift(live: MonitorReport, period: PeriodVerdict) -> Markup:
    worst = sorted(period.values, key=lambda each: -each.strain)[:MOST_VALUES]
    rows = [
        (
            ", ".join(each.columns),
            words(each.statistic),
            each.detail or "–",
            number(each.value),
            number(each.high),
            f"{each.strain:.2f}",
        )
        for each in worst
    ]
    if not rows:
        return Markup()
    head = ("Column", "Statistic", "Of", "Found", "Limit", "Share of the limit")
    caption = f"{period.rows:,} requests of {period.period} beside {live.learned}"
    return table(caption, head, rows, (3, 4, 5))


def things(live: MonitorReport | str | None) -> Iterator[tuple[str, str]]:
    """Anchor and sentence of what a reviewer has to look at."""
    if isinstance(live, MonitorReport):
        for alarm in live.alarms[:1]:
            yield ID, f"In use, {alarm}."
