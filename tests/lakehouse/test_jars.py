"""The JARs: right by hash, fetched once, and no others beside them."""

from __future__ import annotations

import hashlib
import stat
import sys
from pathlib import Path

import pytest

from goldlake_core.contracts.errors import PermanentError, RetryableError
from lakehouse import jars


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """Locks one JAR whose content is `right`."""
    path = tmp_path / "jars.lock"
    path.write_text(f"# why\norg.x:tool_2.13:1.0 {hashlib.sha256(b'right').hexdigest()}\n")
    return path


def fake_java(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Stands in for the Java that runs Ivy; its last argument lies in the folder to fill."""
    (folder / "bin").mkdir()
    java = folder / "bin" / "java"
    java.write_text(f'#!/bin/bash\nfolder=$(dirname "${{@: -1}}")\n{script}\n')
    java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(folder))


def test_a_resolved_jar_is_kept_and_an_old_one_is_not(
    lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_java(tmp_path, monkeypatch, "printf right > $folder/tool_2.13-1.0.jar")
    target = tmp_path / "venv" / "jars"
    target.mkdir(parents=True)
    (target / "tool_2.13-0.9.jar").write_text("old")
    jars.fetch(lock, target)
    assert [path.name for path in (tmp_path / "venv").rglob("*.*")] == ["tool_2.13-1.0.jar"]
    assert (target / "tool_2.13-1.0.jar").read_text() == "right"


def test_a_second_fetch_asks_nobody(
    lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_java(tmp_path, monkeypatch, "exit 1")
    target = tmp_path / "venv" / "jars"
    target.mkdir(parents=True)
    (target / "tool_2.13-1.0.jar").write_text("right")
    jars.fetch(lock, target)


def test_another_content_is_refused(
    lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_java(tmp_path, monkeypatch, "printf wrong > $folder/tool_2.13-1.0.jar")
    with pytest.raises(PermanentError, match=r"Hash mismatch: org\.x:tool_2\.13:1\.0 has sha256 "):
        jars.fetch(lock, tmp_path / "venv" / "jars")
    assert list((tmp_path / "venv").rglob("*.jar")) == []


def test_a_damaged_jar_is_fetched_again(
    lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_java(tmp_path, monkeypatch, "printf right > $folder/tool_2.13-1.0.jar")
    target = tmp_path / "venv" / "jars"
    target.mkdir(parents=True)
    (target / "tool_2.13-1.0.jar").write_text("rig")
    jars.fetch(lock, target)
    assert (target / "tool_2.13-1.0.jar").read_text() == "right"


def test_what_ivy_said_is_passed_on(
    lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_java(tmp_path, monkeypatch, "echo 'Host x not found.'; exit 1")
    with pytest.raises(RetryableError, match=r"tool_2\.13:1\.0 was not resolved: Host x not found"):
        jars.fetch(lock, tmp_path / "venv" / "jars")


def test_locking_writes_the_digest_and_keeps_the_comment(
    lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_java(tmp_path, monkeypatch, "printf new > $folder/tool_2.13-1.0.jar")
    jars.rewrite(lock)
    digest = hashlib.sha256(b"new").hexdigest()
    assert lock.read_text() == f"# why\norg.x:tool_2.13:1.0 {digest}\n"


@pytest.mark.parametrize(
    ("environ", "options"),
    [
        ({}, []),
        (
            {"https_proxy": "http://proxy:3128"},
            ["-Dhttps.proxyHost=proxy", "-Dhttps.proxyPort=3128"],
        ),
        ({"HTTPS_PROXY": "http://proxy"}, ["-Dhttps.proxyHost=proxy", "-Dhttps.proxyPort=80"]),
    ],
)
def test_java_is_told_of_the_proxy(environ: dict[str, str], options: list[str]) -> None:
    assert jars.java_proxy_options(environ) == options


def environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """An environment without JARs and a user's cache: where the JARs go in each."""
    prefix, cache = folder / "prefix", folder / "cache"
    prefix.mkdir()
    monkeypatch.setattr(sys, "prefix", str(prefix))
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    return prefix / "jars", cache / "goldlake" / "jars"


def test_the_jars_belong_to_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_prefix, _ = environment(tmp_path, monkeypatch)
    assert jars.jars_folder() == in_prefix


def test_a_read_only_environment_keeps_the_jars_it_has_else_the_cache_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lock: Path
) -> None:
    in_prefix, in_cache = environment(tmp_path, monkeypatch)
    # Permissions do not bind root, for whom tests may run.
    monkeypatch.setattr("os.access", lambda path, mode: False)
    monkeypatch.setattr(jars, "LOCK", lock)
    assert jars.jars_folder() == in_cache
    in_prefix.mkdir()
    (in_prefix / "tool_2.13-1.0.jar").write_text("right")
    assert jars.jars_folder() == in_prefix


def test_the_first_session_fetches_and_says_so_and_the_next_does_neither(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lock: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    in_prefix, _ = environment(tmp_path, monkeypatch)
    monkeypatch.setattr(jars, "LOCK", lock)
    fake_java(tmp_path, monkeypatch, "printf right > $folder/tool_2.13-1.0.jar")
    assert jars.ensure_jars() == [in_prefix / "tool_2.13-1.0.jar"]
    assert capfd.readouterr().err == f"Fetching the Delta JARs into {in_prefix}, once\n"
    java = tmp_path / "bin" / "java"
    java.chmod(java.stat().st_mode & ~stat.S_IXUSR)
    assert jars.ensure_jars() == [in_prefix / "tool_2.13-1.0.jar"]
    assert capfd.readouterr().err == ""


def test_what_is_wrong_is_named(
    lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jars, "LOCK", lock)
    assert jars.wrong_jars(tmp_path) == ["tool_2.13-1.0.jar"]
    (tmp_path / "tool_2.13-1.0.jar").write_text("rig")
    assert jars.wrong_jars(tmp_path) == ["tool_2.13-1.0.jar"]
    (tmp_path / "tool_2.13-1.0.jar").write_text("right")
    assert jars.wrong_jars(tmp_path) == []


@pytest.mark.parametrize("arguments", [[], ["get"], ["fetch", "lock"]])
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert jars.main(arguments) == 2
    assert capsys.readouterr().err == "usage: python -m lakehouse.jars fetch|lock\n"


def test_the_command_says_what_ivy_said(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lock: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    environment(tmp_path, monkeypatch)
    monkeypatch.setattr(jars, "LOCK", lock)
    fake_java(tmp_path, monkeypatch, "echo 'a line'; echo 'UnknownHostException: x'; exit 1")
    assert jars.main(["fetch"]) == 1
    first, second, *_, last = capsys.readouterr().err.splitlines()
    assert (first, second) == ("a line", "UnknownHostException: x")
    assert last.startswith("error: The JAR org.x:tool_2.13:1.0 was not resolved: Unknown")
    assert last.endswith(" -I -m lakehouse.jars fetch")
