"""Section 4: curves of train and eval, where training stopped, and its parameters."""

from __future__ import annotations

import msgspec

from goldlake.workflows.model_views import Training
from goldlake.workflows.report import charts, trials
from goldlake.workflows.report.frame import Series
from goldlake.workflows.report.gathered import GatheredModel
from goldlake.workflows.report.markup import (
    Part,
    command,
    facts,
    folded,
    grid,
    joined,
    metric_name,
    number,
    paragraph,
    sentence,
    table,
    words,
)
from goldlake_core.contracts.heads import METRICS
from goldlake_core.contracts.sections import Training as TrainingParameters

_STOPS = {
    "binary": "auc",
    "multiclass": "loss",
    "regression": "rmse",
    "count": "poisson_deviance",
}
"""The result on eval that early stopping looks at, by head."""
_HOW_TRAIN_IS_MEASURED = (
    "After each epoch both splits are answered with the weights of that moment: all rows of eval, "
    "and at most 16,384 of train. Where train goes on to improve and eval does not, the model "
    "learns its rows by heart."
)


def part(found: GatheredModel) -> Part:
    """The section."""
    curves = found.training
    names = _shown(curves)
    drawn = []
    for name in names:
        series = [
            Series(split, [(step + 1, value) for step, value in points], color, has_dots=True)
            for split, points, color in (
                ("train", curves.train.get(name, ()), 1),
                ("eval", curves.eval.get(name, ()), 2),
            )
            if points
        ]
        title = (
            f"{sentence(metric_name(name))} by epoch ({' and '.join(each.name for each in series)})"
        )
        drawn.append(charts.lines(title, series, x="epoch", y=metric_name(name), is_whole=True))
    body = [grid(drawn)] if drawn else []
    is_own = found.subject.model.parts.run_fn is not None
    if drawn and not is_own and set(curves.train) == set(curves.eval):
        body.append(paragraph(_HOW_TRAIN_IS_MEASURED, "soft"))
    if not drawn and found.subject.refusal is None:
        body.append(
            paragraph(
                "The event files of the training are not in this home any more, so "
                "there are no curves.",
                "soft",
            )
        )
    values = msgspec.structs.asdict(_parameters(found))
    pairs = [(words(name), _text(value)) for name, value in values.items()]
    body += trials.drawn(found, values)
    body.append(folded("Parameters", facts(pairs)))
    if drawn:
        rows = [
            (
                str(step + 1),
                *(_at(curves.train, n, step) for n in names),
                *(_at(curves.eval, n, step) for n in names),
            )
            for step in sorted(
                {s for c in (curves.train, curves.eval) for points in c.values() for s, _ in points}
            )
        ]
        head = (
            "Epoch",
            *(f"train {metric_name(n)}" for n in names),
            *(f"eval {metric_name(n)}" for n in names),
        )
        figures = table("The curves as figures", head, rows, range(1, len(head)))
        body.append(folded("Figures and TensorBoard", figures + command("goldlake tensorboard")))
    return Part("training", "Training", _lead(found), joined(body))


def _shown(curves: Training) -> list[str]:
    """The loss and the metrics; without the loss where a metric is the same under its own name."""
    metrics = sorted({*curves.train, *curves.eval} - {"loss"})
    loss = curves.eval.get("loss")
    if loss is not None and any(curves.eval.get(name) == loss for name in metrics):
        return metrics
    has_loss = loss is not None or "loss" in curves.train
    return ["loss", *metrics] if has_loss else metrics


def _parameters(found: GatheredModel) -> TrainingParameters:
    """The parameters of the contract, with those that the number of rows decides."""
    parameters = found.subject.model.training
    if found.manifest is None:
        return parameters
    return parameters.sized(found.manifest.rows.get("train", 0))


def _text(value: object) -> str:
    if value is None:
        return "–"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else f"{value}"


def _at(curves: dict[str, tuple[tuple[int, float], ...]], name: str, step: int) -> str:
    return number(dict(curves.get(name, ())).get(step), 4)


def _lead(found: GatheredModel) -> str:
    if found.subject.refusal is not None:
        return "Nothing was trained, as the gate refused the data."
    curves = found.training.eval
    watched = _STOPS[found.subject.model.head.kind]
    points = curves.get(watched) or curves.get("loss", ())
    watched = watched if watched in curves else "loss"
    if not points:
        return "How the training went is not on record."
    is_high_better = watched in METRICS and bool(METRICS[watched].is_better_high)
    best = (max if is_high_better else min)(points, key=lambda point: point[1])
    last = points[-1][0] + 1
    text = (
        f"Training ran {last} epochs; eval {metric_name(watched)} was best after epoch "
        f"{best[0] + 1} with {number(best[1])}"
    )
    text += ", whose weights were kept." if found.subject.model.parts.run_fn is None else "."
    epochs = _parameters(found).epochs
    if epochs is not None and last < epochs:
        text += f" It stopped before the limit of {epochs} because eval no longer improved."
    return text
