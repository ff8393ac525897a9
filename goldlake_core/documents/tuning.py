"""What a search for training parameters is asked, and what it found."""

from __future__ import annotations

import msgspec

from goldlake_core.documents.codec import FORMAT
from goldlake_core.documents.lakehouse import Exported
from goldlake_core.documents.stages import TrainRequest

Parameters = dict[str, float | list[int]]
"""Values by key of ``training``."""


class TuneRequest(TrainRequest, frozen=True, kw_only=True):
    """The request of the stage ``tune``.

    Attributes:
        trials: Number of trials, the contract's own parameters among them.
        seed: Seed of the parameters that are tried.
    """

    trials: int
    seed: int = 0


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One set of parameters and its result on eval.

    Attributes:
        number: Number of the trial from 1; the first has the contract's parameters.
        parameters: Values by key of ``training``.
        result: Best result on eval over its epochs, or null where it is undefined.
        epochs: Number of epochs that it ran.
        is_stopped: Whether it was stopped early because others were better by then.
        seconds: Duration in seconds.
    """

    number: int
    parameters: Parameters
    result: float | None
    epochs: int
    is_stopped: bool
    seconds: float


class Tuned(msgspec.Struct, frozen=True, kw_only=True, tag_field="status", tag="ok"):
    """The result of the stage ``tune``.

    Attributes:
        format: Format version of the file.
        metric: What was compared, such as ``val_auc``.
        is_better_high: Whether a higher result is better.
        trials: The trials in their order.
        best: Number of the best trial.
        logs: Folder with TensorBoard's HParams.
    """

    format: int = FORMAT
    metric: str
    is_better_high: bool
    trials: tuple[Trial, ...]
    best: int
    logs: str


class TuneReport(msgspec.Struct, frozen=True, kw_only=True):
    """The report of `goldlake tune`.

    Attributes:
        run_id: Id of the run.
        logs: Folder of its log files.
        model: The model, such as ``bikes.is_late``.
        export: The export that trials learned from.
        tune: Result of the search.
        diff: The model's file with the best parameters, as a unified diff; "" where the contract's
            own are the best.
    """

    run_id: str
    logs: str
    model: str
    export: Exported
    tune: Tuned
    diff: str
