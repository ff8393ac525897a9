"""Runs: the queue with the progress of each stage, the history, logs, and what can be started."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from goldlake.ui import sources
from goldlake.ui.render import Form, environment, form_of, render, site, text_of
from goldlake.ui.site import Site
from goldlake.workflows.conditions import parsed
from goldlake.workflows.jobs import worker
from goldlake.workflows.report.markup import instant
from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.heads import HEADS
from goldlake_core.contracts.ids import ModelId
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents.jobs import KINDS, Job, JobKind, JobStep
from goldlake_core.documents.stages import Event
from goldlake_core.instants import of_text
from goldlake_core.stages import DOCUMENTS, RunDir

MOST_LOG_BYTES = 64 * 1024
MOST_ENDED = 30
VERBS: dict[JobKind, str] = {
    "ingest": "Ingest",
    "train": "Train",
    "retrain": "Retrain",
    "report": "Report of",
    "replay": "Replay the quarantine of",
    "promote": "Promote",
    "rollback": "Roll back",
}


@dataclass(frozen=True)
class JobView:
    """A job as pages show it.

    Attributes:
        job: What somebody asked for.
        title: What it does.
        place: Its place among those that wait, from 1; 0 for others.
        steps: What it has done so far.
        seconds: How long it took, or None.
    """

    job: Job
    title: str
    place: int
    steps: list[JobStep]
    seconds: float | None


def page(request: Request) -> Response:
    """Answers the queue and the history."""
    shown = site(request)
    startable = []
    for name in shown.known():
        contract = shown.contract_or_problem(name)
        if isinstance(contract, UseCase):
            startable.append((contract, _sources(shown, contract)))
    held = shown.history(request.query_params.get("usecase"))
    return render(
        request, "runs.html", jobs=jobs(shown), startable=startable, held=held, stamp=instant
    )


def fragment(request: Request) -> Response:
    """Answers the queue alone, for the page that is open."""
    shown = site(request)
    start_workers(request.app)
    return render(request, "queue.html", jobs=jobs(shown))


def job_fragment(request: Request) -> Response:
    """Answers a job alone."""
    shown = site(request)
    view = _view(shown, shown.queue.job(request.path_params["job"]), 0)
    return render(request, "job_live.html", view=view, log=_tail(_log_of(shown, view.job)))


def status(request: Request) -> Response:
    """Answers what runs, what waits and what ended lately, as JSON."""
    shown = site(request)
    found = shown.queue.jobs()
    running = next((job for job in found if job.state == "running"), None)
    view = _view(shown, running, 0) if running else None
    waiting = sum(job.state == "queued" for job in found)
    pulse = environment().get_template("pulse.html").render(view=view, waiting=waiting)
    ended = [
        {
            "id": job.id,
            "title": f"{VERBS[job.kind]} {job.subject}",
            "state": job.state,
            "result": job.result,
            "ended_at": job.ended_at,
        }
        for job in found
        if job.is_over
    ]
    return JSONResponse({"pulse": pulse, "ended": ended[:10]})


def one_job(request: Request) -> Response:
    """Answers the page of a job."""
    shown = site(request)
    view = _view(shown, shown.queue.job(request.path_params["job"]), 0)
    return render(request, "job.html", view=view, log=_tail(_log_of(shown, view.job)))


def one_run(request: Request) -> Response:
    """Answers the page of a run on record: its stages, events and logs."""
    shown = site(request)
    run_id = request.path_params["run"]
    row = next((run for run in shown.history().runs if run.run_id == run_id), None)
    if row is None:
        raise UsageError(
            f"There is no run {run_id!r} in {shown.home.root}", hint="goldlake history"
        )
    logs = []
    if shown.home.is_local:
        folder = Path(shown.home.logs(run_id))
        logs = [(path.name, _tail(path)) for path in sorted(folder.glob("*.log"))]
    return render(request, "run.html", row=row, events=list(_events(shown, run_id)), logs=logs)


async def add(request: Request) -> Response:
    """Asks for a job, and shows the queue."""
    form = await form_of(request)
    shown = site(request)
    kind = text_of(form, "kind")
    if kind not in KINDS:
        raise UsageError(f"There is no job {kind!r}", valid=", ".join(KINDS))
    found: JobKind = next(each for each in KINDS if each == kind)
    subject, options = _asked(shown, found, form)
    job = shown.queue.add(found, subject, options, text_of(form, "key") or subject)
    start_workers(request.app)
    return RedirectResponse(f"/runs#job-{job.id}", 303)


async def cancel(request: Request) -> Response:
    """Ends a job, and shows the queue."""
    await form_of(request)
    job = site(request).queue.cancel(request.path_params["job"])
    return RedirectResponse(f"/runs#job-{job.id}", 303)


def start_workers(app: Starlette) -> None:
    """Starts a process for each lane where jobs wait and none works."""
    shown: Site = app.state.site
    if shown.access.is_read_only or not shown.home.is_local:
        return
    held: list[Any] = app.state.workers
    held[:] = [process for process in held if process.poll() is None]
    for lane in ("heavy", "light"):
        made = worker.start(shown.home, "heavy" if lane == "heavy" else "light")
        if made is not None:
            held.append(made)


def jobs(shown: Site) -> list[JobView]:
    """The jobs of the home in their order: those that run, that wait, and that ended lately."""
    found, place, ended = [], 0, 0
    for job in shown.queue.jobs():
        place += job.state == "queued"
        ended += job.is_over
        if ended <= MOST_ENDED:
            found.append(_view(shown, job, place if job.state == "queued" else 0))
    return found


def _view(shown: Site, job: Job, place: int) -> JobView:
    seconds = None
    if job.began_at and job.ended_at:
        seconds = (of_text(job.ended_at) - of_text(job.began_at)).total_seconds()
    steps = [] if job.state == "queued" else shown.queue.steps(job.id)
    return JobView(job, f"{VERBS[job.kind]} {job.subject}", place, steps, seconds)


def _asked(shown: Site, kind: JobKind, form: Form) -> tuple[str, dict[str, str]]:
    """What a job is about and how, each checked against what there is.

    Raises:
        UsageError: There is no such use case, model, version or source.
    """
    subject = text_of(form, "subject")
    if kind in ("ingest", "replay"):
        contract = shown.contract(subject)
        if kind == "replay":
            return contract.name, {}
        among = _sources(shown, contract)
        source = text_of(form, "source_id")
        if source:
            return contract.name, sources.chosen(source, among).options
        wanted = {name: text_of(form, name) for name in ("source", "rows", "seed") if name in form}
        for each in among:
            if each.options == wanted:
                return contract.name, wanted
        # The same again, as a job that ended has it.
        if any(job.options == wanted for job in shown.queue.jobs() if job.subject == subject):
            return contract.name, wanted
        raise UsageError("No source was chosen", valid=", ".join(each.id for each in among))
    model = ModelId.parse(subject)
    contract = shown.contract(model.usecase)
    if model.name not in contract.models:
        raise UsageError(
            f"{model.usecase} has no model {model.name!r}", valid=", ".join(contract.models)
        )
    if kind in ("train", "retrain", "rollback") and model.version is not None:
        raise UsageError(f"{subject} names a version", valid=str(model.at(None)))
    if kind == "promote" and model.version is None:
        raise UsageError(f"{subject} names no version", valid=f"{subject}@VERSION")
    options = {}
    if kind == "retrain":
        options = {"if": text_of(form, "if")}
        parsed(options["if"], HEADS[contract.models[model.name].head.kind].metrics)
        if text_of(form, "promote"):
            options["promote"] = "yes"
    if kind in ("promote", "rollback"):
        options = {"label": text_of(form, "label") or "stable"}
        if because := text_of(form, "because"):
            options["because"] = because
    return str(model), options


def _sources(shown: Site, contract: UseCase) -> list[sources.Choice]:
    runs = shown.history(contract.name).runs if contract.name in shown.usecases() else ()
    return sources.choices(contract, runs, [run for run in runs if run.landed is not None])


def _events(shown: Site, run_id: str) -> Iterator[Event]:
    folder = Path(shown.home.run(run_id))
    if not shown.home.is_local or not folder.is_dir():
        return
    found = [event for stage in DOCUMENTS for event, _ in RunDir(folder).events(stage)]
    yield from sorted(found, key=lambda event: event.time)


def _log_of(shown: Site, job: Job) -> Path:
    return shown.queue.path(job.id, "log")


def _tail(path: Path) -> str:
    """The end of a log."""
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(0, 2)
        start = max(0, file.tell() - MOST_LOG_BYTES)
        file.seek(start)
        text = file.read().decode("utf-8", "replace")
    return f"… (the last {MOST_LOG_BYTES // 1024} KiB)\n{text}" if start else text
