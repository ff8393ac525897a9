"""The simulated API as an ASGI application: what data.police.uk answers, from `Crimes`.

``GET /`` tells what is served. Every answer carries the header X-Goldlake-Source.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import parse_qs

import msgspec
import orjson

from goldlake_core.asgi import Receive, Scope, Send
from goldlake_core.documents import codec
from goldlake_core.documents.lakehouse import Identity
from goldlake_simulators.clock import Clock
from goldlake_simulators.faults import SLOW_S, Faults
from goldlake_simulators.police_uk.crimes import (
    MILE_KM,
    Crimes,
    Point,
    Shown,
    distance_km,
    is_inside,
)
from goldlake_simulators.police_uk.limits import Bucket, Limits
from goldlake_simulators.replies import Reply, sent
from lakehouse.sources.told import Told

MOST_URL = 4_094
MOST_FORM_BYTES = 1 << 20
FORCE = "simulated"
"""The one force that the simulated crimes belong to."""
_STREET, _NO_LOCATION = "/api/crimes-street/", "/api/crimes-no-location"
_ALL = "all-crime"


class About(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to ``GET /``: what is served.

    Attributes:
        path: Path of the crimes.
        identity: Which source they come from.
        inputs: What they are made from.
        rows: Number of crimes.
        versions: Number of their versions.
        months: The months that are shown now, oldest first.
        earliest: Month of the first update, as ``from``.
        latest: Month of the last update, as ``until``.
        at: The API's instant, or null for the end of all times.
        speed: Seconds that pass at the API in one second, or null.
    """

    path: str
    identity: Identity
    inputs: Identity
    rows: int
    versions: int
    months: tuple[str, ...]
    earliest: str = msgspec.field(name="from")
    latest: str = msgspec.field(name="until")
    at: str | None
    speed: float | None


