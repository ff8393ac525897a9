"""Everything that can be known of a use case without Spark or TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from goldlake_core.contracts.errors import ContractError
from goldlake_core.contracts.loader import CONTRACT, MODELS, load_contract
from goldlake_core.contracts.names import nearest
from goldlake_core.contracts.registry import find_usecase
from goldlake_core.contracts.sections import UseCase
from lakehouse.checks import findings
from lakehouse.checks.columns import column_remarks
from lakehouse.checks.expressions import expression_remarks
from lakehouse.checks.findings import Finding
from lakehouse.checks.formats import format_remarks
from lakehouse.checks.functions import Use, function_findings
from lakehouse.checks.models import model_remarks
from lakehouse.checks.places import Places


class CheckReport(msgspec.Struct, frozen=True):
    """What a check of one use case found.

    Attributes:
        usecase: Its name.
        folder: Its folder, as the user named it.
        errors: How many findings are errors.
        warnings: How many findings are warnings.
        columns: Silver columns and those that gold tables declare; 0 where it does not load.
        tables: Gold tables; 0 where it does not load.
        models: Models; 0 where it does not load.
        findings: By file and line.
    """

    usecase: str
    folder: str
    errors: int
    warnings: int
    columns: int
    tables: int
    models: int
    findings: tuple[Finding, ...]


def check_usecase(name_or_path: str) -> CheckReport:
    """Checks a use case. Read-only; runs none of its functions.

    Args:
        name_or_path: Name or path of the use case.

    Raises:
        UsageError: There is none, or several folders have the name.
    """
    folder = find_usecase(name_or_path)
    try:
        usecase = load_contract(folder)
    except ContractError as error:
        return _report(folder, None, findings.loading_findings(error))
    return _report(folder, usecase, tuple(_findings(usecase, folder)))


def _report(folder: Path, usecase: UseCase | None, found: tuple[Finding, ...]) -> CheckReport:
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


def _findings(usecase: UseCase, folder: Path) -> Iterator[Finding]:
    contract = Places(folder / CONTRACT)
    models = {name: Places(folder / MODELS / f"{name}.yaml") for name in usecase.models}
    yield from _source_findings(usecase, contract)
    yield from _silver_findings(usecase, contract)
    for table in usecase.gold.values():
        for column in table.columns:
            if not column.field:
                for key, remark in column_remarks(column):
                    place = ("gold", table.name, "columns", column.name, key)
                    yield contract.finding(remark, *place)
    for name, model in usecase.models.items():
        for steps, remark in model_remarks(model, usecase.gold[model.table], usecase.silver):
            yield models[name].finding(remark, *steps)
    yield from function_findings(folder, tuple(_uses(usecase, contract, models)))


def _source_findings(usecase: UseCase, contract: Places) -> Iterator[Finding]:
    from lakehouse.sources.plugins import kinds, source_kind

    kind = usecase.source.kind
    if kind not in kinds():
        remark = findings.error(f"there is no kind of source {kind!r}", nearest(kind, kinds()))
        yield contract.finding(remark, "source", "kind")
        return
    known = source_kind(kind).options
    if known is None:
        return
    for name, value in usecase.source.options.items():
        if name not in known:
            problem = f"{name!r} is not an option of a {kind} source"
            remark = findings.error(problem, nearest(name, known))
            yield contract.finding(remark, "source", "options", name)
        elif _is_number(known[name]) and not _is_number(value):
            remark = findings.error(f"{value!r} is not a number", f"such as {known[name]}")
            yield contract.finding(remark, "source", "options", name)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _silver_findings(usecase: UseCase, contract: Places) -> Iterator[Finding]:
    silver = usecase.silver
    types = {column.name: column.type for column in silver.columns}
    for column in silver.columns:
        for remark in format_remarks(column):
            yield contract.finding(remark, "silver", "columns", column.name, "format")
        for key, remark in column_remarks(column):
            yield contract.finding(remark, "silver", "columns", column.name, key)
    for index, check in enumerate(silver.checks):
        for remark in expression_remarks(check.expect, types):
            yield contract.finding(remark, "silver", "checks", index, "expect")


def _uses(usecase: UseCase, contract: Places, models: dict[str, Places]) -> Iterator[Use]:
    if usecase.source.generator is not None:
        yield Use(usecase.source.generator, ("rows", "seed"), contract, ("source", "generator"))
    for table in usecase.gold.values():
        # An aggregate is always given all three; those that do not apply are None.
        arguments = ("silver",) if table.mode == "rows" else ("silver", "changes", "gold")
        yield Use(table.build, arguments, contract, ("gold", table.name, "build"))
    for name, model in usecase.models.items():
        if model.preprocessing is not None:
            yield Use(model.preprocessing, ("columns",), models[name], ("preprocessing",))
