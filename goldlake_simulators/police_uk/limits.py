"""How much the simulated API takes: requests in a time, and records in an answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from goldlake_core.contracts.errors import UsageError

KINDS = ("most", "rate")


@dataclass(frozen=True)
class Limits:
    """The limits of the API.

    Attributes:
        most: Most records of an answer; an area with more is refused with 503.
        rate: Requests that leave the bucket in a second; more than it holds is refused with 429.
        burst: Requests that the bucket holds.
    """

    most: int = 10_000
    rate: float = 15.0
    burst: int = 30

    @classmethod
    def parse(cls, spec: str | None) -> tuple[Limits, str]:
        """The limits of ``--faults``, such as ``most:500,rate:1000``, and what else is in it.

        Raises:
            UsageError: A limit is not a number above 0.
        """
        parts = [part.strip() for part in (spec or "").split(",") if part.strip()]
        own = {p.partition(":")[0]: p.partition(":")[2] for p in parts if p.startswith(KINDS)}
        try:
            most, rate = int(own.get("most", cls.most)), float(own.get("rate", cls.rate))
        except ValueError:
            most, rate = 0, 0.0
        if most < 1 or not 0 < rate < 1e9:
            raise UsageError(
                f"--faults {spec!r} has a limit that is not a number above 0",
                valid="most:RECORDS and rate:REQUESTS_PER_SECOND, such as most:500,rate:15",
            )
        burst = max(cls.burst, int(rate))
        return cls(most, rate, burst), ",".join(p for p in parts if not p.startswith(KINDS))


class Bucket:
    """A leaky bucket of requests.

    Args:
        limits: How many it holds, and how fast they leave it.
        now: Tells the time in seconds.
    """

    def __init__(self, limits: Limits, now: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._now = now
        self._held = 0.0
        self._at = now()

    def takes(self) -> bool:
        """Whether there is room for one more request, which then is in it."""
        now = self._now()
        self._held = max(0.0, self._held - (now - self._at) * self._limits.rate)
        self._at = now
        if self._held + 1 > self._limits.burst:
            return False
        self._held += 1
        return True
