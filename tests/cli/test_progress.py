"""Progress is a bar on a terminal and plain lines elsewhere; data is never markup."""

from __future__ import annotations

import io
import time

import pytest
from rich.console import Console

from goldlake.cli import account
from goldlake.cli.progress import Progress
from goldlake.workflows.processes import StageEnded
from goldlake_core.documents.reports import SourceStarted
from goldlake_core.documents.stages import Event
from goldlake_core.stages import event_now

STARTED = SourceStarted(url="http://127.0.0.1:1", rows=4_000, seed=7)


def event(message: str, kind: str = "info", **counts: int) -> Event:
    return event_now("source", kind, message, **counts)  # type: ignore[arg-type]


def shown(*, is_terminal: bool, width: int = 80) -> tuple[Progress, io.StringIO]:
    out = io.StringIO()
    console = Console(file=out, force_terminal=is_terminal, width=width, highlight=False)
    return Progress(account.SUMMARIES, out=console), out


def test_plain_lines_elsewhere() -> None:
    progress, out = shown(is_terminal=False)
    with progress:
        progress(event("", "begin"))
        progress(event("[red]page 3[/red] \x1b[2J"))
        progress(event("too odd", "gate"))
        progress(StageEnded("source", STARTED))
    first, gate, last = out.getvalue().splitlines()
    assert first == r"    source   · [red]page 3[/red] \x1b[2J"
    assert gate == "    source   gate too odd"
    assert last.startswith("  ✓ source      0.0 s  embedded: 4,000 generated rows, seed 7")


def test_a_bar_on_a_terminal() -> None:
    progress, out = shown(is_terminal=True)
    with progress:
        progress(event("", "begin"))
        progress(event("[b]Trainer[/b]", "progress", done=3, total=6))
        time.sleep(0.3)
        progress(StageEnded("source", STARTED))
    text = out.getvalue()
    assert "━" in text
    assert "[b]Trainer[/b]" in text
    assert "0:00:00" in text
    assert "✓" in text
    assert "\x1b[?25h" in text  # the cursor is shown again


def test_many_progress_events_are_few_plain_lines() -> None:
    progress, out = shown(is_terminal=False)
    progress(event("", "begin"))
    for number in range(100):
        progress(event(f"row {number}", "progress"))
    assert len(out.getvalue().splitlines()) == 1


@pytest.mark.parametrize("variable", ["NO_COLOR"])
def test_no_color_is_respected(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "1")
    progress, out = shown(is_terminal=True)
    progress(event("", "begin"))
    progress(StageEnded("source", STARTED))
    assert "\x1b[32m" not in out.getvalue()
