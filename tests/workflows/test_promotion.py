"""Promotion and rollback against servers in this process, without TensorFlow."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from goldlake.workflows.backup import backup
from goldlake.workflows.promote import Options, promote, rollback
from goldlake_core.contracts.errors import GoldlakeError, PermanentError, StoreError, UsageError
from goldlake_core.documents.reports import Promotion, ServerAnswer
from goldlake_core.storage.home import Home
from goldlake_core.storage.model_versions import push_model
from metadata.promotion import PROMOTION, promotions
from metadata.store import Store
from serving import client, config, registry
from serving.access import read_access
from serving.client import NotAvailable
from serving.config import ModelsConfig
from tests.serving.lines import Line, load, running
from tests.serving.test_access import certificate

NAME = "toy.line"
QUICK = Options(wait_s=1.0)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home with four versions; the fourth does not load."""
    home = Home.at(tmp_path / "lake")
    for version in (1, 2, 3, "broken"):
        folder = tmp_path / f"made-{version}"
        folder.mkdir()
        (folder / "b.txt").write_text(str(version))
        (folder / "saved_model.pb").write_text(str(version))
        push_model(home, "toy", "line", str(folder), {})
    config.write(home.models_config, ModelsConfig())
    return home


@pytest.fixture
def urls(home: Home) -> Iterator[list[str]]:
    """Two servers of the home."""
    path = Path(home.models_config)
    with running(path) as first, running(path) as second:
        yield sorted([first, second])


def labels(home: Home) -> dict[str, int]:
    model = config.read(home.models_config).model(NAME)
    return dict(model.labels) if model else {}


def versions(home: Home) -> tuple[int, ...]:
    model = config.read(home.models_config).model(NAME)
    return model.versions if model else ()


def left(home: Home) -> list[str]:
    """Files of promotions that are not over."""
    folder = Path(registry.folder(home.models_config, registry.PROMOTIONS))
    return [file.name for file in folder.iterdir()] if folder.exists() else []


def outcomes(home: Home) -> list[tuple[object, ...]]:
    executions = Store(home).executions_of_type(PROMOTION)
    return [(e.properties["version"], e.properties["outcome"]) for e in executions]


def test_without_a_server_the_label_moves_and_nobody_confirms(home: Home) -> None:
    made = promote(home, f"{NAME}@1", "stable", Options(because="first"))
    assert made == Promotion(model=NAME, version=1, label="stable", before=None)
    assert (labels(home), versions(home), left(home)) == ({"stable": 1}, (1,), [])
    [record] = promotions(home, NAME)
    assert (record.why, record.before, record.kind) == ("first", None, "promote")
    assert "@" in record.who
    assert promote(home, f"{NAME}@1", "stable").before == 1
    assert len(promotions(home, NAME)) == 1


def test_every_server_answers_with_what_was_promoted(home: Home, urls: list[str]) -> None:
    for version, before in ((1, None), (2, 1)):
        made = promote(home, f"{NAME}@{version}", "stable")
        # One more server than was asked for by its address: it is the same one.
        assert made == Promotion(
            model=NAME,
            version=version,
            label="stable",
            before=before,
            servers=tuple(ServerAnswer(url=url, version=version) for url in urls),
        )
        for url in urls:
            assert client.predict(url, NAME, [0], label="stable") == [float(version)]
            assert client.predict(url, NAME, [0]) == [float(version)]
    plan = promote(home, f"{NAME}@3", "stable", Options(is_dry_run=True))
    assert plan.is_dry_run
    assert [(s.url, s.version) for s in plan.servers] == [(url, 2) for url in urls]
    assert (labels(home), versions(home)) == ({"stable": 2}, (2,))


