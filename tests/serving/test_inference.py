from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from serving import inference
from serving.dataplane import UsedVersion
from serving.errors import StatusError
from serving.metrics import Metrics
from serving.signatures import Signature, TensorSpec

TEXTS = TensorSpec("e:0", "string", (-1,))
FLOATS = TensorSpec("y:0", "float", (-1,))


class Fixed:
    """A servable that answers with what it was made of, whatever it is asked."""

    def __init__(self, outputs: Mapping[str, np.ndarray], inputs: tuple[str, ...]) -> None:
        self._outputs = dict(outputs)
        self._inputs = inputs

    @property
    def signatures(self) -> Mapping[str, Signature]:
        inputs = dict.fromkeys(self._inputs, TEXTS)
        return {"serving_default": Signature("", inputs, dict.fromkeys(self._outputs, FLOATS))}

    def run(self, signature_name: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        assert signature_name == "serving_default"
        assert inputs["inputs"].dtype == object
        return self._outputs

    def close(self) -> None:
        pass


def version(inputs: tuple[str, ...] = ("inputs",), **outputs: object) -> UsedVersion:
    arrays = {name: np.asarray(value) for name, value in outputs.items()}
    return UsedVersion("toy", 1, Fixed(arrays, inputs), Metrics())


SCORES = np.float32([[0.25, 0.75]])
CLASSES = np.array([[b"no", b"yes"]], dtype=object)


def test_classes_and_scores_of_examples() -> None:
    found = inference.classify(version(classes=CLASSES, scores=SCORES), "", [b""])
    assert (found.labels.tolist(), found.scores.tolist()) == (CLASSES.tolist(), SCORES.tolist())
    assert inference.classify(version(scores=SCORES), "", [b""]).labels.tolist() == [[b"", b""]]
    assert inference.classify(version(classes=CLASSES), "", [b""]).scores.tolist() == [[0, 0]]
    values = inference.regress(version(outputs=np.float32([[1], [2]])), "", [b"", b""])
    assert values.tolist() == [1, 2]


def test_examples_and_the_time_of_the_model_are_counted() -> None:
    used = version(scores=SCORES)
    inference.classify(used, "", [b""])
    page = used.metrics.page()
    assert 'request_example_count_total{model="toy"} 1' in page
    assert 'runtime_latency_count{model_name="toy",API="Classify",runtime="TF1"} 1' in page


@pytest.mark.parametrize(
    ("used", "text"),
    [
        (version(scores=SCORES[0]), "[batch_size num_classes] but got [2]"),
        (version(scores=SCORES.astype(np.float64)), "Tensor of DT_FLOAT. Got: DT_DOUBLE"),
        (version(scores=np.repeat(SCORES, 2, 0)), "scores output batch size of 1. Got: 2"),
        (version(classes=CLASSES, scores=SCORES[:, :1]), "in dim_size(1). Got 2 vs. 1"),
        (version(a=SCORES, b=SCORES, scores=SCORES), "one or two output Tensors, found 3"),
        (version(y=SCORES), 'at least one of "classes" or "scores"'),
        (version(("other",), scores=SCORES), "No classification inputs found"),
        (version(("inputs", "b"), scores=SCORES), "Expected one input Tensor."),
    ],
)
def test_what_cannot_classify_says_why(used: UsedVersion, text: str) -> None:
    with pytest.raises(StatusError) as error:
        inference.classify(used, "", [b""])
    assert text in error.value.text
    assert error.value.code == "INVALID_ARGUMENT"


@pytest.mark.parametrize(
    ("used", "text"),
    [
        (version(outputs=SCORES), "[batch_size] or [batch_size, 1] but got [1,2]"),
        (version(outputs=np.float32([1, 2])), "batch size: 1 vs. 2"),
        (version(outputs=np.float64([1])), "DT_FLOAT.  Got: DT_DOUBLE"),
        (version(outputs=SCORES, more=SCORES), "Expected one output Tensor."),
        (version(y=SCORES), "No regression outputs found"),
        (version(("other",), outputs=SCORES), "No regression inputs found"),
    ],
)
def test_what_cannot_regress_says_why(used: UsedVersion, text: str) -> None:
    with pytest.raises(StatusError) as error:
        inference.regress(used, "", [b""])
    assert text in error.value.text


def test_no_examples_and_no_signature_are_told() -> None:
    with pytest.raises(StatusError, match="Input is empty."):
        inference.regress(version(outputs=np.float32([1])), "", [])
    with pytest.raises(StatusError, match="No signature was found with the name: none"):
        inference.classify(version(scores=SCORES), "none", [b""])
