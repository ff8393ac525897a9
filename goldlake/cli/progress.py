"""Progress of stages on standard error: a live bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.text import Text

from goldlake.cli.printing import console, printable
from goldlake.workflows.processes import StageEnded
from goldlake_core.documents import codec
from goldlake_core.documents.stages import Event, Stage

Summary = Callable[[Any], str]

# Between two plain lines of one stage's progress, so that a log stays readable.
PLAIN_INTERVAL_S = 5.0


class Progress:
    """Prints one line per finished stage and, on a terminal, what the running one does.

    The bar shows the share that is done where the stage says of how much; else it pulses.

    Args:
        summaries: Per stage, the text of its result.
        out: Where to print; None: standard error.
        as_json_lines: Whether each event is printed as one line of JSON instead.
    """

    def __init__(
        self,
        summaries: dict[Stage, Summary],
        out: Console | None = None,
        *,
        as_json_lines: bool = False,
    ) -> None:
        self._summaries = summaries
        self._as_json_lines = as_json_lines
        self._console = out or console(is_error=True)
        self._bars: Bars | None = None
        self._task = TaskID(0)
        self._started = 0.0
        self._said = 0.0
        self._stage = ""

    def __call__(self, event: Event | StageEnded) -> None:
        """Takes one event of `goldlake.workflows.processes`."""
        if self._as_json_lines:
            if isinstance(event, Event):
                self._console.out(codec.encode_line(event).decode(), end="", highlight=False)
        elif isinstance(event, StageEnded):
            self._end(event.stage, event.result)
        elif event.kind == "begin":
            self._begin(event.stage)
        else:
            self._show(event)

    def close(self) -> None:
        """Takes the live line away, after an error too."""
        if self._bars is not None:
            self._bars.stop()
            self._bars = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *details: Any) -> None:
        self.close()

    def _begin(self, stage: str) -> None:
        self.close()
        self._stage, self._started = stage, time.monotonic()
        if self._console.is_terminal:
            self._bars = Bars(
                TextColumn("  {task.fields[stage]:<8}", markup=False),
                BarColumn(bar_width=20),
                TimeElapsedColumn(),
                TextColumn("{task.description}", markup=False, style="dim"),
                console=self._console,
                transient=True,
            )
            self._bars.start()
            self._task = self._bars.add_task("", total=None, stage=stage)

    def _show(self, event: Event) -> None:
        message = printable(event.message)
        if self._bars is not None and event.kind != "gate":
            self._bars.update(
                self._task, description=message, total=event.total, completed=event.done or 0
            )
        elif event.kind != "progress" or time.monotonic() - self._said >= PLAIN_INTERVAL_S:
            self._said = time.monotonic()
            mark = ("gate", "yellow") if event.kind == "gate" else ("·", "dim")
            line = Text.assemble(f"    {self._stage:<8} ", mark, " ", message)
            self._console.print(line, soft_wrap=True)

    def _end(self, stage: Stage, result: Any) -> None:
        self.close()
        seconds = f"{time.monotonic() - self._started:6.1f} s"
        text = self._summaries[stage](result) if stage in self._summaries else ""
        done = Text.assemble("  ", ("✓", "green"), f" {stage:<8} ", (seconds, "dim"), "  ")
        self._console.print(done.append(printable(text)), soft_wrap=True)
