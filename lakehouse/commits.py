"""What a commit of bronze and silver was made from: stored with it, read without a JVM.

There is no other record of progress. A table that was moved, restored or lost stands at the
sequence that its newest commit names, or at 0.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from goldlake_core.contracts.errors import StoreError
from goldlake_core.documents.lakehouse import Fates
from goldlake_core.storage import deltalog
from goldlake_core.storage.deltalog import DeltaLog, Snapshot
from lakehouse.specs import FATES

THROUGH, AFTER = "through", "after"
NO_RECORDS = Fates(landed=0, **dict.fromkeys(FATES, 0))


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """What a commit was made from.

    Attributes:
        through: Sequence of the last page whose records the table holds.
        run_id: Run that wrote it.
        restore: Run of the restore of the landing zone that the table has followed, or "".
    """

    through: int = 0
    run_id: str = ""
    restore: str = ""


class BronzeCommit(Commit, frozen=True, kw_only=True):
    """A commit of bronze.

    Attributes:
        rows: Number of rows that the table holds with it.
    """

    rows: int = 0


class VersionsCommit(Commit, frozen=True, kw_only=True):
    """A commit of the table of versions.

    Attributes:
        bronze: Delta's id of the bronze table that was read.
        totals: Records of the epoch by fate.
        batch: Records of this commit by fate.
        reasons: Number of quarantined records of this commit by reason code.
    """

    bronze: str = ""
    totals: Fates = NO_RECORDS
    batch: Fates = NO_RECORDS
    reasons: dict[str, int] = {}


class SilverCommit(Commit, frozen=True, kw_only=True):
    """A commit of silver.

    Attributes:
        versions: Delta's id of the table of versions that it derives from.
        totals: Records of the epoch by fate, as that table had them.
        after: Sequence of the last page that silver held before; None where the commit did
            something else than to take in the pages after it.
    """

    versions: str = ""
    totals: Fates = NO_RECORDS
    after: int | None = None


C = TypeVar("C", bound=Commit)


def newest(uri: str, kind: type[C]) -> C:
    """The newest of our commits of the table at a location, or an empty one.

    Raises:
        StoreError: The log was shortened so that none is left, and the table holds rows.
    """
    log = DeltaLog(uri)
    versions = log.versions()
    commit = log.last_commit_with(THROUGH) if versions else None
    if commit is None and versions and versions[0] > 0 and log.snapshot().rows:
        # Taken as a new table, it would get all records once more.
        raise StoreError(
            f"The log of the table at {uri} was shortened by another program, and does not say any "
            "more which pages the table holds",
            hint="restore its folder _delta_log from a copy of the home",
        )
    return kind() if commit is None else decoded(commit, kind)


def decoded(commit: deltalog.Commit, kind: type[C]) -> C:
    """What was stored with a commit of ours."""
    return msgspec.convert(commit.metadata, kind)


def metadata(commit: Commit) -> dict[str, object]:
    """A commit as what Delta keeps with it."""
    plain: dict[str, object] = msgspec.to_builtins(commit)
    return plain


def application(table: Snapshot, layer: str) -> str:
    """Id under which Delta keeps the number of a write, which it does not do twice.

    Two writers that see the same version write once. A table that went back, as after a restore,
    has another version, so that the pages that come again are written again.
    """
    return f"{table.uuid}:{layer}:{table.version}"


def added(one: Fates, other: Fates) -> Fates:
    """The sum of two accounts."""
    return Fates(
        **{name: getattr(one, name) + getattr(other, name) for name in one.__struct_fields__}
    )
