"""TFX Tuner's ``tuner_fn``: Keras Tuner's random search around the contract's parameters.

Trials share the splits that are read and transformed once. Keras Tuner keeps its state after each
trial, so a search that was cut off goes on, and one with more trials continues it. A trial whose
result is worse than the median of the earlier ones at the same epoch is stopped (Golovin et al.
2017, "Google Vizier", 3.1).
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import keras
import keras_tuner
import msgspec
from keras_tuner.engine import base_tuner
from keras_tuner.errors import FatalError
from msgspec.structs import asdict, replace
from tfx.components.tuner.component import TunerFnResult

from goldlake_core.contracts.sections import Training
from goldlake_core.documents.codec import decode, encode
from goldlake_core.documents.tuning import Parameters, Trial
from goldlake_core.storage import files
from goldlake_core.storage.home import Home
from tfx_pipeline.modules import input_data, trainer
from tfx_pipeline.modules.listening import LISTENER
from tfx_pipeline.spec import SearchSpec, TrainingSpec

log = logging.getLogger(__name__)
KEYS = ("hidden_units", "dropout", "learning_rate", "l2", "batch_rows")
"""The keys of ``training`` that are searched."""
FIRST_EPOCH = 2
"""Epoch from which on a trial may be stopped, from 1."""
FEWEST = 3
"""Earlier trials that there must be to compare with."""
_UNITS = ((16,), (32,), (64,), (32, 16), (64, 32), (128, 64), (128, 64, 32))
_STATE = "search"


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a trial: ``trial-NUMBER.json`` in the folder of the search.

    Attributes:
        trial: The trial that ended.
        curve: The best result up to each epoch, times -1 where a lower one is better.
        metric: What trials are compared by.
        is_better_high: Whether a higher result is better.
    """

    trial: Trial
    curve: tuple[float, ...]
    metric: str
    is_better_high: bool


def tuner_fn(fn_args: Any) -> Any:
    """Returns the search that TFX's Tuner runs.

    Args:
        fn_args: TFX's FnArgs. ``custom_config`` is `TrainingSpec` and `SearchSpec` as JSON (other
            keys are ignored); the search is kept in `SearchSpec.folder` of the home.
    """
    spec = TrainingSpec.from_json(fn_args.custom_config)
    wanted = SearchSpec.from_json(fn_args.custom_config)
    fn_args.transform_output = fn_args.transform_graph_path
    return TunerFnResult(tuner=search(fn_args, spec, wanted, Home.at()), fit_kwargs={})


def search(fn_args: Any, spec: TrainingSpec, wanted: SearchSpec, home: Home) -> Search:
    """A search that trains with each set of parameters and compares the results on eval.

    Args:
        fn_args: Transform's graph, and files of train and eval.
        spec: The Trainer's part of the contract.
        wanted: Number of trials, seed and folder.
        home: Where the folder is.
    """
    base = spec.training.sized(spec.rows["train"])
    ready = trainer.prepared(fn_args, spec, base)
    try:
        return Search(ready, base, wanted, home)
    except (KeyError, RuntimeError, ValueError) as error:
        log.warning("The search in %s is damaged, and begins again: %s", wanted.folder, error)
        return Search(ready, base, wanted, home, is_new=True)


class Search(base_tuner.BaseTuner):  # type: ignore[misc]
    """Keras Tuner's loop over trials; each trains a model on the same splits.

    Args:
        ready: What models are trained from.
        base: The contract's parameters, sized.
        wanted: Number of trials, seed and folder.
        home: Where the folder is.
        is_new: Whether to forget what is kept.
    """

    def __init__(
        self,
        ready: trainer.Prepared,
        base: Training,
        wanted: SearchSpec,
        home: Home,
        *,
        is_new: bool = False,
    ) -> None:
        self._ready, self._base, self._wanted, self._home = ready, base, wanted, home
        has_batches = isinstance(ready.train, input_data.Arrays)
        head = ready.head
        oracle = ContractFirst(
            objective=keras_tuner.Objective(head.monitor, head.mode),
            max_trials=wanted.trials,
            seed=wanted.seed,
            hyperparameters=space(base, has_batches=has_batches),
        )
        super().__init__(
            oracle, directory=home.path(wanted.folder), project_name=_STATE, overwrite=is_new
        )

    def search(self, *args: Any, **kwargs: Any) -> None:
        """Runs the trials that are left.

        Raises:
            Exception: What ended a trial.
        """
        try:
            super().search(*args, **kwargs)
        except FatalError as error:
            raise error.__cause__ or error from None

    def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> float:
        """Trains with the parameters of a trial; returns its result on eval.

        Raises:
            FatalError: The training failed. Keras Tuner would go on with the next trial.
        """
        try:
            return self._trained(int(trial.trial_id) + 1, trial.hyperparameters.values)
        except Exception as error:
            raise FatalError(f"Trial {int(trial.trial_id) + 1} failed: {error}") from error

    def _trained(self, number: int, values: Mapping[str, Any]) -> float:
        head = self._ready.head
        sign = 1 if head.mode == "max" else -1
        training = parameters_of(values, self._base) if number > 1 else self._base
        started = time.monotonic()
        law = Median(
            sign,
            [list(each.curve) for each in records(self._home, self._wanted.folder, number - 1)],
        )
        law.begin()
        stopper = Stopper(law, head.monitor)
        keras.utils.set_random_seed(training.seed)
        model = self._ready.model(training)
        trainer.fit(model, self._ready.train, self._ready.evaluate, training, None, head, [stopper])
        curve = law.curves[-1]
        is_defined = bool(curve) and math.isfinite(curve[-1])
        trial = Trial(
            number=number,
            parameters={key: _plain(asdict(training)[key]) for key in KEYS},
            result=sign * curve[-1] if is_defined else None,
            epochs=len(curve),
            is_stopped=stopper.is_stopped,
            seconds=round(time.monotonic() - started, 1),
        )
        record = Record(
            trial=trial,
            curve=tuple(curve),
            metric=head.monitor,
            is_better_high=head.mode == "max",
        )
        _log(self._home.path(self._wanted.folder), record)
        path = self._home.path(_file(self._wanted.folder, number))
        files.write_atomic(self._home.fs, path, encode(record))
        listener = LISTENER.get()
        if listener is not None:
            listener(trial, head.monitor)
        return float(trial.result) if trial.result is not None else -sign * math.inf


