from __future__ import annotations

import json

import numpy as np
import pytest

from serving.answers import encode_metadata, encode_predict, encode_status
from serving.errors import StatusError
from serving.jsontext import debug_text
from tests.serving.lines import Line


def strings(*values: bytes) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def test_rows_of_one_output_are_bare_values() -> None:
    y = np.array([2.5, 3, 4.5], np.float32)
    assert encode_predict({"y": y}, True) == b'{"predictions":[2.5,3.0,4.5]}'
    matrix = np.array([[1, 2], [3, 4]], np.int32)
    assert encode_predict({"y": matrix}, True) == b'{"predictions":[[1,2],[3,4]]}'
    assert encode_predict({"y": matrix.T}, True) == b'{"predictions":[[1,3],[2,4]]}'
    assert encode_predict({"y": np.zeros([0, 2], np.int32)}, True) == b'{"predictions":[]}'
    assert encode_predict({"y": np.zeros([2, 0], np.float16)}, True) == b'{"predictions":[[],[]]}'


def test_rows_of_several_outputs_are_objects() -> None:
    outputs = {"a": np.array([[1, 2], [3, 4]]), "b": strings(b"x", b'"'), "c": np.array([0.5, 1])}
    assert encode_predict(outputs, True) == (
        b'{"predictions":[{"a":[1,2],"b":"x","c":0.5},{"a":[3,4],"b":"\\"","c":1.0}]}'
    )


def test_columns_keep_their_shapes() -> None:
    assert encode_predict({"y": np.array([1, 2])}, False) == b'{"outputs":[1,2]}'
    assert encode_predict({"y": np.array(1.0)}, False) == b'{"outputs":1.0}'
    assert encode_predict({"y": np.array(np.nan)}, False) == b'{"outputs":NaN}'
    outputs = {"a": np.array([True]), "b": np.zeros([0], np.float32), "c": strings(b"t")}
    assert encode_predict(outputs, False) == b'{"outputs":{"a":[true],"b":[],"c":["t"]}}'


def test_values_that_are_not_finite_stay_beside_others() -> None:
    outputs = {
        "a": np.array([[0.1, np.nan]], np.float32),
        "b": np.array([np.inf]),
        "c": strings(b"x"),
    }
    assert encode_predict(outputs, True) == (
        b'{"predictions":[{"a":[0.1,NaN],"b":Infinity,"c":"x"}]}'
    )


def test_an_output_named_bytes_is_base64() -> None:
    outputs = {"y_bytes": strings(b"hello", b"\xff")}
    assert json.loads(encode_predict(outputs, True)) == {
        "predictions": [{"b64": "aGVsbG8="}, {"b64": "/w=="}]
    }


def test_strings_keep_their_bytes() -> None:
    text = encode_predict({"y": strings("é\x01\n".encode(), b"\xff")}, True)
    assert text == b'{"predictions":["\xc3\xa9\\u0001\\n","\xff"]}'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (9000000.0, "9000000.0"),
        (999999.0, "999999.0"),
        (0.00003, "0.00003"),
        (555557.5, "555557.5"),
        (0.1, "0.1"),
        (16777217.0, "16777216.0"),
        (1 / 3, "0.33333334"),
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (np.nan, "NaN"),
        (-np.inf, "-Infinity"),
        (3.4028235e38, "3.4028235e+38"),
    ],
)
def test_floats_are_short_and_exact(value: float, text: str) -> None:
    y = np.array([value], np.float32)
    assert encode_predict({"y": y}, True) == f'{{"predictions":[{text}]}}'.encode()


def test_what_json_cannot_hold_is_refused() -> None:
    with pytest.raises(StatusError, match="Failed to write JSON value for tensor type: complex64"):
        encode_predict({"y": np.array([1j], np.complex64)}, True)
    with pytest.raises(StatusError, match="Failed to write JSON value for tensor type: half"):
        encode_predict({"y": np.array([1], np.float16)}, False)
    with pytest.raises(StatusError, match="Tensor name: y has no shape information"):
        encode_predict({"y": np.array(1.0)}, True)
    with pytest.raises(StatusError, match="b has inconsistent batch size: 1 expecting: 2"):
        encode_predict({"a": np.zeros([2]), "b": np.zeros([1])}, True)
    with pytest.raises(StatusError, match="Cannot convert empty tensor map to JSON"):
        encode_predict({}, True)


def test_values_in_messages() -> None:
    assert debug_text({"a": [1, {"b": None}], "c": {}}) == (
        '{\n    "a": [1, {\n            "b": null\n        }],\n    "c": {}\n}'
    )
    assert debug_text(["x" * 300, 1, 2]) == '["' + "x" * 254
    assert len(debug_text({str(n): list(range(n)) for n in range(900)})) == 256


def test_status_document() -> None:
    text = encode_status([(2, "AVAILABLE", "OK", ""), (1, "END", "NOT_FOUND", "gone")])
    assert json.loads(text) == {
        "model_version_status": [
            {
                "version": "2",
                "state": "AVAILABLE",
                "status": {"error_code": "OK", "error_message": ""},
            },
            {
                "version": "1",
                "state": "END",
                "status": {"error_code": "NOT_FOUND", "error_message": "gone"},
            },
        ]
    }


def test_metadata_document() -> None:
    document = json.loads(encode_metadata("toy.color", 3, Line(0).signatures))
    assert document["model_spec"] == {"name": "toy.color", "signature_name": "", "version": "3"}
    definitions = document["metadata"]["signature_def"]["signature_def"]
    assert definitions["serving_default"] == {
        "inputs": {
            "x": {
                "dtype": "DT_FLOAT",
                "tensor_shape": {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False},
                "name": "x:0",
            }
        },
        "outputs": {
            "y": {
                "dtype": "DT_FLOAT",
                "tensor_shape": {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False},
                "name": "y:0",
            }
        },
        "method_name": "tensorflow/serving/predict",
        "defaults": {},
    }
