"""Where artifacts of pipelines are: ML Metadata holds the paths that they were written to."""

from __future__ import annotations

from goldlake_core.storage.home import Home


def tail(uri: str) -> str:
    """The part of a path that is the same in every copy of a home; "" where there is none."""
    _, mark, rest = uri.rpartition("/pipelines/")
    return f"pipelines/{rest}" if mark else ""


def inside(home: Home, uri: str) -> str:
    """Where an artifact of a pipeline is in this copy of a home."""
    found = tail(uri)
    return home.path(found) if found else uri
