"""Who hears of the trials of a search. TFX loads the tuner's module anew, and this one once."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

from goldlake_core.documents.tuning import Trial

LISTENER: ContextVar[Callable[[Trial, str], None] | None] = ContextVar("LISTENER", default=None)
"""Called with each trial that ended, and what trials are compared by; None where nobody listens."""
