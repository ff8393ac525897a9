"""Results after each epoch: on eval, which stops the training, and on rows of train beside them.

Both are computed in the same way: with the weights of that moment, without dropout, penalties of
weights or weights of classes. Keras' own loss of train is a mean over the steps of the epoch, with
all of these, and lies on another scale than that of eval.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tfx_pipeline.heads.base import FittedHead
from tfx_pipeline.modules import input_data as data

if TYPE_CHECKING:
    import numpy as np

PREDICT_ROWS = 16_384
"""Rows that the network answers at once."""
MOST_TRAIN_ROWS = PREDICT_ROWS
"""Rows of train that are answered after each epoch: all of them would cost as much as a third of
the epoch, and these give an AUC to about 0.004."""
_EVAL = "val_"


def one_row_in(rows: int) -> int:
    """Which share of the train split is answered after each epoch, as one row in so many.

    Args:
        rows: Rows of the train split.
    """
    return max(1, -(-rows // MOST_TRAIN_ROWS))


def sample(train: data.Arrays) -> data.Arrays:
    """Rows of a train split in memory, one in `one_row_in` of them."""
    every = one_row_in(len(train.targets))
    inputs = [part[::every] for part in train.inputs]
    weights = None if train.weights is None else train.weights[::every]
    return data.Arrays(inputs, train.targets[::every], weights)


def callback(head: FittedHead, evaluate: Any, train: data.Arrays | None = None) -> Any:
    """A Keras callback that puts the head's exact results into the logs of the epoch.

    Args:
        head: Says what is watched.
        evaluate: Rows of eval, `data.Arrays` or a tf.data.Dataset in batches. Their results are
            named ``val_…``.
        train: Rows of train, whose results have the same names without ``val_``, or None.
    """
    import keras

    class Watch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            if logs is None:
                return
            if train is not None:
                found = _results(self.model, head, train)
                logs.update({name.removeprefix(_EVAL): value for name, value in found.items()})
            logs.update(_results(self.model, head, evaluate))

    return Watch()


def _results(model: Any, head: FittedHead, split: Any) -> Mapping[str, float]:
    return head.watched(*predictions(model, split))


def predictions(model: Any, split: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Targets [n] and outputs [n, units] of a split, and weights [n] or None.

    Args:
        model: What `network.build` returned, or another Keras model.
        split: `data.Arrays`, or a tf.data.Dataset in batches.
    """
    import numpy as np

    if isinstance(split, data.Arrays):
        parts = [*split.inputs, split.targets]
        parts += [] if split.weights is None else [split.weights]
        batches = (
            _batch([part[start : start + PREDICT_ROWS] for part in parts], len(split.inputs))
            for start in range(0, len(split.targets), PREDICT_ROWS)
        )
    else:
        batches = iter(split)
    outputs: list[np.ndarray] = []
    others: list[list[np.ndarray]] = []
    for inputs, *rest in batches:
        outputs.append(np.asarray(model.predict_on_batch(list(inputs))))
        others.append([np.reshape(each, -1) for each in rest])
    targets, *weights = (np.concatenate(each) for each in zip(*others, strict=True))
    return targets, np.concatenate(outputs), weights[0] if weights else None


def _batch(parts: list[Any], inputs: int) -> tuple[Any, ...]:
    return (parts[:inputs], *parts[inputs:])
