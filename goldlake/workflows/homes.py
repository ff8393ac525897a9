"""Which home a command works on: one rule for all commands, and what was used last.

The first of these decides: ``--home``; ``GOLDLAKE_HOME``; ``home = "…"`` in a ``goldlake.toml`` of
the working directory or a folder above it; the home last used from the working directory;
``./var``.

Commands that write into a home remember it for the working directory in
``$XDG_STATE_HOME/goldlake/homes.json`` (by default ``~/.local/state``). That file is a convenience:
a command works without it, and whatever is wrong with it is as if nothing had been remembered.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from goldlake_core.contracts.errors import UsageError
from goldlake_core.storage.home import DEFAULT_HOME, DEMO_HOME, Home

VARIABLE = "GOLDLAKE_HOME"
FILE = "goldlake.toml"
MOST_REMEMBERED = 500


@dataclass(frozen=True)
class Chosen:
    """A home and what decided for it.

    Attributes:
        home: Home that the command works on.
        why: Words for people, such as ``last used from this folder``.
    """

    home: Home
    why: str

    @property
    def heading(self) -> str:
        """One line that names the home: its path, seen from here where that is shorter."""
        return f"home: {short(self.home.root)} ({self.why})"


def choose(given: str | None = None, default: str | None = None) -> Chosen:
    """The home of a command. Read-only.

    Args:
        given: What ``--home`` said, or None.
        default: A home that goes before the last used one and ``./var``, or None.

    Raises:
        UsageError: ``goldlake.toml`` cannot be read or has no usable ``home``.
    """
    if given:
        return Chosen(Home.at(given), "--home")
    if os.environ.get(VARIABLE):
        return Chosen(Home.at(os.environ[VARIABLE]), VARIABLE)
    configured = _configured()
    if configured is not None:
        return Chosen(Home.at(configured[0]), str(configured[1]))
    if default is not None:
        return Chosen(Home.at(default), "default of the embedded source")
    last = _remembered().get(str(Path.cwd()))
    if last is not None and holds_something(last):
        return Chosen(Home.at(last), "last used from this folder")
    return Chosen(Home.at(DEFAULT_HOME), "default")


def remember(home: Home) -> None:
    """Notes that a home was used from the working directory, for `choose`."""
    entries = _remembered()
    entries.pop(str(Path.cwd()), None)
    entries[str(Path.cwd())] = home.root
    kept = dict(list(entries.items())[-MOST_REMEMBERED:])
    with contextlib.suppress(OSError):
        folder = _state_file().parent
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=folder, delete=False, encoding="utf-8") as file:
            json.dump(kept, file, indent=1)
        os.replace(file.name, _state_file())


def elsewhere(home: Home) -> list[str]:
    """Other homes that hold something, as a person types them: those known here. Read-only."""
    known = [*reversed(_remembered().values()), DEFAULT_HOME, DEMO_HOME]
    roots = {Home.at(root).root: None for root in known}
    return [short(root) for root in roots if root != home.root and holds_something(root)]


def short(root: str) -> str:
    """A path as seen from the working directory, where it lies below it."""
    if "://" in root:
        return root
    relative = os.path.relpath(root)
    return root if relative.startswith("..") else relative


def holds_something(root: str) -> bool:
    """Whether there is a home that holds something; a remote one is taken at its word."""
    if "://" in root:
        return True
    return any(Path(root, part).is_dir() for part in ("tables", "landing", "models"))


def _configured() -> tuple[str, Path] | None:
    folder = Path.cwd()
    for place in (folder, *folder.parents):
        file = place / FILE
        if file.is_file():
            home = _read_toml(file).get("home")
            if not isinstance(home, str) or not home:
                raise UsageError(f"{file} has no usable home: {home!r}", valid='home = "FOLDER"')
            return (home if "://" in home else str(place / Path(home).expanduser())), file
    return None


def _read_toml(file: Path) -> Mapping[str, object]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} cannot be read: {error}", valid='home = "FOLDER"') from error


def _remembered() -> dict[str, str]:
    try:
        document = json.loads(_state_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(document, dict):
        return {}
    return {k: v for k, v in document.items() if isinstance(v, str)}


def _state_file() -> Path:
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base, "goldlake", "homes.json")
