"""The application: its addresses, its frame of errors, and signing in."""

from __future__ import annotations

import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from goldlake.ui import static
from goldlake.ui.pages import (
    drift,
    lineage,
    map,
    models,
    overview,
    predict,
    quarantine,
    runs,
    tables,
)
from goldlake.ui.render import Forged, form_of, render, site, text_of
from goldlake.ui.security import Access, Guard, Session, TooLarge
from goldlake.ui.site import Site
from goldlake.workflows.processes import end
from goldlake_core.contracts.errors import GoldlakeError, LockedError, UsageError
from goldlake_core.storage.home import Home

log = logging.getLogger("goldlake.ui")

Endpoint = Callable[[Request], Response]


def application(home: Home, access: Access) -> Starlette:
    """The app over a home.

    Args:
        home: The home that it shows.
        access: Who may see and do what.
    """
    shown = Site(home, access)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        threading.Thread(target=_warm, args=(shown,), daemon=True).start()
        runs.start_workers(app)
        yield
        if app.state.server is not None:
            end(app.state.server)

    app = Starlette(
        routes=[
            Route("/", _page(overview.page)),
            Route("/tables", _page(tables.page)),
            Route("/tables/{table}", _page(tables.one)),
            Route("/quarantine", _page(quarantine.page)),
            Route("/map", _page(map.page)),
            Route("/drift", _page(drift.page)),
            Route("/predict", _page(predict.page)),
            Route("/predict", _action(predict.ask), methods=["POST"]),
            Route("/predict/file", _action(predict.score), methods=["POST"]),
            Route("/predict/server", _action(predict.start_server), methods=["POST"]),
            Route("/lineage", _page(lineage.page)),
            Route("/models", _page(models.page)),
            Route("/models/{model}", _page(models.one)),
            Route("/models/{model}/report", _page(models.report)),
            Route("/runs", _page(runs.page)),
            Route("/runs/{run}", _page(runs.one_run)),
            Route("/jobs", _action(runs.add), methods=["POST"]),
            Route("/jobs/{job}", _page(runs.one_job)),
            Route("/jobs/{job}/cancel", _action(runs.cancel), methods=["POST"]),
            Route("/live/map", _page(map.fragment)),
            Route("/live/queue", _page(runs.fragment)),
            Route("/live/jobs/{job}", _page(runs.job_fragment)),
            Route("/live/status", _page(runs.status)),
            Route("/sign-in", _page(_sign_in)),
            Route("/sign-in", _action(_signed_in), methods=["POST"]),
            Route("/sign-out", _action(_signed_out), methods=["POST"]),
            Route("/static/{name}", static.serve),
            Route("/healthz", lambda request: PlainTextResponse("ok")),
        ],
        exception_handlers={HTTPException: _http_error},
        lifespan=lifespan,
    )
    app.state.site = shown
    app.state.workers = []
    app.state.server = None
    app.state.server_lock = threading.Lock()
    app.add_middleware(Guard, access=access)
    return app


def _page(make: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    """A page that is made in a thread; its errors are pages, too."""

    async def endpoint(request: Request) -> Response:
        try:
            return await run_in_threadpool(make, request)
        except GoldlakeError as error:
            return _error(request, error)
        except Exception as error:
            return _bug(request, error)

    return endpoint


def _action(
    act: Callable[[Request], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    """An action; every one asks `form_of` for its form, which holds the secret of the session."""

    async def endpoint(request: Request) -> Response:
        try:
            return await act(request)
        except Forged:
            return render(
                request,
                "error.html",
                403,
                title="This page is too old",
                problem="The form does not belong to this session. Nothing was done.",
                valid="",
                hint="go back, reload the page and try again",
            )
        except GoldlakeError as error:
            return _error(request, error)
        except (HTTPException, TooLarge):
            raise
        except Exception as error:
            return _bug(request, error)

    return endpoint


def _error(request: Request, error: GoldlakeError) -> Response:
    status = 409 if isinstance(error, LockedError) else 500
    if isinstance(error, UsageError):
        status = 404 if request.method == "GET" else 400
    return render(
        request,
        "error.html",
        status,
        title="Not found" if status == 404 else "That did not work",
        problem=error.problem,
        valid=error.valid or "",
        hint=error.hint or "",
    )


def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = error.detail if isinstance(error, HTTPException) else ""
    if "session" not in request.scope.get("state", {}):
        return PlainTextResponse(detail, status)
    return render(
        request,
        "error.html",
        status,
        title=detail,
        problem=f"{request.url.path} is not a page." if status == 404 else f"{detail}.",
        valid="",
        hint="",
    )


def _bug(request: Request, error: Exception) -> Response:
    log.error("%s %s", request.method, request.url.path, exc_info=error)
    return render(
        request,
        "error.html",
        500,
        title="Something broke",
        problem=f"{type(error).__name__}. The terminal of goldlake ui says more.",
        valid="",
        hint="",
    )


def _sign_in(request: Request, problem: str = "", status: int = 200) -> Response:
    if not site(request).access.needs_token:
        return RedirectResponse("/", 303)
    return render(request, "sign_in.html", status, problem=problem)


async def _signed_in(request: Request) -> Response:
    form = await form_of(request)
    access = site(request).access
    matches = access.is_token(text_of(form, "token"))
    if matches is None:
        return _sign_in(request, "Too many wrong tokens; wait a minute.", 429)
    if not matches:
        return _sign_in(request, "This is not the token.", 401)
    old: Session = request.state.session
    access.end(old)
    session = access.new_session(is_signed_in=True)
    return RedirectResponse("/", 303, {"set-cookie": access.cookie_text(session)})


async def _signed_out(request: Request) -> Response:
    await form_of(request)
    site(request).access.end(request.state.session)
    return RedirectResponse("/sign-in", 303)


def _warm(shown: Site) -> None:
    """Reads what the first page shows before somebody asks for it."""
    try:
        static.addresses()
        for name in shown.usecases():
            contract = shown.contract_or_problem(name)
            if not isinstance(contract, str):
                shown.data(contract)
    except Exception as error:  # the page itself shows what is wrong
        log.info("nothing was read ahead: %s", error)
