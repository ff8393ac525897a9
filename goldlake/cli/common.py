"""What all commands share: options, errors to exit codes, JSON output."""

from __future__ import annotations

import functools
import signal
import sys
import traceback
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

import click

from goldlake.cli import printing
from goldlake_core.contracts.errors import GoldlakeError

if TYPE_CHECKING:
    from goldlake.workflows.homes import Chosen

Command = TypeVar("Command", bound=Callable[..., Any])

INTERRUPTED, TERMINATED = 130, 143


class Terminated(BaseException):
    """SIGTERM arrived. Like KeyboardInterrupt no Exception, so that only cleanup sees it."""


def home_option(command: Command) -> Command:
    """Adds ``--home``."""
    text = (
        "Folder or fsspec URL that holds everything. Without it: GOLDLAKE_HOME, goldlake.toml, the "
        "home last used from this folder, or ./var."
    )
    return click.option("--home", metavar="HOME", help=text)(command)


def json_option(command: Command) -> Command:
    """Adds ``--json``."""
    text = "Print one JSON document; logs go to standard error."
    return click.option("--json", "as_json", is_flag=True, help=text)(command)


def report_errors(command: Command) -> Command:
    """Adds ``--debug`` and turns errors into one line and an exit code."""

    @click.option("--debug", is_flag=True, help="Show tracebacks of errors.")
    @functools.wraps(command)
    def wrapped(*args: Any, debug: bool, **kwargs: Any) -> Any:
        signal.signal(signal.SIGTERM, _raise_terminated)
        try:
            return command(*args, **kwargs)
        except GoldlakeError as error:
            _print_error(error.message, debug)
            if debug and (remote := _remote_traceback(error)):
                printing.say_lines(remote, is_error=True)
            sys.exit(error.exit_code)
        except (KeyboardInterrupt, click.Abort):
            printing.say("interrupted; what was finished is kept", is_error=True)
            sys.exit(INTERRUPTED)
        except Terminated:
            printing.say("terminated; what was finished is kept", is_error=True)
            sys.exit(TERMINATED)
        except click.ClickException:
            raise
        except Exception as error:
            _print_error(f"{type(error).__name__}: {error}", debug)
            sys.exit(1)

    return wrapped  # type: ignore[return-value]


def print_json(document: Any) -> None:
    """Prints one JSON document on standard output."""
    click.echo(printing.json_text(document))


def _remote_traceback(error: GoldlakeError) -> str:
    """The traceback of the process in which a stage failed, or nothing."""
    from goldlake.workflows.processes import StageFailed

    return error.error.traceback if isinstance(error, StageFailed) else ""


def print_home(chosen: Chosen, *, is_empty: bool = False) -> None:
    """Prints which home is shown and, where it is empty, which others hold something."""
    from goldlake.workflows import homes

    printing.say((chosen.heading, "dim"))
    others = homes.elsewhere(chosen.home) if is_empty else []
    if others:
        printing.say(f"Homes that hold something: {', '.join(others)}. Next: --home {others[0]}")


def _print_error(message: str, debug: bool) -> None:
    if debug:
        printing.say_lines(traceback.format_exc().rstrip("\n"), is_error=True)
    first, *others = message.split("\n")
    printing.say(("error:", "bold red"), f" {first}", is_error=True)
    for line in others:
        printing.say(line, is_error=True)


def _raise_terminated(number: int, frame: FrameType | None) -> None:
    raise Terminated