def test_servers_that_ask_for_a_token_are_asked_with_it(home: Home, tmp_path: Path) -> None:
    chain, key = certificate(tmp_path)
    token = tmp_path / "token"
    token.write_text("secret-token\n")
    access = read_access(chain, key, str(token))
    known = Options(token_file=str(token), ca_file=chain)
    with running(Path(home.models_config), access=access) as url:
        promoted = promote(home, f"{NAME}@1", "stable", known)
        assert promoted.servers == (ServerAnswer(url=url, version=1),)
        [refused] = promote(home, f"{NAME}@2", "stable", replace(QUICK, ca_file=chain)).servers
        assert "401" in str(refused.problem)
        [unknown] = promote(home, f"{NAME}@3", "stable", QUICK).servers
        assert "certificate" in str(unknown.problem).lower()
        back = rollback(home, NAME, "stable", known)
        assert back.servers == (ServerAnswer(url=url, version=2),)


def test_rollback_goes_to_what_served_before(home: Home, urls: list[str]) -> None:
    for version in (1, 3, 2):
        promote(home, f"{NAME}@{version}", "stable")
    assert (rollback(home, NAME, "stable").version, labels(home)) == (3, {"stable": 3})
    made = rollback(home, NAME, "stable", Options(because="it drifts"))
    assert (made.version, made.before, made.is_confirmed) == (1, 3, True)
    assert {client.predict(url, NAME, [0], label="stable")[0] for url in urls} == {1.0}
    last = promotions(home, NAME)[-1]
    assert (last.kind, last.why, last.version, last.before) == ("rollback", "it drifts", 1, 3)
    with pytest.raises(UsageError) as error:
        rollback(home, NAME, "stable")
    assert error.value.message == (
        f"The label 'stable' of {NAME} has served nothing before @1. Valid: {NAME}@1, {NAME}@2, "
        f"{NAME}@3, {NAME}@4. Next: goldlake promote {NAME}@VERSION --label stable"
    )
    with pytest.raises(UsageError, match="names a version, and a rollback goes to the one before"):
        rollback(home, f"{NAME}@1", "stable")
    with pytest.raises(UsageError, match="The label 'canary' of toy.line has served nothing. Val"):
        rollback(home, NAME, "canary")


def test_a_version_that_does_not_load_leaves_everything_as_it_was(
    home: Home, urls: list[str]
) -> None:
    promote(home, f"{NAME}@1", "stable")
    for _ in range(2):
        with pytest.raises(NotAvailable) as error:
            promote(home, f"{NAME}@4", "stable")
        assert any(f"{url} could not load {NAME}@4: " in error.value.message for url in urls)
        assert "could not convert string to float: 'broken'; the label" in error.value.message
        assert "'stable' stays where it was. Next: goldlake models" in error.value.message
    assert (labels(home), versions(home), left(home)) == ({"stable": 1}, (1,), [])
    assert outcomes(home) == [(1, "promoted"), (4, "failed"), (4, "failed")]
    assert [client.predict(url, NAME, [0], label="stable") for url in urls] == [[1.0], [1.0]]
    # It is repaired: an earlier failure is not taken for one of this time.
    Path(home.model("toy", "line", "4", "b.txt")).write_text("4")
    assert promote(home, f"{NAME}@4", "stable").is_confirmed


def test_a_label_that_cannot_be_one_is_refused(home: Home) -> None:
    with pytest.raises(UsageError) as error:
        promote(home, f"{NAME}@1", "bad label/:x")
    assert error.value.message == (
        "'bad label/:x' cannot be a label. Valid: letters, digits, '_', '-' and '.', at most 64, "
        "a letter or a digit first."
    )
    assert labels(home) == {}


