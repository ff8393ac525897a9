"""Models: versions, metrics, two of them compared, promotion, roll back and reports."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from goldlake.ui.render import render, site
from goldlake.workflows import views
from goldlake.workflows.jobs.work import report_file
from goldlake.workflows.monitor import monitor
from goldlake.workflows.names import unknown
from goldlake.workflows.report import page as report_page
from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.heads import headline
from goldlake_core.contracts.ids import ModelId
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents.reports import ModelVersion, ModelVersions

CONDITIONS = "rows>=5000, age>=30d, drift"
"""What the form of a retraining begins with."""


@dataclass(frozen=True)
class Compared:
    """A metric of two versions.

    Attributes:
        metric: Name of the metric.
        one: Its value in the first, or None.
        other: Its value in the second, or None.
    """

    metric: str
    one: float | None
    other: float | None

    @property
    def change(self) -> float | None:
        """What the second has more than the first."""
        return None if self.one is None or self.other is None else self.other - self.one


def page(request: Request) -> Response:
    """Answers the list of models."""
    shown = site(request)
    held = views.models(shown.home).models
    known = dict.fromkeys(held)
    for usecase in shown.usecases():
        contract = shown.contract_or_problem(usecase)
        if isinstance(contract, UseCase):
            known |= dict.fromkeys(f"{usecase}.{model}" for model in contract.models)
    rows = [(name, held.get(name) or ModelVersions(versions=())) for name in sorted(known)]
    metrics = {name: _headline(found) for name, found in rows}
    return render(request, "models.html", rows=rows, metrics=metrics)


def one(request: Request) -> Response:
    """Answers the page of a model, with two of its versions compared where there are two."""
    shown = site(request)
    name = str(ModelId.parse(request.path_params["model"]).at(None))
    held = views.models(shown.home).models.get(name)
    if held is None:
        _, _, model = name.partition(".")
        if model not in shown.contract(name.partition(".")[0]).models:
            raise unknown(f"There is no model {name!r}", name, views.models(shown.home).models)
        held = ModelVersions(versions=())
    versions = {each.version: each for each in held.versions}
    one, other = _pair(request, versions)
    return render(
        request,
        "model.html",
        name=name,
        held=held,
        one=one,
        other=other,
        compared=compared(one, other) if one and other else [],
        metric=_headline(held),
        metrics=metrics_figure(held),
        reports={v for v in versions if report_file(f"{name}@{v}", shown.home).exists()},
        candidate=report_file(name, shown.home).exists(),
        live=monitor(name, shown.home) if request.query_params.get("requests") else None,
        conditions=CONDITIONS,
    )


def _headline(held: ModelVersions) -> str:
    """The metric by which versions are listed; "" where there are none."""
    return headline(held.versions[-1].metrics) or "" if held.versions else ""


def report(request: Request) -> Response:
    """Answers the report of a model version that a job has written."""
    shown = site(request)
    subject = str(ModelId.parse(request.path_params["model"]))
    file = report_file(subject, shown.home)
    if not file.exists():
        raise UsageError(f"There is no report of {subject} yet", hint="ask for it on its page")
    policy = f"{report_page.POLICY}; frame-ancestors 'none'"
    return HTMLResponse(file.read_bytes(), headers={"content-security-policy": policy})


def compared(one: ModelVersion, other: ModelVersion) -> list[Compared]:
    """The metrics of two versions side by side."""
    names = dict.fromkeys([*one.metrics, *other.metrics])
    return [Compared(name, one.metrics.get(name), other.metrics.get(name)) for name in names]


def metrics_figure(held: ModelVersions) -> dict[str, object] | None:
    """Metrics between 0 and 1 by version, or None with fewer than two versions."""
    versions = held.versions
    if len(versions) < 2:
        return None
    names = [
        name
        for name in dict.fromkeys(n for each in versions for n in each.metrics)
        if all(0 <= (each.metrics.get(name) or 0) <= 1 for each in versions)
    ]
    parts = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": name.replace("_", " "),
            "x": [f"@{each.version}" for each in versions],
            "y": [each.metrics.get(name) for each in versions],
        }
        for name in names[:6]
    ]
    return {"data": parts, "layout": {"xaxis": {"type": "category"}, "yaxis": {"range": [0, 1]}}}


def _pair(
    request: Request, versions: dict[int, ModelVersion]
) -> tuple[ModelVersion | None, ModelVersion | None]:
    """The versions that are compared: those asked for, else the one that serves and the newest."""
    numbers = sorted(versions)
    if len(numbers) < 2:
        return None, None
    serving = next((v for v, each in versions.items() if each.serves), numbers[-2])
    newest = numbers[-1] if numbers[-1] != serving else numbers[-2]
    found = []
    for name, default in (("one", serving), ("other", newest)):
        text = request.query_params.get(name, str(default))
        if not text.isdecimal() or int(text) not in versions:
            known = [f"@{number}" for number in numbers]
            raise unknown(f"There is no version @{text}", f"@{text}", known)
        found.append(versions[int(text)])
    return found[0], found[1]
