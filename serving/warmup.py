"""Warm-up requests that a model brings along, in TF Serving's format.

``assets.extra/tf_serving_warmup_requests`` is a TFRecord file of TF Serving's ``PredictionLog``. As
in TF Serving, they run before the version is available, there are at most 1,000, and one that
fails keeps the version from being loaded. https://www.tensorflow.org/tfx/serving/saved_model_warmup
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from serving.errors import StatusError, invalid
from serving.signatures import DEFAULT_SIGNATURE, Servable

if TYPE_CHECKING:
    import numpy as np

log = logging.getLogger("serving")
FILE = "assets.extra/tf_serving_warmup_requests"
MOST_RECORDS = 1000
_FIELDS = ("predict_log", "classify_log", "regress_log", "multi_inference_log")


def replay(folder: str, model: Servable) -> int:
    """Runs the warm-up requests of a version folder, if it has any.

    Args:
        folder: A path or URL that TensorFlow reads.
        model: The model that was loaded from it.

    Returns:
        How many requests there were.

    Raises:
        StatusError: The file is damaged, has too many records, or a request failed.
    """
    import tensorflow as tf

    path = os.path.join(folder, FILE)
    if not tf.io.gfile.exists(path):
        return 0
    count = 0
    for count, record in enumerate(_records(path), 1):
        if count > MOST_RECORDS:
            raise invalid(f"{path} has more than {MOST_RECORDS} warm-up requests")
        _run(path, count, record, model)
    log.info("%d warm-up requests of %s", count, folder)
    return count


def write(folder: str, model_name: str, requests: Sequence[dict[str, np.ndarray]]) -> None:
    """Writes warm-up requests for the default signature into a folder.

    Args:
        folder: Where `FILE` is made: a version folder, or one that is copied there.
        model_name: Name that the model is served under.
        requests: Inputs by name, one array each, per request.
    """
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    path = os.path.join(folder, FILE)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with tf.io.TFRecordWriter(path) as file:
        for inputs in requests:
            record = prediction_log_pb2.PredictionLog()
            request = record.predict_log.request
            request.model_spec.name = model_name
            request.model_spec.signature_name = DEFAULT_SIGNATURE
            for name, array in inputs.items():
                request.inputs[name].CopyFrom(tf.make_tensor_proto(array))
            file.write(record.SerializeToString())


def _records(path: str) -> Iterator[Any]:
    import tensorflow as tf
    from google.protobuf.message import DecodeError
    from tensorflow_serving.apis import prediction_log_pb2

    try:
        for data in tf.data.TFRecordDataset(path).as_numpy_iterator():
            yield prediction_log_pb2.PredictionLog.FromString(data)
    except (tf.errors.OpError, DecodeError) as error:
        text = str(getattr(error, "message", error)).splitlines()[0]
        raise StatusError("DATA_LOSS", f"{path} is damaged: {text}") from error


def _run(path: str, number: int, record: Any, model: Servable) -> None:
    kind = record.WhichOneof("log_type")
    if kind not in _FIELDS:
        # TF Serving replays a session's run, too; what it feeds are tensors and no inputs.
        log.warning("Warm-up request %d of %s is left out: %s", number, path, kind or "empty")
        return
    request = getattr(record, kind).request
    try:
        for name, inputs in _calls(kind, request, model):
            model.run(name, inputs)
    except StatusError as error:
        where = f"Warm-up request {number} of {path} failed"
        raise StatusError(error.code, f"{where}: {error.text}") from error


def _calls(kind: str, request: Any, model: Servable) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    import tensorflow as tf

    if kind == "predict_log":
        name = request.model_spec.signature_name or DEFAULT_SIGNATURE
        with _malformed():
            inputs = {key: tf.make_ndarray(tensor) for key, tensor in request.inputs.items()}
        yield name, _checked(name, inputs, model)
        return
    tasks = request.tasks if kind == "multi_inference_log" else [request]
    for task in tasks:
        name = task.model_spec.signature_name or DEFAULT_SIGNATURE
        yield name, _checked(name, {"inputs": _examples(request.input)}, model)


def _checked(name: str, inputs: dict[str, np.ndarray], model: Servable) -> dict[str, np.ndarray]:
    signature = model.signatures.get(name)
    if signature is None:
        raise invalid(f'Serving signature key "{name}" not found.')
    if inputs.keys() != signature.inputs.keys():
        raise invalid(f"{sorted(inputs)} are not the inputs of {name}: {sorted(signature.inputs)}")
    return inputs


def _examples(input_: Any) -> np.ndarray:
    import numpy as np

    kind = input_.WhichOneof("kind")
    found: list[bytes] = []
    if kind == "example_list":
        found = [example.SerializeToString() for example in input_.example_list.examples]
    elif kind == "example_list_with_context":
        both = input_.example_list_with_context
        context = both.context.SerializeToString()
        found = [context + example.SerializeToString() for example in both.examples]
    array: np.ndarray = np.empty(len(found), dtype=object)
    array[:] = found
    return array


@contextlib.contextmanager
def _malformed() -> Iterator[None]:
    try:
        yield
    except (TypeError, ValueError) as error:
        raise invalid(f"tensor parsing error: {error}") from error
