"""How the lakehouse's validation gate stands at the tables: part of section 3."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from markupsafe import Markup

from goldlake.workflows import validate
from goldlake.workflows.report.gathered import Gathered
from goldlake.workflows.report.markup import (
    State,
    badge,
    command,
    counted,
    folded,
    joined,
    number,
    paragraph,
    table,
    words,
)
from goldlake_core.contracts.errors import GoldlakeError
from goldlake_core.contracts.ids import TableId
from goldlake_core.documents.gate import FindingReport, GateValue
from goldlake_core.storage.gatefiles import GateFiles, tables_of

MOST_FINDINGS, MOST_EXAMPLES = 20, 10


@dataclass(frozen=True)
class Standing:
    """What the gate says.

    Attributes:
        lead: The sentence that a reviewer needs first.
        state: Whether something stops a run.
        body: Tables and findings of the gate.
    """

    lead: str
    state: State
    body: Markup


@dataclass(frozen=True)
class _Finding:
    table: TableId
    period: str
    value: GateValue
    because: str


def standing(found: Gathered) -> Standing:
    """How the gate stands at the tables of a use case. Read-only."""
    rows, findings, total = [], [], 0
    for name in tables_of(found.home, found.usecase.name):
        files = GateFiles(found.home, name)
        periods, accepted = files.state().periods, files.acceptances()
        for period, state in periods.items():
            for value in state.found:
                because = next((a.because for a in accepted if a.covers(period, value)), "")
                findings.append(_Finding(name, period, value, because))
        beyond = sum(bool(state.found) for state in periods.values())
        total += len(periods)
        rows.append((str(name), f"{len(periods):,}", f"{beyond:,}"))
    if not rows:
        lead = "The validation gate of the lakehouse has no record in this home"
        has_time = bool(found.usecase.silver.event_time)
        lead += "." if has_time else ", as it judges periods and silver has no event time."
        return Standing(lead, "plain", Markup())
    open_ones = sum(not each.because for each in findings)
    judged, tables = counted(total, "period"), counted(len(rows), "table")
    found_open = counted(open_ones, "open finding") if open_ones else "no open finding"
    lead = f"The lakehouse's gate judged {judged} of {tables}; {found_open}."
    head = ("Table", "Periods judged", "with findings")
    body = [table("The lakehouse's validation gate", head, rows, (1, 2))]
    if findings:
        body.append(_findings(findings))
    if open_ones:
        body.append(_examples(found, {each.table for each in findings if not each.because}))
    body.append(command(f"goldlake validate {rows[0][0]}"))
    return Standing(lead, "bad" if open_ones else "good", joined(body))


def _findings(findings: list[_Finding]) -> Markup:
    worst = sorted(findings, key=lambda each: (bool(each.because), -each.value.strain))
    rows = [
        (
            ", ".join(each.value.columns) or "whole table",
            str(each.table),
            each.period,
            words(each.value.statistic),
            number(each.value.value),
            f"{number(each.value.low)} to {number(each.value.high)}",
            each.value.detail,
            badge(f"accepted: {each.because}", "plain") if each.because else badge("open", "bad"),
        )
        for each in worst[:MOST_FINDINGS]
    ]
    head = ("Column", "Table", "Period", "Statistic", "Found", "Usual", "Detail", "State")
    shown = table("Findings, the worst first", head, rows, (4,))
    more = len(findings) - len(rows)
    return shown + paragraph(f"{more} more are not shown.", "soft") if more else shown


def _examples(found: Gathered, tables: set[TableId]) -> Markup:
    """Rows that open findings are about, as `goldlake validate` shows them."""
    shown, problems = [], []
    for name in sorted(tables, key=str):
        try:
            report = validate.judged(found.usecase, name, found.home)
        except GoldlakeError as error:
            problems.append(f"The rows of {name} cannot be shown: {str(error).rstrip('.')}.")
            continue
        for period in report.periods:
            for each in period.findings:
                if each.accepted is None and each.examples:
                    shown.append(_rows(name, period.verdict.period, each))
    body = [*shown[:MOST_EXAMPLES], *(paragraph(text, "soft") for text in problems)]
    if not body:
        return paragraph("The findings are about no single rows.", "soft")
    return folded("Rows that open findings are about", joined(body)) if shown else joined(body)


def _rows(name: TableId, period: str, finding: FindingReport) -> Markup:
    value = finding.value
    about = ", ".join(value.columns) or "whole table"
    detail = f" {value.detail}" if value.detail else ""
    caption = f"{name}, {period}, {about}: {words(value.statistic)}{detail}"
    head = list(finding.examples[0])
    return table(caption, head, (list(_texts(row.values())) for row in finding.examples))


def _texts(values: Iterable[object]) -> Iterator[str]:
    """Values of a row as texts; an instant has no offset, as all are of UTC."""
    for value in values:
        yield "–" if value is None else str(value).removesuffix("+00:00")
