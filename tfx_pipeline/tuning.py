"""The stage ``tune``: a search for training parameters by eval; test is not looked at.

TFX's Tuner runs it, with Keras Tuner; see `tfx_pipeline.modules.tuner`.
"""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING

import msgspec

from goldlake_core.contracts import registry
from goldlake_core.contracts.errors import UsageError
from goldlake_core.documents.tuning import Trial, Tuned, TuneRequest
from goldlake_core.stages import Emit, require_same_contract
from goldlake_core.storage.home import Home
from tfx_pipeline.codehash import code_hash
from tfx_pipeline.modules.listening import LISTENER
from tfx_pipeline.spec import PipelineSpec, SearchSpec

if TYPE_CHECKING:
    from tfx_pipeline.modules.tuner import Record


def tune(request: TuneRequest, emit: Emit) -> Tuned:
    """Tries parameters on an export; trains and pushes nothing else.

    A search of the same export, contract, seed and code goes on where it ended.

    Args:
        request: The model, the export and the number of trials.
        emit: Takes progress events.

    Raises:
        UsageError: There is no such model, or it has a trainer that is not goldlake's.
        DataRefused: The validation gate stopped the run.
    """
    from tfx_pipeline import stages

    home = Home.at(request.home)
    usecase = registry.load_usecase(request.usecase)
    model = usecase.models[request.model]
    require_same_contract(request, usecase, f"gold.{model.table}", f"model.{model.name}.")
    if model.parts.run_fn is not None:
        raise UsageError(
            f"{usecase.name}.{model.name} is trained by {model.parts.run_fn}, whose parameters "
            "goldlake does not know",
            valid="a model without parts.run_fn",
        )
    spec = stages.asked_spec(request, home, usecase, model)
    emit("progress", "Starting TensorFlow and TFX", done=0, total=request.trials)

    from tfx_pipeline.modules import tuner

    def listener(trial: Trial, metric: str) -> None:
        text = "undefined" if trial.result is None else f"{trial.result:.4f}"
        message = f"trial {trial.number}: {metric} {text}"
        emit("progress", message, done=trial.number, total=request.trials)

    folder = f"pipelines/{spec.model_id}/tune/{search_id(spec, request.seed)}"
    wanted = SearchSpec(
        trials=request.trials, seed=request.seed, folder=folder, run_id=request.run_id
    )
    token = LISTENER.set(listener)
    try:
        stages.tuned(home, spec, request, wanted)
    finally:
        LISTENER.reset(token)
    return result(tuner.records(home, folder, request.trials), home.path(folder))


def search_id(spec: PipelineSpec, seed: int) -> str:
    """Names the search of an export, a contract, a seed and a state of the code. Pure but for code.

    Args:
        spec: The model and the export.
        seed: Seed of the parameters that are tried.
    """
    parts = [spec.export_id, spec.training, spec.features, seed]
    text = msgspec.json.encode(parts) + code_hash("tfx_pipeline.modules.tuner").encode()
    return hashlib.sha256(text).hexdigest()[:12]


def result(records: list[Record], logs: str) -> Tuned:
    """The trials of a search and the best of them. Pure.

    Args:
        records: At least one.
        logs: Folder with TensorBoard's HParams.
    """
    first = records[0]
    sign = 1 if first.is_better_high else -1
    trials = tuple(each.trial for each in records)
    best = max(trials, key=lambda each: -math.inf if each.result is None else sign * each.result)
    return Tuned(
        metric=first.metric,
        is_better_high=first.is_better_high,
        trials=trials,
        best=best.number,
        logs=logs,
    )
