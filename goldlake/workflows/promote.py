"""Promotion in two phases: load, wait until AVAILABLE, move the label, let the old version go.

`models.config` is the one truth that the embedded server and a real TF Serving read. TF Serving
refuses to move a label in use to a version that is not loaded, hence the order.
"""

from __future__ import annotations

from goldlake.workflows.names import pushed_models, unknown
from goldlake.workflows.processes import OnEvent, Run
from goldlake.workflows.servers import embedded_server
from goldlake_core.contracts.ids import ModelId
from goldlake_core.contracts.sections import Model, UseCase
from goldlake_core.contracts.wire import fill_nulls, raw_inputs
from goldlake_core.documents.reports import Answer, Promotion
from goldlake_core.stages import event_now
from goldlake_core.storage.home import Home
from goldlake_core.storage.model_versions import pushed_versions
from metadata.promotion import record_promotion
from serving import client, config

AVAILABLE_TIMEOUT_S = 120.0


def promote(home: Home, model: str, label: str, url: str | None = None) -> Promotion:
    """Makes one pushed version the one that serves under a label.

    Args:
        home: Where everything is kept.
        model: Such as ``city_bikes.is_late@7``.
        label: Label to move, such as ``stable``.
        url: A running server that follows ``models.config``: the label moves when the version is
            AVAILABLE there. None: no server runs, or it waits by itself as the embedded one does.

    Returns:
        What has the label now and what had it before.

    Raises:
        UsageError: No version is named, or it was never pushed.
        RetryableError: The server did not load the version in time; the label stays where it was.
    """
    wanted = ModelId.parse(model)
    name = f"{wanted.usecase}.{wanted.name}"
    version = wanted.version
    versions = list(pushed_versions(home, wanted.usecase, wanted.name))
    if not versions:
        pushed = pushed_models(home)
        hint = "goldlake models" if pushed else f"goldlake train {name}"
        raise unknown(f"No version of {name} is pushed", name, pushed, home=home, hint=hint)
    if version is None or version not in versions:
        wrong = f"There is no version {version} of {name}"
        raise unknown(
            wrong if version is not None else f"{model!r} names no version",
            model,
            [f"{name}@{number}" for number in versions],
            hint=f"goldlake promote {name}@{versions[-1]}",
        )
    before = _load(home, name, version)
    if url is not None:
        client.wait_available(url, name, version, AVAILABLE_TIMEOUT_S)
    document = _move(home, name, version, label, before.get(label))
    if url is not None:
        client.wait_label(url, name, label, version, AVAILABLE_TIMEOUT_S)
    return document


def promote_and_ask(
    run: Run, usecase: UseCase, model: Model, version: int, on_event: OnEvent
) -> tuple[Promotion, tuple[Answer, ...]]:
    """Promotes a version through the embedded server and asks it the contract's examples.

    Args:
        run: The run that pushed the version.
        usecase: Its use case.
        model: Its model contract.
        version: The version to promote to ``stable``.
        on_event: Called with progress.

    Returns:
        The promotion, and an answer per example.
    """
    name = f"{usecase.name}.{model.name}"
    _load(run.home, name, version)
    with embedded_server(run.home.models_config, run.logs / "serving.log") as url:
        _progress(on_event, f"waiting until {name}@{version} is AVAILABLE")
        document = promote(run.home, f"{name}@{version}", config.STABLE, url)
        examples = [dict(example) for example in model.examples]
        if not examples:
            return document, ()
        _progress(on_event, f"asking {name}@{version}")
        instances = fill_nulls(raw_inputs(model, usecase.gold[model.table]), examples)
        answers = client.predict(url, name, instances, version=version)
    pairs = zip(examples, answers, strict=True)
    return document, tuple(Answer(instance=example, answer=answer) for example, answer in pairs)


def _load(home: Home, name: str, version: int) -> dict[str, int]:
    base_path = home.path("models", name)

    def with_version(current: config.ModelsConfig) -> config.ModelsConfig:
        return config.with_version(current, name, version, base_path)

    served = config.update(home.models_config, with_version).model(name)
    return dict(served.labels) if served is not None else {}


def _move(home: Home, name: str, version: int, label: str, before: int | None) -> Promotion:
    def with_label(current: config.ModelsConfig) -> config.ModelsConfig:
        return config.with_label(current, name, version, label)

    config.update(home.models_config, with_label)
    document = Promotion(model=name, version=version, label=label, before=before)
    if before != version:
        record_promotion(home, f"{name}@{version}", label)
    return document


def _progress(on_event: OnEvent, message: str) -> None:
    on_event(event_now("promote", "progress", message))
