"""What the validation gate measured and decided, and what somebody accepted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from goldlake_core.documents.codec import FORMAT


class GateValue(msgspec.Struct, frozen=True, kw_only=True):
    """One statistic of a period, with its limit.

    Attributes:
        statistic: Name of the statistic, such as ``never_seen``.
        columns: The columns that it is about; none for the table as a whole.
        value: What was measured.
        low: Lowest value that is as usual, or null where low values always are.
        high: Highest value that is as usual.
        strain: How much of the limit's room the value takes; above 1 it is beyond the limit.
        stops: Whether a model reads the columns, so that a value beyond the limit stops the run.
        detail: The most conspicuous value, or "".
    """

    statistic: str
    columns: tuple[str, ...]
    value: float
    low: float | None
    high: float
    strain: float
    stops: bool
    detail: str = ""

    @property
    def is_beyond(self) -> bool:
        """Whether the value is beyond its limit."""
        return self.strain > 1


class PeriodVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate says of one period.

    Attributes:
        period: Name of the period, such as ``2016-12``.
        rows: Number of its rows.
        is_closed: Whether the period was over.
        has_limits: Whether limits follow from earlier periods; else only fixed ones were applied.
        earlier: Number of the earlier periods that it was compared with.
        values: Every measured value, the worst first.
    """

    period: str
    rows: int
    is_closed: bool
    has_limits: bool
    earlier: int
    values: tuple[GateValue, ...]

    @property
    def beyond(self) -> tuple[GateValue, ...]:
        """The values beyond their limits, the worst first."""
        return tuple(each for each in self.values if each.is_beyond)


class Acceptance(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody's word that what the gate found is right.

    Attributes:
        format: Format version of the file.
        run_id: The run whose findings are accepted.
        table: Id of the table.
        column: The column, or the statistic where the findings are about no column.
        periods: Names of the periods with such findings.
        because: Why it is right.
        who: Name of the user.
        at: When it was accepted, ISO 8601 in UTC.
    """

    format: int = FORMAT
    run_id: str
    table: str
    column: str
    periods: tuple[str, ...]
    because: str
    who: str
    at: str

    def covers(self, period: str, value: GateValue) -> bool:
        """Whether a finding of a period is accepted."""
        about = value.columns or (value.statistic,)
        return period in self.periods and self.column in about


class TableVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate said of a table in one run.

    Attributes:
        format: Format version of the file.
        run_id: The run that judged.
        table: Id of the table, such as ``bikes.silver.trips``.
        version: Version of the table.
        at: When it was judged, ISO 8601 in UTC.
        baseline: Number of the baseline that the counts are of.
        baseline_reason: Why that baseline was learned.
        periods: The periods that were judged, in their order.
        refused: Names of the periods with a finding that stops the run and that nobody accepted,
            of this run or an earlier one.
        accepted: What was accepted before.
    """

    format: int = FORMAT
    run_id: str
    table: str
    version: int
    at: str
    baseline: int
    baseline_reason: str
    periods: tuple[PeriodVerdict, ...]
    refused: tuple[str, ...] = ()
    accepted: tuple[Acceptance, ...] = ()


class PeriodState(msgspec.Struct, frozen=True, kw_only=True):
    """How a period stood when it was judged last.

    Attributes:
        mark: Digest of its rows and of what became of its records.
        rows: Number of its rows.
        is_closed: Whether it was over.
        ripe: Whether its labels were trusted: ``all``, ``some`` or ``none`` of them.
        run_id: The run that judged it.
        found: Findings that stop a run, accepted or not.
    """

    mark: str
    rows: int
    is_closed: bool
    ripe: str
    run_id: str
    found: tuple[GateValue, ...] = ()


class GateState(msgspec.Struct, frozen=True, kw_only=True):
    """How the gate stands at a table.

    Attributes:
        format: Format version of the file.
        table: Id of the table.
        baseline: Number of the baseline; 0 before the first.
        judged_at: When it was judged last, in seconds since 1970.
        run_id: The run that judged it last.
        periods: The periods by name.
    """

    format: int = FORMAT
    table: str
    baseline: int = 0
    judged_at: float = 0.0
    run_id: str = ""
    periods: dict[str, PeriodState] = {}


GateRow = Mapping[str, Any]
"""Some columns of a row."""


class FindingReport(msgspec.Struct, frozen=True, kw_only=True):
    """A value beyond its limit, with what a person needs to decide about it.

    Attributes:
        value: The value and its limit.
        accepted: Why it was accepted, or null.
        examples: Some rows that it is about; none where it is about no single rows.
        accept: What to write into the contract so that the value is inside its limit, as YAML;
            "" where no key does that.
    """

    value: GateValue
    accepted: str | None
    examples: tuple[GateRow, ...]
    accept: str


class PeriodReport(msgspec.Struct, frozen=True, kw_only=True):
    """A period as `goldlake validate` shows it.

    Attributes:
        verdict: Every measured value, the worst first.
        run_id: The run that judged it, or "" where none did.
        is_refused: Whether it stops a run.
        findings: The values beyond their limits, the worst first.
    """

    verdict: PeriodVerdict
    run_id: str
    is_refused: bool
    findings: tuple[FindingReport, ...]


class ValidationReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `goldlake validate` says of a table.

    Attributes:
        table: Id and version of the table.
        against: Version whose periods it was compared with; null for its own earlier periods.
        periods: The periods, the newest last.
    """

    table: str
    against: int | None
    periods: tuple[PeriodReport, ...]
