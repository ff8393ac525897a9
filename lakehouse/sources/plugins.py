"""Finds the kind of source that a contract names: ours, or one of an installed package.

A package adds a kind with an entry point in the group ``goldlake.sources`` whose name is the kind
and whose object is a `lakehouse.sources.base.SourceKind`.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import entry_points

from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.sections import UseCase
from lakehouse.sources.base import Connector, DataSet, SourceKind

GROUP = "goldlake.sources"

OURS = {
    kind: f"lakehouse.sources.{kind}"
    for kind in ("documents", "files", "kafka", "police_uk", "rest", "socrata")
}
"""Modules of the kinds of source that are shipped, by kind."""


def kinds() -> list[str]:
    """The kinds of source there are, sorted."""
    return sorted({*OURS, *(e.name for e in entry_points(group=GROUP))})


def source_kind(kind: str) -> SourceKind:
    """A kind of source by its name.

    Raises:
        UsageError: There is none, or what the package gives is not a `SourceKind`.
    """
    if kind in OURS:
        found = import_module(OURS[kind]).KIND
    else:
        entries = [e for e in entry_points(group=GROUP) if e.name == kind]
        if not entries:
            raise UsageError(f"There is no kind of source {kind!r}", valid=", ".join(kinds()))
        found = entries[0].load()
    if not isinstance(found, SourceKind):
        raise UsageError(
            f"The entry point {kind!r} of {GROUP} gives {found!r}", valid="a SourceKind"
        )
    return found


def data_set(where: str, rows: int) -> DataSet | None:
    """The data set that an address names, of any kind of source, with its first records. Read-only.

    Args:
        where: An address, or any other place.
        rows: Most records to read.

    Raises:
        UsageError: The data set has no records.
        PermanentError: The source refuses.
        RetryableError: The source did not answer.
    """
    if not where.startswith(("http://", "https://")):
        return None
    found = (kind.data_set(where, rows) for kind in _usable())
    return next((each for each in found if each is not None), None)


def _usable() -> Iterator[SourceKind]:
    """The kinds of source whose libraries are installed."""
    for kind in kinds():
        try:
            yield source_kind(kind)
        except UsageError:
            continue


def connector(usecase: UseCase, address: str = "") -> Connector:
    """A connector for a use case's source, at ``address`` or at the contract's own."""
    return source_kind(usecase.source.kind).connector(usecase, address)
