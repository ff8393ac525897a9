"""Limits of a statistic, by how the earlier periods differ among themselves.

Each earlier period is measured against the other earlier ones. A distance may be 1.6 times their
largest value, and the floor of its statistic; a value that counts in both directions may leave
their span by its width, and the floor. The room above (and below) them is larger where there are
few earlier periods, or few rows, and a contract multiplies it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from goldlake_core.gate.statistic import Measure, Statistic

FACTOR = 1.6
CHANCE = 2.0
"""Deviations of chance that a smaller period than those before it may differ more."""


FEW_PERIODS = 1.5
"""Of few earlier periods the largest value says little: with k of them the room is 1 + 1.5 / k."""
MANY_ROWS = 5000
"""Rows from which the floors allow for chance; a smaller period gets more room."""


@dataclass(frozen=True)
class Limit:
    """The bounds of one statistic of one column.

    Attributes:
        low: Lowest value that is as usual; None where low values are.
        high: Highest value that is as usual.
        usual_low: Lowest value of the earlier periods.
        usual_high: Highest value of the earlier periods.
    """

    low: float | None
    high: float
    usual_low: float
    usual_high: float

    def strain(self, value: float) -> float:
        """How much of the room a value takes: 0 as usual, above 1 beyond the limit."""
        if value > self.usual_high:
            return (value - self.usual_high) / max(self.high - self.usual_high, 1e-12)
        if self.low is not None and value < self.usual_low:
            return (self.usual_low - value) / max(self.usual_low - self.low, 1e-12)
        return 0.0


def limit_of(
    statistic: Statistic,
    earlier: Sequence[Measure],
    sizes: Sequence[int],
    own: Measure,
    rows: int,
    room: float = 1.0,
) -> Limit:
    """The limit of a value.

    Args:
        statistic: What is measured.
        earlier: The values of the earlier periods, each against the others.
        sizes: Rows of those periods.
        own: The value to judge; only its spread counts.
        rows: Rows of its period.
        room: Factor of the contract.
    """
    values = [each.value for each in earlier]
    low, high = min(values), max(values)
    # A value of few rows differs more by chance alone.
    usual, fewest = float(np.median(sizes)), min(rows, *sizes)
    spread = max(own.spread, *(each.spread for each in earlier))
    smaller = max(0.0, 1 / np.sqrt(max(rows, 1)) - 1 / np.sqrt(max(usual, 1)))
    few = max(0.0, 1 / np.sqrt(max(fewest, 1)) - 1 / np.sqrt(MANY_ROWS))
    extra = statistic.floor + spread * (CHANCE * smaller + few)
    room *= 1 + FEW_PERIODS / len(values)
    if statistic.direction == "up":
        above = (max(high, 0.0) * (FACTOR - 1) + extra) if high > 0 else extra
        return Limit(None, high + room * above, low, high)
    width = room * (high - low + extra)
    return Limit(low - width, high + width, low, high)
