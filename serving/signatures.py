"""What a servable looks like from outside: plain dataclasses and one protocol, no TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

DEFAULT_SIGNATURE = "serving_default"

# TensorFlow's name of a type -> numpy's. Strings travel as object arrays of bytes.
NUMPY_TYPES: Mapping[str, type[np.generic]] = {
    "bool": np.bool_,
    "int8": np.int8,
    "uint8": np.uint8,
    "int16": np.int16,
    "uint16": np.uint16,
    "int32": np.int32,
    "uint32": np.uint32,
    "int64": np.int64,
    "uint64": np.uint64,
    "half": np.float16,
    "float": np.float32,
    "double": np.float64,
    "complex64": np.complex64,
    "complex128": np.complex128,
    "string": np.object_,
}


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of a signature.

    Attributes:
        name: Name of the tensor in the graph, such as ``x:0``.
        dtype: TensorFlow's name, such as ``float``, ``int64``, ``string``.
        shape: Sizes, -1 where unknown; None where even the rank is unknown.
    """

    name: str
    dtype: str
    shape: tuple[int, ...] | None


@dataclass(frozen=True)
class Signature:
    """One way to call a model.

    Attributes:
        method: TF Serving's method name, such as ``tensorflow/serving/predict``; may be empty.
        inputs: By the name that requests use.
        outputs: By the name that answers use.
    """

    method: str
    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]


class Servable(Protocol):
    """A loaded model version. `run` may be called from several threads at once."""

    @property
    def signatures(self) -> Mapping[str, Signature]:
        """Every signature by name."""

    def run(self, signature_name: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Outputs of one call.

        Args:
            signature_name: A key of `signatures`.
            inputs: One array per input of the signature, of its type, of any shape.

        Raises:
            StatusError: The computation failed.
        """

    def close(self) -> None:
        """Frees the model; nothing runs any more."""
