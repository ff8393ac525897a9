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
    from goldlake_core.storage.home import Home

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


def accepts_rejected(command: Command) -> Command:
    """Adds ``--accept-rejected``."""
    text = "Accept any share of rejected records in this run."
    return click.option("--accept-rejected", is_flag=True, help=text)(command)


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


def reports(command: Command) -> Command:
    """Adds ``--home``, ``--json`` and ``--debug`` to a command that ends with `report`."""
    return home_option(json_option(report_errors(command)))


def report(
    document: Any,
    as_json: bool,
    printer: Callable[[Any], None],
    chosen: Chosen | None = None,
    *,
    is_empty: bool = False,
) -> None:
    """Prints a document as JSON, or for people: its home (if empty, others, too), and its text."""
    if as_json:
        printing.say_json(document)
        return
    if chosen is not None:
        from goldlake.workflows import homes

        printing.say((chosen.heading, "dim"))
        if is_empty and (others := homes.elsewhere(chosen.home)):
            held = ", ".join(others)
            printing.say(f"Homes that hold something: {held}. Next: --home {others[0]}")
    printer(document)


def used_home(given: str | None, default: str | None = None, *, is_made: bool = False) -> Home:
    """The home of a command that writes into it; later commands from this folder take it too.

    An empty home that the command would not make (``is_made``) is not remembered: it is refused.
    """
    from goldlake.workflows import homes

    home = homes.choose(given, default).home
    if is_made or homes.holds_something(home.root):
        homes.remember(home)
    return settled(home)


def settled(home: Home) -> Home:
    """A home whose documents say where it is now; those of one that was moved are made right."""
    from goldlake.workflows import relocate

    for root in relocate.settle(home):
        printing.say(
            f"{home.root} was moved or copied from {root}: models.config and ML Metadata name its "
            "new place now",
            is_error=True,
        )
    return home


def _remote_traceback(error: GoldlakeError) -> str:
    """The traceback of the process in which a stage failed, or nothing."""
    from goldlake.workflows.processes import StageFailed

    return error.error.traceback if isinstance(error, StageFailed) else ""


def _print_error(message: str, debug: bool) -> None:
    if debug:
        printing.say_lines(traceback.format_exc().rstrip("\n"), is_error=True)
    first, *others = message.split("\n")
    error = printing.styled(("error:", "bold red"), f" {first}")
    printing.say_all([error, *map(printing.styled, others)], is_error=True)


def _raise_terminated(number: int, frame: FrameType | None) -> None:
    raise Terminated
