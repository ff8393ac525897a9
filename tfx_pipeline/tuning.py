"""The stage ``tune``: a random search for training parameters by eval; test is not looked at.

A plain search in place of TFX's Tuner: it needs no further package on either stack, and its trials
share the splits that are read and transformed once. A trial whose result is worse than the median
of the earlier ones at the same epoch is stopped (Golovin et al. 2017, "Google Vizier", 3.1).
"""

from __future__ import annotations

import math
import os
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from types import SimpleNamespace
from typing import Any

from msgspec.structs import asdict, replace

from goldlake_core.contracts import registry
from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.sections import Training
from goldlake_core.documents.tuning import Parameters, Trial, Tuned, TuneRequest
from goldlake_core.stages import Emit, require_same_contract
from goldlake_core.storage.home import Home
from tfx_pipeline.exports import read_manifest
from tfx_pipeline.spec import TrainingSpec

KEYS = ("hidden_units", "dropout", "learning_rate", "l2", "batch_rows")
"""The keys of ``training`` that are searched."""
FIRST_EPOCH = 2
"""Epoch from which on a trial may be stopped, from 1."""
FEWEST = 3
"""Earlier trials that there must be to compare with."""
_UNITS = ((16,), (32,), (64,), (32, 16), (64, 32), (128, 64), (128, 64, 32))


def tune(request: TuneRequest, emit: Emit) -> Tuned:
    """Tries parameters on an export; trains and pushes nothing else.

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
    stages.set_environment(home, usecase)
    manifest, sha256 = read_manifest(request.export_id, request.manifest_sha256, home)
    stages.require_same_sections(manifest, usecase, model, request.export_id)
    spec = stages.spec_of(home, usecase, model, request.export_id, manifest, sha256)
    emit("progress", "Starting TensorFlow and TFX", done=0, total=request.trials)
    nodes = stages.transformed(home, spec, request)
    [examples] = nodes["SnapshotExampleGen" if "SnapshotExampleGen" in nodes else "ContractTypes"]
    [graph] = nodes["Transform"]
    fn_args = SimpleNamespace(
        transform_output=graph,
        train_files=[os.path.join(examples, "Split-train", "*")],
        eval_files=[os.path.join(examples, "Split-eval", "*")],
    )
    logs = os.path.join(home.pipeline(usecase.name, model.name), "tune", request.run_id)
    return search(fn_args, spec.training, request.trials, request.seed, logs, emit)


@dataclass
class Median:
    """Stops a trial that is worse than the median of the earlier ones at the same epoch.

    Attributes:
        sign: 1 where a higher result is better, else -1.
        curves: The best result up to each epoch, by trial, times the sign.
    """

    sign: int
    curves: list[list[float]] = field(default_factory=list)

    def begin(self) -> None:
        """A new trial."""
        self.curves.append([])

    def add(self, result: float) -> bool:
        """Notes the result of an epoch of the newest trial; whether the trial should stop."""
        own = self.curves[-1]
        best = self.sign * result if math.isfinite(result) else -math.inf
        own.append(max(best, own[-1]) if own else best)
        epoch = len(own)
        # A trial that ended before had its best result then.
        others = [curve[min(epoch, len(curve)) - 1] for curve in self.curves[:-1] if curve]
        return epoch >= FIRST_EPOCH and len(others) >= FEWEST and own[-1] < median(others)


def sampled(chance: random.Random, base: Training, *, has_batches: bool) -> Training:
    """Parameters at random, around what fits the number of rows.

    Args:
        chance: Where the random numbers come from.
        base: The contract's parameters, sized.
        has_batches: Whether the number of rows in a step may be chosen.
    """
    rows = base.batch_rows or 256
    factor = chance.choice([0.25, 0.5, 1, 2, 4])
    batch = max(8, min(8192, int(rows * factor))) if has_batches else rows
    return replace(
        base,
        hidden_units=chance.choice(_UNITS),
        dropout=chance.choice([0.0, 0.1, 0.2, 0.3, 0.5]),
        learning_rate=float(f"{10 ** chance.uniform(-3.5, -1.7):.2g}"),
        l2=chance.choice([0.0, 1e-6, 1e-5, 1e-4, 1e-3]),
        batch_rows=batch,
    )


def search(
    fn_args: Any, spec: TrainingSpec, trials: int, seed: int, logs: str, emit: Emit
) -> Tuned:
    """Trains with each set of parameters and compares the results on eval.

    Args:
        fn_args: Transform's graph, and files of train and eval.
        spec: The Trainer's part of the contract.
        trials: Number of trials.
        seed: Seed of the parameters.
        logs: Folder for TensorBoard's HParams.
        emit: Takes progress events.
    """
    import keras

    from tfx_pipeline.modules import input_data, trainer

    base = spec.training.sized(spec.rows["train"])
    ready = trainer.prepared(fn_args, spec, base)
    head, chance = ready.head, random.Random(seed)
    law = Median(1 if head.mode == "max" else -1)
    found: list[Trial] = []
    for number in range(1, trials + 1):
        has_batches = isinstance(ready.train, input_data.Arrays)
        training = base if number == 1 else sampled(chance, base, has_batches=has_batches)
        started = time.monotonic()
        law.begin()
        stopper = _stopper(law, head.monitor)
        keras.utils.set_random_seed(training.seed)
        model = ready.model(training)
        trainer.fit(model, ready.train, ready.evaluate, training, None, head, [stopper])
        curve = law.curves[-1]
        result = law.sign * curve[-1] if curve and math.isfinite(curve[-1]) else None
        parameters: Parameters = {key: _plain(asdict(training)[key]) for key in KEYS}
        trial = Trial(
            number=number,
            parameters=parameters,
            result=result,
            epochs=len(curve),
            is_stopped=stopper.is_stopped,
            seconds=round(time.monotonic() - started, 1),
        )
        found.append(trial)
        _log(os.path.join(logs, f"trial-{number:03}"), parameters, head.monitor, result)
        text = "undefined" if result is None else f"{result:.4f}"
        emit("progress", f"trial {number}: {head.monitor} {text}", done=number, total=trials)
    best = max(found, key=lambda each: -math.inf if each.result is None else law.sign * each.result)
    return Tuned(
        metric=head.monitor,
        is_better_high=head.mode == "max",
        trials=tuple(found),
        best=best.number,
        logs=logs,
    )


def _stopper(law: Median, monitor: str) -> Any:
    import keras

    class Stopper(keras.callbacks.Callback):
        is_stopped = False

        def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
            if logs is not None and law.add(float(logs[monitor])):
                self.is_stopped = self.model.stop_training = True

    return Stopper()


def _log(folder: str, parameters: Mapping[str, Any], metric: str, result: float | None) -> None:
    """Writes one trial for TensorBoard's HParams."""
    import tensorflow as tf
    from tensorboard.plugins.hparams import api as hparams

    with tf.summary.create_file_writer(folder).as_default():
        texts = {k: v if isinstance(v, (int, float)) else str(v) for k, v in parameters.items()}
        hparams.hparams(texts)
        if result is not None:
            tf.summary.scalar(metric, result, step=0)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
