"""Runs a SavedModel's signatures as TensorFlow's C++ loader does: restored into a session."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any


class LoadedModel:
    """A SavedModel in a session of its own; use it as a context manager.

    Attributes:
        signatures: Names of the signatures.
    """

    def __init__(self, folder: str) -> None:
        """Loads the model.

        Args:
            folder: Holds ``saved_model.pb``.

        Raises:
            tensorflow.errors.OpError: It cannot be restored.
        """
        import tensorflow as tf

        self._session = tf.compat.v1.Session(graph=tf.Graph())
        with self._session.graph.as_default():
            meta = tf.compat.v1.saved_model.load(self._session, ["serve"], folder)
        self._signatures = dict(meta.signature_def)
        self.signatures = sorted(
            name for name in self._signatures if not name.startswith("__saved_model")
        )

    def __enter__(self) -> LoadedModel:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._session.close()

    def inputs(self, signature: str) -> dict[str, str]:
        """Input name to type name (``string``, ``int64``, ``float32``, ``bool``)."""
        import tensorflow as tf

        definition = self._signatures[signature]
        return {name: tf.as_dtype(info.dtype).name for name, info in definition.inputs.items()}

    def run(self, signature: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Answers of a signature as NumPy arrays by output name.

        Args:
            signature: One of `signatures`.
            inputs: NumPy arrays or lists by input name.

        Raises:
            KeyError: There is no such signature or input.
            tensorflow.errors.OpError: The graph cannot be run.
        """
        definition = self._signatures[signature]
        feeds = {definition.inputs[name].name: value for name, value in inputs.items()}
        fetches = {name: info.name for name, info in definition.outputs.items()}
        return dict(self._session.run(fetches, feeds))
