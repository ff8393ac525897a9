"""Faults on request: ``--faults 429:0.1,500:0.05,202:0.05,slow:0.02,cut:0.01``.

Each request draws one number; which fault it meets is decided by the seed and by how many requests
came before, so that a run with the same requests meets the same faults.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from goldlake_core.contracts.errors import UsageError

SLOW_S = 1.0
STATUSES = ("202", "400", "401", "403", "404", "429", "500", "502", "503", "504")
KINDS = (*STATUSES, "slow", "cut")


@dataclass(frozen=True)
class Fault:
    """A kind of fault and the share of requests that meet it."""

    kind: str
    share: float


class Faults:
    """Draws a fault, or none, for one request after the other."""

    def __init__(self, faults: tuple[Fault, ...] = (), seed: int = 0) -> None:
        self.faults = faults
        self._random = random.Random(seed)

    @classmethod
    def parse(cls, spec: str | None, seed: int = 0) -> Faults:
        """The faults that ``KIND:SHARE,…`` describes.

        Raises:
            UsageError: An unknown kind, a share outside 0 … 1, or shares over 1 in all.
        """
        faults = tuple(_fault(part) for part in (spec or "").split(",") if part.strip())
        if sum(f.share for f in faults) > 1:
            raise UsageError(f"The shares of --faults {spec!r} add up to more than 1")
        return cls(faults, seed)

    def next(self) -> str | None:
        """The kind of fault that the next request meets, or None."""
        draw = self._random.random()
        for fault in self.faults:
            draw -= fault.share
            if draw < 0:
                return fault.kind
        return None


def _fault(part: str) -> Fault:
    kind, _, share = part.strip().partition(":")
    valid = f"KIND:SHARE with KIND one of {', '.join(KINDS)} and SHARE 0 … 1, such as 429:0.1"
    try:
        value = float(share)
    except ValueError:
        raise UsageError(f"{part!r} is not a valid fault", valid=valid) from None
    if kind not in KINDS or not 0 <= value <= 1:
        raise UsageError(f"{part!r} is not a valid fault", valid=valid)
    return Fault(kind, value)
