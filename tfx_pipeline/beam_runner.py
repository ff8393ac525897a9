"""A runner of Beam pipelines in this process and thread, for what fits into memory.

Beam's own local runner serializes each pipeline, each function and each element, as it would for a
cluster. For the few rows and many steps of Transform and TFMA that is most of their cost. This one
hands elements from step to step. The steps, and so the results, are the same.

A pipeline with state, timers, windows or splittable functions runs in Beam's own runner.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from typing import Any

from apache_beam import coders, pvalue
from apache_beam.io import iobase
from apache_beam.pipeline import AppliedPTransform, PipelineVisitor
from apache_beam.runners.common import DoFnRunner, DoFnSignature, DoFnState, Receiver
from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner
from apache_beam.runners.runner import PipelineResult, PipelineRunner, PipelineState
from apache_beam.transforms import core, sideinputs, util
from apache_beam.transforms.window import GlobalWindows
from apache_beam.utils.counters import CounterFactory

log = logging.getLogger(__name__)

_whole = GlobalWindows.windowed_value
_PLAIN_KEYS = (str, bytes)
"""Types of keys that are equal only if they are the same for Beam, too; 1, 1.0 and True are not."""


class InProcessRunner(PipelineRunner):  # type: ignore[misc]
    """Runs each step on all of its elements before the next; name it with ``--runner``."""

    def is_fnapi_compatible(self) -> bool:
        """Whether Beam may leave out its test that the pipeline can be serialized."""
        return True

    def run_pipeline(self, pipeline: Any, options: Any) -> PipelineResult:
        """Runs a pipeline to its end.

        Args:
            pipeline: The Beam pipeline to run.
            options: Options that it was made with.

        Raises:
            Exception: Whatever a step raised.
        """
        plan = _Plan()
        pipeline.visit(plan)
        if plan.unknown:
            log.info("Beam's own runner runs this pipeline: %s", ", ".join(sorted(plan.unknown)))
            return FnApiRunner().run_pipeline(pipeline, options)
        left = Counter(each for step in plan.steps for each in _reads(step))
        values: dict[Any, list[Any]] = {}
        for step in plan.steps:
            _OPERATIONS[_kind(step)](step, values)
            for each in _reads(step):
                left[each] -= 1
                if not left[each]:
                    del values[each]
            for each in step.outputs.values():
                if not left[each]:
                    values.pop(each, None)
        return _Done(PipelineState.DONE)


class _Done(PipelineResult):  # type: ignore[misc]
    """The result of a pipeline that has ended."""

    def wait_until_finish(self, duration: int | None = None) -> str:
        """The state, at once."""
        return PipelineState.DONE


class _Plan(PipelineVisitor):  # type: ignore[misc]
    """The steps of a pipeline in an order in which they can run.

    Attributes:
        steps: What is run.
        unknown: What the pipeline has that this runner does not do.
    """

    def __init__(self) -> None:
        self.steps: list[AppliedPTransform] = []
        self.unknown: set[str] = set()
        self._inside: AppliedPTransform | None = None
        self._plain: set[type] = set()

    def enter_composite_transform(self, step: AppliedPTransform) -> None:
        """Takes a whole composite as one step where that is quicker."""
        if self._inside is None and _kind(step) in _COMPOSITES:
            self._inside = step
            self._add(step)

    def leave_composite_transform(self, step: AppliedPTransform) -> None:
        """Ends such a step."""
        if self._inside is step:
            self._inside = None

    def visit_transform(self, step: AppliedPTransform) -> None:
        """Takes a step that has no parts."""
        if self._inside is None:
            self._add(step)

    def _add(self, step: AppliedPTransform) -> None:
        kind = _kind(step)
        if kind is None:
            self.unknown.add(type(step.transform).__name__)
        elif kind is core.ParDo:
            kind_of_function = type(step.transform.dofn)
            # Looking into a function costs more than most of them do.
            if kind_of_function not in self._plain:
                signature = DoFnSignature(step.transform.dofn)
                if signature.is_stateful_dofn() or signature.is_splittable_dofn():
                    self.unknown.add(f"{kind_of_function.__name__} with a state or a split")
                self._plain.add(kind_of_function)
        for made in step.outputs.values():
            if not isinstance(made.windowing.windowfn, GlobalWindows):
                self.unknown.add(f"windows of {step.full_label}")
        self.steps.append(step)


class _Sink(Receiver):  # type: ignore[misc]
    """Takes the output of a step."""

    def __init__(self, values: list[Any]) -> None:
        self._take = values.append

    def receive(self, windowed_value: Any) -> None:
        self._take(windowed_value)

    def receive_batch(self, windowed_batch: Any) -> None:
        for each in windowed_batch.as_windowed_values(iter):
            self._take(each)

    def flush(self) -> None:
        pass


class _Sinks(dict[str | None, Receiver]):
    """Sinks by tag; an output that nobody reads goes nowhere."""

    def __missing__(self, tag: str | None) -> Receiver:
        return self.setdefault(tag, _Sink([]))


def _kind(step: AppliedPTransform) -> Any:
    """The key of `_OPERATIONS` for a step, or None."""
    transform = step.transform
    if isinstance(transform, iobase.Read):
        return iobase.Read if isinstance(transform.source, iobase.BoundedSource) else None
    return next((kind for kind in _OPERATIONS if isinstance(transform, kind)), None)


def _reads(step: AppliedPTransform) -> list[Any]:
    """The collections that a step reads, once for each time."""
    collections = [*step.inputs, *(each.pvalue for each in step.side_inputs)]
    return [each for each in collections if isinstance(each, pvalue.PCollection)]


def _impulse(step: AppliedPTransform, values: dict[Any, list[Any]]) -> None:
    _put(step, values, [_whole(b"")])


def _create(step: AppliedPTransform, values: dict[Any, list[Any]]) -> None:
    _put(step, values, [_whole(each) for each in step.transform.values])


def _read(step: AppliedPTransform, values: dict[Any, list[Any]]) -> None:
    source = step.transform.source
    found = source.read(source.get_range_tracker(None, None))
    _put(step, values, [_whole(each) for each in found])


def _same(step: AppliedPTransform, values: dict[Any, list[Any]]) -> None:
    _put(step, values, list(values[step.inputs[0]]))


def _batch(step: AppliedPTransform, values: dict[Any, list[Any]]) -> None:
    """Batches of the largest size that is allowed.

    Beam tunes the size by the clock, and TFDV's quantiles depend on it in their last digit.
    """
    transform = step.transform
    most = transform._batch_size_estimator._max_batch_size
    size_of = transform._element_size_fn
    batches: list[list[Any]] = []
    left = 0
    for each in values[step.inputs[0]]:
        size = size_of(each.value)
        if not batches or size > left:
            batches.append([])
            left = most
        batches[-1].append(each.value)
        left -= size
    _put(step, values, [_whole(each) for each in batches])


def _flatten(step: AppliedPTransform, values: dict[Any, list[Any]]) -> None:
    _put(step, values, [each for source in step.inputs for each in values[source]])


def _group(step: AppliedPTransform, values: dict[Any, list[Any]]) -> None:
    encode = coders.FastPrimitivesCoder().get_impl().encode
    groups: dict[Any, tuple[Any, list[Any]]] = {}
    for each in values[step.inputs[0]]:
        key, value = each.value
        place = key if type(key) in _PLAIN_KEYS else (encode(key),)
        if place not in groups:
            groups[place] = (key, [])
        groups[place][1].append(value)
    _put(step, values, [_whole(group) for group in groups.values()])


def _par_do(step: AppliedPTransform, values: dict[Any, list[Any]]) -> None:
    transform = step.transform
    sinks = _Sinks()
    for tag, made in step.outputs.items():
        values[made] = []
        sinks[tag] = _Sink(values[made])
    sinks.setdefault(None, _Sink([]))
    runner = DoFnRunner(
        transform.dofn,
        transform.args,
        transform.kwargs,
        [
            sideinputs.SideInputMap(type(each), each._view_options(), values[each.pvalue])
            for each in step.side_inputs
        ],
        step.inputs[0].windowing,
        tagged_receivers=sinks,
        step_name=step.full_label,
        state=DoFnState(CounterFactory()),
    )
    runner.setup()
    try:
        runner.start()
        for each in values[step.inputs[0]]:
            runner.process(each)
        runner.finish()
    finally:
        runner.teardown()


def _put(step: AppliedPTransform, values: dict[Any, list[Any]], made: list[Any]) -> None:
    [output] = step.outputs.values()
    values[output] = made


_COMPOSITES = (
    core.Create,
    iobase.Read,
    util.BatchElements,
    util.Reshuffle,
    util.ReshufflePerKey,
)
"""Steps with parts that need not be taken apart."""
_OPERATIONS: dict[Any, Callable[[AppliedPTransform, dict[Any, list[Any]]], None]] = {
    core.Impulse: _impulse,
    core.Create: _create,
    iobase.Read: _read,
    util.BatchElements: _batch,
    util.Reshuffle: _same,
    util.ReshufflePerKey: _same,
    core.Flatten: _flatten,
    core.GroupByKey: _group,
    core.ParDo: _par_do,
}
