"""Promotion: load, wait until AVAILABLE, move the label, let the old version go, ask every server.

`models.config` is the one truth that the embedded servers and a real TF Serving read. TF Serving
refuses to move a label in use to a version that is not loaded, hence the order. Each embedded
server registers beside the file, and a promotion waits for all that are alive.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from goldlake.workflows.asked import asked_rows
from goldlake.workflows.names import not_pushed, unknown
from goldlake.workflows.processes import OnEvent, Run
from goldlake.workflows.promotions import Begun, Ledger
from goldlake.workflows.servers import embedded_server
from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.ids import ModelId
from goldlake_core.contracts.sections import Model, UseCase
from goldlake_core.contracts.wire import fill_nulls, raw_inputs
from goldlake_core.documents.reports import Answer, Promotion, ServerAnswer
from goldlake_core.stages import event_now
from goldlake_core.storage.home import Home
from goldlake_core.storage.model_versions import pushed_versions
from metadata import promotion as recorded
from metadata.promotion import Kind
from metadata.store import Store
from serving import client, config, registry
from serving.client import NotAvailable, ServerRefused, ServerUnreachable

WAIT_S = 120.0
_POLL_S = 0.2
# A wait without news is repeated after so many seconds.
_TELL_S = 15.0
_HEARTBEAT_S = 5.0
# A server of this home answers in milliseconds; one that hangs must not hold up the others.
_ANSWER_S = 3.0


@dataclass(frozen=True)
class Options:
    """How to promote.

    Attributes:
        url: A server that does not register itself, such as a real TF Serving: the label moves when
            the version is AVAILABLE there.
        because: The reason for the record, or "".
        wait_s: How long to wait for the servers, in each of the two phases.
        is_dry_run: Whether to say what would be done, and to change nothing.
        token_file: File of a bearer token for servers that ask for one, or None.
        ca_file: File of certificates to trust in place of the system's, or None.
    """

    url: str | None = None
    because: str = ""
    wait_s: float = WAIT_S
    is_dry_run: bool = False
    token_file: str | None = None
    ca_file: str | None = None

    @property
    def credentials(self) -> client.Credentials:
        """What servers ask for.

        Raises:
            UsageError: The file of the token cannot be read, or holds none.
        """
        return client.Credentials.of(self.token_file, self.ca_file)


_DEFAULT = Options()


def promote(
    home: Home,
    model: str,
    label: str,
    options: Options = _DEFAULT,
    on_event: OnEvent = lambda event: None,
    *,
    kind: Kind = "promote",
) -> Promotion:
    """Makes one pushed version the one that serves under a label.

    Args:
        home: Where everything is kept.
        model: Such as ``city_bikes.is_late@7``.
        label: Label to move, such as ``stable``.
        options: How to promote.
        on_event: Called with progress.
        kind: What the record calls it.

    Returns:
        What has the label now, what had it before, and what each server answers.

    Raises:
        UsageError: No version is named, it was never pushed, or the label cannot be one.
        NotAvailable: A server could not load the version, or that at ``options.url`` did not in
            time; the label stays where it was.
    """
    config.check_label(label)
    credentials = options.credentials
    wanted = _pushed(home, model)
    name, version = str(wanted.at(None)), wanted.version
    assert version is not None
    current = config.read_or_empty(home.models_config)
    before, served = config.served_version(current, name, label), current.model(name)
    if options.is_dry_run:
        servers = tuple(
            ServerAnswer(url=url, version=at, problem=problem)
            for url in _servers(home, options.url)
            for at, problem in (_labeled(url, name, label, credentials),)
        )
        return Promotion(
            model=name,
            version=version,
            label=label,
            before=before,
            servers=servers,
            is_dry_run=True,
        )
    notes: list[str] = []
    # In a home that was moved the version is served already, from a folder that is gone.
    is_here = served is not None and served.base_path == home.path("models", name)
    if before != version or not is_here:
        ledger = Ledger(home)
        with ledger.attempt(name, version, label, kind=kind, why=options.because) as begun:
            _wait_loaded(home, begun, options, on_event)
            begun.move()
        before, notes = begun.attempt.before, ledger.notes
    answers = _confirmed(home, name, version, label, options, on_event)
    return Promotion(
        model=name,
        version=version,
        label=label,
        before=before,
        servers=answers,
        notes=tuple(notes),
    )


def rollback(
    home: Home,
    model: str,
    label: str,
    options: Options = _DEFAULT,
    on_event: OnEvent = lambda event: None,
) -> Promotion:
    """Moves a label back to the version that it served before, as the record has it.

    Rolled back again it goes further back. Arguments and errors are those of `promote`.

    Args:
        home: Where everything is kept.
        model: Such as ``city_bikes.is_late``, without a version.
        label: Label to move, such as ``stable``.
        options: How to promote.
        on_event: Called with progress.

    Raises:
        UsageError: A version is named, or the label has served nothing before.
    """
    config.check_label(label)
    wanted = ModelId.parse(model)
    name = str(wanted.at(None))
    if wanted.version is not None:
        raise UsageError(
            f"{model!r} names a version, and a rollback goes to the one before",
            valid=name,
            hint=f"goldlake promote {model} --label {label}",
        )
    versions = _versions(home, wanted)
    now = config.served_version(config.read_or_empty(home.models_config), name, label)
    is_recorded = home.is_local and home.fs.exists(home.mlmd)
    records = recorded.promotions_in(Store(home), wanted) if is_recorded else []
    before = recorded.served_before(records, label, now)
    if before is None:
        at = f" before @{now}" if now is not None else ""
        raise UsageError(
            f"The label {label!r} of {name} has served nothing{at}",
            valid=", ".join(f"{name}@{number}" for number in versions),
            hint=f"goldlake promote {name}@VERSION --label {label}",
        )
    return promote(home, f"{name}@{before}", label, options, on_event, kind="rollback")


def promote_and_ask(
    run: Run, usecase: UseCase, model: Model, version: int, on_event: OnEvent
) -> tuple[Promotion, tuple[Answer, ...]]:
    """Promotes a version through the embedded server and asks it about some rows.

    Args:
        run: The run that pushed the version.
        usecase: Its use case.
        model: Its model contract.
        version: The version to promote to ``stable``.
        on_event: Called with progress.

    Returns:
        The promotion, and an answer for each of `asked_rows`.
    """
    name = f"{usecase.name}.{model.name}"
    config.update(run.home.models_config, lambda current: current)
    with embedded_server(run.home.models_config, run.logs / "serving.log") as url:
        options = Options(because=f"goldlake run {run.run_id}")
        document = promote(run.home, f"{name}@{version}", config.STABLE, options, on_event)
        examples = asked_rows(usecase, model, run.home)
        _progress(on_event, f"asking {name}@{version}")
        instances = fill_nulls(raw_inputs(model, usecase.gold[model.table]), examples)
        answers = client.predict(url, name, instances, version=version)
    pairs = zip(examples, answers, strict=True)
    return document, tuple(Answer(instance=example, answer=answer) for example, answer in pairs)


def _versions(home: Home, wanted: ModelId) -> list[int]:
    name = str(wanted.at(None))
    versions = list(pushed_versions(home, wanted.usecase, wanted.name))
    if not versions:
        raise not_pushed(name, home)
    return versions


def _pushed(home: Home, model: str) -> ModelId:
    """The pushed version that a person means."""
    wanted = ModelId.parse(model)
    name, version = str(wanted.at(None)), wanted.version
    versions = _versions(home, wanted)
    if version is None or version not in versions:
        wrong = f"There is no version {version} of {name}"
        raise unknown(
            wrong if version is not None else f"{model!r} names no version",
            model,
            [f"{name}@{number}" for number in versions],
            hint=f"goldlake promote {name}@{versions[-1]}",
        )
    return wanted


@dataclass(frozen=True)
class _Server:
    """A server to wait for.

    Attributes:
        url: Base URL of its REST API.
        round_at: When its last look at ``models.config`` began; None if it does not say.
    """

    url: str
    round_at: str | None


def _servers(home: Home, url: str | None) -> dict[str, _Server]:
    """Every server that lives now, by URL."""
    found = {
        about.url: _Server(about.url, about.round_at)
        for about in registry.living_servers(home.models_config).values()
    }
    if url is not None:
        found.setdefault(url.rstrip("/"), _Server(url.rstrip("/"), None))
    return dict(sorted(found.items()))


def _wait_loaded(home: Home, begun: Begun, options: Options, on_event: OnEvent) -> None:
    """Waits until the version is AVAILABLE at every server, or the time is over.

    A server that follows ``models.config`` and does not answer, or still loads, does not hold the
    label up: it moves the label itself, when it can. One that is not ours might refuse it for ever.
    """
    name, version = begun.attempt.model, begun.attempt.version
    credentials = options.credentials
    beat_at = time.monotonic()
    until = beat_at + options.wait_s

    def look(server: _Server) -> str:
        nonlocal beat_at
        if time.monotonic() - beat_at > _HEARTBEAT_S:
            beat_at = time.monotonic()
            begun.heartbeat()
        state, text = _state(server.url, name, version, credentials)
        # What a server says of an earlier try counts only once it has seen this one.
        is_seen = server.round_at is None or server.round_at > begun.loading_since
        is_seen = is_seen or time.monotonic() >= until
        if state == "END" and text and is_seen:
            raise NotAvailable(
                f"{server.url} could not load {name}@{version}: {text.rstrip('.')}; the label "
                f"{begun.attempt.label!r} stays where it was",
                hint="goldlake models",
            )
        return "" if state == "AVAILABLE" else " ".join(filter(None, (state, text)))

    waiting = f"waiting until {name}@{version} is AVAILABLE"
    problems = _wait(home, options, look, on_event, waiting)
    if options.url is not None and (problem := problems.get(options.url.rstrip("/"))):
        raise NotAvailable(
            f"{name}@{version} is not available at {options.url} after {options.wait_s:g} s: "
            f"{problem}; the label {begun.attempt.label!r} stays where it was",
            hint="read the log of that server",
        )


def _confirmed(
    home: Home, name: str, version: int, label: str, options: Options, on_event: OnEvent
) -> tuple[ServerAnswer, ...]:
    """What each server answers for the label, after waiting until it is the version."""
    answered: dict[str, int | None] = {}
    credentials = options.credentials

    def look(server: _Server) -> str:
        at, problem = _labeled(server.url, name, label, credentials)
        answered[server.url] = at
        if at != version:
            return problem or f"the label {label!r} answers with @{at}"
        state, text = _state(server.url, name, version, credentials)
        return "" if state == "AVAILABLE" else f"@{version} is {state} {text}".rstrip()

    def is_overtaken() -> bool:
        current = config.read_or_empty(home.models_config)
        return config.served_version(current, name, label) != version

    waiting = f"waiting until {label!r} answers with {name}@{version}"
    problems = _wait(home, options, look, on_event, waiting, is_overtaken)
    return tuple(
        ServerAnswer(url=url, version=answered.get(url), problem=problem)
        for url, problem in problems.items()
    )


def _wait(
    home: Home,
    options: Options,
    look: Callable[[_Server], str],
    on_event: OnEvent,
    waiting: str,
    is_pointless: Callable[[], bool] = lambda: False,
) -> Mapping[str, str]:
    """Asks every living server until none has a problem left, or the time is over.

    Servers that end meanwhile are forgotten, and those that start are asked too.

    Returns:
        What is left to wait for, by URL; "" where nothing is.
    """
    until = time.monotonic() + options.wait_s
    told, again = "", 0.0
    while True:
        servers = _servers(home, options.url)
        problems = {url: look(server) for url, server in servers.items()}
        left = {url: problem for url, problem in problems.items() if problem}
        if not left or time.monotonic() >= until or is_pointless():
            return problems
        message = f"{waiting} at {', '.join(left)}"
        if message != told or time.monotonic() >= again:
            _progress(on_event, message)
            told, again = message, time.monotonic() + _TELL_S
        time.sleep(_POLL_S)


def _state(url: str, name: str, version: int, credentials: client.Credentials) -> tuple[str, str]:
    """State of a version at a server, and the server's text about it."""
    try:
        return client.version_state(url, name, version, _ANSWER_S, credentials)
    except (ServerRefused, ServerUnreachable) as error:
        return "", error.problem


def _labeled(
    url: str, name: str, label: str, credentials: client.Credentials
) -> tuple[int | None, str]:
    """The version that answers for a label at a server, or why none does."""
    try:
        answer = client.metadata(
            url, name, label=label, timeout_s=_ANSWER_S, credentials=credentials
        )
    except (ServerRefused, ServerUnreachable) as error:
        return None, error.problem
    return int(answer.model_spec.version), ""


def _progress(on_event: OnEvent, message: str) -> None:
    on_event(event_now("promote", "progress", message))
