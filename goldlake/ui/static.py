"""Files of the pages, from the installed packages: nothing comes from another machine."""

from __future__ import annotations

import gzip
import hashlib
import re
from functools import cache
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

_CSS, _JS = "text/css; charset=utf-8", "text/javascript; charset=utf-8"
_FILES = {
    "report.css": ("goldlake.workflows.report", "report.css", _CSS),
    "app.css": ("goldlake.ui", "static/app.css", _CSS),
    "app.js": ("goldlake.ui", "static/app.js", _JS),
    "icon.svg": ("goldlake.ui", "static/icon.svg", "image/svg+xml"),
    "plotly.js": ("plotly", "package_data/plotly.min.js", _JS),
}


@cache
def _packed(name: str) -> tuple[bytes, str]:
    """A file, gzipped, and its digest."""
    package, path, _ = _FILES[name]
    data = files(package).joinpath(path).read_bytes()
    return gzip.compress(data, 6, mtime=0), hashlib.sha256(data).hexdigest()[:12]


@cache
def addresses() -> dict[str, str]:
    """Address of each file by its name; another content has another address."""
    from importlib.metadata import version

    marks = {n: version("plotly") if n == "plotly.js" else _packed(n)[1] for n in _FILES}
    return {name: f"/static/{name}?v={mark}" for name, mark in marks.items()}


@cache
def style_ids() -> list[str]:
    """Ids of the style elements that plotly.js fills where a page has none of that id.

    The policy lets no script fill one. Pages have them already, empty: their rules are about maps
    with tiles, which nobody draws.
    """
    package, path, _ = _FILES["plotly.js"]
    text = files(package).joinpath(path).read_text(encoding="utf-8")
    return re.findall(r'getElementById\("([0-9a-f]{64})"\)', text)


def serve(request: Request) -> Response:
    """A file, kept by the browser: its address changes with its content."""
    name = request.path_params["name"]
    if name not in _FILES:
        return PlainTextResponse("There is no such file.", 404)
    data, _ = _packed(name)
    headers = {"cache-control": "public, max-age=31536000, immutable", "vary": "accept-encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["content-encoding"] = "gzip"
    else:
        data = gzip.decompress(data)
    return Response(data, headers=headers, media_type=_FILES[name][2])
