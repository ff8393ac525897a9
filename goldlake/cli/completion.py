"""What a shell may complete: use cases, models and versions, read from files only.

A completion that fails offers nothing: a broken home must not print into a person's prompt.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import click
from click.shell_completion import CompletionItem


def usecases(
    context: click.Context, parameter: click.Parameter, typed: str
) -> list[CompletionItem]:
    """Names of use cases."""
    from goldlake_core.contracts.registry import usecase_names

    return _items(usecase_names, typed)


def models(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Models of the known use cases."""
    return _items(_models, typed)


def versions(
    context: click.Context, parameter: click.Parameter, typed: str
) -> list[CompletionItem]:
    """Models, and their pushed versions after an ``@``."""
    if "@" in typed:
        return _items(lambda: _versions(typed.partition("@")[0], context), typed)
    return _items(_models, typed)


def tables(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Tables that the home holds."""
    return _items(lambda: _tables(context), typed)


def _items(names: Callable[[], Iterable[str]], typed: str) -> list[CompletionItem]:
    with contextlib.suppress(Exception):
        return [CompletionItem(name) for name in names() if name.startswith(typed)]
    return []


def _models() -> Iterator[str]:
    from goldlake.workflows.names import contract_models

    return contract_models()


def _home(context: click.Context) -> Path:
    from goldlake.workflows import homes

    return Path(homes.choose(context.params.get("home")).home.root)


def _versions(model: str, context: click.Context) -> Iterator[str]:
    folders = Path(_home(context), "models", model).iterdir()
    for number in sorted(int(folder.name) for folder in folders if folder.name.isdecimal()):
        yield f"{model}@{number}"


def _tables(context: click.Context) -> Iterator[str]:
    for log in sorted(Path(_home(context), "tables").glob("*/*/*/_delta_log")):
        yield ".".join(log.parts[-4:-1])