class _Refused(Exception):
    """A status other than 200."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        super().__init__(text)


class Api:
    """The application. Read-only.

    Attributes:
        crimes: What it publishes.
        told: What the header says of it.
        clock: Which update is visible.
        faults: What goes wrong on request.
        limits: How much it takes.
        asked: Path and parameters of the requests for crimes so far.
    """

    def __init__(
        self,
        crimes: Crimes,
        told: Told,
        clock: Clock,
        faults: Faults,
        limits: Limits = Limits(),  # noqa: B008 (frozen)
    ) -> None:
        self.crimes = crimes
        self.told = told
        self.clock = clock
        self.faults = faults
        self.limits = limits
        self.asked: list[tuple[str, dict[str, str]]] = []
        self._bucket = Bucket(limits)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request (ASGI)."""
        if scope["type"] != "http":
            return
        path, query = scope["path"], scope["query_string"].decode("latin-1")
        fault = self.faults.next() if path.startswith((_STREET, _NO_LOCATION)) else None
        if fault == "slow":
            await asyncio.sleep(SLOW_S)
        form = await _form(receive) if scope["method"] == "POST" else ""
        if fault is not None and fault.isdigit():
            reply = _error(int(fault), "on request")
        else:
            host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
            reply = self.reply(scope["method"], path, query, form, host)
        has_body = scope["method"] != "HEAD"
        await sent(send, reply, self.told, has_body=has_body, is_cut=fault == "cut")

    def reply(self, method: str, path: str, query: str, form: str = "", host: str = "") -> Reply:
        """The answer to a request, without the socket.

        Args:
            method: Method of the HTTP request.
            path: Path of the request, decoded.
            query: Query string as sent.
            form: Body of a POST.
            host: Host as the client named it, which counts for the length of the URL.
        """
        if path == "/":
            return _json(codec.plain(self.about()))
        if not self._bucket.takes():
            return _error(429, "Too Many Requests")
        if len(f"https://{host}{path}?{query}") > MOST_URL:
            return _error(400, "Request Line is too large")
        parameters = {name: values[-1] for name, values in parse_qs(form or query).items()}
        try:
            return self._answer(method, path, parameters)
        except _Refused as refused:
            return _error(refused.status, str(refused))

    def about(self) -> About:
        """What is served: identity, crimes and versions, the API's time."""
        at = self.clock.at()
        return About(
            path=f"{_STREET}{_ALL}",
            identity=self.told.identity,
            inputs=self.told.inputs,
            rows=len(self.crimes),
            versions=self.crimes.versions,
            months=tuple(self.crimes.months(self.crimes.update_at(at))),
            earliest=self.crimes.updates[0],
            latest=self.crimes.updates[-1],
            at=at,
            speed=self.clock.speed,
        )

    def _answer(self, method: str, path: str, parameters: dict[str, str]) -> Reply:
        update = self.crimes.update_at(self.clock.at())
        months = self.crimes.months(update)
        if method not in ("GET", "HEAD") and not path.startswith(_STREET):
            raise _Refused(405, "Method Not Allowed")
        if path == "/api/crime-last-updated":
            return _json({"date": f"{update or self.crimes.updates[0]}-01"})
        if path == "/api/crimes-street-dates":
            return _json([{"date": month, "stop-and-search": [FORCE]} for month in months[::-1]])
        if path == "/api/forces":
            return _json([{"id": FORCE, "name": "Simulated Police"}])
        if path == "/api/crime-categories":
            return _json(self._categories(update))
        if not path.startswith((_STREET, _NO_LOCATION)):
            raise _Refused(404, "Not Found")
        self.asked.append((path, parameters))
        is_wanted = _filter(path, parameters)
        month = parameters.get("date") or (months[-1] if months else "")
        shown = self.crimes.shown(update)[month] if update and month in months else None
        category = parameters.get("category", path.removeprefix(_STREET))
        names = {each["url"] for each in self._categories(update)}
        if category not in names or (shown is None and month not in months):
            raise _Refused(404, "Not Found")
        found = [s.body for s in shown or () if category in (_ALL, s.category) and is_wanted(s)]
        if len(found) > self.limits.most:
            raise _Refused(503, "Service Unavailable")
        return Reply(200, b"[" + b",".join(found) + b"]", {})

    def _categories(self, update: str | None) -> list[dict[str, str]]:
        shown = self.crimes.shown(update) if update else {}
        names = sorted({each.category for month in shown.values() for each in month})
        all_names = [_ALL, *(name for name in names if name != _ALL)]
        return [{"url": name, "name": name.replace("-", " ").capitalize()} for name in all_names]


def _filter(path: str, parameters: Mapping[str, str]) -> Callable[[Shown], bool]:
    """Which crimes a request asks for.

    Raises:
        _Refused: Its area is none.
    """
    if path == _NO_LOCATION:
        if parameters.get("force") != FORCE:
            raise _Refused(404, "Not Found")
        return lambda shown: shown.point is None
    try:
        if "poly" in parameters:
            corners = list(_corners(parameters["poly"]))
            if len(corners) < 3:
                raise ValueError("fewer than three corners")
            return lambda shown: shown.point is not None and is_inside(shown.point, corners)
        center = float(parameters["lat"]), float(parameters["lng"])
    except (ValueError, KeyError) as error:
        raise _Refused(400, f"Bad Request: {error}") from error
    return lambda shown: shown.point is not None and distance_km(shown.point, center) <= MILE_KM


def _corners(text: str) -> Iterator[Point]:
    for pair in text.split(":"):
        latitude, longitude = pair.split(",")
        yield float(latitude), float(longitude)


async def _form(receive: Receive) -> str:
    body, more = b"", True
    while more and len(body) <= MOST_FORM_BYTES:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body.decode("latin-1")


def _json(value: object) -> Reply:
    return Reply(200, orjson.dumps(value), {})


def _error(status: int, text: str) -> Reply:
    return Reply(status, orjson.dumps({"status": status, "error": text}), {})