@contextlib.contextmanager
def silent_server(home: Home) -> Iterator[str]:
    """A registered server that takes connections and never answers, as one that was stopped."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        presence = registry.Presence(registry.folder(home.models_config, registry.SERVERS))
        presence.publish(registry.ServerAbout(url=url, is_ready=True))
        try:
            yield url
        finally:
            presence.withdraw()


def test_a_server_that_does_not_answer_is_named(
    home: Home, urls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("goldlake.workflows.promote._ANSWER_S", 0.2)
    with silent_server(home) as silent:
        made = promote(home, f"{NAME}@1", "stable", QUICK)
    assert not made.is_confirmed
    answers = {server.url: (server.version, server.problem) for server in made.servers}
    assert {url: answers[url] for url in urls} == dict.fromkeys(urls, (1, ""))
    assert answers[silent][0] is None
    assert "No answer from" in answers[silent][1]
    assert labels(home) == {"stable": 1}


def test_a_server_that_is_not_ours_must_have_loaded(home: Home, tmp_path: Path) -> None:
    other = tmp_path / "other" / "models.config"
    config.write(str(other), ModelsConfig())
    with running(other) as url, pytest.raises(NotAvailable) as error:
        promote(home, f"{NAME}@1", "stable", Options(url=url, wait_s=0.3))
    assert error.value.message.startswith(
        f"{NAME}@1 is not available at {url} after 0.3 s: {url}/v1/models/{NAME}/versions/1 "
        "answered 404: Could not find version 1"
    )
    assert "the label 'stable' stays where it was. Next: read the log of that server" in str(
        error.value
    )
    assert (labels(home), left(home)) == ({}, [])


def test_a_shadow_is_confirmed_and_answers_only_who_asks_for_it(
    home: Home, urls: list[str]
) -> None:
    promote(home, f"{NAME}@1", "stable", QUICK)
    made = promote(home, f"{NAME}@2", "shadow", QUICK)
    assert made.is_confirmed
    assert {server.version for server in made.servers} == {2}
    for url in urls:
        assert client.predict(url, NAME, [1.0]) == client.predict(url, NAME, [1.0], label="stable")
        assert client.predict(url, NAME, [1.0], label="shadow") != client.predict(url, NAME, [1.0])


def test_two_promoters_of_one_model_lose_nothing(home: Home, urls: list[str]) -> None:
    promote(home, f"{NAME}@1", "stable")
    gate = threading.Barrier(2)
    made: list[Promotion] = []

    def run(version: int, label: str) -> None:
        gate.wait()
        made.append(promote(home, f"{NAME}@{version}", label))

    for _ in range(3):
        threads = [threading.Thread(target=run, args=at) for at in ((2, "stable"), (3, "canary"))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert labels(home) == {"stable": 2, "canary": 3}
        assert versions(home) == (2, 3)
        promote(home, f"{NAME}@3", "stable")
        promote(home, f"{NAME}@1", "canary")
        promote(home, f"{NAME}@1", "stable")
    assert len(made) == 6
    assert all(document.is_confirmed for document in made)


def test_a_version_that_another_promotion_waits_for_stays(home: Home) -> None:
    from goldlake.workflows.promotions import Ledger

    promote(home, f"{NAME}@2", "stable")
    with Ledger(home).attempt(NAME, 2, "canary", kind="promote", why="") as begun:
        promote(home, f"{NAME}@3", "stable")
        assert versions(home) == (2, 3)
        begun.move()
    assert (labels(home), versions(home)) == ({"stable": 3, "canary": 2}, (2, 3))


_KILLED = """
import os, signal, sys
from goldlake.workflows import promotions
from goldlake_core.storage.home import Home
from metadata import promotion
from serving import config

home, step, version = Home.at(sys.argv[1]), sys.argv[2], int(sys.argv[3])
def kill(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)
write = config.write
if step == "before_loading":
    config.write = kill
ledger = promotions.Ledger(home)
with ledger.attempt("toy.line", version, "stable", kind="promote", why="killed") as begun:
    if step == "loading":
        kill()
    if step == "before_moving":
        config.write = kill
    if step == "moved":
        promotion.record = kill
    if step == "recorded":
        begun._end = kill
    begun.move()
