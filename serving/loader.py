"""Loads SavedModels. Of the REST server only this, `restoring` and `warmup` import TensorFlow.

They restore and run models the way TensorFlow's C++ loader does (a graph in a session), so that
what runs here runs in TF Serving; ``tf.saved_model.load`` accepts models that TF Serving does not.
"""

from __future__ import annotations

import gc
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np

from goldlake_core.garbage import kept_for_good
from serving import restoring, warmup
from serving.errors import NAMES, StatusError
from serving.signatures import Signature, TensorSpec

_NOTES = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog|"
    rb"I\d{4} .*\bCould not find cuda drivers on your machine|"
    rb"I\d{4} .*\boneDNN custom operations are on"
)
_Call = Callable[[Sequence[np.ndarray]], Sequence[np.ndarray]]


def load(path: str, *, is_warm: bool = True) -> SavedModel:
    """The model in a version folder.

    Args:
        path: Folder that holds ``saved_model.pb``; a local path or a URL that TensorFlow reads.
        is_warm: Whether the warm-up requests in the folder run first.

    Raises:
        StatusError: TensorFlow could not load it, or a warm-up request failed.
    """
    tf = tensorflow()
    try:
        session, meta_graph = restoring.restore(tf, path)
    except Exception as error:
        raise _status_error(error, f"Could not load {path}: ") from error
    try:
        model = SavedModel(session, _signatures(meta_graph.signature_def))
    except Exception as error:
        session.close()
        raise _status_error(error, f"Could not load {path}: ") from error
    try:
        if is_warm:
            warmup.replay(path, model)
    except BaseException:
        model.close()
        raise
    return model


class SavedModel:
    """A SavedModel in a separate session; see `serving.signatures.Servable`."""

    def __init__(self, session: Any, signatures: Mapping[str, Signature]) -> None:
        self._session = session
        self._signatures = signatures
        # Without inputs there is nothing to ask (``__saved_model_init_op`` looks like that).
        self._calls = {
            name: _callable(session, signature)
            for name, signature in signatures.items()
            if signature.inputs and signature.outputs
        }

    @property
    def signatures(self) -> Mapping[str, Signature]:
        """Every signature by name."""
        return self._signatures

    def run(self, signature_name: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Outputs of one call; see `serving.signatures.Servable.run`."""
        signature = self._signatures[signature_name]
        fed = [np.asarray(inputs[name], order="C") for name in signature.inputs]
        try:
            fetched = self._calls[signature_name](fed)
        except Exception as error:
            raise _status_error(error, "") from error
        return dict(zip(signature.outputs, map(_array, fetched), strict=True))

    def close(self) -> None:
        """Frees the session and its graph; nothing runs any more."""
        self._calls.clear()
        self._session.close()
        del self._session
        # A graph is full of cycles: without this twenty reloads hold some 360 MB more.
        gc.collect()


def _array(fetched: Any) -> np.ndarray:
    # A single string comes as bytes, which numpy would keep without the zeros at its end.
    return np.asarray(fetched, dtype=object if isinstance(fetched, bytes) else None)


def tensorflow() -> Any:
    """Returns the package, imported without the lines that it would write meanwhile."""
    # TensorFlow reads the level once, at import. It would write lines to standard error for devices
    # it does not find and for every failed request. Child processes should not inherit the level.
    is_unset = "TF_CPP_MIN_LOG_LEVEL" not in os.environ
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    is_quiet = os.environ["TF_CPP_MIN_LOG_LEVEL"] != "0"
    with warnings.catch_warnings(), _without_notes() if is_quiet else nullcontext():
        # Packages that TensorFlow imports warn about the Python version: not useful in a log.
        warnings.simplefilter("ignore", FutureWarning)
        # Looking at what the import makes would hold up every request while a model is freed.
        with nullcontext() if "tensorflow" in sys.modules else kept_for_good():
            import tensorflow as tf

    if is_unset:
        os.environ.pop("TF_CPP_MIN_LOG_LEVEL", None)
    # At every call TensorFlow warns that the session loader is deprecated.
    tf.get_logger().setLevel("ERROR")
    return tf


@contextmanager
def _without_notes() -> Iterator[None]:
    """Drops the lines about an absent GPU and oneDNN from standard error and passes on all others.

    TensorFlow 2.21 writes them twice while it is imported, before it reads any log level.
    """
    with tempfile.TemporaryFile() as held:
        standard_error = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(standard_error, 2)
            os.close(standard_error)
            held.seek(0)
            for line in held:
                if not _NOTES.match(line):
                    os.write(2, line)


def _callable(session: Any, signature: Signature) -> _Call:
    feeds = [spec.name for spec in signature.inputs.values()]
    fetches = [spec.name for spec in signature.outputs.values()]
    fast = getattr(session, "_make_callable_from_options", None)
    if fast is not None:
        from tensorflow.core.protobuf import config_pb2

        # Runs in the caller's thread, about ten times as fast for small models, and leaves the
        # declared shape unchecked, as TF Serving does. Not public, hence the other way below.
        options = config_pb2.CallableOptions(
            feed=feeds,
            fetch=fetches,
            run_options=config_pb2.RunOptions(inter_op_thread_pool=-1),
        )
        run = fast(options)
        return lambda arrays: run(*arrays)
    graph = session.graph
    public = session.make_callable(
        [graph.get_tensor_by_name(name) for name in fetches],
        feed_list=[graph.get_tensor_by_name(name) for name in feeds],
    )
    return lambda arrays: public(*arrays)


def _signatures(definitions: Mapping[str, Any]) -> dict[str, Signature]:
    return {
        name: Signature(
            definition.method_name,
            {key: _spec(definition.inputs[key]) for key in sorted(definition.inputs)},
            {key: _spec(definition.outputs[key]) for key in sorted(definition.outputs)},
        )
        for name, definition in sorted(definitions.items())
    }


def _spec(info: Any) -> TensorSpec:
    from tensorflow.core.framework import types_pb2

    dtype = types_pb2.DataType.Name(info.dtype).removeprefix("DT_").lower()
    shape = info.tensor_shape
    sizes = None if shape.unknown_rank else tuple(dim.size for dim in shape.dim)
    return TensorSpec(info.name, dtype, sizes)


def _status_error(error: Exception, prefix: str) -> StatusError:
    """TensorFlow's code and text, without Python's stack trace of where the graph was made."""
    number = getattr(error, "error_code", None)
    if number is None:
        # Python's own checks of what is fed; the session's have a code.
        code = "INVALID_ARGUMENT" if isinstance(error, ValueError | TypeError) else "INTERNAL"
        return StatusError(code, f"{prefix}{type(error).__name__}: {error}")
    text = str(getattr(error, "message", error)).split("\n\nOriginal stack trace", 1)[0]
    return StatusError(NAMES.get(number, "UNKNOWN"), prefix + text)
