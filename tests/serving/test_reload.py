from __future__ import annotations

import contextlib
import dataclasses
import logging
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from goldlake_core.contracts.errors import PermanentError
from serving import config
from serving.config import ModelsConfig, ServedModel
from serving.dataplane import DataPlane, ModelSpec, State
from serving.errors import StatusError
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
    assert wanted_versions(ServedModel("m", base, "specific", (2, 5))) == {2: f"{base}/2", 5: None}
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


def test_a_label_waits_for_its_version_and_the_old_one_for_the_label(
    plane: Plane, caplog: pytest.LogCaptureFixture
) -> None:
    plane.apply(plane.line(1, stable=1))
    save(plane.base, 4, "broken")
    with caplog.at_level(logging.ERROR, "serving"):
        # What was one write in which TF Serving would refuse the label for ever.
        assert plane.apply(plane.line(3, 4, stable=4))
        assert plane.apply(plane.line(3, 4, stable=4))
    assert plane.states == {1: AVAILABLE, 3: AVAILABLE, 4: END}
    assert plane.plane.labels("line") == {"stable": 1}
    assert [record.getMessage() for record in caplog.records] == [
        f"line@4 did not load: {plane.base}/4 did not load: ValueError: could not convert string "
        "to float: 'broken'",
        "line: the label 'stable' waits for version 4 and stays at 1",
    ]
    assert plane.apply(plane.line(2, stable=2))
    assert plane.plane.labels("line") == {"stable": 2}
    assert plane.states == {1: END, 2: AVAILABLE, 3: END, 4: END}


def test_what_was_not_promoted_answers_no_request_without_a_label(plane: Plane) -> None:
    def answering() -> int | None:
        with contextlib.suppress(StatusError), plane.plane.use(ModelSpec("line")) as version:
            return version.number
        return None

    plane.apply(plane.line(1, 3, stable=1))
    assert answering() == 1
    plane.apply(plane.line(1, 2, 3, stable=1, canary=2))
    assert answering() == 2
    (plane.base / "1").rename(plane.base / "gone")
    restarted = Plane(plane.base)
    restarted.apply(restarted.line(1, 3, stable=1))
    plane.plane, plane.loaded = restarted.plane, restarted.loaded
    assert (plane.states, answering()) == ({1: END, 3: AVAILABLE}, None)
    # A file without labels promotes nothing: there the newest version answers, as in TF Serving.
    restarted.apply(restarted.line(3, 2))
    assert answering() == 3


def test_labeled_versions_are_loaded_first(plane: Plane) -> None:
    plane.apply(plane.line(1, 2, 3, stable=1))
    assert plane.loaded == ["1", "3", "2"]


def test_a_deleted_folder_is_told_once_and_its_version_goes_on(
    plane: Plane, caplog: pytest.LogCaptureFixture
) -> None:
    rounds: list[tuple[str, ...]] = []
    plane.follower._on_round = lambda began, is_changed, problems: rounds.append(problems)
    plane.apply(plane.line(1, stable=1))
    (plane.base / "1").rename(plane.base / "gone")
    for _ in range(3):
        plane.apply(plane.line(1, 9, stable=1))
    gone = f"line@1: there is no folder 1 in {plane.base}"
    missing = f"line@9: there is no folder 9 in {plane.base}"
    on = "; it goes on answering until this server ends"
    assert [record.getMessage() for record in caplog.records] == [gone + on, missing]
    assert rounds[-1] == (gone + on, missing)
    assert plane.states == {1: AVAILABLE, 9: END}
    [status] = plane.plane.status(ModelSpec("line", 9))
    assert (status.code, status.text) == ("NOT_FOUND", missing)
    (plane.base / "gone").rename(plane.base / "1")
    save(plane.base, 9, 9)
    plane.apply(plane.line(1, 9, stable=1))
    assert (plane.states, rounds[-1]) == ({1: AVAILABLE, 9: AVAILABLE}, ())


def test_a_half_copied_version_loads_when_it_is_whole(plane: Plane) -> None:
    (plane.base / "4").mkdir()
    for _ in range(2):
        plane.apply(plane.line(1, 4, stable=1))
    assert (plane.states, plane.loaded) == ({1: AVAILABLE, 4: END}, ["1", "4"])
    (plane.base / "4" / "b.txt").write_text("4")
    plane.apply(plane.line(1, 4, stable=1))
    assert plane.states == {1: AVAILABLE, 4: AVAILABLE}