"""


def killed(home: Home, step: str, version: int) -> None:
    command = [sys.executable, "-c", _KILLED, home.root, step, str(version)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr


def test_a_promotion_killed_anywhere_is_finished_or_undone_by_the_next(home: Home) -> None:
    promote(home, f"{NAME}@1", "stable")
    for step in ("before_loading", "loading", "before_moving"):
        killed(home, step, 2)
        assert labels(home)["stable"] == 1
        [note] = promote(home, f"{NAME}@1", f"after-{step}").notes
        assert f"the promotion of {NAME}@2 to 'stable' that process" in note
        assert note.endswith("was undone")
        assert (labels(home)["stable"], versions(home), left(home)) == (1, (1,), [])
    for step, version in (("moved", 2), ("recorded", 3)):
        killed(home, step, version)
        assert labels(home)["stable"] == version
        [note] = promote(home, f"{NAME}@1", f"after-{step}").notes
        assert note.endswith("was finished")
        assert left(home) == []
    kept = [(p.version, p.why) for p in promotions(home, NAME) if p.label == "stable"]
    assert kept == [(1, ""), (2, "killed"), (3, "killed")]


def test_ctrl_c_takes_the_version_out_again(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: object) -> None:
        assert versions(home) == (1, 2)
        raise KeyboardInterrupt

    promote(home, f"{NAME}@1", "stable")
    monkeypatch.setattr("goldlake.workflows.promote._wait_loaded", interrupted)
    with pytest.raises(KeyboardInterrupt):
        promote(home, f"{NAME}@2", "stable")
    assert (labels(home), versions(home), left(home)) == ({"stable": 1}, (1,), [])
    assert outcomes(home) == [(1, "promoted"), (2, "interrupted")]


def test_what_a_full_disk_leaves_is_settled_by_the_next(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: str, written: ModelsConfig) -> None:
        raise StoreError(f"Cannot write {path}: No space left on device")

    promote(home, f"{NAME}@1", "stable")
    for is_there in (False, True):
        with monkeypatch.context() as patched:
            if is_there:
                # The version is in the file already, and cannot be taken out again.
                wait = "goldlake.workflows.promote._wait_loaded"
                patched.setattr(wait, lambda *_: patched.setattr(config, "write", full))
            else:
                patched.setattr(config, "write", full)
            with pytest.raises(StoreError, match="No space left on device"):
                promote(home, f"{NAME}@2", "stable")
        assert labels(home) == {"stable": 1}
    assert len(left(home)) == 2
    [note] = promote(home, f"{NAME}@3", "stable").notes
    assert note.endswith("was undone")
    assert (labels(home), versions(home), left(home)) == ({"stable": 3}, (3,), [])


def test_what_cannot_be_recorded_is_not_promoted() -> None:
    home = Home.at("memory://promotion")
    home.fs.pipe_file(home.model("toy", "line", "1", "saved_model.pb"), b"1")
    with pytest.raises(PermanentError, match="The metadata of memory://promotion cannot be opened"):
        promote(home, f"{NAME}@1", "stable")
    assert not home.fs.exists(home.models_config)


def test_a_home_that_was_moved_serves_from_its_new_place(home: Home, tmp_path: Path) -> None:
    promote(home, f"{NAME}@1", "stable")
    moved = Home.at(tmp_path / "moved")
    os.rename(home.root, moved.root)
    assert promote(moved, f"{NAME}@1", "stable").before == 1
    model = config.read(moved.models_config).model(NAME)
    assert model is not None
    assert model.base_path == f"{moved.root}/models/{NAME}"
    assert len(promotions(moved, NAME)) == 1


def test_left_registrations_are_recognized(home: Home) -> None:
    folder = registry.folder(home.models_config, registry.SERVERS)
    code = (
        "import sys; from serving import registry; p = registry.Presence(sys.argv[1]); "
        "p.publish(registry.ServerAbout(url='http://127.0.0.1:9')); print(flush=True); input()"
    )
    command = [sys.executable, "-c", code, folder]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert [s.url for s in registry.living_servers(home.models_config).values()] == [
            "http://127.0.0.1:9"
        ]
        process.kill()
    assert registry.living_servers(home.models_config) == {}
    assert os.listdir(folder) == []


def test_a_copied_home_has_no_servers(home: Home, urls: list[str], tmp_path: Path) -> None:
    copy = Home.at(tmp_path / "copy")
    subprocess.run(["cp", "-r", home.root, copy.root], check=True)
    assert registry.living_servers(copy.models_config) == {}
    assert len(registry.living_servers(home.models_config)) == 2


def test_a_backup_beside_a_server_holds_no_registration(
    home: Home, urls: list[str], tmp_path: Path
) -> None:
    promote(home, f"{NAME}@1", "stable")
    backup(home, str(tmp_path / "copy"), None, lambda event: None)
    assert sorted(os.listdir(tmp_path / "copy" / "models")) == ["models.config", NAME]


def test_a_heartbeat_decides_where_no_lock_can_be_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = "memory://registry/models/models.config"
    presence = registry.Presence(registry.folder(place, registry.SERVERS))
    presence.publish(registry.ServerAbout(url="http://0.0.0.0:8501"))
    assert [s.url for s in registry.living_servers(place).values()] == ["http://127.0.0.1:8501"]
    monkeypatch.setattr(registry, "SILENT_S", -1.0)
    assert registry.living_servers(place) == {}


def test_a_damaged_registration_is_told_and_passed_over(
    home: Home, urls: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    folder = Path(registry.folder(home.models_config, registry.SERVERS))
    (folder / "x.json").write_text("{")
    assert promote(home, f"{NAME}@1", "stable").is_confirmed
    assert f"{folder}/x.json is damaged and not regarded" in caplog.text


def test_a_server_that_cannot_register_serves_and_says_so(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    promote(home, f"{NAME}@1", "stable")
    Path(registry.folder(home.models_config, registry.SERVERS)).write_text("not a folder")
    with running(Path(home.models_config)) as url:
        assert client.predict(url, NAME, [0]) == [1.0]
        assert promote(home, f"{NAME}@2", "stable").servers == ()
        assert promote(home, f"{NAME}@3", "stable", Options(url=url)).is_confirmed
    assert "This server is not registered: Cannot write " in caplog.text


def test_a_heartbeat_does_not_bring_a_moved_home_to_life(home: Home, tmp_path: Path) -> None:
    presence = registry.Presence(registry.folder(home.models_config, registry.SERVERS))
    presence.publish(registry.ServerAbout(url="http://127.0.0.1:9"))
    os.rename(home.root, tmp_path / "moved")
    with pytest.raises(GoldlakeError, match="the home was moved or the file removed"):
        presence.publish(registry.ServerAbout(url="http://127.0.0.1:9"))
    assert not os.path.exists(home.root)


def test_a_server_is_ready_after_its_first_round(home: Home) -> None:
    promote(home, f"{NAME}@1", "stable")
    may_load = threading.Event()

    def slow(path: str) -> Line:
        assert may_load.wait(20)
        return load(path)

    seen: list[tuple[int, object]] = []

    def look() -> None:
        until = time.monotonic() + 20
        while not registry.living_servers(home.models_config) and time.monotonic() < until:
            time.sleep(0.02)
        [server] = registry.living_servers(home.models_config).values()
        for path in ("/readyz", "/healthz"):
            answer = requests.get(server.url + path, timeout=10)
            seen.append((answer.status_code, answer.json()))
        may_load.set()

    looking = threading.Thread(target=look)
    looking.start()
    with running(Path(home.models_config), load=slow) as url:
        looking.join(20)
        waiting = {"ready": False, "problems": ["the first round of loading has not ended"]}
        assert seen == [(503, waiting), (200, waiting)]
        answer = requests.get(f"{url}/readyz", timeout=10)
        assert (answer.status_code, answer.json()) == (200, {"ready": True, "problems": []})
        assert requests.head(f"{url}/readyz", timeout=10).status_code == 200
        assert requests.post(f"{url}/readyz", timeout=10).status_code == 404
