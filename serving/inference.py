"""Classify and regress: what TF Serving's classifier.cc and regressor.cc check, run and return.

A front end, REST or gRPC, hands over serialized ``tf.Example`` messages and encodes what it gets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from serving.dataplane import UsedVersion
from serving.errors import invalid
from serving.signatures import DEFAULT_SIGNATURE, NUMPY_TYPES, Signature

_INPUTS, _OUTPUTS = "inputs", "outputs"
_CLASSES, _SCORES = "classes", "scores"
_NAMES = {np.dtype(kind): f"DT_{name.upper()}" for name, kind in NUMPY_TYPES.items()}


@dataclass(frozen=True)
class Classification:
    """Classes of every example.

    Attributes:
        labels: One row per example; each label is "" where the model has none.
        scores: One row per example; each score is 0 where the model has none.
    """

    labels: np.ndarray
    scores: np.ndarray


def classify(
    version: UsedVersion, signature_name: str, examples: Sequence[bytes]
) -> Classification:
    """Returns the classes of some examples.

    Args:
        version: The version that answers.
        signature_name: "" for the default signature.
        examples: Serialized ``tf.Example`` messages.

    Raises:
        StatusError: The signature is none for classification, or the model failed.
    """
    check_classification(signature_of(version, signature_name))
    outputs = version.run("Classify", signature_name, inputs_of(version, examples))
    return classification(outputs, len(examples))


def regress(version: UsedVersion, signature_name: str, examples: Sequence[bytes]) -> np.ndarray:
    """Returns one value per example.

    Args:
        version: The version that answers.
        signature_name: "" for the default signature.
        examples: Serialized ``tf.Example`` messages.

    Raises:
        StatusError: The signature is none for regression, or the model failed.
    """
    check_regression(signature_of(version, signature_name))
    outputs = version.run("Regress", signature_name, inputs_of(version, examples))
    return regression(outputs, len(examples))


def check_classification(signature: Signature) -> None:
    """Refuses a signature that cannot classify.

    Raises:
        StatusError: With TF Serving's text.
    """
    if len(signature.inputs) != 1:
        raise invalid("Expected one input Tensor.")
    if len(signature.outputs) not in (1, 2):
        raise invalid(f"Expected one or two output Tensors, found {len(signature.outputs)}")
    if _INPUTS not in signature.inputs:
        raise invalid(f"No classification inputs found in SignatureDef: {_text(signature)}")
    if signature.outputs.keys().isdisjoint((_CLASSES, _SCORES)):
        raise invalid(
            "Expected classification signature outputs to contain at least one of "
            f'"{_CLASSES}" or "{_SCORES}". Signature was: {_text(signature)}'
        )


def check_regression(signature: Signature) -> None:
    """Refuses a signature that cannot regress.

    Raises:
        StatusError: With TF Serving's text.
    """
    if len(signature.inputs) != 1:
        raise invalid("Expected one input Tensor.")
    if len(signature.outputs) != 1:
        raise invalid("Expected one output Tensor.")
    if _INPUTS not in signature.inputs:
        raise invalid(f"No regression inputs found in SignatureDef: {_text(signature)}")
    if _OUTPUTS not in signature.outputs:
        raise invalid(f"No regression outputs found in SignatureDef: {_text(signature)}")


def classification(outputs: Mapping[str, np.ndarray], count: int) -> Classification:
    """Checks what a model returned and returns the classes.

    Args:
        outputs: What the model returned, by output name.
        count: How many examples there were.

    Raises:
        StatusError: The arrays are not what a classification needs.
    """
    found: dict[str, np.ndarray] = {}
    for name, dtype in ((_CLASSES, "string"), (_SCORES, "float")):
        array = outputs.get(name)
        if array is None:
            continue
        if array.ndim != 2:
            raise invalid(
                "Expected Tensor shape: [batch_size num_classes] but got " + _shape(array)
            )
        if array.dtype != NUMPY_TYPES[dtype]:
            raise invalid(f"Expected {name} Tensor of DT_{dtype.upper()}. Got: {_type(array)}")
        if array.shape[0] != count:
            raise invalid(f"Expected {name} output batch size of {count}. Got: {array.shape[0]}")
        found[name] = array
    if len(found) == 2 and found[_CLASSES].shape[1] != found[_SCORES].shape[1]:
        raise invalid(
            "Tensors class and score should match in dim_size(1). Got "
            f"{found[_CLASSES].shape[1]} vs. {found[_SCORES].shape[1]}"
        )
    shape = next(iter(found.values())).shape
    return Classification(
        found[_CLASSES] if _CLASSES in found else np.full(shape, b"", dtype=object),
        found[_SCORES] if _SCORES in found else np.zeros(shape, np.float32),
    )


def regression(outputs: Mapping[str, np.ndarray], count: int) -> np.ndarray:
    """Checks what a model returned and returns the values.

    Args:
        outputs: What the model returned, by output name.
        count: How many examples there were.

    Raises:
        StatusError: The array is not what a regression needs.
    """
    array = outputs[_OUTPUTS]
    if array.ndim != 1 and array.shape[1:] != (1,):
        raise invalid(
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got "
            + _shape(array)
        )
    if array.shape[0] != count:
        raise invalid(
            f"Input batch size did not match output batch size: {count} vs. {array.shape[0]}"
        )
    if array.dtype != np.float32:
        raise invalid(f"Expected output Tensor of DT_FLOAT.  Got: {_type(array)}")
    return array.reshape(-1)


def signature_of(version: UsedVersion, name: str) -> Signature:
    """Returns a signature of a version.

    Args:
        version: The version that answers.
        name: "" for the default signature.

    Raises:
        StatusError: There is none of that name.
    """
    found = version.find(name)
    if found is None:
        raise invalid(f"No signature was found with the name: {name or DEFAULT_SIGNATURE}")
    return found


def inputs_of(version: UsedVersion, examples: Sequence[bytes]) -> dict[str, np.ndarray]:
    """Returns some examples as the input of a signature, and counts them.

    Args:
        version: The version that answers.
        examples: Serialized ``tf.Example`` messages.

    Raises:
        StatusError: There are none.
    """
    if not examples:
        raise invalid("Input is empty.")
    version.metrics.took_examples(version.name, len(examples))
    array: np.ndarray = np.empty(len(examples), dtype=object)
    array[:] = examples
    return {_INPUTS: array}


def _shape(array: np.ndarray) -> str:
    return f"[{','.join(map(str, array.shape))}]"


def _type(array: np.ndarray) -> str:
    return _NAMES.get(array.dtype, array.dtype.name)


def _text(signature: Signature) -> str:
    """What a signature has, shorter than TF Serving's listing of the whole message."""
    return f"inputs {sorted(signature.inputs)}, outputs {sorted(signature.outputs)}"
