"""What may not leave this machine in a compiled pipeline: its paths, and the secrets it knows."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from goldlake_core.contracts.addresses import Hidden
from goldlake_core.contracts.errors import PermanentError
from goldlake_core.contracts.sections import UseCase
from goldlake_core.storage.home import Home

LEAST_SECRET = 8
"""Shorter values are found in any text by chance."""
_SECRET = re.compile(r"TOKEN|SECRET|PASSW|CREDENTIAL|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY", re.I)


def require_no_paths(text: str, places: Iterable[str]) -> None:
    """Refuses a text that holds a path of this machine.

    Args:
        text: The pipeline without what its profile says of the containers.
        places: Folders of this machine.

    Raises:
        PermanentError: A path at or below one of the folders is in it.
    """
    for place in dict.fromkeys(place.rstrip("/") for place in places):
        found = re.search(re.escape(place) + r"(?![\w.-])[^\s\"'\\,]*", text) if place else None
        if found is not None:
            raise PermanentError(
                f"The pipeline would hold {found[0]}, a path of this machine that its containers "
                "do not have",
                valid="paths relative to the folder of the use case or to the home",
                hint="look in the model's file and in its functions (parts) for that path",
            )


def require_no_secrets(text: str, secrets: Mapping[str, str]) -> None:
    """Refuses a text that holds the value of a variable.

    Args:
        text: The whole pipeline.
        secrets: Values by the name of their environment variable.

    Raises:
        PermanentError: The value of one is in it; the message names the variable only.
    """
    for name, value in secrets.items():
        if len(value) >= LEAST_SECRET and value in text:
            raise PermanentError(
                f"The pipeline would hold the value of the environment variable {name}, and "
                "everybody who sees the pipeline could read it",
                valid="credentials that the cluster gives to the containers",
                hint="look in the model's file and in its functions (parts) for that value",
            )


def places_of(home: Home, usecase: UseCase) -> tuple[str, ...]:
    """Folders of this machine that a pipeline could name: data, use case, code, Python, person."""
    code = Path(__file__).resolve().parents[1]
    own = [usecase.folder.resolve(), code, Path(sys.prefix), Path.home()]
    # A folder at the top, such as /root, is a part of too many texts; what lies in it is not.
    below = [str(place) for place in own if len(place.parts) > 2]
    return (*([home.root] if home.is_local else []), *below)


def secrets_of(usecase: UseCase, environment: Mapping[str, str]) -> dict[str, str]:
    """Values that are secret: those that the contract names, and those whose name says so.

    Args:
        usecase: The use case.
        environment: Environment variables of this process.
    """
    named = {name for name in environment if _SECRET.search(name)} | set(_variables(usecase))
    return {name: environment[name] for name in sorted(named & set(environment))}


def _variables(usecase: UseCase) -> Iterator[str]:
    rest, notify = usecase.source.rest, usecase.notify
    if rest is not None and rest.auth is not None:
        yield rest.auth.env
    hidden: list[Hidden | None] = [rest.proxy if rest is not None else None]
    if notify is not None:
        hidden += [notify.webhook, *notify.headers.values()]
    yield from (each.env for each in hidden if each is not None and each.env)
