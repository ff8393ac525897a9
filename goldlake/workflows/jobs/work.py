"""What each kind of job does: the workflow that the command line has under the same name."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from goldlake.workflows import promote as promotion
from goldlake.workflows import replay as replaying
from goldlake.workflows.history import verdict
from goldlake.workflows.ingest import ingest
from goldlake.workflows.processes import OnEvent
from goldlake.workflows.retrain import retrain
from goldlake.workflows.servers import embedded_source
from goldlake.workflows.train import train
from goldlake_core.contracts.errors import LockedError, UsageError
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.documents.jobs import Job, JobKind
from goldlake_core.documents.reports import Promotion
from goldlake_core.stages import event_now
from goldlake_core.storage.home import Home
from goldlake_core.storage.locks import FileLock

GENERATED = "generated"
REPORTS = "reports"
GATE_EXIT_CODE = 3
STORE_WAIT_S = 3600.0


@dataclass(frozen=True)
class Outcome:
    """What came of a job.

    Attributes:
        text: One sentence for people.
        exit_code: Exit code of the same command.
        run_id: The run that it made, or None.
    """

    text: str
    exit_code: int = 0
    run_id: str | None = None


def work(job: Job, home: Home, log: Path, on_event: OnEvent) -> Outcome:
    """Does a job.

    Args:
        job: What somebody asked for.
        home: Home that it is about.
        log: File for what an embedded source prints.
        on_event: Called with the events of its stages.

    Raises:
        GoldlakeError: What the workflow raises.
    """
    return _WORK[job.kind](job, home, log, on_event)


def report_file(subject: str, home: Home) -> Path:
    """The file in a home that holds the report of a model version, or of a use case."""
    return Path(home.path(REPORTS, f"{subject.replace('@', '-')}.html"))


def _ingest(job: Job, home: Home, log: Path, on_event: OnEvent) -> Outcome:
    _wait_for_store(job.subject, home, on_event)
    with _source(job, home, log) as source:
        report = ingest(job.subject, home, source, None, None, on_event)
    fates = report.refine.fates
    text = (
        f"{report.land.rows:,} records landed: {fates.inserted:,} inserted, "
        f"{fates.amended:,} amended, {fates.quarantined:,} quarantined"
    )
    return Outcome(text, run_id=report.run_id)


def _train(job: Job, home: Home, log: Path, on_event: OnEvent) -> Outcome:
    report = train(job.subject, home, None, on_event)
    status, exit_code, why = verdict(report)
    if status != "ok":
        return Outcome(why or "refused", exit_code, report.run_id)
    auc = report.train.metrics.get("auc")
    figure = f", auc {auc:.4f}" if auc is not None else ""
    is_new = "trained and pushed" if report.train.pushed else "there already"
    return Outcome(
        f"{report.model}@{report.train.model_version} {is_new}{figure}", run_id=report.run_id
    )


def _retrain(job: Job, home: Home, log: Path, on_event: OnEvent) -> Outcome:
    is_promoted = job.options.get("promote") == "yes"
    made = retrain(job.subject, home, job.options["if"], on_event, is_promoted=is_promoted)
    if (before := made.refused_before) is not None:
        return Outcome(
            f"due because of {made.reason}, but a candidate of the same rows was refused at "
            f"{before.at}: {before.why}"
        )
    if made.train is None:
        found = "; ".join(f"{each.text}: {each.found}" for each in made.conditions)
        return Outcome(f"nothing is due. {found}")
    due, run_id = f"due because of {made.reason}", made.train.run_id
    status, exit_code, why = verdict(made.train)
    if status != "ok":
        return Outcome(f"{due}; {why or 'refused'}", exit_code, run_id)
    text = f"{due}; {made.model}@{made.train.train.model_version} is blessed"
    if made.promoted is not None:
        text += f", and @{made.promoted} serves"
    if made.unconfirmed:
        return Outcome(f"{text}; {made.unconfirmed[0]}", GATE_EXIT_CODE, run_id)
    return Outcome(text, run_id=run_id)


def _report(job: Job, home: Home, log: Path, on_event: OnEvent) -> Outcome:
    from goldlake.workflows.report.write import report

    file = report_file(job.subject, home)
    file.parent.mkdir(parents=True, exist_ok=True)
    on_event(event_now("examine", "begin"))
    made = report(job.subject, home, None, str(file), on_event)
    return Outcome(f"report of {made.subject}: {made.bytes / 1000:,.0f} kB")


def _replay(job: Job, home: Home, log: Path, on_event: OnEvent) -> Outcome:
    _wait_for_store(job.subject, home, on_event)
    report = replaying.replay(job.subject, home, False, on_event)
    if report.why:
        return Outcome(f"nothing to try again: {report.why}")
    return Outcome(
        f"{report.let_in or 0:,} of {report.concerned:,} records got in", run_id=report.run_id
    )


def _promote(job: Job, home: Home, log: Path, on_event: OnEvent) -> Outcome:
    on_event(event_now("promote", "begin"))
    label = job.options.get("label", "stable")
    options = promotion.Options(because=job.options.get("because", ""))
    change = promotion.rollback if job.kind == "rollback" else promotion.promote
    return _moved(change(home, job.subject, label, options, on_event))


def _moved(made: Promotion) -> Outcome:
    text = f"{made.model}@{made.version} has the label {made.label} now"
    unconfirmed = [server for server in made.servers if server.problem]
    if unconfirmed:
        first = unconfirmed[0]
        return Outcome(f"{text}; {first.url}: {first.problem}", GATE_EXIT_CODE)
    if made.servers:
        count = len(made.servers)
        text += f"; {count} server{'s' * (count != 1)} answer{'s' * (count == 1)} with it"
    return Outcome(text)


def _wait_for_store(usecase: str, home: Home, on_event: OnEvent) -> None:
    """Waits while another command works on the store, so that a job is not refused for it."""
    name = load_usecase(usecase).name
    path = home.landing(name, "lock")
    try:
        with FileLock(path, f"the store of {name}"):
            return
    except LockedError as error:
        on_event(event_now("land", "progress", f"waiting: {error.problem}"))
    with FileLock(path, f"the store of {name}", wait_s=STORE_WAIT_S):
        return


@contextlib.contextmanager
def _source(job: Job, home: Home, log: Path) -> Iterator[str]:
    """Where the records come from: what the job names, or the generator of the use case."""
    source = job.options.get("source", "live")
    if source != GENERATED:
        yield source
        return
    usecase = load_usecase(job.subject)
    rows, seed = int(job.options.get("rows", "0")), int(job.options.get("seed", "0"))
    if usecase.source.generator is None or rows < 1:
        raise UsageError(
            f"{usecase.name} cannot generate {rows:,} rows", valid="a use case with a generator"
        )
    if usecase.source.kind == "files":
        from goldlake_simulators.files import generated_files

        yield str(generated_files(usecase, rows, seed, Path(home.path("generated", usecase.name))))
        return
    with embedded_source(job.subject, rows, seed, log) as url:
        yield url


_WORK: dict[JobKind, Callable[[Job, Home, Path, OnEvent], Outcome]] = {
    "ingest": _ingest,
    "train": _train,
    "retrain": _retrain,
    "report": _report,
    "replay": _replay,
    "promote": _promote,
    "rollback": _promote,
}
