"""A runner of Beam pipelines in this process and thread, for what fits into memory.

Beam's own local runner serializes each pipeline, each function and each element, as it would for a
cluster. For the few rows and many steps of Transform and TFMA that is most of their cost. This one
hands elements from step to step. The steps, and so the results, are the same.

A pipeline with state, timers, windows or splittable functions runs in Beam's own runner.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import Any

from apache_beam import pvalue
from apache_beam.pipeline import AppliedPTransform, PipelineVisitor
from apache_beam.runners.common import DoFnSignature
from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner
from apache_beam.runners.runner import PipelineResult, PipelineRunner, PipelineState
from apache_beam.transforms import core
from apache_beam.transforms.window import GlobalWindows

from tfx_pipeline.beam_steps import COMPOSITES, OPERATIONS, kind_of

log = logging.getLogger(__name__)


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
            OPERATIONS[kind_of(step)](step, values)
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
        if self._inside is None and kind_of(step) in COMPOSITES:
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
        kind = kind_of(step)
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


def _reads(step: AppliedPTransform) -> list[Any]:
    """The collections that a step reads, once for each time."""
    collections = [*step.inputs, *(each.pvalue for each in step.side_inputs)]
    return [each for each in collections if isinstance(each, pvalue.PCollection)]
