"""Section 1: blessed or not and by which bound, what serves, and the three things to look at."""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import Markup

from goldlake.workflows.report import classes, live, numbers
from goldlake.workflows.report.gathered import GatheredModel
from goldlake.workflows.report.markup import (
    Part,
    State,
    badge,
    counted,
    html,
    joined,
    metric_name,
    number,
    paragraph,
    percent,
    sentence,
    table,
)
from goldlake_core.contracts.heads import METRICS
from goldlake_core.documents.examining import BinaryAnswers, Examined, NumberAnswers
from goldlake_core.documents.training import Bound, Metrics

MOST_THINGS = 3
MANY_REJECTED = 0.01
MOST_TEXT = 300
"""Characters of an error that are shown."""
_SIGNS = {"minimum": "at least", "maximum": "at most", "max_drop": "not worse than"}
_VERBS = {kind: f"has to be {sign}" for kind, sign in _SIGNS.items()}
_VERBS["max_drop"] = "may not be worse than"


def part(found: GatheredModel) -> Part:
    """The section."""
    subject = found.subject
    trained, about = subject.trained, subject.about
    metrics = trained.metrics if trained else about.metrics if about else {}
    lead, state = _lead(found)
    body = [_tiles(found, metrics)]
    things = list(_things(found))[:MOST_THINGS]
    if things:
        items = joined(html('<li><a href="#{id}">{text}</a></li>', id=i, text=t) for i, t in things)
        body.append(html("<h3>Look at these first</h3><ol>{items}</ol>", items=items))
    if trained and trained.thresholds:
        body.append(_bounds(trained.thresholds))
        if trained.decision is not None:
            body.append(paragraph(f"The decision: {trained.decision.sentence}."))
    elif subject.refusal is not None:
        body.append(paragraph(subject.refusal.message[:MOST_TEXT], "soft"))
    elif trained is None:
        body.append(
            paragraph(
                "The result of the training run is not on record any more, so the bounds "
                "that were checked cannot be shown.",
                "soft",
            )
        )
    if found.against is not None:
        body.append(_compared(found, metrics))
    return Part("verdict", "Verdict", lead, joined(body), state)


def _lead(found: GatheredModel) -> tuple[str, State]:
    subject, trained = found.subject, found.subject.trained
    serving = (
        "It serves now."
        if subject.version is not None and subject.version == subject.served
        else f"Version {subject.served} serves now."
        if subject.served is not None
        else "No version serves."
    )
    if subject.refusal is not None:
        errors = [each for each in subject.anomalies if each.severity == "error"]
        why = f": {counted(len(errors), 'anomaly', 'anomalies')}" if errors else ""
        return f"The gate refused the data of the newest candidate{why}. {serving}", "bad"
    if trained is None:
        return f"{subject.model_id} was pushed. {serving}", "plain"
    name = str(subject.model_id) if subject.version is not None else "The newest candidate"
    if trained.blessed:
        bound = _tightest(trained.thresholds)
        tightest = ""
        if bound is not None:
            tightest = f" The tightest is that {_sentence(bound)}."
        count = len(_signed(trained.thresholds))
        return f"{name} is blessed: it meets all {count} bounds.{tightest} {serving}", "good"
    broken = [bound for bound in trained.thresholds if not bound.ok]
    if broken:
        why = "; ".join(_sentence(bound) for bound in broken)
        return f"{name} is not blessed: {why}. {serving}", "bad"
    why = trained.serving_problem or "the serving check refused it"
    return f"{name} is not blessed: {why.rstrip('.')}. {serving}", "bad"


def _sentence(bound: Bound) -> str:
    verb = _VERBS[bound.kind]
    return f"{metric_name(bound.metric)} is {number(bound.value)} and {verb} {number(bound.bound)}"


def _tightest(bounds: tuple[Bound, ...]) -> Bound | None:
    """The bound with the least room by its size; that of the number of rows has none by design."""
    room = [
        (abs(bound.value - bound.bound) / max(abs(bound.bound), 1e-9), place)
        for place, bound in enumerate(bounds)
        if bound.value is not None and bound.bound is not None and bound.metric != "example_count"
    ]
    return bounds[min(room)[1]] if room else None


def _tiles(found: GatheredModel, metrics: Metrics) -> Markup:
    subject = found.subject
    tiles = [
        (number(value), metric_name(name))
        for name, value in metrics.items()
        if name in METRICS and value is not None
    ][:4]
    serves = "–" if subject.served is None else f"@{subject.served}"
    tiles.append((serves, "serves now"))
    if found.manifest is not None:
        tiles.append((f"{found.manifest.rows.get('test', 0):,}", "rows of the test split"))
    items = joined(html("<li><b>{v}</b><span>{n}</span></li>", v=v, n=n) for v, n in tiles)
    return html('<ul class="tiles">{items}</ul>', items=items)


