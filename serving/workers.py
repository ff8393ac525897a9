"""Several server processes at one address, which one process starts, watches and ends.

All of them listen at the same port (SO_REUSEPORT), and the system gives each connection to one.
Each listens at a free port besides, under which it registers, so that a promotion asks every one of
them. A process that ends by itself is started again. One that loses its parent ends as well.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import FrameType

from goldlake_core.contracts.errors import GoldlakeError
from serving.addresses import reserved, url_of
from serving.server import GRACE_S, SLACK_S

log = logging.getLogger("serving")
# Waits before a process is started again, if the one before did not live longer than that.
_WAITS_S = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0)
_LIVED_S = 60.0


class WorkerEnded(GoldlakeError):
    """A server process ended before it was ready for the first time.

    Attributes:
        status: Its exit status; negative for a signal.
    """

    def __init__(self, number: int, status: int) -> None:
        self.status = status
        super().__init__(
            f"Worker {number} ended with {_told(status)} before it was ready",
            hint="read the lines above, which it wrote",
        )


@dataclass
class _Worker:
    """One place for a process.

    Attributes:
        number: From 1 on.
        process: The process that has the place now.
        started_at: When it was started, on the monotonic clock.
        deaths: How many processes have ended one shortly after the other.
        is_ready: Set while the process answers.
    """

    number: int
    process: subprocess.Popen[str] | None = None
    started_at: float = 0.0
    deaths: int = 0
    is_ready: threading.Event = field(default_factory=threading.Event)


class Workers:
    """Server processes that share an address. `run` blocks; `stop` may be called from anywhere.

    Args:
        command: Starts one server; gets ``--shared-rest-port`` and ``--grpc-port`` besides.
        count: How many there are.
        host: Address to listen at.
        rest_port: TCP port; 0 takes a free one.
        grpc_port: TCP port for gRPC, 0 for a free one, or None for no gRPC.
        scheme: Either ``http`` or ``https``.
        on_ready: Called once with the URL, when every process answers.
        on_grpc: Called once with host and port of gRPC.
        grace_s: Seconds that running requests have to end after `stop`.
    """

    def __init__(
        self,
        command: Sequence[str],
        count: int,
        *,
        host: str,
        rest_port: int,
        grpc_port: int | None = None,
        scheme: str = "http",
        on_ready: Callable[[str], None] = lambda url: None,
        on_grpc: Callable[[str], None] = lambda address: None,
        grace_s: float = GRACE_S,
    ) -> None:
        self._command = list(command)
        self._workers = [_Worker(number) for number in range(1, count + 1)]
        self._host = host
        self._rest_port = rest_port
        self._grpc_port = grpc_port
        self._scheme = scheme
        self._on_ready = on_ready
        self._on_grpc = on_grpc
        self._grace_s = grace_s
        self._is_stopped = threading.Event()
        self._changed = threading.Condition()
        self._failure: WorkerEnded | None = None

    def run(self) -> None:
        """Serves until `stop`.

        Raises:
            UsageError: A port is taken.
            WorkerEnded: A process could not begin to serve; the others are ended.
        """
        with contextlib.ExitStack() as stack:
            rest = stack.enter_context(reserved(self._host, self._rest_port))
            command = [*self._command, "--shared-rest-port", str(rest.getsockname()[1])]
            grpc = ""
            if self._grpc_port is not None:
                kept = stack.enter_context(reserved(self._host, self._grpc_port))
                command += ["--grpc-port", str(kept.getsockname()[1])]
                grpc = url_of("", kept).removeprefix("://")
            watching = [
                threading.Thread(target=self._watch, args=(worker, command), daemon=True)
                for worker in self._workers
            ]
            for thread in watching:
                thread.start()
            with self._changed:
                self._changed.wait_for(self._is_decided)
            if not self._is_stopped.is_set():
                if grpc:
                    self._on_grpc(grpc)
                self._on_ready(url_of(self._scheme, rest))
            self._is_stopped.wait()
            until = time.monotonic() + self._grace_s + 2 * SLACK_S
            for thread in watching:
                thread.join(max(until - time.monotonic(), 0))
            self.kill()
            for thread in watching:
                thread.join()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Lets running requests end, then makes `run` return."""
        self._is_stopped.set()
        with self._changed:
            self._changed.notify_all()
        for worker in self._workers:
            if worker.process is not None:
                worker.process.terminate()

    def kill(self) -> None:
        """Ends every process at once."""
        for worker in self._workers:
            if worker.process is not None:
                worker.process.kill()

    def _is_decided(self) -> bool:
        return self._is_stopped.is_set() or all(each.is_ready.is_set() for each in self._workers)

    def _watch(self, worker: _Worker, command: Sequence[str]) -> None:
        """Keeps a process in a place until the end."""
        was_ready = False
        while not self._is_stopped.is_set():
            status = self._one(worker, command)
            was_ready = was_ready or worker.is_ready.is_set()
            worker.is_ready.clear()
            if self._is_stopped.is_set():
                return
            if not was_ready:
                self._failure = self._failure or WorkerEnded(worker.number, status)
                self.stop()
                return
            lived_s = time.monotonic() - worker.started_at
            worker.deaths = 0 if lived_s > _LIVED_S else worker.deaths + 1
            wait_s = _WAITS_S[min(max(worker.deaths - 1, 0), len(_WAITS_S) - 1)]
            log.error(
                "worker %d ended with %s and is started again%s",
                worker.number,
                _told(status),
                f" in {wait_s:g} s" if wait_s else "",
            )
            self._is_stopped.wait(wait_s)

    def _one(self, worker: _Worker, command: Sequence[str]) -> int:
        """Starts a process and waits for its end.

        Returns:
            Its exit status; negative for a signal.
        """
        worker.started_at = time.monotonic()
        # In another session, so that Ctrl-C in a terminal reaches this process only: it ends the
        # others once, and a second signal would end them at once.
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            worker.process = process
            if self._is_stopped.is_set():
                process.terminate()
            assert process.stdout is not None
            if line := process.stdout.readline():
                log.info("worker %d answers: %s", worker.number, json.loads(line)["url"])
                worker.is_ready.set()
                with self._changed:
                    self._changed.notify_all()
            return process.wait()


def _told(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"


def serve(workers: Workers) -> int | None:
    """Serves in the foreground until SIGINT or SIGTERM; a second signal ends everything at once.

    Args:
        workers: What to run.

    Returns:
        The number of the signal that ended it, or None.

    Raises:
        UsageError: A port is taken.
        WorkerEnded: A process could not begin to serve.
    """
    with _signals(workers) as received:
        workers.run()
    return received[0] if received else None


@contextlib.contextmanager
def _signals(workers: Workers) -> Iterator[list[int]]:
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)
        # In a thread, as the signal may have come while the main one held a lock.
        end = workers.stop if len(received) == 1 else workers.kill
        threading.Thread(target=end, daemon=True).start()

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_with_parent() -> None:
    """Ends this process as SIGTERM does, once its parent is gone; returns at once."""

    def wait() -> None:
        sys.stdin.buffer.read()  # the parent never writes; its end of the pipe closes with it
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()
