"""Shells complete commands, options, use cases, models, versions and tables."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from goldlake.cli.main import main


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GOLDLAKE_HOME", str(tmp_path))
    for version in ("1", "2", "10", ".push-x"):
        (tmp_path / "models" / "chicago_crime.arrest" / version).mkdir(parents=True)
    (tmp_path / "tables" / "chicago_crime" / "silver" / "crimes" / "_delta_log").mkdir(parents=True)
    return tmp_path


def completed(*words: str) -> list[str]:
    found = ShellComplete(main, {}, "goldlake", "_X").get_completions(list(words[:-1]), words[-1])
    return [item.value for item in found]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("ta",), ["tables"]),
        (("show", "--wh"), ["--where"]),
        (("run", "chi"), ["chicago_crime"]),
        (("train", "chicago_crime."), ["chicago_crime.arrest"]),
        (
            ("promote", "chicago_crime.arrest@"),
            ["chicago_crime.arrest@1", "chicago_crime.arrest@2", "chicago_crime.arrest@10"],
        ),
        (("lineage", "chicago_crime.arrest@2"), ["chicago_crime.arrest@2"]),
        (("show", "chi"), ["chicago_crime.silver.crimes"]),
        (("train", "nothing"), []),
        (("promote", "nothing@"), []),
    ],
)
def test_words_are_completed(home: Path, words: tuple[str, ...], expected: list[str]) -> None:
    assert completed(*words) == expected


def test_a_broken_home_offers_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "goldlake.toml").write_text("home = ", encoding="utf-8")
    monkeypatch.delenv("GOLDLAKE_HOME")
    monkeypatch.chdir(home)
    assert completed("show", "chi") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_for_each_shell(shell: str) -> None:
    answer = CliRunner().invoke(main, ["completion", shell])
    assert answer.exit_code == 0
    assert f"_GOLDLAKE_COMPLETE={shell}_complete" in answer.stdout


def test_the_script_completes_in_a_real_bash(home: Path) -> None:
    program = Path(sys.prefix, "bin", "goldlake")
    script = (
        f"source <({program} completion bash)\nCOMP_WORDS=(goldlake run chi)\nCOMP_CWORD=2\n"
        "_goldlake_completion goldlake\necho ${COMPREPLY[@]}\n"
    )
    path = f"{program.parent}:/usr/bin:/bin"
    answer = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, env={"PATH": path}
    )
    assert answer.stdout.split() == ["chicago_crime"], answer.stderr
