"""What time it is at a simulated source."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta, timezone

from goldlake_core.contracts.errors import UsageError
from goldlake_core.instants import of_text, utc_text


class Clock:
    """Real seconds times ``speed``, from a given start.

    Attributes:
        speed: Seconds that pass at the source in one second; None: the end of all times.
    """

    def __init__(
        self, start: str, speed: float | None, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.speed = speed
        self._start = of_text(start)
        self._now = now
        self._began = now()

    def at(self) -> str | None:
        """The source's instant (UTC, milliseconds, Z), or None for the end of all times."""
        if self.speed is None:
            return None
        passed = (self._now() - self._began) * self.speed
        instant = self._start + timedelta(seconds=passed)
        text = instant.astimezone(timezone.utc).replace(tzinfo=None)
        return text.isoformat(timespec="milliseconds") + "Z"


def require_speed(speed: float | None) -> None:
    """Raises UsageError unless time passes at the source, if it is to pass."""
    if speed is not None and not 0 < speed < 1e9:
        raise UsageError(f"--speed is {speed}", valid="simulated seconds per second, over 0")


def start_of(asked: str | None, first: str) -> str:
    """The instant at which time begins at the source, as text that `Clock` takes.

    Args:
        asked: What was asked for (ISO 8601), or None.
        first: Where it begins without that.

    Raises:
        UsageError: What was asked for is not a time.
    """
    if asked is None:
        return first
    try:
        start = of_text(asked.strip())
    except ValueError as error:
        raise UsageError(
            f"{asked!r} is not a valid timestamp", valid="ISO 8601, such as 2016-03-01T00:00:00Z"
        ) from error
    return utc_text(start if start.tzinfo else start.replace(tzinfo=timezone.utc))
