from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serving.dataplane import DataPlane, State
from serving.http1 import Answer
from serving.plans import Column, Plan
from serving.rest import answer
from serving.signatures import Signature, TensorSpec
from tests.serving.lines import FLOATS, Line, load, save

ROWS = b'{"instances": [1.0, 2.0]}'


@pytest.fixture
def plane(tmp_path: Path) -> DataPlane:
    plane = DataPlane(load)
    for version in (1, 2):
        save(tmp_path, version, version)
        for name in ("toy.line", "a b"):
            plane.load(name, version, str(tmp_path / str(version)))
            plane.set_labels(name, {"stable": 1})
    return plane


def ask(plane: DataPlane, method: str, target: str, body: bytes = b"") -> tuple[int, Any]:
    found = answer(plane, method, target, body)
    assert found.content_type == "application/json"
    return found.status, json.loads(found.body)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/v1/models/toy.line:predict", [2.5, 3.0]),
        ("/v1/models/toy.line/versions/1:predict", [1.5, 2.0]),
        ("/v1/models/toy.line/versions/001:predict", [1.5, 2.0]),
        ("/v1/models/toy.line/labels/stable:predict", [1.5, 2.0]),
        ("/V1/Models/toy.line/LABELS/stable:predict", [1.5, 2.0]),
        ("/v1/models/a%20b:predict", [2.5, 3.0]),
    ],
)
def test_predict_in_row_format(plane: DataPlane, target: str, expected: list[float]) -> None:
    assert ask(plane, "POST", target, ROWS) == (200, {"predictions": expected})


def test_predict_in_column_format(plane: DataPlane) -> None:
    body = b'{"signature_name": "greet", "inputs": {"name": ["you"], "x": [NaN]}}'
    found = answer(plane, "POST", "/v1/models/toy.line:predict", body)
    assert found == Answer(
        200,
        b'{"outputs":{"greeting":["hello you"],"x":[NaN]}}',
    )


def test_status_and_metadata(plane: DataPlane) -> None:
    status, document = ask(plane, "GET", "/v1/models/toy.line")
    assert status == 200
    assert [(v["version"], v["state"]) for v in document["model_version_status"]] == [
        ("2", "AVAILABLE"),
        ("1", "AVAILABLE"),
    ]
    status, document = ask(plane, "GET", "/v1/models/toy.line/versions/1")
    assert [v["version"] for v in document["model_version_status"]] == ["1"]
    status, document = ask(plane, "GET", "/v1/models/toy.line/labels/stable/metadata")
    assert document["model_spec"]["version"] == "1"
    assert set(document["metadata"]["signature_def"]["signature_def"]) == {
        "serving_default",
        "greet",
        "fail",
    }


@pytest.mark.parametrize(
    ("method", "target", "status", "text"),
    [
        ("GET", "/v1/models", 400, "Missing model name in request."),
        ("GET", "/v1/models/no", 404, "Could not find any versions of model no"),
        ("GET", "/v1/models/no?x=1", 404, "Could not find any versions of model no?x=1"),
        ("GET", "/v1/models/no/metadata", 404, "Servable not found for request: Latest(no)"),
        (
            "GET",
            "/v1/models/toy.line/versions/9",
            404,
            "Could not find version 9 of model toy.line",
        ),
        ("POST", "/v1/models/toy.line", 400, "Malformed request: POST /v1/models/toy.line"),
        ("PUT", "/v1/models/toy.line", 400, "Malformed request: PUT /v1/models/toy.line"),
        (
            "POST",
            "/v1/models/toy.line:PREDICT",
            400,
            "Malformed request: POST /v1/models/toy.line:PREDICT",
        ),
        (
            "GET",
            "/v1/models/toy.line:predict",
            400,
            "Malformed request: GET /v1/models/toy.line:predict",
        ),
        ("POST", "/v1/models/no:predict", 404, "Servable not found for request: Latest(no)"),
        (
            "POST",
            "/v1/models/toy.line/labels/none:predict",
            400,
            "Unrecognized servable version label: none",
        ),
    ],
)
def test_errors(plane: DataPlane, method: str, target: str, status: int, text: str) -> None:
    assert ask(plane, method, target, ROWS) == (status, {"error": text})


