from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

import pytest

from serving import config
from serving.config import ModelsConfig, ServedModel
from serving.dataplane import DataPlane, ModelSpec, State
from serving.reload import Follower, wanted_versions
from tests.serving.lines import Line, load, save

AVAILABLE, END = State.AVAILABLE, State.END


class Plane:
    """A data plane that follows configurations given to `apply`, and the lines it loaded."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.loaded: list[str] = []
        self.plane = DataPlane(self._load)
        self.follower = Follower(self.plane, str(base / "models.config"))

    def _load(self, path: str) -> Line:
        self.loaded.append(Path(path).name)
        return load(path)

    def apply(self, *models: ServedModel) -> bool:
        return self.follower.apply(ModelsConfig(models))

    def line(self, *versions: int, **labels: int) -> ServedModel:
        return ServedModel("line", str(self.base), "specific", versions, labels=labels)

    @property
    def states(self) -> dict[int, State]:
        return self.plane.states("line")


@pytest.fixture
def plane(tmp_path: Path) -> Plane:
    for version in (1, 2, 3):
        save(tmp_path, version, version)
    (tmp_path / "temporary").mkdir()
    return Plane(tmp_path)


def test_policies_choose_among_the_folders(tmp_path: Path) -> None:
    for name in ("2", "00000010", "9", ".push-1", "x3"):
        (tmp_path / name).mkdir()
    base = str(tmp_path)
    assert wanted_versions(ServedModel("m", base, "all")) == {
        2: f"{base}/2",
        9: f"{base}/9",
        10: f"{base}/00000010",
    }
    assert wanted_versions(ServedModel("m", base)) == {10: f"{base}/00000010"}
    assert list(wanted_versions(ServedModel("m", base, latest=2))) == [9, 10]
    assert list(wanted_versions(ServedModel("m", base, "specific", (2, 5)))) == [2]
    assert wanted_versions(ServedModel("m", f"{base}/nowhere", "all")) == {}


def test_promotion_loads_first_and_lets_go_last(plane: Plane) -> None:
    assert plane.apply(plane.line(1, stable=1))
    assert plane.apply(plane.line(1, 2, stable=1))
    assert plane.states == {1: AVAILABLE, 2: AVAILABLE}
    assert plane.plane.labels("line") == {"stable": 1}
    assert plane.apply(plane.line(2, stable=2))
    assert plane.states == {1: END, 2: AVAILABLE}
    assert plane.plane.labels("line") == {"stable": 2}
    assert plane.loaded == ["1", "2"]


def test_a_label_in_use_moves_only_to_what_is_available(
    plane: Plane, caplog: pytest.LogCaptureFixture
) -> None:
    plane.apply(plane.line(1, stable=1))
    with caplog.at_level(logging.ERROR, "serving"):
        assert not plane.apply(plane.line(2, stable=2))
        assert not plane.apply(plane.line(2, stable=2))
    assert plane.states == {1: AVAILABLE}
    assert plane.plane.labels("line") == {"stable": 1}
    assert [record.getMessage() for record in caplog.records] == [
        f"{plane.base / 'models.config'} is refused, what is served stays: Request to assign label "
        "to version 2 of model line, which is not currently available for inference"
    ]


def test_a_new_label_may_come_with_its_version(plane: Plane) -> None:
    assert plane.apply(plane.line(1, 2, stable=1, canary=2))
    with plane.plane.use(ModelSpec("line", label="canary")) as version:
        assert version.number == 2


def test_the_old_version_stays_when_the_new_one_does_not_load(plane: Plane) -> None:
    save(plane.base, 4, "broken")
    plane.apply(plane.line(1))
    plane.apply(plane.line(4))
    assert plane.states == {1: AVAILABLE, 4: END}
    # It is not tried at every look, but when the file changes.
    plane.apply(plane.line(4))
    assert plane.loaded == ["1", "4"]
    (plane.base / "4" / "b.txt").write_text("4")
    plane.apply(plane.line(3, 4))
    assert plane.states == {1: END, 3: AVAILABLE, 4: AVAILABLE}


def test_a_model_taken_out_is_unloaded_and_can_return(plane: Plane) -> None:
    plane.apply(plane.line(1, stable=1))
    plane.apply()
    assert plane.states == {1: END}
    assert plane.plane.labels("line") == {}
    plane.apply(plane.line(1))
    assert plane.states == {1: AVAILABLE}


def test_new_folders_are_seen_and_vanished_ones_keep_answering(plane: Plane) -> None:
    model = ServedModel("line", str(plane.base))
    plane.apply(model)
    assert plane.states == {3: AVAILABLE}
    save(plane.base, 4, 4)
    plane.apply(model)
    assert plane.states == {3: END, 4: AVAILABLE}
    plane.base.rename(plane.base.with_name("moved"))
    plane.apply(model)
    assert plane.states == {3: END, 4: AVAILABLE}


def test_a_file_that_does_not_parse_changes_nothing(
    plane: Plane, caplog: pytest.LogCaptureFixture
) -> None:
    path = plane.base / "models.config"
    config.write(str(path), ModelsConfig((plane.line(1),)))
    plane.follower.apply(plane.follower.read())
    path.write_text("model_config_list {")
    with caplog.at_level(logging.ERROR, "serving"):
        following = threading.Thread(target=plane.follower.follow, args=(0.01,))
        following.start()
        time.sleep(0.2)
        plane.follower.stop()
        following.join(10)
    assert plane.states == {1: AVAILABLE}
    [record] = caplog.records
    assert "models.config is not a models.config" in record.getMessage()