def test_what_tf_serving_refuses_is_refused(plane: Plane) -> None:
    plane.apply(plane.line(1, stable=1))
    assert not plane.apply(plane.line(2, stable=3))
    [problem] = plane.follower._problems.values()
    assert problem == (
        f"{plane.base}/models.config is refused, what is served stays: Request to assign label to "
        "version 3 of model line, which is not currently available for inference"
    )
    assert not plane.apply(dataclasses.replace(plane.line(1), platform="torch"))
    [problem] = plane.follower._problems.values()
    assert problem.endswith(
        "Illegal to change a model's platform. For model line platform was: tensorflow and is now "
        "requested to be: torch"
    )
    assert (plane.states, plane.plane.labels("line")) == ({1: AVAILABLE}, {"stable": 1})


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


NONSENSE = {
    b"model_config_list {": r"is not a models.config: 1:19 : ",
    b"": r"has no model_config_list\. ",
    b"\xff": r"is not a models.config: 'utf-8' codec",
    b'model_config_list { config { name: "line" base_path: "/x" version_labels { key: "a" value: -1'
    b" } } }": r"the model 'line' has a version -1",
}


@pytest.mark.parametrize("content", NONSENSE, ids=range(len(NONSENSE)))
def test_a_file_that_does_not_parse_changes_nothing_and_is_told_once(
    plane: Plane, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    path = plane.base / "models.config"
    config.write(str(path), ModelsConfig((plane.line(1),)))
    plane.follower.apply(plane.follower.first())
    path.write_bytes(content)
    with caplog.at_level(logging.ERROR, "serving"):
        for _ in range(3):
            plane.follower.round()
    assert plane.states == {1: AVAILABLE}
    [record] = caplog.records
    assert record.getMessage().startswith(f"{path} is refused, what is served stays: {path}")
    assert re.search(NONSENSE[content], record.getMessage())
    path.unlink()
    plane.follower.round()
    config.write(str(path), ModelsConfig((plane.line(2),)))
    plane.follower.round()
    assert plane.states == {1: END, 2: AVAILABLE}


def test_a_first_file_that_cannot_be_served_is_an_error(plane: Plane) -> None:
    config.write(str(plane.base / "models.config"), ModelsConfig((plane.line(1, stable=2),)))
    with pytest.raises(PermanentError, match="cannot be served: Request to assign label to versi"):
        plane.follower.first()


@pytest.fixture
def following(plane: Plane) -> Iterator[Plane]:
    config.write(str(plane.base / "models.config"), ModelsConfig((plane.line(1, stable=1),)))
    plane.follower.apply(plane.follower.first())
    thread = threading.Thread(target=plane.follower.follow, args=(60,))
    thread.start()
    yield plane
    plane.follower.stop()
    thread.join(10)
    assert not thread.is_alive()


def test_a_reload_request_writes_the_file_and_returns_when_it_is_applied(following: Plane) -> None:
    text = config.render(ModelsConfig((following.line(1, 2, stable=1),)))
    following.follower.reload(text)
    assert following.states == {1: AVAILABLE, 2: AVAILABLE}
    following.follower.reload(config.render(ModelsConfig((following.line(2, stable=2),))))
    assert (following.states, following.plane.labels("line")) == (
        {1: END, 2: AVAILABLE},
        {"stable": 2},
    )
    assert config.read(str(following.base / "models.config")).models == (
        following.line(2, stable=2),
    )


def test_a_reload_request_that_tf_serving_refuses_changes_no_file(following: Plane) -> None:
    path = following.base / "models.config"
    before = path.read_text()
    for text, code, said in (
        ("model_config_list {", "INVALID_ARGUMENT", "is not a models.config: 1:19"),
        (
            config.render(ModelsConfig((following.line(2, stable=2),))),
            "FAILED_PRECONDITION",
            "assign label to version 2 of model line, which is not currently available",
        ),
    ):
        with pytest.raises(StatusError, match=said) as error:
            following.follower.reload(text)
        assert error.value.code == code
    assert path.read_text() == before
    other = ServedModel("other", str(following.base), "specific", (7,))
    wanted = ModelsConfig((following.line(1, stable=1), other))
    with pytest.raises(StatusError) as error:
        following.follower.reload(config.render(wanted))
    assert error.value.text == (
        "1 servable(s) did not become available: {{{name: other version: 7} due to error: "
        f"other@7: there is no folder 7 in {following.base}}}}}"
    )
    assert config.read(str(path)) == wanted