class ContractFirst(keras_tuner.oracles.RandomSearchOracle):  # type: ignore[misc]
    """Random parameters; those of the first trial are the contract's."""

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """The values of a trial, by parameter."""
        if self.trials:
            found: dict[str, Any] = super().populate_space(trial_id)
            return found
        values = {each.name: each.default for each in self.hyperparameters.space}
        return {"status": keras_tuner.engine.trial.TrialStatus.RUNNING, "values": values}


def space(base: Training, *, has_batches: bool) -> Any:
    """Parameters around what fits the number of rows, as Keras Tuner's HyperParameters.

    Args:
        base: The contract's parameters, sized; the defaults.
        has_batches: Whether the number of rows in a step may be chosen.
    """
    assert base.hidden_units is not None, "the number of rows has decided it"
    assert base.learning_rate is not None, "the number of rows has decided it"
    rows = base.batch_rows or 256
    sizes = sorted({rows, *(max(8, min(8192, int(rows * f))) for f in (0.25, 0.5, 2, 4))})
    found = keras_tuner.HyperParameters()
    _choose(found, "hidden_units", [_text(each) for each in _UNITS], _text(base.hidden_units))
    _choose(found, "dropout", [0.0, 0.1, 0.2, 0.3, 0.5], float(base.dropout))
    found.Float(
        "learning_rate",
        10**-3.5,
        10**-1.7,
        sampling="log",
        default=float(base.learning_rate),
    )
    _choose(found, "l2", [0.0, 1e-6, 1e-5, 1e-4, 1e-3], float(base.l2))
    _choose(found, "batch_rows", sizes if has_batches else [rows], rows)
    return found


def parameters_of(values: Mapping[str, Any], base: Training) -> Training:
    """The contract's parameters with the values of a trial. Pure.

    Args:
        values: By name in `KEYS`; ``hidden_units`` is a text such as ``64,32``.
        base: The contract's parameters, sized.
    """
    units = str(values["hidden_units"])
    return replace(
        base,
        hidden_units=tuple(int(each) for each in units.split(",") if each),
        dropout=float(values["dropout"]),
        learning_rate=float(f"{values['learning_rate']:.2g}"),
        l2=float(values["l2"]),
        batch_rows=int(values["batch_rows"]),
    )


def records(home: Home, folder: str, most: int) -> list[Record]:
    """The trials of a search that ended, in their order.

    Args:
        home: Where the folder is.
        folder: Where the search is kept, inside the home.
        most: Number of the last trial to read.

    Raises:
        StoreError: A file is damaged.
    """
    found = []
    for number in range(1, most + 1):
        path = home.path(_file(folder, number))
        data = files.read_bytes(home.fs, path)
        if data is None:
            break
        found.append(decode(data, Record, path))
    return found


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


class Stopper(keras.callbacks.Callback):  # type: ignore[misc]
    """Ends a trial that the law stops.

    Attributes:
        is_stopped: Whether it did.
    """

    def __init__(self, law: Median, monitor: str) -> None:
        super().__init__()
        self._law, self._monitor = law, monitor
        self.is_stopped = False

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Looks at the result of an epoch."""
        if logs is not None and self._law.add(float(logs[self._monitor])):
            self.is_stopped = self.model.stop_training = True


def _log(folder: str, record: Record) -> None:
    """Writes one trial for TensorBoard's HParams, with the best result up to each epoch."""
    import tensorflow as tf
    from tensorboard.plugins.hparams import api as hparams

    trial, sign = record.trial, 1 if record.is_better_high else -1
    parameters: Parameters = trial.parameters
    place = os.path.join(folder, f"trial-{trial.number:03}")
    with tf.summary.create_file_writer(place).as_default():
        texts = {k: v if isinstance(v, (int, float)) else str(v) for k, v in parameters.items()}
        hparams.hparams(texts)
        for epoch, result in enumerate(record.curve):
            if math.isfinite(result):
                tf.summary.scalar(record.metric, sign * result, step=epoch)


def _file(folder: str, number: int) -> str:
    return f"{folder}/trial-{number:03}.json"


def _text(units: Sequence[int]) -> str:
    return ",".join(str(each) for each in units)


def _choose(found: Any, name: str, values: list[Any], own: Any) -> None:
    found.Choice(name, values if own in values else [*values, own], default=own)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
