"""Trials of a search for training parameters: a chart of their results, and a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import accumulate

from markupsafe import Markup

from goldlake.workflows.model_views import Search
from goldlake.workflows.report import charts
from goldlake.workflows.report.frame import Series
from goldlake.workflows.report.gathered import GatheredModel
from goldlake.workflows.report.markup import (
    command,
    counted,
    folded,
    html,
    metric_name,
    number,
    paragraph,
    table,
    words,
)
from goldlake_core.documents.tuning import Trial, Tuned


def drawn(of: GatheredModel, now: Mapping[str, object]) -> Iterator[Markup]:
    """The newest search of a model; nothing where there was none.

    Args:
        of: Everything that the report knows of the model.
        now: The parameters of the contract as they are now, by key of ``training``.
    """
    search = of.search
    if search is None:
        return
    found = search.found
    yield html("<h3>{title}</h3>", title="Trials")
    yield paragraph(" ".join(_sentences(of, search, now)))
    name = metric_name(found.metric.removeprefix("val_"))
    points = [(float(t.number), t.result) for t in found.trials if t.result is not None]
    best = accumulate((y for _, y in points), max if found.is_better_high else min)
    yield charts.lines(
        f"{name} on eval by trial",
        [
            Series("best so far", [(x, y) for (x, _), y in zip(points, best, strict=True)], 2),
            Series("trial", points, 1, has_dots=True, has_line=False),
        ],
        x="trial",
        y=f"{name} on eval",
        is_whole=True,
    )
    yield folded("All trials", _figures(found, name, now) + command(_again(of, found)))


def _sentences(of: GatheredModel, search: Search, now: Mapping[str, object]) -> Iterator[str]:
    found = search.found
    name = metric_name(found.metric.removeprefix("val_"))
    best = found.trials[found.best - 1]
    own = found.trials[0]
    where = "the export of this model"
    if search.export_id != of.subject.export_id:
        where = f"another export, {search.export_id.rpartition('/')[2]}"
    yield f"{counted(len(found.trials), 'trial')} on {where} looked for better parameters."
    if best.result is None:
        yield "None of them has a result."
        return
    if best.number == own.number:
        yield f"The contract's own are the best, with {name} {number(best.result, 4)} on eval."
        return
    yield f"Trial {best.number} is the best, with {name} {number(best.result, 4)} on eval"
    if own.result is not None:
        yield f"against {number(own.result, 4)} of the parameters that the contract had."
    else:
        yield "where the parameters that the contract had have no result."
    has_it = _is_in_use(best, now)
    yield "The contract has its parameters now." if has_it else "The contract has others now."


def _is_in_use(trial: Trial, now: Mapping[str, object]) -> bool:
    def plain(value: object) -> object:
        return list(value) if isinstance(value, tuple) else value

    return all(plain(now.get(key)) == value for key, value in trial.parameters.items())


def _figures(found: Tuned, name: str, now: Mapping[str, object]) -> Markup:
    sign = -1 if found.is_better_high else 1
    ordered = sorted(
        found.trials, key=lambda t: (t.result is None, sign * (t.result or 0.0), t.number)
    )
    keys = list(dict.fromkeys(key for trial in ordered for key in trial.parameters))
    rows = [
        (
            str(trial.number),
            number(trial.result, 4),
            *(_text(trial.parameters.get(key)) for key in keys),
            str(trial.epochs),
            f"{trial.seconds:.0f}",
            ", ".join(_notes(trial, found, now)) or "–",
        )
        for trial in ordered
    ]
    head = ("Trial", name, *map(words, keys), "Epochs", "Seconds", "Note")
    return table("Trials, the best first", head, rows, numbers=range(1, len(head) - 1))


def _notes(trial: Trial, found: Tuned, now: Mapping[str, object]) -> Iterator[str]:
    if trial.number == found.best and trial.result is not None:
        yield "the best"
    if trial.number == 1:
        yield "the contract's own"
    if _is_in_use(trial, now):
        yield "in the contract now"
    if trial.is_stopped:
        yield "stopped, as others were better by then"


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "–" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _again(of: GatheredModel, found: Tuned) -> str:
    model = of.subject.model_id.at(None)
    return f"goldlake tune {model} --trials {len(found.trials)}\ngoldlake tensorboard"