def _signed(bounds: tuple[Bound, ...]) -> list[tuple[Bound, str]]:
    """Each bound with its sign; "at least" and "at most" the same number are one bound."""
    sides = [(bound.metric, bound.bound) for bound in bounds if bound.kind != "max_drop"]
    found: dict[tuple[str, object], tuple[Bound, str]] = {}
    for bound in bounds:
        side = (bound.metric, bound.bound)
        if bound.kind != "max_drop" and sides.count(side) > 1:
            kept, _ = found.get(side, (bound, ""))
            found[side] = (kept if not kept.ok else bound, "exactly")
        else:
            found[(bound.metric, (bound.kind, bound.bound))] = (bound, _SIGNS[bound.kind])
    return list(found.values())


def _bounds(bounds: tuple[Bound, ...]) -> Markup:
    rows = [
        (
            metric_name(bound.metric),
            number(bound.value, 4),
            f"{sign} {number(bound.bound, 4)}",
            badge("holds", "good") if bound.ok else badge("does not hold", "bad"),
        )
        for bound, sign in _signed(bounds)
    ]
    return table(
        "What the gate compared", ("Metric", "Found", "Bound", "Verdict"), rows, numbers=(1,)
    )


def _compared(found: GatheredModel, metrics: Metrics) -> Markup:
    other = found.against
    assert other is not None
    theirs = other.about.metrics if other.about else {}
    rows = []
    for name, value in metrics.items():
        before = theirs.get(name)
        if value is None or before is None or name == "example_count":
            continue
        rows.append(
            (metric_name(name), number(value, 4), number(before, 4), _change(value - before))
        )
    is_same = found.subject.export_id == other.export_id
    where = "the same test rows" if is_same else "each on its own test split"
    caption = f"Against version {other.version}, {where}"
    here = f"@{found.subject.version}" if found.subject.version is not None else "candidate"
    head = ("Metric", here, f"@{other.version}", "Change")
    return table(caption, head, rows, numbers=(1, 2, 3))


def _change(value: float) -> str:
    return "0" if abs(value) < 5e-7 else f"{value:+.4f}"


def _things(found: GatheredModel) -> Iterator[tuple[str, str]]:
    """Anchor and sentence, the most urgent first."""
    trained, data = found.subject.trained, found.data
    errors = [each for each in found.subject.anomalies if each.severity == "error"]
    for anomaly in errors[: 1 if trained else MOST_THINGS]:
        yield "validation", f"{anomaly.column or 'The data'}: {anomaly.description}"
    if trained is not None:
        for bound in trained.thresholds:
            if not bound.ok:
                yield "evaluation", sentence(f"{_sentence(bound)}.")
    if data.newest is not None and data.newest.status != "ok":
        newest = data.newest
        why = f": {newest.error[:MOST_TEXT]}" if newest.error else ""
        yield "data", f"The newest run, {newest.command}, is {newest.status}{why}."
    yield from live.things(found.live)
    if data.tables is not None and data.tables.landed:
        share = data.tables.quarantined / data.tables.landed
        if share > MANY_REJECTED:
            yield "data", f"{percent(share)} of the records are in quarantine."
    if not isinstance(found.examined, str):
        yield from _answers(found.examined)


def _answers(examined: Examined) -> Iterator[tuple[str, str]]:
    """What the answers to the test split show first."""
    answers = examined.answers
    if isinstance(answers, BinaryAnswers):
        yield from _decisions(examined, answers)
    elif isinstance(answers, NumberAnswers):
        worst = numbers.worst_bin(answers)
        if worst is not None:
            yield "evaluation", worst
        if answers.bias_interval is not None and not _holds(answers.bias_interval, 0):
            yield "evaluation", numbers.bias(answers)
    elif answers.confusions:
        first = answers.confusions[0]
        text = f"{classes.sentence(first)}, {percent(first.share)} of its rows."
        yield "evaluation", text
    if examined.importance and examined.importance[0].drop > 0:
        first_column = examined.importance[0]
        side = "lower" if METRICS[examined.importance_by].is_better_high else "higher"
        named = metric_name(examined.importance_by)
        yield (
            "explanation",
            f"{first_column.column} matters most: without it the {named} is "
            f"{number(first_column.drop)} {side}.",
        )


def _holds(interval: tuple[float, float], value: float) -> bool:
    return interval[0] <= value <= interval[1]


def _decisions(examined: Examined, answers: BinaryAnswers) -> Iterator[tuple[str, str]]:
    whole = answers.chosen
    wrong = (whole.false_positives + whole.false_negatives) / max(examined.examined, 1)
    worst = next((each for each in answers.slices if each.wrong.low > wrong), None)
    if worst is not None:
        yield (
            "evaluation",
            f"{worst.column} {worst.value}: {percent(worst.wrong.value)} of {worst.rows:,} "
            f"answers are wrong, and {percent(wrong)} of all.",
        )
    recall = whole.recall
    if recall is not None and recall < 0.8:
        yield (
            "evaluation",
            f"At the operating point {number(whole.threshold)} the model finds "
            f"{percent(recall)} of the positives.",
        )
