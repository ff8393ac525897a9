"""The signature ``explain``: what each column contributes to an answer, as sampled Shapley values.

A column that is left out takes its value from a stored training row. The contribution of a column
is the mean change of the answer when the column changes from that row's value to the asked one,
over sampled orders of the columns. For each stored row one order and its reverse are used, which
makes the estimate steadier. The contributions and the base value sum up to the answer.

Castro, Gómez and Tejada (2009), https://doi.org/10.1016/j.cor.2008.04.004; Štrumbelj and Kononenko
(2014), https://doi.org/10.1007/s10115-013-0679-x.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tfx_pipeline.modules.tensors import Tensors
from tfx_pipeline.spec import ColumnSpec

if TYPE_CHECKING:
    import numpy as np

BASE_VALUE = "base_value"
CONTRIBUTION = "contribution_"
"""Outputs: the mean answer to the stored rows, and one contribution per column with this prefix."""


def orders(columns: int, background: int, seed: int) -> np.ndarray:
    """Returns orders of columns, int64 [2 * background, columns]: each one, then its reverse.

    Args:
        columns: Number of columns.
        background: Number of stored rows.
        seed: Seed of the random numbers.
    """
    import numpy as np

    chance = np.random.default_rng(seed)
    found = [chance.permutation(columns) for _ in range(background)]
    return np.array([each for order in found for each in (order, order[::-1])], np.int64)


def explain_function(
    answer: Callable[[Tensors], Any],
    columns: Sequence[ColumnSpec],
    background: Mapping[str, np.ndarray],
    output: str,
    seed: int,
) -> Callable[..., Tensors]:
    """Returns the function of the signature; it takes the inputs of ``serving_default``.

    Rows are explained one by one, so that a request needs no more memory than one row does: as many
    hybrid rows as twice the stored rows times one more than the columns.

    Args:
        answer: Returns the answers, float32 [n], to the inputs of ``serving_default``.
        columns: The columns that the model reads.
        background: The stored rows as such inputs, one array [background] each.
        output: Name of the output with the answer.
        seed: Seed of the sampled orders.
    """
    import numpy as np
    import tensorflow as tf

    count = len(next(iter(background.values())))
    order = orders(len(columns), count, seed)
    place = np.argsort(order, axis=1)
    steps = np.arange(len(columns) + 1)
    # After step s the columns at the first s places of the order have the value that is asked.
    is_asked = place[:, None, :] < steps[None, :, None]
    row_of: np.ndarray = np.repeat(np.arange(count), 2)

    def hybrids(row: Tensors) -> Tensors:
        mixed: Tensors = {}
        for number, column in enumerate(columns):
            # A presence flag goes with its column.
            for name in _inputs_of(column):
                stored = tf.constant(background[name][row_of])[:, None]
                choice = tf.constant(is_asked[:, :, number])
                mixed[name] = tf.reshape(tf.where(choice, row[name], stored), [-1])
        return mixed

    def of_row(row: Tensors) -> Any:
        found = tf.reshape(answer(hybrids(row)), [2 * count, len(columns) + 1])
        changes = tf.gather(found[:, 1:] - found[:, :-1], tf.constant(place), batch_dims=1)
        return tf.concat(
            [
                tf.reduce_mean(changes, 0),
                [tf.reduce_mean(found[:, 0])],
                found[:1, -1],
            ],
            0,
        )

    def explain(**wire: Any) -> Tensors:
        shape = tf.TensorSpec([len(columns) + 2], tf.float32)
        found = tf.map_fn(of_row, wire, fn_output_signature=shape, parallel_iterations=1)
        names = [f"{CONTRIBUTION}{column.name}" for column in columns]
        names += [BASE_VALUE, output]
        return {name: found[:, number] for number, name in enumerate(names)}

    return explain


def _inputs_of(column: ColumnSpec) -> tuple[str, ...]:
    null = column.wire_null
    if null is not None and null.kind == "flag":
        return (column.name, null.token)
    return (column.name,)
