"""A model is asked again about rows that were changed on purpose.

Permutation importance is that of L. Breiman, Random forests, Machine Learning 45 (2001), and
partial dependence that of J. Friedman, Annals of Statistics 29 (2001).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from goldlake_core.contracts.wire import inputs_of
from goldlake_core.documents.examining import Dependence, Importance
from tfx_pipeline.examining.look import Ask, Look
from tfx_pipeline.spec import ColumnSpec

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

SHUFFLED_ROWS = 10_000
REPEATS = 3
DEPENDENCE_ROWS, DEPENDENCE_VALUES = 1000, 12
SEED = 1

Inputs = dict[str, "np.ndarray"]
"""Arrays [n] by input of the signature."""


def importance(
    columns: Sequence[ColumnSpec], inputs: Inputs, labels: np.ndarray, look: Look, ask: Ask
) -> tuple[Importance, ...]:
    """What each column is worth, the most important first.

    Args:
        columns: The columns that the model reads.
        inputs: The rows as the model takes them.
        labels: Their labels, [n].
        look: Says what is compared.
        ask: Asks the model about rows.

    Returns:
        Nothing where the metric is undefined on these rows.
    """
    import numpy as np

    random = np.random.default_rng(SEED)
    rows = np.sort(random.permutation(len(labels))[:SHUFFLED_ROWS])
    some = {name: values[rows] for name, values in inputs.items()}
    truth = labels[rows]
    whole = look.loss(truth, ask(some, truth))
    if not math.isfinite(whole):
        return ()
    found = []
    for column in columns:
        drops = []
        for _ in range(REPEATS):
            order = random.permutation(len(rows))
            shuffled = {name: some[name][order] for name in _inputs_of_column(column)}
            drops.append(look.loss(truth, ask({**some, **shuffled}, truth)) - whole)
        drop, spread = sum(drops) / REPEATS, max(drops) - min(drops)
        found.append(Importance(column=column.name, drop=drop, spread=spread))
    return tuple(sorted(found, key=lambda each: -each.drop))


def dependence(
    column: ColumnSpec, frame: pl.DataFrame, inputs: Inputs, look: Look, ask: Ask
) -> Dependence:
    """The mean answer when all rows have the same value of a column.

    Args:
        column: The column that is set to one value after the other.
        frame: The rows as the export has them.
        inputs: The same rows as the model takes them.
        look: Says which answers are followed.
        ask: Asks the model about rows.
    """
    import numpy as np
    import polars as pl

    known = frame[column.name].drop_nulls()
    is_number = column.type in ("long", "double") and known.n_unique() > 2
    if is_number:
        shares = np.linspace(0.02, 0.98, DEPENDENCE_VALUES)
        values = sorted({known.quantile(q, interpolation="nearest") for q in shares.tolist()})
    else:
        counts = known.value_counts(sort=True).head(DEPENDENCE_VALUES)
        values = counts[column.name].to_list()
    every = np.linspace(0, frame.height - 1, min(DEPENDENCE_ROWS, frame.height)).astype(int)
    some = {name: each[every] for name, each in inputs.items()}
    points = []
    for value in values:
        # A row that has the value says how it travels, with its presence flag.
        place = int(frame.select((pl.col(column.name) == value).arg_max()).item())
        same: dict[str, np.ndarray] = {
            n: np.repeat(inputs[n][place : place + 1], len(every))
            for n in _inputs_of_column(column)
        }
        text = f"{value:g}" if isinstance(value, float) else str(value)
        points.append((text, look.means(ask({**some, **same}, None))))
    if not is_number:
        points.sort(key=lambda point: -point[1][0])
    return Dependence(column=column.name, is_number=is_number, points=tuple(points))


def _inputs_of_column(column: ColumnSpec) -> list[str]:
    """The column itself and its presence flag, where it has one."""
    return [each.name for each in inputs_of([column])]
