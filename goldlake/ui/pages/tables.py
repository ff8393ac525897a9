"""Tables: schema, comments, versions, sample rows, and fates over time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from starlette.requests import Request
from starlette.responses import Response

from goldlake.ui.render import render, site
from goldlake.workflows import names, views
from goldlake_core.contracts.errors import GoldlakeError
from goldlake_core.contracts.ids import TableId
from goldlake_core.documents.history import RunRow
from goldlake_core.storage.deltalog import DeltaLog
from lakehouse import catalog
from lakehouse.rows import Rows

MOST_VERSIONS = 30
SAMPLE = 20
MOST_CELL = 120
FATES = ("inserted", "amended", "unchanged", "stale", "deleted", "quarantined")


def page(request: Request) -> Response:
    """Answers the list of tables of a use case."""
    shown = site(request)
    name = shown.chosen(request.query_params.get("usecase"))
    held = (
        shown.kept(
            ("tables", name), shown.mark(name), lambda: views.tables(name, shown.home).get(name)
        )
        if name
        else None
    )
    runs = shown.history(name).runs if name else ()
    return render(request, "tables.html", usecase=name, held=held, fates=fates_figure(runs))


def one(request: Request) -> Response:
    """Answers the page of a table, at a version or at its newest."""
    shown = site(request)
    table = TableId.parse(request.path_params["table"])
    names.require_table(table, shown.home)
    log = DeltaLog(catalog.location(shown.home, table.usecase, table.layer, table.name))
    snapshot = log.snapshot(table.version)
    commits = [log.commit(number) for number in islice(reversed(log.versions()), MOST_VERSIONS)]
    try:
        sample: Rows | str = shown.kept(
            ("rows", str(table)),
            snapshot.version,
            lambda: views.rows(str(table), shown.home, where=None, columns=(), limit=SAMPLE),
        )
    except GoldlakeError as error:
        sample = error.message
    return render(
        request,
        "table.html",
        table=table,
        snapshot=snapshot,
        commits=commits,
        newest=log.latest(),
        sample=sample,
        cut=_cut,
    )


def fates_figure(runs: Sequence[RunRow]) -> dict[str, object] | None:
    """What became of the records of each run, the oldest first, or None without a run."""
    landed = [run for run in reversed(runs) if run.refined is not None]
    if not landed:
        return None
    labels = [f"{run.began_at:%Y-%m-%d %H:%M}" for run in landed]
    parts = [
        {
            "type": "bar",
            "name": fate,
            "x": labels,
            "y": [getattr(run, fate) or 0 for run in landed],
        }
        for fate in FATES
        if any(getattr(run, fate) for run in landed)
    ]
    layout = {
        "barmode": "stack",
        "xaxis": {"type": "category"},
        "yaxis": {"title": {"text": "records"}},
        "bargap": 0.55 if len(landed) < 6 else 0.15,
    }
    return {"data": parts, "layout": layout}


def _cut(value: object) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= MOST_CELL else text[: MOST_CELL - 1] + "…"
