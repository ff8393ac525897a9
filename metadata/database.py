"""The SQLite file of ML Metadata as a file: copied while it is in use, and moved with its home."""

from __future__ import annotations

import contextlib
import posixpath
import sqlite3
from collections.abc import Iterator
from urllib.parse import quote

from goldlake_core.contracts.errors import StoreError
from goldlake_core.storage.home import Home

_TIMEOUT_S = 30.0
_PAGES_PER_STEP = 1024
_LIVE = 2
"""ML Metadata's number of `Artifact.LIVE`."""
# ML Metadata's columns that hold paths.
_PATHS = (
    ("Artifact", "uri"),
    ("ArtifactProperty", "string_value"),
    ("ExecutionProperty", "string_value"),
    ("ContextProperty", "string_value"),
)


def copy_database(home: Home, target: str) -> None:
    """Writes a consistent copy of the database, whoever writes to it meanwhile.

    Args:
        home: The home that holds the database.
        target: File of the copy; one that is there is replaced.

    Raises:
        StoreError: The database is damaged or stays locked.
    """
    try:
        with _opened(home) as source, contextlib.closing(sqlite3.connect(target)) as copy:
            source.backup(copy, pages=_PAGES_PER_STEP)
            copy.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        raise StoreError(
            f"{home.mlmd} cannot be copied: {error}", hint=f"goldlake doctor --home {home.root}"
        ) from error


def damage(home: Home, *, is_deep: bool = False) -> str | None:
    """What is wrong with the database, or None. Read-only.

    Args:
        home: The home that holds the database.
        is_deep: Whether the order of all its indexes is compared, too.
    """
    check = "integrity_check" if is_deep else "quick_check"
    try:
        with _opened(home) as database:
            (found,) = database.execute(f"PRAGMA {check}(1)").fetchone()
            database.execute("SELECT count(*) FROM Artifact").fetchone()
    except sqlite3.Error as error:
        return str(error)
    return None if found == "ok" else str(found)


def former_roots(home: Home) -> list[str]:
    """Places of this home before it was moved, as the paths of its artifacts tell. Read-only.

    An artifact lies in ``ROOT/pipelines/USECASE.MODEL/``. Another root is a former one where this
    home has that pipeline.
    """
    if not home.is_local or not home.fs.exists(home.mlmd):
        return []
    with contextlib.suppress(sqlite3.Error), _opened(home) as database:
        rows = database.execute(
            "SELECT uri FROM Artifact WHERE uri LIKE '%/pipelines/%' AND substr(uri, 1, ?) <> ?",
            (len(home.root) + 1, f"{home.root}/"),
        )
        found = {}
        for (uri,) in rows:
            root, _, rest = uri.partition("/pipelines/")
            pipeline = home.path("pipelines", rest.partition("/")[0])
            if root not in found:
                found[root] = posixpath.isabs(root) and home.fs.exists(pipeline)
        return [root for root, is_former in found.items() if is_former]
    return []


def rebase(home: Home, former: str) -> int:
    """Replaces a former root of the home in all paths, in one transaction. Writes; idempotent.

    Returns:
        Number of paths that were changed.

    Raises:
        StoreError: The database stays locked or cannot be written.
    """
    changed = 0
    old, new = f"{former}/", f"{home.root}/"
    try:
        with _opened(home, is_writer=True) as database, database:
            for table, column in _PATHS:
                changed += database.execute(
                    f"UPDATE {table} SET {column} = replace({column}, ?, ?) "
                    f"WHERE instr({column}, ?) > 0",
                    (old, new, old),
                ).rowcount
    except sqlite3.Error as error:
        raise StoreError(
            f"The paths in {home.mlmd} cannot be changed from {former} to {home.root}: {error}",
            hint="end what uses it, then the same command again",
        ) from error
    return changed


def live_uris(home: Home) -> set[str]:
    """URIs of all artifacts that are on record and not deleted; read-only, without MLMD's library.

    Returns:
        Nothing where there is no database, or where it cannot be read.
    """
    try:
        with _opened(home) as database:
            query = "SELECT uri FROM Artifact WHERE uri IS NOT NULL AND coalesce(state, 2) = ?"
            return {uri for (uri,) in database.execute(query, (_LIVE,))}
    except sqlite3.Error:
        return set()


class Names:
    """Names of the artifacts of a type, read without ML Metadata, which takes longer to import.

    Args:
        home: The home whose database is read; one without has no names.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._database: sqlite3.Connection | None = None

    def __enter__(self) -> Names:
        if self._home.is_local and self._home.fs.exists(self._home.mlmd):
            self._database = _connected(self._home)
        return self

    def __exit__(self, *exc: object) -> None:
        if self._database is not None:
            self._database.close()

    def has(self, kind: str, name: str) -> bool:
        """Whether an artifact of a type has a name."""
        return bool(self._read("= ?", kind, name))

    def between(self, kind: str, low: str, high: str) -> list[str]:
        """Names of the artifacts of a type from one to before another, in their order."""
        return self._read(">= ? AND Artifact.name < ?", kind, low, high)

    def _read(self, condition: str, *values: str) -> list[str]:
        if self._database is None:
            return []
        rows = self._database.execute(
            "SELECT Artifact.name FROM Artifact JOIN Type ON Type.id = Artifact.type_id "
            f"WHERE Type.name = ? AND Artifact.name {condition} ORDER BY Artifact.name",
            values,
        )
        return [name for (name,) in rows]


@contextlib.contextmanager
def _opened(home: Home, *, is_writer: bool = False) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(_connected(home, is_writer=is_writer)) as database:
        yield database


def _connected(home: Home, *, is_writer: bool = False) -> sqlite3.Connection:
    address = f"file:{quote(home.mlmd)}?mode={'rw' if is_writer else 'ro'}"
    return sqlite3.connect(address, uri=True, timeout=_TIMEOUT_S)
