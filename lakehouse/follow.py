"""Follows a source: polls, lands and refines again and again, in one process with one JVM.

Each poll is a landing and a refinement as those of `goldlake ingest`, with the same locks and
commits. The process may die anywhere; what comes next, here or there, goes on.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import msgspec

from goldlake_core.contracts.errors import GoldlakeError
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.documents import codec
from goldlake_core.documents.lakehouse import Activity, Followed, FollowedBatch, Landed, Refined
from goldlake_core.documents.stages import (
    FollowRequest,
    Kind,
    LandRequest,
    RefineRequest,
    Request,
)
from goldlake_core.instants import now_text, utc_text
from goldlake_core.stages import Emit
from goldlake_core.storage.files import write_atomic
from goldlake_core.storage.home import Home
from lakehouse import session, standing

LONGEST_WAIT_S = 300.0
LOOK_BACK_S = 300.0
"""How often ``source.overlap`` is read again; other polls begin at the newest record."""
R = TypeVar("R", bound=Request)

# A batch of a stream is small, whatever was landed before it came.
ROWS_OF_A_BATCH = 10_000


def follow(
    request: FollowRequest,
    emit: Emit,
    land: Callable[[LandRequest, Emit], Landed],
    refine: Callable[[RefineRequest, Emit], Refined],
    start_session: Callable[..., object],
) -> Followed:
    """Polls until SIGTERM or SIGINT comes, and then ends when the step that it is in has ended.

    A poll that fails with what may pass (the source is away, another process holds the store) is
    told, and the next one comes later: after twice the time each time, at most `LONGEST_WAIT_S`.

    Args:
        request: The request of the stage.
        emit: Called with what a person should know.
        land: Does what the stage ``land`` does.
        refine: Does what the stage ``refine`` does.
        start_session: Starts Spark, as `lakehouse.session.spark_session` does.

    Returns:
        How it stood at the end.

    Raises:
        GoldlakeError: What does not pass by itself: the contract changed, the store is damaged, a
            gate refuses.
    """
    with _stopped_by_signal() as stop:
        return _Follower(request, emit, land, refine, start_session, stop).run()


@dataclass
class _Follower:
    _request: FollowRequest
    _emit: Emit
    _land_stage: Callable[[LandRequest, Emit], Landed]
    _refine_stage: Callable[[RefineRequest, Emit], Refined]
    _start_session: Callable[..., object]
    _stop: threading.Event
    _state: Followed = field(default_factory=Followed)
    _failed: int = 0
    _looked_back_at: float = -math.inf

    def run(self) -> Followed:
        """Polls until it is stopped."""
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                self._poll()
            except GoldlakeError as error:
                if not error.is_retryable:
                    raise
                self._fail(error)
            self._stop.wait(max(0.0, self._wait_s() - (time.monotonic() - began)))
        self._say("stopped")
        return self._state

    def _poll(self) -> None:
        self._say("polling")
        began_at = datetime.now(timezone.utc)
        landed = self._land()
        if landed.rows or not self._state.polls:  # what was landed before is refined, too
            self._say("refining")
            refined = self._refine()
            if landed.rows:
                self._tell(landed, refined, began_at)
        self._failed = 0
        polls = self._state.polls + 1
        self._say("waiting", polls=polls, problem=None, polled_at=now_text())

    def _land(self) -> Landed:
        now = time.monotonic()
        looks_back = now - self._looked_back_at >= LOOK_BACK_S
        request = self._request_of(LandRequest, source=self._request.source, looks_back=looks_back)
        landed = self._land_stage(request, self._quiet)
        if looks_back:
            self._looked_back_at = now
        return landed

    def _refine(self) -> Refined:
        asked = self._request
        if not session.is_running():
            # All batches use the first session of the process; it is there when the first comes.
            usecase, home = load_usecase(asked.usecase), Home.at(asked.home)
            pending = standing.pending_rows(usecase, home, is_rebuild=False)
            if pending != 0:
                self._start_session(rows=max(pending or 0, ROWS_OF_A_BATCH), is_lasting=True)
        request = self._request_of(
            RefineRequest,
            accept_rejected=asked.accept_rejected,
            gate_every_s=asked.gate_every_s,
        )
        return self._refine_stage(request, self._quiet)

    def _request_of(self, kind: type[R], **more: Any) -> R:
        """A request of another stage, of the same run."""
        asked = self._request
        return kind(
            usecase=asked.usecase,
            home=asked.home,
            run_id=asked.run_id,
            contract=asked.contract,
            **more,
        )

    def _tell(self, landed: Landed, refined: Refined, began_at: datetime) -> None:
        seconds = (datetime.now(timezone.utc) - began_at).total_seconds()
        batch = FollowedBatch(
            rows=landed.rows,
            fates=refined.fates,
            landed_at=utc_text(began_at, "milliseconds"),
            seconds=round(seconds, 3),
        )
        rows = self._state.rows + landed.rows
        self._state = msgspec.structs.replace(
            self._state, batches=self._state.batches + 1, rows=rows, batch=batch
        )
        fates = msgspec.structs.asdict(refined.fates)
        told = ", ".join(f"{n:,} {fate}" for fate, n in fates.items() if n and fate != "landed")
        self._emit("info", f"{landed.rows:,} landed: {told}; in gold after {seconds:.1f} s")

    def _fail(self, error: GoldlakeError) -> None:
        self._failed += 1
        failures = self._state.failures + 1
        self._say("failing", failures=failures, problem=error.message)
        self._emit("info", f"{error.problem}; the next poll comes in {self._wait_s():.0f} s")

    def _wait_s(self) -> float:
        most = max(LONGEST_WAIT_S, self._request.every)
        doubled = math.ldexp(self._request.every, min(self._failed, 32))
        return min(most, doubled)

    def _say(self, activity: Activity, **changes: object) -> None:
        self._state = msgspec.structs.replace(self._state, activity=activity, **changes)
        home = Home.at(Path(self._request.state).parent)
        write_atomic(home.fs, self._request.state, codec.encode(self._state))

    def _quiet(
        self, kind: Kind, message: str, *, done: int | None = None, total: int | None = None
    ) -> None:
        """An `Emit` of the steps of a poll: a line per poll would fill the log."""
        if kind == "info" and "nothing new" not in message:
            self._emit("info", message)


@contextmanager
def _stopped_by_signal() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set, in place of ending the process."""
    stop = threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
