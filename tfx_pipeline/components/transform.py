"""TFX's Transform, which traces the preprocessing once for all questions about it.

Before TFX analyzes the data it asks four times which columns and analyzers the preprocessing has,
and TensorFlow Transform traces it anew each time. A trace of a few thousand operations takes half
a second, and all of them give the same graph.

A leaf that imports TFX; only `pipeline` imports it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tensorflow_transform import analyzer_nodes, impl_helper
from tfx import types
from tfx.components.transform import executor as stock

from tfx_pipeline.components.base import ExecProperties

_Artifacts = dict[str, list[types.Artifact]]
_SINKS = analyzer_nodes.TENSOR_REPLACEMENTS


class Executor(stock.Executor):  # type: ignore[misc]
    """Transforms as TFX does."""

    def Do(
        self, input_dict: _Artifacts, output_dict: _Artifacts, exec_properties: ExecProperties
    ) -> None:
        """Writes the transform graph."""
        with traced_once():
            super().Do(input_dict, output_dict, exec_properties)


@contextmanager
def traced_once() -> Iterator[None]:
    """Inside, the same function with inputs of the same types is traced once."""
    trace = impl_helper.trace_preprocessing_function
    known: list[tuple[Any, Any, list[Any]]] = []

    def once(function: Any, specs: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        asked = (function, dict(specs), args, kwargs)
        for before, traced, sinks in known:
            if before == asked:
                # Whoever builds an analysis from a graph takes its analyzers out of it.
                traced[0].clear_collection(_SINKS)
                for each in sinks:
                    traced[0].add_to_collection(_SINKS, each)
                return traced
        traced = trace(function, specs, *args, **kwargs)
        known.append((asked, traced, list(traced[0].get_collection(_SINKS))))
        return traced

    impl_helper.trace_preprocessing_function = once
    try:
        yield
    finally:
        impl_helper.trace_preprocessing_function = trace
