"""Finds the kind of source that a contract names: ours, or one of an installed package.

A package adds a kind with an entry point in the group ``goldlake.sources`` whose name is the kind
and whose object is a `goldlake.sources.base.Plugin`.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points

from goldlake.contracts.errors import UsageError
from goldlake.contracts.usecase import UseCase
from goldlake.sources.base import Connector, Plugin

GROUP = "goldlake.sources"

_OURS = {"files": "goldlake.sources.files", "socrata": "goldlake.sources.socrata.plugin"}


def kinds() -> list[str]:
    """The kinds of source there are, sorted."""
    return sorted({*_OURS, *(e.name for e in entry_points(group=GROUP))})


def plugin(kind: str) -> Plugin:
    """The plug-in of a kind.

    Raises:
        UsageError: There is none, or what the package gives is no plug-in.
    """
    if kind in _OURS:
        found = import_module(_OURS[kind]).PLUGIN
    else:
        entries = [e for e in entry_points(group=GROUP) if e.name == kind]
        if not entries:
            raise UsageError(f"There is no kind of source {kind!r}", valid=", ".join(kinds()))
        found = entries[0].load()
    if not isinstance(found, Plugin):
        raise UsageError(f"The entry point {kind!r} of {GROUP} gives {found!r}", valid="a Plugin")
    return found


def connector(usecase: UseCase, address: str = "") -> Connector:
    """A connector for a use case's source, at ``address`` or at the contract's own."""
    return plugin(usecase.source.kind).connector(usecase, address)
