"""Pages from templates: every value is escaped, and every page has the same frame."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime, timezone
from functools import cache
from typing import Any

import jinja2
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from goldlake import __version__
from goldlake.ui import static
from goldlake.ui.security import is_csrf
from goldlake.ui.site import Site
from goldlake.workflows import homes
from goldlake.workflows.report import charts, markup
from goldlake_core.contracts.errors import UsageError
from goldlake_core.instants import now_text, of_text

PAGES = (
    ("Overview", "/"),
    ("Tables", "/tables"),
    ("Quarantine", "/quarantine"),
    ("Map", "/map"),
    ("Drift", "/drift"),
    ("Models", "/models"),
    ("Predict", "/predict"),
    ("Lineage", "/lineage"),
    ("Runs", "/runs"),
)
Form = Mapping[str, str | UploadFile]


class Forged(Exception):
    """A form without the secret of its session."""


def site(request: Request) -> Site:
    """What the pages show."""
    found: Site = request.app.state.site
    return found


def render(request: Request, template: str, status: int = 200, /, **values: Any) -> Response:
    """A page.

    Args:
        request: The request that it answers.
        template: File of its template.
        status: HTTP status of the answer.
        **values: What the template shows.
    """
    shown = site(request)
    session = request.state.session
    text = (
        environment()
        .get_template(template)
        .render(
            request=request,
            path=request.url.path,
            now=now_text(),
            pages=PAGES,
            home=homes.short(shown.home.root),
            version=__version__,
            csrf=session.csrf if session else "",
            key=secrets.token_hex(8),
            read_only=shown.access.is_read_only,
            needs_token=shown.access.needs_token,
            usecases=shown.usecases(),
            assets=static.addresses(),
            style_ids=static.style_ids(),
            **values,
        )
    )
    return HTMLResponse(text, status)


async def form_of(request: Request) -> Form:
    """The form of an action.

    Raises:
        Forged: It does not hold the secret of its session.
    """
    form = await request.form(max_files=1, max_fields=200)
    if not is_csrf(request, form.get("csrf")):
        raise Forged
    return {name: value for name, value in form.items() if name != "csrf"}


def text_of(form: Form, name: str, default: str = "") -> str:
    """A text of a form.

    Raises:
        UsageError: It is a file, or too long.
    """
    value = form.get(name, default)
    if not isinstance(value, str) or len(value) > 2000:
        raise UsageError(f"The field {name!r} is not a short text", valid="at most 2,000 letters")
    return value.strip()


@cache
def environment() -> jinja2.Environment:
    """The templates, with what they may call."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("goldlake.ui"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "number": markup.number,
        "percent": markup.percent,
        "instant": markup.instant,
        "metric": markup.metric_name,
        "words": markup.words,
        "ago": ago,
        "duration": duration,
        "bytes": size,
    }
    made.globals |= {"charts": charts, "bar": charts.Bar}
    return made


def ago(value: str | datetime | None) -> str:
    """How long ago an instant was, in the largest unit that counts at least two."""
    if not value:
        return "–"
    at = of_text(value) if isinstance(value, str) else value
    at = at if at.tzinfo else at.replace(tzinfo=timezone.utc)
    seconds = (datetime.now(timezone.utc) - at).total_seconds()
    for name, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length:,.0f} {name} ago"
    return "just now" if seconds < 20 else f"{seconds:.0f} seconds ago"


def duration(seconds: float | None) -> str:
    """Seconds as a person says them."""
    if seconds is None:
        return "–"
    if seconds < 90:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def size(count: float) -> str:
    """A number of bytes as a person says it."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:,.0f} {unit}" if unit == "B" else f"{count:,.1f} {unit}"
        count /= 1000
    return f"{count:,.1f} TB"
