"""Quarantine: rejected records by reason, as they came, and another try."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from goldlake.ui.render import render, site
from goldlake_core.contracts.errors import UsageError
from lakehouse.quarantine import rejected

LIMITS = (25, 100, 400)


def page(request: Request) -> Response:
    """Answers the rejected records of a use case, of one reason or of all."""
    shown = site(request)
    name = shown.chosen(request.query_params.get("usecase"))
    reason = request.query_params.get("reason") or None
    wanted = request.query_params.get("limit", str(LIMITS[0]))
    if wanted not in map(str, LIMITS):
        raise UsageError(f"The limit {wanted!r} cannot be shown", valid=", ".join(map(str, LIMITS)))
    limit = int(wanted)
    held = None
    if name:
        try:
            held = shown.kept(
                ("quarantine", name, reason, limit),
                shown.mark(name),
                lambda: rejected(name, shown.home, reason=reason, limit=limit),
            )
        except UsageError:  # nothing was refined yet
            if reason is not None:
                raise
    return render(
        request,
        "quarantine.html",
        usecase=name,
        held=held,
        reason=reason,
        more=next((each for each in LIMITS if each > limit), None),
    )
