"""Questions that Beam and TensorFlow Transform ask again and again, answered once.

For each of the thousand steps of a pipeline Beam parses the pipeline's options twice, and looks
twice for state and timers in the arguments of a function. Before it analyzes, Transform traces the
preprocessing four times to learn which columns and analyzers it has. What is asked does not change
meanwhile, and together it is a tenth of the CPU time of a short training.

A leaf that imports Beam and TensorFlow Transform; only `stages` imports it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms import userstate
from tensorflow_transform import analyzer_nodes, impl_helper

_Function = Callable[..., Any]
_SINKS = analyzer_nodes.TENSOR_REPLACEMENTS


@contextmanager
def remembered() -> Iterator[None]:
    """Inside, each question is asked once."""
    with ExitStack() as stack:
        for owner, name, once in (
            (PipelineOptions, "view_as", _viewed),
            (userstate, "get_dofn_specs", _inspected),
            (impl_helper, "trace_preprocessing_function", _traced),
        ):
            asked = getattr(owner, name)
            stack.callback(setattr, owner, name, asked)
            setattr(owner, name, once(asked))
        yield


def _viewed(ask: _Function) -> _Function:
    """Views of options, which read and write the options that they are of."""
    known: dict[int, tuple[Any, dict[type, Any]]] = {}

    def view_as(options: Any, kind: type) -> Any:
        # Kept with its views: another one could get its id.
        _, views = known.setdefault(id(options), (options, {}))
        if kind not in views:
            views[kind] = ask(options, kind)
        return views[kind]

    return view_as


def _inspected(ask: _Function) -> _Function:
    """State and timers of functions of one class, which are written in its methods' arguments."""
    known: dict[type, Any] = {}

    def get_dofn_specs(function: Any) -> Any:
        kind = type(function)
        if kind not in known:
            known[kind] = ask(function)
        return known[kind]

    return get_dofn_specs


def _traced(ask: _Function) -> _Function:
    """Graphs of a function with inputs of the same types."""
    known: list[tuple[Any, Any, list[Any]]] = []

    def trace(function: Any, specs: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        asked = (function, dict(specs), args, kwargs)
        for before, traced, sinks in known:
            if before == asked:
                # Whoever builds an analysis from a graph takes its analyzers out of it.
                traced[0].clear_collection(_SINKS)
                for each in sinks:
                    traced[0].add_to_collection(_SINKS, each)
                return traced
        traced = ask(function, specs, *args, **kwargs)
        known.append((asked, traced, list(traced[0].get_collection(_SINKS))))
        return traced

    return trace
