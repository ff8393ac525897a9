"""The state of silver that a gold version reflects; each commit of a gold table stores it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, time, timedelta, tzinfo
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec

from goldlake_core.contracts.column_types import TIMES
from goldlake_core.contracts.hashing import section_hash
from goldlake_core.contracts.sections import UseCase
from goldlake_core.contracts.sql_rules import quoted
from goldlake_core.instants import of_micros, utc_text
from goldlake_core.storage.deltalog import Commit, DeltaLog, Snapshot
from lakehouse import commits, delta, specs
from lakehouse.commits import SilverCommit

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SILVER_VERSION = "silver_version"
# In a commit that changed no row: the version that the rows have had since.
ROWS_OF = "rows_of"


@dataclass(frozen=True)
class Basis:
    """The state of silver that a gold version reflects; stored with its commit.

    Attributes:
        silver_version: Version of the silver table that it was made from.
        silver_uuid: Delta id of that table.
        as_of: Newest change at the source that silver holds (ISO 8601, UTC).
        event_end: Midnight after the newest event, by the publisher's clock (ISO 8601, UTC).
        run_id: Run that made it.
        epoch: Epoch of that silver table; 0 in commits of earlier versions of goldlake.
        through: Sequence of the last page whose records silver holds.
        silver_contract: Hash of the contract's section ``silver``.
        gold_contract: Hash of what decides the table's rows; see `specs.gold_hash`.
        clusters: By cluster of the table what names the fits that numbered its rows.
    """

    silver_version: int
    silver_uuid: str
    as_of: str
    event_end: str
    run_id: str
    epoch: int = 0
    through: int = 0
    silver_contract: str = ""
    gold_contract: str = ""
    clusters: Mapping[str, str] = field(default_factory=dict)

    @property
    def metadata(self) -> dict[str, object]:
        """What is stored with a commit; a table without clusters says nothing of them."""
        return {name: value for name, value in asdict(self).items() if value != {}}


def basis_of(commit: Commit) -> Basis:
    """The basis stored with a gold commit."""
    return msgspec.convert(commit.metadata, Basis)


def basis_of_silver(
    spark: SparkSession, usecase: UseCase, silver: Snapshot, epoch: int, run_id: str
) -> Basis | None:
    """The basis of tables made of a silver version; None where silver has no row."""
    from pyspark.sql import functions as F

    contract = usecase.silver
    known = F.max(specs.KNOWN_FROM)
    # A version that lies ahead of the clock says nothing about the state of knowledge. If the
    # version column is a counter, use the time at which the version became known.
    is_time = bool(contract.version) and contract.column(contract.version).type in TIMES
    newest = F.max(F.col(quoted(contract.version)).cast("timestamp")) if is_time else known
    # What has no event time is as old as its landing.
    event = F.max(F.col(quoted(contract.event_time or specs.KNOWN_FROM)).cast("timestamp"))
    micros = (F.unix_micros(F.least(newest, known)), F.unix_micros(event))
    as_of, event = delta.read(spark, silver.uri, silver.version).agg(*micros).collect()[0]
    if event is None:
        return None
    zone = event_zone(usecase)
    next_day = of_micros(event).astimezone(zone).date() + timedelta(days=1)
    event_end = datetime.combine(next_day, time.min, tzinfo=zone)
    return Basis(
        silver.version,
        silver.uuid,
        utc_text(of_micros(as_of), "microseconds"),
        utc_text(event_end, "microseconds"),
        run_id,
        epoch,
        commits.newest(silver.uri, SilverCommit).through,
        section_hash(contract),
    )


def basis_of_empty(
    spec: specs.TableSpec, usecase: UseCase, silver: Snapshot, epoch: int, run_id: str
) -> Basis | None:
    """The basis where silver lost its last row: the times are those of what gold holds.

    Returns:
        The basis, or None where gold never held a row.
    """
    commit = DeltaLog(spec.uri).last_commit_with(SILVER_VERSION)
    if commit is None:
        return None
    return replace(
        basis_of(commit),
        silver_version=silver.version,
        silver_uuid=silver.uuid,
        run_id=run_id,
        epoch=epoch,
        through=commits.newest(silver.uri, SilverCommit).through,
        silver_contract=section_hash(usecase.silver),
    )


def event_zone(usecase: UseCase) -> tzinfo:
    """Time zone that event times are published in; UTC if the contract does not name one."""
    event_time = usecase.silver.event_time
    return ZoneInfo(usecase.silver.column(event_time).time_zone or "UTC" if event_time else "UTC")