def test_bad_json_is_told_before_an_unknown_model(plane: DataPlane) -> None:
    text = "JSON Parse error: The document is empty"
    assert ask(plane, "POST", "/v1/models/no:predict") == (400, {"error": text})


def test_a_request_that_names_no_object_is_told_before_an_unknown_model(plane: DataPlane) -> None:
    found = ask(plane, "POST", "/v1/models/no:predict", b"[1]")
    assert found == (400, {"error": "JSON Value: [1] Is not object"})


class _Renamed(Line):
    """A line whose default signature takes another input, under a version of the same model."""

    @property
    def signatures(self) -> Mapping[str, Signature]:
        y = TensorSpec("y:0", "float", (-1,))
        return {"serving_default": Signature("", {"z": FLOATS}, {"y": y})}

    def run(self, signature_name: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return super().run(signature_name, {"x": inputs["z"]})


@pytest.mark.parametrize("row", ["1.0", '{"x": 1.0}'])
def test_a_request_is_decoded_for_the_version_that_runs(
    row: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plane = DataPlane(lambda path: _Renamed(9) if path == "/2" else Line(1))
    plane.load("line", 1, "/1")
    read, unloading = Plan.columns, threading.Thread(target=plane.unload, args=("line", 1))

    def swap(*args: Any) -> list[Column] | None:
        columns = read(*args)
        assert plane.load("line", 2, "/2")
        unloading.start()
        return columns

    monkeypatch.setattr(Plan, "columns", swap)
    body = f'{{"instances": [{row}]}}'.encode()
    assert ask(plane, "POST", "/v1/models/line:predict", body) == (200, {"predictions": [1.5]})
    unloading.join(10)
    assert plane.states("line") == {1: State.END, 2: State.AVAILABLE}
    monkeypatch.undo()
    body = b'{"instances": [{"z": 1.0}]}'
    assert ask(plane, "POST", "/v1/models/line:predict", body) == (200, {"predictions": [9.5]})


def test_classify_and_regress_are_told_what_the_signature_lacks(plane: DataPlane) -> None:
    body = b'{"examples": [{"x": 1.0}]}'
    for verb in ("classify", "regress"):
        status, document = ask(plane, "POST", f"/v1/models/toy.line:{verb}", body)
        assert status == 400
        assert document["error"].startswith(f"No {verb[:5]}")
        status, document = ask(plane, "POST", f"/v1/models/toy.line:{verb}", b"{}")
        assert "key 'examples' is expected and was not found" in document["error"]


def test_made_up_names_of_models_are_not_kept(plane: DataPlane) -> None:
    for number in range(10):
        ask(plane, "POST", f"/v1/models/no{number}:predict", ROWS)
    ask(plane, "POST", "/v1/models/toy.line:predict", ROWS)
    page = plane.metrics.page()
    assert 'request_count{model_name="",status="NOT_FOUND"} 10' in page
    assert 'request_count{model_name="toy.line",status="OK"} 1' in page
    assert "no1" not in page


def test_a_failing_model_gives_its_own_status(plane: DataPlane) -> None:
    body = b'{"signature_name": "fail", "instances": [1.0]}'
    found = ask(plane, "POST", "/v1/models/toy.line:predict", body)
    assert found == (400, {"error": "x is [1.0]"})


def test_a_version_beyond_64_bits_has_no_body(plane: DataPlane) -> None:
    target = "/v1/models/toy.line/versions/99999999999999999999"
    assert answer(plane, "GET", target, b"") == Answer(400, b"")


@pytest.mark.parametrize("target", ["/", "/v2/models/toy.line", "/monitoring/prometheus/metrics"])
def test_other_paths_are_not_this_api(plane: DataPlane, target: str) -> None:
    found = answer(plane, "GET", target, b"")
    assert (found.status, found.content_type) == (404, "text/html")
