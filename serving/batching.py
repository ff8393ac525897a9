"""Runs calls of models, those that wait together in one call.

A call of a small model costs about the same for one row and for sixteen. So what has arrived while
the event loop or a thread was busy is run in one call; there is no window, and a request that
comes alone runs at once. When a call of several requests fails, each half is run again, so that an
error reaches the request that caused it alone.

A signature has to earn that. After the first requests are answered, each runs once more beside
other rows. Where its answer changes by that, it depends on them, and the signature is never
batched.

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
from dataclasses import dataclass
from typing import Any

import numpy as np

from serving.dataplane import UsedVersion
from serving.plans import Column, Plan

log = logging.getLogger("serving")
MAX_ROWS = 1024
# Longer calls run in a thread. An estimate forgets a slow call within some forty quick ones.
_SHORT_S = 0.003
_FORGETTING = 0.9
# Trials that have to succeed, those after which a signature is given up, and the longest call that
# is tried.
_TRIALS = 5
_MOST_TRIALS = 50
_TRIED_S = 0.5
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

    @property
    def is_noted(self) -> bool:
        """Whether the request log or a shadow wants to know of the call."""
        exchange = self.version.exchange
        return exchange is not None and (exchange.is_kept or exchange.is_shadowed)

    def note(self, outputs: Outputs) -> None:
        """Notes the call, with what its rows got."""
        exchange = self.version.exchange
        if exchange is not None:
            version = self.version.number
            exchange.ran(version, self.api, self.plan.name, self.inputs, outputs)


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
    return first.version.compute(first.api, first.plan.name, inputs)


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
                is_needed = not rows or call.is_noted
                part = {n: array[start:end] for n, array in outputs.items()} if is_needed else {}
            if call.is_noted:
                call.note(part)
            if rows:
                found.append(b'{"predictions":[%b]}' % b",".join(rows))
            else:
                found.append(call.encode(part))
        except Exception as error:  # of this request alone
            found.append(error)
        start = end
    return found


@dataclass(frozen=True)
class _Sample:
    """A call that ran alone, and what the model returned."""

    call: Call
    outputs: Outputs


class _Lane:
    """The calls that wait for one signature of one version, and what is known of it."""

    def __init__(self, plan: Plan) -> None:
        self.waiting: deque[Call] = deque()
        self.is_scheduled = False
        self.is_trying = False
        self._is_batched = plan.has_rows
        self._is_proven = False
        self._trials = self._successes = 0
        self._row: Mapping[str, np.ndarray] | None = None
        self.expected_s = math.inf

    @property
    def wants_trial(self) -> bool:
        """Whether it is still open if calls of this signature may run together."""
        return self._is_batched and not self._is_proven

    def take(self, max_rows: int) -> list[Call]:
        """Takes calls from the front that may run together."""
        calls = [self.waiting.popleft()]
        if not self._is_proven:
            return calls
        first, rows = calls[0], calls[0].rows
        while self.waiting and first.rows:
            following = self.waiting[0]
            rows += following.rows
            if following.key != first.key or not following.rows or rows > max_rows:
                break
            calls.append(self.waiting.popleft())
        return calls

    def run(self, calls: Sequence[Call]) -> tuple[list[Result], _Sample | None]:
        """Runs calls that `take` returned, and notes how long it takes.

        Returns:
            The answers, and what could be tried.
        """
        started = time.perf_counter()
        sample = None
        if self.wants_trial and calls[0].rows:
            results, sample = _run_alone(calls[0])
        else:
            results = run_calls(calls)
        seconds = time.perf_counter() - started
        before = self.expected_s if math.isfinite(self.expected_s) else 0.0
        self.expected_s = max(seconds, _FORGETTING * before)
        return results, sample if seconds <= _TRIED_S else None

    def try_(self, sample: _Sample) -> None:
        """Runs a call again beside other rows, and compares."""
        first = {name: array[:1] for name, array in sample.call.inputs.items()}
        is_same: bool | None = None
        for row in filter(None, (self._made_up(first), self._row)):
            if all(np.array_equal(row[name], array) for name, array in first.items()):
                continue
            try:
                is_same = _is_same(sample, _outputs_beside(sample.call, row))
                break
            except Exception:  # the model does not take this row, or not beside the others
                continue
        self._row = first
        self._trials += 1
        self._successes += is_same is True
        if is_same is False or self._trials >= _MOST_TRIALS:
            self._is_batched = False
            log.info(
                "%s@%d: answers of the signature %r %s; it is not batched",
                sample.call.version.name,
                sample.call.version.number,
                sample.call.plan.name,
                "could not be compared" if is_same is None else "depend on other rows",
            )
        self._is_proven = self._is_batched and self._successes >= _TRIALS

    def _made_up(self, row: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        return {name: _changed(array, self._trials) for name, array in row.items()}


def _run_alone(call: Call) -> tuple[list[Result], _Sample | None]:
    try:
        outputs = _outputs([call])
    except Exception as error:  # the answer of this request
        return [error], None
    return _answers([call], outputs), _Sample(call, outputs)


def _outputs_beside(call: Call, row: Mapping[str, np.ndarray]) -> Outputs:
    """What the model returns for a call with another row before and after it."""
    inputs = {
        name: np.concatenate([row[name], call.inputs[name], row[name]])
        for name in call.plan.signature.inputs
    }
    return call.version.compute(call.api, call.plan.name, inputs)


def _changed(array: np.ndarray, trial: int) -> np.ndarray:
    """Values of the same type and shape that are others: near in whole numbers, texts reversed."""
    if array.dtype == object:
        changed = np.empty_like(array)
        changed.ravel()[:] = [value[::-1] for value in array.ravel()]
        return changed
    if array.dtype == np.bool_:
        return ~array
    if array.dtype.kind in "fc":
        with np.errstate(all="ignore"):
            return np.nan_to_num(array * 1.5 + (trial + 0.37)).astype(array.dtype)
    return array + array.dtype.type(trial + 1)


def _is_same(sample: _Sample, beside: Outputs) -> bool:
    rows = sample.call.rows
    return (
        _has_rows(sample.outputs, rows)
        and _has_rows(beside, rows + 2)
        and all(
            beside[name][1:-1].shape == array.shape and _is_close(array, beside[name][1:-1])
            for name, array in sample.outputs.items()
        )
    )


def _is_close(one: np.ndarray, other: np.ndarray) -> bool:
    if one.dtype.kind in "fc":
        return bool(np.allclose(one, other, rtol=_TOLERANCE, atol=_TOLERANCE / 10, equal_nan=True))
    return bool(np.array_equal(one, other))


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
        # In the next turn of the loop: what has arrived by now goes into the same call.
        self._loop.call_soon(self._run, lane)

    def _run(self, lane: _Lane) -> None:
        if lane.expected_s > _SHORT_S:
            self._tasks.append(lambda: self._start_lane(lane))
            self._start_tasks()
            return
        calls = lane.take(self._max_rows)
        self._finish(lane, calls, *lane.run(calls))
        lane.is_scheduled = False
        self._schedule(lane)

    def _start_lane(self, lane: _Lane) -> None:
        calls = lane.take(self._max_rows)
        lane.is_scheduled = False
        self._start(lambda: lane.run(calls), lambda ran: self._finish(lane, calls, *ran))
        self._schedule(lane)

    def _finish(
        self, lane: _Lane, calls: Sequence[Call], results: Sequence[Result], sample: _Sample | None
    ) -> None:
        if sample is not None and not lane.is_trying and lane.wants_trial:
            self._try(lane, sample)
        for call, result in zip(calls, results, strict=True):
            assert call.done is not None
            call.done(result)

    def _try(self, lane: _Lane, sample: _Sample) -> None:
        lane.is_trying = True
        # The request is answered meanwhile, which releases the version.
        sample.call.version.retain()

        def tried(_: None) -> None:
            lane.is_trying = False
            sample.call.version.release()

        self.in_thread(lambda: lane.try_(sample), tried)

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
