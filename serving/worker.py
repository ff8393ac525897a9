"""A thread that works on what others put into its queue.

Who puts never waits: what is too much is dropped, and counted.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence

from serving.exchange import Exchange

log = logging.getLogger("serving")
_TICK_S = 1.0


class Worker:
    """One thread and its queue.

    Args:
        name: Name of the thread.
        work: Gets what is in the queue, in its order; an empty list about once a second.
        drop: Gets what did not fit.
        max_bytes: Most bytes that wait or are worked on; see `Exchange.size`.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[Sequence[Exchange]], None],
        drop: Callable[[Exchange], None],
        max_bytes: int,
    ) -> None:
        self._work = work
        self._drop = drop
        self._max_bytes = max_bytes
        self._waiting: deque[Exchange] = deque()
        self._bytes = 0
        self._is_over = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def offer(self, exchange: Exchange) -> None:
        """Puts something into the queue, or drops it."""
        with self._changed:
            fits = not self._is_over and self._bytes + exchange.size <= self._max_bytes
            if fits:
                self._waiting.append(exchange)
                self._bytes += exchange.size
                self._changed.notify()
        if not fits:
            self._drop(exchange)

    def close(self, timeout_s: float) -> None:
        """Ends the thread after what is in the queue; what is left after the time is dropped."""
        with self._changed:
            self._is_over = True
            self._changed.notify()
        self._thread.join(timeout_s)
        with self._changed:
            left = list(self._waiting)
            self._waiting.clear()
        for exchange in left:
            self._drop(exchange)

    def _run(self) -> None:
        # At the priority of the process: a thread that steps back would keep Python's lock while it
        # waits for a processor, and all requests would wait for it.
        while True:
            with self._changed:
                if not self._waiting and not self._is_over:
                    self._changed.wait(_TICK_S)
                taken = list(self._waiting)
                self._waiting.clear()
                if not taken and self._is_over:
                    return
            try:
                self._work(taken)
            except Exception:  # the next ones may well succeed
                log.exception("%s failed", self._thread.name)
                for exchange in taken:
                    self._drop(exchange)
            with self._changed:
                self._bytes -= sum(exchange.size for exchange in taken)
