"""Lineage: from the landed pages to the server, and forwards from a table to its models."""

from __future__ import annotations

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from goldlake.ui.render import render, site
from goldlake.ui.site import Site
from goldlake.workflows import model_views, names, views
from goldlake.workflows.model_views import Statistics, Training
from goldlake.workflows.report import lineage as report_lineage
from goldlake.workflows.report.gathered import GatheredModel
from goldlake.workflows.report.markup import Part
from goldlake_core.contracts import ids
from goldlake_core.contracts.errors import GoldlakeError
from goldlake_core.contracts.ids import ModelId
from goldlake_core.documents.reports import Lineage
from goldlake_core.storage.model_versions import pushed_versions

NOT_SHOWN = "not shown here"


def page(request: Request) -> Response:
    """Answers where a model version came from, or what a table's rows made."""
    shown = site(request)
    known = known_names(shown)
    name = request.query_params.get("name") or next(iter(known), "")
    part: Part | None = None
    forwards: Lineage | None = None
    problem = ""
    if name:
        try:
            if isinstance(ids.parse(name), ModelId):
                part = _model(shown, name)
            else:
                forwards = views.lineage(shown.home, name)
        except GoldlakeError as error:
            problem = error.message
    return render(
        request,
        "lineage.html",
        known=known if name in known or not name else [name, *known],
        name=name,
        part=part,
        body=part.body if part else Markup(),
        forwards=forwards,
        problem=problem,
    )


def known_names(shown: Site) -> list[str]:
    """Model versions, the newest first, then the gold tables."""
    found = []
    for model in names.pushed_models(shown.home):
        usecase, _, name = model.partition(".")
        versions = sorted(pushed_versions(shown.home, usecase, name), reverse=True)
        found += [f"{model}@{version}" for version in versions]
    for usecase in shown.usecases():
        found += [e.id for e in shown.entries(usecase) if e.id.split(".")[1] == "gold"]
    return found


def _model(shown: Site, name: str) -> Part:
    subject = model_views.subject(name, shown.home)
    found = GatheredModel(
        home=shown.home,
        usecase=subject.usecase,
        data=shown.data(subject.usecase),
        areas=NOT_SHOWN,
        subject=subject,
        manifest=model_views.manifest(subject),
        training=Training(train={}, eval={}),
        statistics=Statistics(splits={}),
        examined=NOT_SHOWN,
        slices=(),
        lineage=model_views.lineage(subject),
        live=None,
        against=None,
        against_examined=NOT_SHOWN,
    )
    return report_lineage.part(found)
