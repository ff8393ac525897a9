from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from serving.dataplane import DataPlane, ModelSpec, State, VersionStatus
from serving.errors import StatusError
from tests.serving.lines import Line, load, save

X = {"x": np.array([1.0, 2.0], np.float32)}


def predict(
    plane: DataPlane, spec: ModelSpec, name: str, inputs: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    with plane.use(spec) as version:
        return version.predict(name, inputs)


@pytest.fixture
def plane(tmp_path: Path) -> DataPlane:
    for version in (1, 2):
        save(tmp_path, version, version)
    save(tmp_path, 3, "not a number")
    plane = DataPlane(load)
    assert plane.load("line", 1, str(tmp_path / "1"))
    assert plane.load("line", 2, str(tmp_path / "2"))
    plane.set_labels("line", {"stable": 1, "gone": 9})
    return plane


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (ModelSpec("line"), [2.5, 3.0]),
        (ModelSpec("line", 1), [1.5, 2.0]),
        (ModelSpec("line", label="stable"), [1.5, 2.0]),
    ],
)
def test_the_version_asked_for_answers(
    plane: DataPlane, spec: ModelSpec, expected: list[float]
) -> None:
    assert predict(plane, spec, "", X)["y"].tolist() == expected


@pytest.mark.parametrize(
    ("spec", "code", "text"),
    [
        (ModelSpec("nope"), "NOT_FOUND", "Servable not found for request: Latest(nope)"),
        (ModelSpec("line", 7), "NOT_FOUND", "Servable not found for request: Specific(line, 7)"),
        (
            ModelSpec("line", label="new"),
            "INVALID_ARGUMENT",
            "Unrecognized servable version label: new",
        ),
        (
            ModelSpec("line", label="gone"),
            "NOT_FOUND",
            "Servable not found for request: Specific(line, 9)",
        ),
    ],
)
def test_what_is_not_served(plane: DataPlane, spec: ModelSpec, code: str, text: str) -> None:
    with pytest.raises(StatusError) as error:
        predict(plane, spec, "", X)
    assert (error.value.code, error.value.text) == (code, text)


def test_wrong_signatures_and_inputs(plane: DataPlane) -> None:
    with pytest.raises(StatusError) as error:
        predict(plane, ModelSpec("line"), "nope", X)
    assert error.value.text == 'Serving signature name: "nope" not found in signature def'
    with pytest.raises(StatusError) as error:
        predict(plane, ModelSpec("line"), "greet", X)
    assert error.value.text == (
        "input size does not match signature: 1!=2 len({x}) != len({name,x}). "
        "Sent extra: {}. Missing but required: {name}."
    )
    with pytest.raises(StatusError) as error:
        predict(plane, ModelSpec("line"), "fail", X)
    assert error.value.status_text == "OUT_OF_RANGE: x is [1.0, 2.0]"


def test_a_failed_load_is_told_in_the_status(plane: DataPlane, tmp_path: Path) -> None:
    assert not plane.load("line", 3, str(tmp_path / "3"))
    newest, *rest = plane.status(ModelSpec("line"))
    assert (newest.version, newest.state, newest.code) == (3, State.END, "UNKNOWN")
    assert "could not convert string to float: 'not a number'" in newest.text
    assert rest == [VersionStatus(2, State.AVAILABLE), VersionStatus(1, State.AVAILABLE)]
    assert predict(plane, ModelSpec("line"), "", X)["y"].tolist() == [2.5, 3.0]
    # Mended and asked for again, it loads.
    (tmp_path / "3" / "b.txt").write_text("3")
    assert plane.load("line", 3, str(tmp_path / "3"))
    assert plane.status(ModelSpec("line", 3)) == [VersionStatus(3, State.AVAILABLE)]


def test_status_of_what_was_never_heard_of(plane: DataPlane) -> None:
    with pytest.raises(StatusError, match="Could not find any versions of model nope"):
        plane.status(ModelSpec("nope"))
    with pytest.raises(StatusError, match="Could not find version 7 of model line"):
        plane.status(ModelSpec("line", 7))


def test_unloading_waits_for_running_requests(tmp_path: Path) -> None:
    line = Line(5)
    plane = DataPlane(lambda path: line)
    plane.load("line", 1, str(tmp_path))
    line.gate.clear()
    answers: list[list[float]] = []

    def ask() -> None:
        answers.append(predict(plane, ModelSpec("line"), "", X)["y"].tolist())

    asking = threading.Thread(target=ask)
    asking.start()
    assert line.entered.wait(10)
    unloading = threading.Thread(target=plane.unload, args=("line", 1))
    unloading.start()
    while plane.states("line")[1] is not State.UNLOADING:
        pass
    # New requests no longer reach it, and it is not closed under the one that does.
    with pytest.raises(StatusError, match="Servable not found"):
        predict(plane, ModelSpec("line"), "", X)
    assert not line.is_closed
    line.gate.set()
    asking.join(10)
    unloading.join(10)
    assert answers == [[5.5, 6.0]]
    assert line.is_closed
    assert plane.states("line") == {1: State.END}
