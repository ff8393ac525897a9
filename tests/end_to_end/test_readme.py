"""Each block of the README, run in order from a bare clone, prints what the page shows."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.end_to_end.readme import Shell, Step, difference, masked, steps

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
# What a person's shell has; nothing that goldlake, Python or a virtual environment reads.
KEPT = ("HOME", "LANG", "PATH", "PIP_INDEX_URL", "SSL_CERT_FILE", "UV_DEFAULT_INDEX", "USER")
TIMEOUT_S = 1500


def test_steps_are_found_with_what_they_print() -> None:
    page = "x\n```console\n$ one two\nprinted\n\n$ three \\\n    four &  # in a shell\n```\n"
    assert list(steps(page)) == [Step("one two", ("printed",)), Step("three four &", ())]


@pytest.mark.parametrize(
    ("shown", "printed", "expected"),
    [
        (("rows 1,024  @1",), "rows   20,000 @3\n", ""),
        (("a", "…", "d"), "a\nb\nc\nd\n", ""),
        (("…", "d"), "a\nb\nd\n", ""),
        (("a",), "a\nb\n", "not shown: b"),
        (("a", "c"), "a\nb\n", "c"),
        (("THEFT, FROM …",), "THEFT, FROM BUILDING, 0890\n", ""),
        (("Logs: var/logs/20261121-041629-90e1",), "Logs: var/logs/20270101-000000-abcd\n", ""),
        (("blessed",), "not blessed\n", "blessed"),
    ],
)
def test_what_is_printed_is_compared(shown: tuple[str, ...], printed: str, expected: str) -> None:
    assert difference(shown, printed) == expected


def test_words_are_not_masked() -> None:
    assert masked("  ✓ land        0.7 s  4,000 records") == "✓ land # s # records"


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_every_block_of_the_readme_prints_what_it_shows(tmp_path: Path) -> None:
    clone = tmp_path / "goldlake"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    environment = {name: os.environ[name] for name in KEPT if name in os.environ}
    environment["XDG_STATE_HOME"] = str(tmp_path / "state")
    environment["COLUMNS"] = "100"
    shell = Shell(clone, environment, TIMEOUT_S)
    problems: list[str] = []
    try:
        for step in steps(README):
            if step.command == "make test":  # this very suite
                continue
            printed = shell.run(step)
            problem = difference(step.shown, printed) if step.shown else ""
            if problem:
                problems.append(f"$ {step.command}\n  {problem}\nprinted:\n{printed}")
    finally:
        shell.close()
    assert not problems, "\n".join(problems)
