"""The client's command: predict."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import click

from goldlake.cli import completion
from goldlake.cli.common import json_option, report_errors
from goldlake.cli.printing import say, say_json, say_json_lines

if TYPE_CHECKING:
    from goldlake.workflows.predict import OnProgress
    from serving.client import Share

_SHOWN_EVERY_S = 5.0
_BAR_EVERY_S = 0.2
# What ends before, or has no more answers, shows no progress and imports nothing for it.
_QUIET_S = 1.0
_QUIET_COUNT = 256


@click.command()
@click.argument("model", shell_complete=completion.versions)
@click.option(
    "--input",
    "source",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    default="-",
    metavar="FILE|-",
    help='Rows: {"instances": […]}, a JSON list, JSON lines, CSV or Parquet; gzipped, too.',
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["jsonl", "csv", "parquet"]),
    help="Format of the rows, where the name of the file does not say it.",
)
@click.option("--url", default="http://127.0.0.1:8501", show_default=True, metavar="URL")
@click.option("--label", metavar="L", help="Ask the version with this label.")
@click.option("--share", metavar="L=N", help="Ask label L about N percent of the rows.")
@click.option("--signature", "signature_name", metavar="S", help="Ask this signature.")
@click.option("--out", metavar="FILE", help="Write to .jsonl, .csv or .parquet; all or nothing.")
@click.option("--keep", metavar="COLUMN", multiple=True, help="Repeat a column in the answers.")
@click.option("--record-key", metavar="COLUMN", help="Column that goes into the request log only.")
@click.option("--batch-rows", type=click.IntRange(1, 100_000), default=256, show_default=True)
@click.option("--timeout", "timeout_s", type=click.FloatRange(0.001), default=60.0, help="Seconds.")
@click.option("--token-file", metavar="FILE", help="Bearer token to send.")
@click.option("--ca-file", metavar="FILE", help="Certificates to trust in place of the system's.")
@json_option
@report_errors
def predict(model: str, out: str | None, share: str | None, as_json: bool, **options: Any) -> None:
    """Ask a served model; a missing key of a row travels as its contract says."""
    from goldlake.workflows import answer_files
    from goldlake.workflows.predict import Question, answers
    from goldlake_core.documents.reports import Predictions

    if out is not None:
        answer_files.check_path(out)
    question = Question(model, share=_share(share), **options)
    with _progress(is_shown=out is not None or not sys.stdout.isatty()) as progress:
        found = answers(question, sys.stdin.buffer, progress)
        if out is not None:
            count = answer_files.write_all(out, found)
        elif as_json:
            document = Predictions(predictions=tuple(found))
        else:
            say_json_lines(found)
    if out is not None:
        say(f"{count:,} answers are in {out}", is_error=as_json)
    elif as_json:
        say_json(document)


def _share(text: str | None) -> Share | None:
    from goldlake_core.contracts.errors import UsageError
    from serving.client import Share

    if text is None:
        return None
    label, _, percent = text.partition("=")
    try:
        if not label:
            raise ValueError("no label")
        return Share(label, float(percent.removesuffix("%")) / 100)
    except ValueError as error:
        raise UsageError(
            f"--share {text} names no label and percentage", valid="such as canary=10"
        ) from error


class _progress:
    """Tells on standard error how far it is: a bar on a terminal, a line now and then elsewhere."""

    def __init__(self, *, is_shown: bool) -> None:
        self._is_shown = is_shown
        self._started = self._next = time.monotonic()
        self._next += _QUIET_S
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> OnProgress:
        return self._tell

    def __exit__(self, *details: Any) -> None:
        if self._bar is not None:
            self._bar.stop()

    def _tell(self, count: int, share: float | None) -> None:
        now = time.monotonic()
        if not self._is_shown or now < self._next or count <= _QUIET_COUNT:
            return
        if not sys.stderr.isatty():
            self._next = now + _SHOWN_EVERY_S
            part = "" if share is None else f", {share:.0%} of the input"
            say(f"  {count:,} answers{part}", is_error=True)
            return
        self._next = now + _BAR_EVERY_S
        if self._bar is None:
            self._bar = _bar()
            self._bar.start()
            self._task = self._bar.add_task("", total=None if share is None else 1.0)
        each_s = count / (now - self._started)
        text = f"{count:,} answers, {each_s:,.0f} a second"
        self._bar.update(self._task, completed=share or 0, description=text)


def _bar() -> Any:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from goldlake.cli.printing import console

    columns = (BarColumn(bar_width=20), TimeElapsedColumn(), TextColumn("{task.description}"))
    return Progress(*columns, console=console(is_error=True), transient=True)
