"""Progress of stages: a live line on a terminal, plain lines elsewhere; always standard error."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.status import Status

from goldlake.workflows.processes import StageEnded
from goldlake_core.documents.stages import Event, Stage

Summary = Callable[[Any], str]

# Between two plain lines of one stage's progress, so that a log stays readable.
PLAIN_INTERVAL_S = 5.0


class Progress:
    """Prints one line per finished stage and, on a terminal, what the running one does.

    Args:
        summaries: Per stage, the text of its result.
        is_quiet: Print nothing at all.
    """

    def __init__(self, summaries: dict[Stage, Summary], is_quiet: bool = False) -> None:
        self._summaries = summaries
        self._console = Console(stderr=True, quiet=is_quiet, highlight=False)
        self._status: Status | None = None
        self._started = 0.0
        self._said = 0.0
        self._stage = ""

    def __call__(self, event: Event | StageEnded) -> None:
        """Takes one event of `goldlake.workflows.processes`."""
        if isinstance(event, StageEnded):
            self._end(event.stage, event.result)
        elif event.kind == "begin":
            self._begin(event.stage)
        else:
            self._show(event.message, event.kind)

    def close(self) -> None:
        """Takes the live line away, after an error too."""
        if self._status is not None:
            self._status.stop()
            self._status = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *details: Any) -> None:
        self.close()

    def _begin(self, stage: str) -> None:
        self.close()
        self._stage, self._started = stage, time.monotonic()
        if self._console.is_terminal:
            self._status = self._console.status(f"{stage:<8}")
            self._status.start()

    def _show(self, message: str, kind: str) -> None:
        if self._status is not None and kind != "gate":
            self._status.update(f"{self._stage:<8} [dim]{message}[/dim]")
        elif kind != "progress" or time.monotonic() - self._said >= PLAIN_INTERVAL_S:
            self._said = time.monotonic()
            mark = "[yellow]gate[/yellow]" if kind == "gate" else "[dim]·[/dim]"
            self._console.print(f"    {self._stage:<8} {mark} {message}", soft_wrap=True)

    def _end(self, stage: Stage, result: Any) -> None:
        self.close()
        seconds = time.monotonic() - self._started
        text = self._summaries[stage](result) if stage in self._summaries else ""
        line = f"  [green]✓[/green] {stage:<8} [dim]{seconds:6.1f} s[/dim]  {text}"
        self._console.print(line, soft_wrap=True)
