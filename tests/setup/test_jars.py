"""The JARs: right by hash, fetched once, and no others beside them."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "requirements" / "jars.py"


@pytest.fixture(scope="module")
def jars() -> ModuleType:
    """requirements/jars.py, which belongs to no package."""
    spec = importlib.util.spec_from_file_location("jars", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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
    jars: ModuleType, lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_java(tmp_path, monkeypatch, "printf right > $folder/tool_2.13-1.0.jar")
    target = tmp_path / "venv" / "jars"
    target.mkdir(parents=True)
    (target / "tool_2.13-0.9.jar").write_text("old")
    jars.fetch(lock, target)
    assert [path.name for path in (tmp_path / "venv").rglob("*.*")] == ["tool_2.13-1.0.jar"]
    assert (target / "tool_2.13-1.0.jar").read_text() == "right"


def test_a_second_fetch_asks_nobody(
    jars: ModuleType, lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_java(tmp_path, monkeypatch, "exit 1")
    target = tmp_path / "venv" / "jars"
    target.mkdir(parents=True)
    (target / "tool_2.13-1.0.jar").write_text("right")
    jars.fetch(lock, target)


def test_another_content_is_refused(
    jars: ModuleType, lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_java(tmp_path, monkeypatch, "printf wrong > $folder/tool_2.13-1.0.jar")
    with pytest.raises(SystemExit, match=r"Hash mismatch: org\.x:tool_2\.13:1\.0 has sha256 "):
        jars.fetch(lock, tmp_path / "venv" / "jars")
    assert list((tmp_path / "venv").rglob("*.jar")) == []


def test_a_damaged_jar_is_fetched_again(
    jars: ModuleType, lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_java(tmp_path, monkeypatch, "printf right > $folder/tool_2.13-1.0.jar")
    target = tmp_path / "venv" / "jars"
    target.mkdir(parents=True)
    (target / "tool_2.13-1.0.jar").write_text("rig")
    jars.fetch(lock, target)
    assert (target / "tool_2.13-1.0.jar").read_text() == "right"


def test_what_ivy_said_is_passed_on(
    jars: ModuleType, lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_java(tmp_path, monkeypatch, "echo 'Host x not found.'; exit 1")
    with pytest.raises(SystemExit, match=r"(?s)Host x not found.*tool_2\.13:1\.0 was not resolved"):
        jars.fetch(lock, tmp_path / "venv" / "jars")


def test_locking_writes_the_digest_and_keeps_the_comment(
    jars: ModuleType, lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
def test_java_is_told_of_the_proxy(
    jars: ModuleType, environ: dict[str, str], options: list[str]
) -> None:
    assert jars.java_proxy_options(environ) == options
