"""Restores a SavedModel into a session, step by step as TensorFlow's C++ loader does.

TensorFlow's own loader in Python makes objects of every node of the graph. That holds Python's lock
for most of the time, and so do the collections that free them. Here the graph goes from the file
into TensorFlow as bytes, and requests are answered meanwhile. The steps are those of
``LoadSavedModel`` in https://github.com/tensorflow/tensorflow/blob/v2.16.1/tensorflow/cc/saved_model/loader.cc
"""

from __future__ import annotations

import functools
import posixpath
from typing import Any

import numpy as np

from serving.messages import message_classes

_TAGS = ["serve"]
_INIT_SIGNATURE = "__saved_model_init_op"
_INIT_COLLECTIONS = ("saved_model_main_op", "legacy_init_op")
# Of the nodes, which are most of a file, this reads nothing.
_FIELDS = {
    "SavedModel": ["repeated MetaGraph meta_graphs = 2"],
    "MetaGraph": ["bytes graph_def = 2"],
}
_messages = functools.cache(functools.partial(message_classes, "goldlake.restoring", _FIELDS))


def restore(tf: Any, path: str) -> tuple[Any, Any]:
    """The session and the MetaGraphDef of a version folder.

    Args:
        tf: The package ``tensorflow``.
        path: Folder that holds ``saved_model.pb``; a local path or a URL that TensorFlow reads.

    Returns:
        A ``tf.compat.v1.Session`` with restored variables, and the MetaGraphDef; its ``graph_def``
        is empty unless TensorFlow's own loader had to do it.

    Raises:
        Exception: Whatever TensorFlow or protobuf raised.
    """
    file = posixpath.join(path, "saved_model.pb")
    if not _is_able(tf) or not tf.io.gfile.exists(file):
        return _by_tensorflow(tf, path)
    graph, meta_graph = _read(tf, file)
    session = tf.compat.v1.Session(graph=_imported(tf, graph))
    try:
        assets = {
            asset.tensor_info.name: posixpath.join(path, "assets", asset.filename)
            for asset in meta_graph.asset_file_def
        }
        saver = meta_graph.saver_def
        if saver.restore_op_name:
            # Where there are no files, TensorFlow's C++ loader goes on, and each call fails.
            variables = posixpath.join(path, "variables", "variables")
            fed = {**assets, saver.filename_tensor_name: variables}
            _run(session, saver.restore_op_name, fed)
        init = _init_op(meta_graph)
        if init:
            _run(session, init, assets)
    except BaseException:
        session.close()
        raise
    return session, meta_graph


def _is_able(tf: Any) -> bool:
    """Whether this TensorFlow has the calls below, which are not public."""
    from tensorflow.python.client import pywrap_tf_session

    return (
        hasattr(tf.compat.v1.Session, "_make_callable_from_options")
        and hasattr(pywrap_tf_session, "TF_GraphImportGraphDefWithResults")
        and hasattr(tf.Graph(), "_c_graph")
    )


def _by_tensorflow(tf: Any, path: str) -> tuple[Any, Any]:
    session = tf.compat.v1.Session(graph=tf.Graph())
    try:
        with session.graph.as_default():
            return session, tf.compat.v1.saved_model.load(session, _TAGS, path)
    except BaseException:
        session.close()
        raise


def _read(tf: Any, file: str) -> tuple[bytes, Any]:
    """The GraphDef as bytes, and the MetaGraphDef without it."""
    from tensorflow.core.protobuf import meta_graph_pb2

    with tf.io.gfile.GFile(file, "rb") as opened:
        saved_model = _messages()["SavedModel"].FromString(opened.read())
    available = []
    for found in saved_model.meta_graphs:
        graph = found.graph_def
        found.ClearField("graph_def")
        meta_graph = meta_graph_pb2.MetaGraphDef.FromString(found.SerializeToString())
        tags = list(meta_graph.meta_info_def.tags)
        if tags == _TAGS:
            return graph, meta_graph
        available.append(tags)
    raise RuntimeError(f"no graph of this SavedModel has the tags {_TAGS}; it has {available}")


def _imported(tf: Any, graph_def: bytes) -> Any:
    from tensorflow.python.client import pywrap_tf_session
    from tensorflow.python.framework import c_api_util

    graph = tf.Graph()
    options = c_api_util.ScopedTFImportGraphDefOptions()
    data = pywrap_tf_session.TF_NewBufferFromString(graph_def)
    try:
        with graph._c_graph.get() as c_graph:
            results = pywrap_tf_session.TF_GraphImportGraphDefWithResults(
                c_graph, data, options.options
            )
            c_api_util.ScopedTFImportGraphDefResults(results)
    finally:
        pywrap_tf_session.TF_DeleteBuffer(data)
    return graph


def _init_op(meta_graph: Any) -> str:
    if _INIT_SIGNATURE in meta_graph.signature_def:
        outputs = meta_graph.signature_def[_INIT_SIGNATURE].outputs
        if _INIT_SIGNATURE in outputs:
            return str(outputs[_INIT_SIGNATURE].name)
    for name in _INIT_COLLECTIONS:
        if name in meta_graph.collection_def:
            return str(meta_graph.collection_def[name].node_list.value[0])
    return ""


def _run(session: Any, target: str, fed: dict[str, str]) -> None:
    from tensorflow.core.protobuf import config_pb2

    options = config_pb2.CallableOptions(feed=list(fed), target=[target.partition(":")[0]])
    session._make_callable_from_options(options)(
        *(np.array(value.encode(), dtype=object) for value in fed.values())
    )
