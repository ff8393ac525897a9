"""Runs calls of models, those that wait together in one call.

A call of a small model costs about the same for one row and for sixteen. So what has arrived while
the event loop or a thread was busy is run in one call; there is no window, and a request that
comes alone runs at once. A signature has to earn that: the first times that several requests wait,
they run together and one by one, and if an answer depends on the other rows, that signature is
never batched again. When a call of several requests fails, each half is run again, so that an
error reaches the request that caused it alone.

Short calls run in the thread of the event loop, since a change of threads costs more than some
models; those that take longer, and those of unknown length, in threads.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any

import numpy as np

from serving.dataplane import UsedVersion
from serving.plans import Column, Plan

log = logging.getLogger("serving")
MAX_ROWS = 1024
# Longer calls run in a thread. An estimate forgets a slow call within some forty quick ones.
_SHORT_S = 0.003
_FORGETTING = 0.9
# How often several requests are run together and one by one, and how many at most.
_TRIALS = 5
_TRIED_CALLS = 4
_TOLERANCE = 1e-4

Outputs = Mapping[str, np.ndarray]
Result = bytes | Exception
Done = Callable[[Result], None]


class Call:
    """One request that waits for its model.

    Args:
        version: The version that answers; the caller releases it when the call is done.
        plan: The plan of the signature.
        api: What was asked for, such as ``Predict``, as metrics name it.
        encode: Makes the body of the answer from what the model returned.
        inputs: One array per input, or None.
        columns: In place of `inputs`, what `Plan.columns` returned.
        is_row: Whether the answer is a list of rows that do not depend on each other.

    Attributes:
        rows: Size of the first axis; 0 where inputs have none or differ.
        key: Calls of one version and signature with equal keys fit together.
    """

    __slots__ = (
        "_inputs",
        "api",
        "columns",
        "done",
        "encode",
        "is_row",
        "key",
        "plan",
        "rows",
        "version",
    )

    def __init__(
        self,
        version: UsedVersion,
        plan: Plan,
        api: str,
        encode: Callable[[Outputs], bytes],
        inputs: Mapping[str, np.ndarray] | None = None,
        *,
        columns: Sequence[Column] | None = None,
        is_row: bool = False,
    ) -> None:
        self.version = version
        self.plan = plan
        self.api = api
        self.encode = encode
        self.columns = columns
        self.is_row = is_row
        self._inputs = inputs
        self.done: Done | None = None
        if columns is not None:
            self.rows = len(columns[0])
            self.key: tuple[str, object] = (api, None)
        else:
            assert inputs is not None
            sizes = {array.shape[0] if array.ndim else 0 for array in inputs.values()}
            self.rows = sizes.pop() if len(sizes) == 1 else 0
            self.key = (api, tuple(inputs[name].shape[1:] for name in plan.signature.inputs))

    @property
    def inputs(self) -> Mapping[str, np.ndarray]:
        """One array per input."""
        if self._inputs is None:
            assert self.columns is not None
            self._inputs = self.plan.arrays([self.columns])
        return self._inputs


def run_calls(calls: Sequence[Call]) -> list[Result]:
    """The answers to calls that fit together, from one call of the model where that succeeds.

    Args:
        calls: Of one version and signature, with equal keys. Some.
    """
    try:
        outputs = _outputs(calls)
    except Exception as error:  # any failure is the answer of the request that caused it
        if len(calls) == 1:
            return [error]
        middle = len(calls) // 2
        return run_calls(calls[:middle]) + run_calls(calls[middle:])
    if len(calls) > 1 and not _has_rows(outputs, sum(call.rows for call in calls)):
        return [result for call in calls for result in run_calls([call])]
    return _answers(calls, outputs)


def _outputs(calls: Sequence[Call]) -> Outputs:
    first = calls[0]
    if len(calls) == 1:
        inputs = first.inputs
    elif first.columns is not None:
        inputs = first.plan.arrays([call.columns for call in calls if call.columns is not None])
    else:
        inputs = {
            name: np.concatenate([call.inputs[name] for call in calls])
            for name in first.plan.signature.inputs
        }
    return first.version.run(first.api, first.plan.name, inputs)


def _has_rows(outputs: Outputs, rows: int) -> bool:
    return all(array.ndim and array.shape[0] == rows for array in outputs.values())


def _answers(calls: Sequence[Call], outputs: Outputs) -> list[Result]:
    texts: list[bytes] | None = None
    if outputs and all(call.is_row for call in calls):
        sizes = {array.shape[0] if array.ndim else -1 for array in outputs.values()}
        texts = calls[0].plan.row_texts(outputs) if len(sizes) == 1 else None
    found: list[Result] = []
    start = 0
    for call in calls:
        end = start + call.rows
        try:
            if len(calls) == 1:
                rows, part = texts, outputs
            else:
                rows = texts[start:end] if texts is not None else None
                part = {} if rows else {name: array[start:end] for name, array in outputs.items()}
            if rows:
                found.append(b'{"predictions":[%b]}' % b",".join(rows))
            else:
                found.append(call.encode(part))
        except Exception as error:  # of this request alone
            found.append(error)
        start = end
    return found


class _Lane:
    """The calls that wait for one signature of one version, and what is known of it."""

    def __init__(self, plan: Plan) -> None:
        self.waiting: deque[Call] = deque()
        self.is_scheduled = False
        self.is_batched = plan.has_rows
        self.trials = 0
        self.expected_s = math.inf

    def take(self, max_rows: int) -> list[Call]:
        """Takes calls from the front that fit together."""
        calls = [self.waiting.popleft()]
        if not self.is_batched:
            return calls
        first, rows = calls[0], calls[0].rows
        most = _TRIED_CALLS if self.trials < _TRIALS else len(self.waiting) + 1
        while self.waiting and first.rows and len(calls) < most:
            following = self.waiting[0]
            rows += following.rows
            if following.key != first.key or not following.rows or rows > max_rows:
                break
            calls.append(self.waiting.popleft())
        return calls

    def run(self, calls: Sequence[Call]) -> list[Result]:
        """Runs calls that `take` returned; notes how long it takes, and tries what is untried."""
        started = time.perf_counter()
        is_trial = len(calls) > 1 and self.trials < _TRIALS
        results = self._tried(calls) if is_trial else run_calls(calls)
        seconds = time.perf_counter() - started
        before = self.expected_s if math.isfinite(self.expected_s) else 0.0
        self.expected_s = max(seconds, _FORGETTING * before)
        return results

    def _tried(self, calls: Sequence[Call]) -> list[Result]:
        """Runs calls one by one, and then compares with what they get together."""
        try:
            alone = [_outputs([call]) for call in calls]
        except Exception:  # which one it is, and what the others get, `run_calls` finds
            return [result for call in calls for result in run_calls([call])]
        try:
            is_same = _is_same(alone, _outputs(calls), calls)
        except Exception:  # what each takes alone, the model does not take together
            is_same = False
        if not is_same:
            self.is_batched = False
            log.info(
                "%s@%d: answers of the signature %r depend on other rows; it is not batched",
                calls[0].version.name,
                calls[0].version.number,
                calls[0].plan.name,
            )
        elif any(_differs(alone[0], other) for other in alone[1:]):
            self.trials += 1
        return [
            result
            for call, outputs in zip(calls, alone, strict=True)
            for result in _answers([call], outputs)
        ]


def _is_same(alone: Sequence[Outputs], together: Outputs, calls: Sequence[Call]) -> bool:
    if not _has_rows(together, sum(call.rows for call in calls)):
        return False
    start = 0
    for call, outputs in zip(calls, alone, strict=True):
        if not _has_rows(outputs, call.rows):
            return False
        for name, array in outputs.items():
            part = together[name][start : start + call.rows]
            if array.shape != part.shape or not _is_close(array, part):
                return False
        start += call.rows
    return True


def _is_close(one: np.ndarray, other: np.ndarray) -> bool:
    if one.dtype.kind in "fc":
        return bool(np.allclose(one, other, rtol=_TOLERANCE, atol=_TOLERANCE / 10, equal_nan=True))
    return bool(np.array_equal(one, other))


def _differs(one: Outputs, other: Outputs) -> bool:
    return any(not np.array_equal(array, other[name]) for name, array in one.items())


class Batcher:
    """Decides what runs when, and where. Everything is called in the event loop's thread.

    Args:
        loop: The event loop.
        executor: Threads for what takes long.
        threads: How many of them run at a time.
        max_rows: Most rows of several requests in one call; 1 for no batching.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        executor: Executor,
        threads: int,
        max_rows: int = MAX_ROWS,
    ) -> None:
        self._loop = loop
        self._executor = executor
        self._free = threads
        self._max_rows = max_rows
        self._lanes: weakref.WeakKeyDictionary[Plan, _Lane] = weakref.WeakKeyDictionary()
        self._tasks: deque[Callable[[], None]] = deque()

    def submit(self, call: Call, done: Done) -> None:
        """Runs a call of a model, with others that wait for the same signature.

        Args:
            call: What to run.
            done: Called with the body of the answer, or why there is none.
        """
        call.done = done
        lane = self._lanes.get(call.plan)
        if lane is None:
            lane = self._lanes[call.plan] = _Lane(call.plan)
        lane.waiting.append(call)
        self._schedule(lane)

    def in_thread(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """Runs something that takes long as soon as a thread is free.

        Args:
            work: Run in a thread; it does not raise.
            done: Called with what it returned.
        """
        self._tasks.append(lambda: self._start(work, done))
        self._start_tasks()

    def _schedule(self, lane: _Lane) -> None:
        if lane.is_scheduled or not lane.waiting:
            return
        lane.is_scheduled = True
        if lane.expected_s <= _SHORT_S:
            # In the next turn of the loop: what has arrived by now goes into the same call.
            self._loop.call_soon(self._run_here, lane)
        else:
            self._tasks.append(lambda: self._start_lane(lane))
            self._start_tasks()

    def _run_here(self, lane: _Lane) -> None:
        calls = lane.take(self._max_rows)
        _finish(calls, lane.run(calls))
        lane.is_scheduled = False
        self._schedule(lane)

    def _start_lane(self, lane: _Lane) -> None:
        calls = lane.take(self._max_rows)
        lane.is_scheduled = False
        self._start(lambda: lane.run(calls), lambda results: _finish(calls, results))
        self._schedule(lane)

    def _start(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        self._free -= 1

        def ended(result: Any) -> None:
            self._free += 1
            done(result)
            self._start_tasks()

        def run() -> None:
            result = work()
            self._loop.call_soon_threadsafe(ended, result)

        self._executor.submit(run)

    def _start_tasks(self) -> None:
        while self._tasks and self._free > 0:
            self._tasks.popleft()()


def _finish(calls: Sequence[Call], results: Sequence[Result]) -> None:
    for call, result in zip(calls, results, strict=True):
        assert call.done is not None
        call.done(result)
