"""Slims the graph of a signature: the same answers from fewer kernels.

A call of a small model costs what it costs to start its kernels, for one row as for sixteen. Most
of them come from how Transform's graph is written: each column is made sparse and dense again, and
each feature repeats the same few steps. Here all functions become one flat graph, which is written
anew term by term:

- equal terms are computed once, and what changes nothing is left out;
- what was made sparse only to become dense again is a choice between two values;
- sizes of vocabularies and learned numbers are constants;
- the same step of several columns runs once, on the columns side by side.

The rules change no bit of an answer. A graph that does more than compute its outputs, such as one
with an assertion, stays as it is.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from tfx_pipeline.modules.slim_rules import RULES
from tfx_pipeline.modules.tensors import Tensors
from tfx_pipeline.modules.terms import Terms

log = logging.getLogger(__name__)

_READS = frozenset({"LookupTableFindV2", "LookupTableSizeV2", "ReadVariableOp"})
"""Stateful for TensorFlow, but what they read does not change while a model is served."""
_LARGEST_CONSTANT = 4096


def slimmed(function: Any) -> Callable[..., Tensors]:
    """Returns what computes the same as a concrete function, for ``tf.function`` to trace.

    Args:
        function: Takes tensors by name, and returns tensors by name.
    """
    import tensorflow as tf

    names = [spec.name for spec in tf.nest.flatten(function.structured_input_signature)]
    graph_def, captured = _flat(function)
    if effects := _effects(graph_def):
        log.info("The graph of %s stays as it is: it has %s", function.name, ", ".join(effects))
        return lambda **inputs: dict(function(**inputs))
    tables = {node.input[0] for node in graph_def.node if node.op == "LookupTableFindV2"}
    sizes = {name: _size(captured[name]) for name in tables & captured.keys()}
    terms = Terms(graph_def, RULES, sizes)
    outputs = sorted(function.structured_outputs)
    slim, fetched = terms.written([tensor.name for tensor in function.outputs])
    used = {node.name for node in slim.node}
    places = [tensor.op.name for tensor in function.inputs[: len(names)]]

    def call(**inputs: Any) -> Tensors:
        graph = tf.compat.v1.get_default_graph()
        fed = {place: inputs[name] for place, name in zip(places, names, strict=True)}
        fed |= {place: graph.capture(each) for place, each in captured.items() if place in used}
        fed = {place: tensor for place, tensor in fed.items() if place in used}
        found = tf.graph_util.import_graph_def(slim, fed, fetched, name="")
        return dict(zip(outputs, found, strict=True))

    return tf.autograph.experimental.do_not_convert(call)


def _flat(function: Any) -> tuple[Any, Tensors]:
    """The graph of a concrete function without calls of others, and what it takes from outside.

    Small tensors from outside become constants.

    Returns:
        The GraphDef, and the other tensors from outside by the name of their placeholder.
    """
    import tensorflow as tf
    from tensorflow.core.protobuf import config_pb2, rewriter_config_pb2
    from tensorflow.python.grappler import tf_optimizer

    graph = function.graph
    graph_def = graph.as_graph_def()
    captured = {placeholder.op.name: external for external, placeholder in graph.captures}
    for node in graph_def.node:
        if node.name in captured and _is_small(captured[node.name]):
            value = tf.make_tensor_proto(captured.pop(node.name).numpy())
            node.CopyFrom(tf.compat.v1.NodeDef(name=node.name, op="Const"))
            node.attr["value"].tensor.CopyFrom(value)
            node.attr["dtype"].type = value.dtype
    meta_graph = tf.compat.v1.train.export_meta_graph(graph_def=graph_def, graph=graph)
    meta_graph.collection_def["train_op"].node_list.value.extend(
        each.name for each in graph.outputs
    )
    config = config_pb2.ConfigProto()
    options = config.graph_options.rewrite_options
    options.min_graph_nodes = -1
    options.function_optimization = rewriter_config_pb2.RewriterConfig.AGGRESSIVE
    for optimizers in (["function"], ["constfold", "dependency"]):
        del options.optimizers[:]
        options.optimizers.extend(optimizers)
        meta_graph.graph_def.CopyFrom(tf_optimizer.OptimizeGraph(config, meta_graph))
    return meta_graph.graph_def, captured


def _is_small(external: Any) -> bool:
    import tensorflow as tf

    if not hasattr(external, "numpy") or external.dtype in (tf.resource, tf.variant):
        return False
    return bool(external.shape.num_elements() <= _LARGEST_CONSTANT)


def _size(table: Any) -> int:
    import tensorflow as tf

    return int(tf.raw_ops.LookupTableSizeV2(table_handle=table))


def _effects(graph_def: Any) -> list[str]:
    """What of a graph does more than compute its outputs, and the calls that are left in it."""
    from tensorflow.python.framework import op_def_registry

    found = {function.signature.name for function in graph_def.library.function}
    for op in {node.op for node in graph_def.node} - {"Placeholder"} - _READS:
        definition = op_def_registry.get(op)
        if definition is None or definition.is_stateful:
            found.add(op)
    return sorted(found)
