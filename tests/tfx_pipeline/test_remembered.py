"""Questions that Beam and Transform repeat are answered once, and with the same answer."""

from __future__ import annotations

from typing import Any

import apache_beam as beam
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from apache_beam.options.pipeline_options import PipelineOptions, TypeOptions
from apache_beam.transforms import userstate
from apache_beam.transforms.userstate import ReadModifyWriteStateSpec
from tensorflow_transform import analyzer_nodes, impl_helper
from tensorflow_transform.beam import analysis_graph_builder

from tfx_pipeline.remembered import remembered

pytestmark = pytest.mark.tfx

SPECS = {name: tf.TensorSpec([None], tf.float32) for name in ("a", "b", "unused")}


class Preprocessing:
    """Needs an analysis of ``a``, and hands on ``b``; counts how often it is traced."""

    def __init__(self) -> None:
        self.traces = 0

    def __call__(self, inputs: dict[str, Any]) -> dict[str, Any]:
        self.traces += 1
        return {"scaled": inputs["a"] - tft.max(inputs["a"]), "same": tf.identity(inputs["b"])}


def _answers(preprocessing: Preprocessing) -> tuple[Any, ...]:
    """What TFX asks of a preprocessing before it analyzes, the keys of the cache twice."""
    keys = [
        analysis_graph_builder.get_analysis_cache_entry_keys(preprocessing, SPECS, [], False)
        for _ in range(2)
    ]
    return (
        tft.get_analyze_input_columns(preprocessing, SPECS),
        tft.get_transform_input_columns(preprocessing, SPECS),
        keys,
        tft.get_analyze_input_columns(preprocessing, SPECS),
    )


def test_a_preprocessing_is_traced_once_and_every_answer_is_the_same() -> None:
    always, once = Preprocessing(), Preprocessing()
    expected = _answers(always)
    with remembered():
        assert _answers(once) == expected
    assert (always.traces, once.traces) == (5, 1)
    assert expected[0] == expected[3] == ["a"]
    assert sorted(expected[1]) == ["a", "b"]


def test_other_types_another_function_and_another_folder_are_traced_anew() -> None:
    first, second = Preprocessing(), Preprocessing()
    others = {**SPECS, "b": tf.TensorSpec([None, 1], tf.float32)}
    with remembered():
        trace = impl_helper.trace_preprocessing_function
        for specs in (SPECS, others, SPECS):
            trace(first, specs, use_tf_compat_v1=False)
        graph, *_ = trace(first, SPECS, use_tf_compat_v1=False, base_temp_dir="elsewhere")
        trace(second, SPECS, use_tf_compat_v1=False)
    assert (first.traces, second.traces) == (3, 1)
    assert graph.get_collection(analyzer_nodes.TENSOR_REPLACEMENTS)


class Remember(beam.DoFn):
    """Has a state."""

    seen_state = beam.DoFn.StateParam(ReadModifyWriteStateSpec("seen", beam.coders.VarIntCoder()))

    def process(self, item: tuple[str, int], seen: Any = seen_state) -> None:
        pass


class Plain(beam.DoFn):
    def process(self, item: int) -> None:
        pass


def test_state_of_functions_and_views_of_options_are_those_of_each() -> None:
    with remembered():
        for _ in range(2):
            assert userstate.is_stateful_dofn(Remember())
            assert not userstate.is_stateful_dofn(Plain())
        strict, lax = (PipelineOptions(runtime_type_check=each) for each in (True, False))
        for _ in range(2):
            assert strict.view_as(TypeOptions).runtime_type_check is True
            assert lax.view_as(TypeOptions).runtime_type_check is False
        strict.view_as(TypeOptions).runtime_type_check = False
        assert strict.get_all_options()["runtime_type_check"] is False


def test_afterwards_and_after_an_error_everything_is_as_before() -> None:
    before = (
        PipelineOptions.view_as,
        userstate.get_dofn_specs,
        impl_helper.trace_preprocessing_function,
    )
    with remembered():
        assert impl_helper.trace_preprocessing_function is not before[2]
    with pytest.raises(TypeError, match="no shape"), remembered():
        tf.TensorSpec(["no shape"])
    assert before == (
        PipelineOptions.view_as,
        userstate.get_dofn_specs,
        impl_helper.trace_preprocessing_function,
    )
