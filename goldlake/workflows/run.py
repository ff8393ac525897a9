"""End to end: API to bronze, silver, gold, export, TFX, promotion and a served answer."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from goldlake.workflows.processes import OnEvent, Run, StageFailed
from goldlake.workflows.promote import promote_and_ask
from goldlake.workflows.servers import embedded_source
from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import Model, UseCase
from goldlake_core.stages import Document
from goldlake_core.storage.home import Home

EMBEDDED = "embedded"
GATE_EXIT_CODE = 3


@dataclass(frozen=True)
class Order:
    """What `goldlake run` was asked to do.

    Attributes:
        usecase: Name or path of the use case.
        source: ``embedded``, ``live`` or a URL.
        rows: Rows the embedded source generates.
        seed: Seed of the embedded source's generator.
        models: Names of the models to train; empty: all of the use case.
        since: First day wanted from the source, or None.
        until: First day no longer wanted, or None.
    """

    usecase: str
    source: str = EMBEDDED
    rows: int = 20_000
    seed: int = 7
    models: tuple[str, ...] = ()
    since: str | None = None
    until: str | None = None


def run_whole(order: Order, home: Home, on_event: OnEvent) -> Document:
    """Runs everything once and returns the account of it.

    Args:
        order: What to run.
        home: Where everything is kept.
        on_event: Called with every stage's events.

    Returns:
        ``run_id, home, logs, usecase, source, land, refine, models, seconds, exit_code``; per model
        ``export, train, promotion, answers``. ``exit_code`` is 3 when a gate said no.

    Raises:
        UsageError: An unknown model.
        StageFailed: A stage failed for another reason than a gate.
    """
    started = time.monotonic()
    usecase = load_usecase(order.usecase)
    models = _models(usecase, order.models)
    run = Run.new(home)
    account: Document = {
        "run_id": run.run_id,
        "home": home.root,
        "logs": str(run.logs),
        "usecase": usecase.name,
        "source": order.source,
        "models": {},
        "exit_code": 0,
    }
    exports = _lakehouse(run, order, models, account, on_event)
    for model in models:
        part = _model(run, order, usecase, model, exports[model.name], on_event)
        account["models"][f"{usecase.name}.{model.name}"] = part
        account["exit_code"] = max(account["exit_code"], part.pop("exit_code"))
    account["seconds"] = round(time.monotonic() - started, 1)
    return account


def _models(usecase: UseCase, names: tuple[str, ...]) -> list[Model]:
    unknown = [name for name in names if name not in usecase.models]
    if unknown:
        raise UsageError(
            f"The use case {usecase.name} has no model {unknown[0]!r}",
            valid=", ".join(usecase.models),
        )
    return [usecase.models[name] for name in names or usecase.models]


def _lakehouse(
    run: Run, order: Order, models: list[Model], account: Document, on_event: OnEvent
) -> dict[str, Document]:
    with _source(order, run, on_event) as source:
        land = {
            "usecase": order.usecase,
            "source": source,
            "since": order.since,
            "until": order.until,
        }
        requests: dict[str, dict[str, Any]] = {"land": land, "refine": {"usecase": order.usecase}}
        if models:
            requests["export"] = export_request(order.usecase, models[0].name)
        results = run.stages("lakehouse", requests, on_event)
    account["land"], account["refine"] = results["land"], results["refine"]
    exports = {models[0].name: results["export"]} if models else {}
    for model in models[1:]:
        request = {"export": export_request(order.usecase, model.name)}
        exports[model.name] = run.stages("lakehouse", request, on_event)["export"]
    return exports


@contextlib.contextmanager
def _source(order: Order, run: Run, on_event: OnEvent) -> Iterator[str]:
    if order.source != EMBEDDED:
        yield order.source
        return
    on_event({"stage": "source", "kind": "begin"})
    log = run.logs / "source.log"
    with embedded_source(order.usecase, order.rows, order.seed, log) as url:
        result = {"url": url, "rows": order.rows, "seed": order.seed}
        on_event({"stage": "source", "kind": "end", "result": result})
        yield url


def export_request(usecase: str, model: str, version: int | None = None) -> Document:
    """The request document of stage ``export``."""
    return {"usecase": usecase, "model": model, "version": version, "out": None}


def _model(
    run: Run, order: Order, usecase: UseCase, model: Model, export: Document, on_event: OnEvent
) -> Document:
    part: Document = {"export": export, "train": None, "promotion": None, "answers": []}
    request = {"train": {"usecase": order.usecase, "model": model.name, "export": export}}
    try:
        part["train"] = run.stages("tfx_pipeline", request, on_event)["train"]
    except StageFailed as error:
        if error.code != GATE_EXIT_CODE:
            raise
        return {**part, "refused": error.error, "exit_code": GATE_EXIT_CODE}
    if not part["train"]["blessed"]:
        return {**part, "exit_code": GATE_EXIT_CODE}
    on_event({"stage": "promote", "kind": "begin"})
    version = part["train"]["model_version"]
    part["promotion"], part["answers"] = promote_and_ask(run, usecase, model, version, on_event)
    on_event({"stage": "promote", "kind": "end", "result": part["promotion"]})
    return {**part, "exit_code": 0}
