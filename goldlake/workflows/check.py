"""Everything that can be known of a use case without Spark or TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from goldlake.workflows.example_files import read_examples
from goldlake.workflows.planning import outlook
from goldlake.workflows.trial import Trial, try_records
from goldlake_core.contracts import findings
from goldlake_core.contracts.contract_file import GoldDraft, SilverDraft
from goldlake_core.contracts.errors import PermanentError
from goldlake_core.contracts.findings import Finding, loading_finding
from goldlake_core.contracts.loader import Reading, read_folder
from goldlake_core.contracts.names import nearest
from goldlake_core.contracts.read import Found
from goldlake_core.contracts.registry import find_usecase
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents.planning import Outlook
from goldlake_core.storage.home import Home
from lakehouse import lookups
from lakehouse.checks.columns import column_remarks
from lakehouse.checks.expressions import COLUMN, expression_remarks
from lakehouse.checks.formats import format_remarks
from lakehouse.checks.functions import Use, function_findings
from lakehouse.checks.models import model_remarks
from lakehouse.checks.places import Places


class CheckReport(msgspec.Struct, frozen=True):
    """What a check of one use case found.

    Attributes:
        usecase: Name of the use case.
        folder: Folder of the use case, as the user named it.
        errors: How many findings are errors.
        warnings: How many findings are warnings.
        columns: Silver columns and those that gold tables declare; 0 where it does not load.
        tables: Gold tables; 0 where it does not load.
        models: Models; 0 where it does not load.
        findings: By file and line.
        outlook: What the contract means for the home that was named, or null.
        trial: What would become of the source's first records, where that was asked for, or null.
    """

    usecase: str
    folder: str
    errors: int
    warnings: int
    columns: int
    tables: int
    models: int
    findings: tuple[Finding, ...]
    outlook: Outlook | None = None
    trial: Trial | None = None


def check_usecase(
    name_or_path: str, home: Home | None = None, *, has_data: bool = False
) -> CheckReport:
    """Checks a use case. Read-only; runs none of its functions.

    Args:
        name_or_path: Name or path of the use case.
        home: Home for which to say what its contract means there, or None.
        has_data: Whether the source's first records are typed as well.

    Raises:
        UsageError: There is none, or several folders have the name.
        PermanentError: The data are asked for, and the source refuses or cannot be landed.
        RetryableError: The data are asked for, and the source did not answer.
    """
    folder = find_usecase(name_or_path)
    reading = read_folder(folder)
    found = [loading_finding(error) for error in reading.errors]
    found += _findings(reading, folder)
    usecase = None if reading.errors else reading.usecase()
    if usecase is not None:
        found += [loading_finding(error) for error in read_examples(usecase)[1]]
        assert reading.contract.document is not None
        found += _lookup_findings(usecase, Places(reading.contract.document))
    trial = None
    if usecase is not None and has_data:
        trial, problems = try_records(usecase)
        assert reading.contract.document is not None
        contract = Places(reading.contract.document)
        for each in problems:
            steps = ("silver", "columns", each.column) if each.column else ("source",)
            found.append(contract.finding(each.remark, *steps))
    report = msgspec.structs.replace(_report(folder, usecase, found), trial=trial)
    if usecase is None or home is None:
        return report
    return msgspec.structs.replace(report, outlook=outlook(usecase, home))


def _report(folder: Path, usecase: UseCase | None, found: Sequence[Finding]) -> CheckReport:
    columns = 0
    if usecase is not None:
        own = (c for table in usecase.gold.values() for c in table.columns if not c.field)
        columns = len(usecase.silver.columns) + len(tuple(own))
    errors = sum(finding.severity == "error" for finding in found)
    return CheckReport(
        usecase=folder.resolve().name,
        folder=str(folder),
        errors=errors,
        warnings=len(found) - errors,
        columns=columns,
        tables=len(usecase.gold) if usecase else 0,
        models=len(usecase.models) if usecase else 0,
        findings=tuple(sorted(found, key=lambda f: (f.file, f.line or 0, f.key or ""))),
    )


def _findings(reading: Reading, folder: Path) -> Iterator[Finding]:
    """What loading does not say of what did load; every part is checked by itself."""
    uses: list[Use] = []
    draft, gold = reading.contract, reading.contract.gold or {}
    if draft.document is not None:
        contract = Places(draft.document)
        if draft.source is not None:
            yield from _source_findings(draft.source, contract)
            uses += _source_uses(draft.source, contract)
        yield from _silver_findings(draft.silver, contract)
        for table in gold.values():
            yield from _gold_findings(table, contract)
            uses += _gold_uses(table, contract)
    for model in reading.models:
        places = Places(model.document)
        for steps, remark in model_remarks(model, draft.silver.version):
            yield places.finding(remark, *steps)
        if model.preprocessing is not None:
            uses.append(Use(model.preprocessing, ("columns",), places, ("preprocessing",)))
    yield from function_findings(folder, uses)


def _source_findings(source: Found, contract: Places) -> Iterator[Finding]:
    from lakehouse.sources.plugins import kinds, source_kind

    kind: str | None = source.values.get("kind")
    if kind is None:
        return
    if kind not in kinds():
        remark = findings.error(f"there is no kind of source {kind!r}", nearest(kind, kinds()))
        yield contract.finding(remark, "source", "kind")
        return
    declared = source_kind(kind)
    known, options = declared.options, source.values.get("options", {})
    if known is None:
        return
    for name, value in options.items():
        if name not in known:
            problem = f"{name!r} is not an option of a {kind} source"
            remark = findings.error(problem, nearest(name, known))
            yield contract.finding(remark, "source", "options", name)
        elif _is_number(known[name]) and not _is_number(value):
            remark = findings.error(f"{value!r} is not a number", f"such as {known[name]}")
            yield contract.finding(remark, "source", "options", name)
    for keys, problem, valid, is_error in declared.problems(source.values):
        remark = (findings.error if is_error else findings.warning)(problem, valid)
        yield contract.finding(remark, "source", *keys)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _silver_findings(silver: SilverDraft, contract: Places) -> Iterator[Finding]:
    for column in silver.columns.sound:
        for remark in format_remarks(column):
            yield contract.finding(remark, "silver", "columns", column.name, "format")
        for key, remark in column_remarks(column):
            yield contract.finding(remark, "silver", "columns", column.name, key)
    types = None
    if silver.columns.are_known:
        by_name = silver.columns.by_name
        types = {name: column.type if column else None for name, column in by_name.items()}
    for index, expect in silver.expects.items():
        for remark in expression_remarks(expect, types):
            yield contract.finding(remark, "silver", "checks", index, "expect")


def _gold_findings(table: GoldDraft, contract: Places) -> Iterator[Finding]:
    for column in table.columns.sound:
        if column.expr:
            types = table.readable.get(column.name)
            for remark in expression_remarks(column.expr, types, COLUMN):
                yield contract.finding(remark, "gold", table.name, "columns", column.name, "expr")
        if not column.field:
            for key, remark in column_remarks(column):
                yield contract.finding(remark, "gold", table.name, "columns", column.name, key)


def _lookup_findings(usecase: UseCase, contract: Places) -> Iterator[Finding]:
    """What is wrong with the files of lookups, which are read whole."""
    for table in usecase.gold.values():
        for lookup in table.lookups:
            try:
                lookups.table(usecase, lookup)
            except PermanentError as refused:
                remark = findings.error(refused.problem, refused.valid, refused.hint)
                yield contract.finding(remark, "gold", table.name, "lookups", lookup.name, "path")


def _source_uses(source: Found, contract: Places) -> Iterator[Use]:
    generator: str | None = source.values.get("generator")
    if generator is not None:
        yield Use(generator, ("rows", "seed"), contract, ("source", "generator"))


def _gold_uses(table: GoldDraft, contract: Places) -> Iterator[Use]:
    if table.build and table.mode is not None:
        # An aggregate is always given all three; those that do not apply are None.
        arguments = ("silver",) if table.mode == "rows" else ("silver", "changes", "gold")
        yield Use(table.build, arguments, contract, ("gold", table.name, "build"))
