"""Another try of the records in quarantine, under a contract that changed since."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from goldlake.workflows.history import recorded
from goldlake.workflows.processes import OnEvent, Run
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import Silver, UseCase
from goldlake_core.contracts.sql_rules import JSON_INVALID
from goldlake_core.documents.replay import ReplayReport
from goldlake_core.documents.stages import RefineRequest
from goldlake_core.storage.home import Home
from lakehouse import epochs
from lakehouse.changes import ChangedKey
from lakehouse.quarantine import reasons_by_record

Records = Mapping[tuple[int, int], tuple[str, ...]]
"""Reason codes of each record in quarantine, by the number of its page and its line."""


@recorded("quarantine replay")
def replay(usecase: str, home: Home, is_dry_run: bool, on_event: OnEvent) -> ReplayReport:
    """Decides anew on all records where the contract changed so that some may be let in.

    It is the rebuild that the changed contract asks for: the tables that are there answer until the
    new ones are whole. Without such a change nothing is run, and the report says why.

    Args:
        usecase: Name or path of the use case.
        home: Where everything is kept.
        is_dry_run: Whether to say only what would be tried.
        on_event: Called with the stage's events.

    Raises:
        UsageError: Nothing was refined yet.
        StageFailed: The stage ended with an error.
    """
    contract = load_usecase(usecase)
    before = reasons_by_record(contract.name, home)
    plan = epochs.plan(contract, home, has_tables_of_before=True)
    concerned = [
        record
        for record, codes in before.items()
        if any(concerns(change, code, contract.silver) for change in plan.changes for code in codes)
    ]
    report = ReplayReport(
        usecase=contract.name,
        home=home.root,
        dry_run=is_dry_run,
        why=_why_not(contract, before, plan, concerned),
        changes=tuple(map(str, plan.changes)),
        quarantined=len(before),
        reasons=_counts(before.values()),
        concerned=len(concerned),
        epoch=epochs.current(home, contract.name),
    )
    if report.why or is_dry_run:
        return report
    run = Run.new(home)
    request = run.request(RefineRequest, usecase, contract)
    run.stages("lakehouse", [request], on_event)
    after = reasons_by_record(contract.name, home)
    return msgspec.structs.replace(
        report,
        run_id=run.run_id,
        let_in=len(before.keys() - after.keys()),
        stayed=_counts(after[record] for record in before.keys() & after.keys()),
        rejected=len(after.keys() - before.keys()),
        epoch=epochs.current(home, contract.name),
    )


def concerns(change: ChangedKey, code: str, silver: Silver) -> bool:
    """Whether a changed key may decide on a reason code.

    A column's key decides on the column's codes and on those of the rules that name the column. A
    change of the key, the version or the event time decides on the codes of the columns that it
    names. Nothing in a contract decides on what is not JSON.
    """
    if code == JSON_INVALID or change.consequence == "follow":
        return False
    _, section, *names = change.key.split(".")
    if section == "checks" and names:
        return code == names[0]
    columns = (
        names[:1] if section == "columns" else re.findall(r"\w+", change.before + change.after)
    )
    rules = {check.code: check.expect for check in silver.checks}
    for column in columns:
        is_named = re.search(rf"\b{re.escape(column)}\b", rules.get(code, ""))
        if code.startswith(f"{column}.") or is_named:
            return True
    return False


def _why_not(
    usecase: UseCase, before: Records, plan: epochs.Plan, concerned: Sequence[object]
) -> str | None:
    """Why another try would come to the same, or None."""
    if not before:
        return "nothing is in quarantine"
    if plan.is_current and not plan.changes:
        return "the contract is the one that the records were rejected under"
    if not plan.changes:  # the tables are older than what tells of changes
        return None
    if not concerned:
        return (
            "no record in quarantine has a reason that the changes of the contract concern; the "
            f"changes take effect with: goldlake rebuild {usecase.name}"
        )
    return None


def _counts(reasons: Iterable[tuple[str, ...]]) -> dict[str, int]:
    """Records per reason code, most frequent first; a record can have several."""
    counts = Counter(code for codes in reasons for code in codes)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
