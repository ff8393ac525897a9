"""Runs a use case's own examples through real tables, each in its own home, and compares cells."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

from goldlake.workflows.example_files import Example, read_examples
from goldlake.workflows.processes import OnEvent, Run, StageFailed
from goldlake_core.contracts.errors import ContractErrors, UsageError
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents.examples import (
    Difference,
    ExampleResult,
    ExamplesRefined,
    ExamplesReport,
    ExamplesRequest,
)
from goldlake_core.instants import utc_text
from goldlake_core.storage.home import Home
from lakehouse import epochs, rows, specs
from lakehouse.quarantine import reasons_by_record

TOLERANCE = 1e-9
Key = tuple[Any, ...]


def run_examples(usecase: str, only: tuple[str, ...], on_event: OnEvent) -> ExamplesReport:
    """Lands and refines the records of each example, and compares the tables with what it expects.

    No home of the user is touched: each example has an empty one, which is removed afterwards.

    Args:
        usecase: Name or path of the use case.
        only: Names of the examples to run; empty: all.
        on_event: Called with the stage's events.

    Raises:
        ContractError: An example file does not hold.
        UsageError: There is no example, or none of that name.
        StageFailed: Spark could not be run; its log is kept.
    """
    contract = load_usecase(usecase)
    examples = _chosen(contract, only)
    place = Path(tempfile.mkdtemp(prefix="goldlake-test-"))
    try:
        results = _results(usecase, contract, examples, place, on_event)
    except StageFailed:
        raise  # its log is in that folder
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    shutil.rmtree(place)
    passed = sum(result.is_ok for result in results)
    return ExamplesReport(
        usecase=contract.name, passed=passed, failed=len(results) - passed, examples=results
    )


def _results(
    reference: str, usecase: UseCase, examples: list[Example], place: Path, on_event: OnEvent
) -> tuple[ExampleResult, ...]:
    homes = {example.name: Home(str(place / example.name)) for example in examples}
    for example in examples:
        _land(usecase, homes[example.name], example)
    run = Run.new(Home(str(place)))
    roots = {name: home.root for name, home in homes.items()}
    request = run.request(ExamplesRequest, reference, usecase, homes=roots)
    refined: ExamplesRefined = run.stages("lakehouse", [request], on_event)["examples"]
    return tuple(
        _result(usecase, homes[example.name], example, refined.problems.get(example.name))
        for example in examples
    )


def _chosen(usecase: UseCase, only: tuple[str, ...]) -> list[Example]:
    examples, errors = read_examples(usecase)
    if errors:
        raise errors[0] if len(errors) == 1 else ContractErrors(errors)
    names = [example.name for example in examples]
    for name in only:
        if name not in names:
            raise UsageError(
                f"{usecase.name} has no example {name!r}", valid=", ".join(names) or "none yet"
            )
    if not examples:
        raise UsageError(
            f"{usecase.name} has no examples",
            valid=f"files {usecase.folder / 'examples'}/NAME.yaml",
            hint="write one; the page about a new use case shows how",
        )
    return [example for example in examples if not only or example.name in only]


def _land(usecase: UseCase, home: Home, example: Example) -> None:
    zone = specs.landing(usecase, home)
    entry = zone.write_page(
        zone.page_name(None),
        list(example.records),
        url=Path(example.file).resolve().as_uri(),
        first_cursor=None,
        last_cursor=None,
        run_id="",
        identity={"kind": "example", "name": example.name},
    )
    zone.write_manifest(entry)


def _result(usecase: UseCase, home: Home, example: Example, problem: str | None) -> ExampleResult:
    found = () if problem else tuple(_differences(usecase, home, example))
    return ExampleResult(
        name=example.name,
        about=example.about,
        is_ok=problem is None and not found,
        problem=problem,
        differences=found,
    )


def _differences(usecase: UseCase, home: Home, example: Example) -> Iterator[Difference]:
    yield from _rejections(usecase, home, example)
    for name, wanted in example.tables.items():
        if name == "silver":
            uri, key = specs.silver(usecase, home, epochs.FIRST).uri, usecase.silver.key
        else:
            table = usecase.gold[name.removeprefix("gold.")]
            uri, key = specs.gold(usecase, home, table).uri, table.key
        frame = rows.frame(uri).collect()
        found = {tuple(row[k] for k in key): row for row in frame.iter_rows(named=True)}
        for place in sorted({*wanted, *found}, key=str):
            row = ", ".join(map(text, place))
            if place not in wanted:
                yield Difference(
                    place=example.file, table=name, row=row, found=_row_text(found[place])
                )
                continue
            where = f"{example.file}:{wanted[place].line}"
            if place not in found:
                expected = _row_text(wanted[place].values)
                yield Difference(place=where, table=name, row=row, expected=expected)
                continue
            for column, value in wanted[place].values.items():
                if not _is_same(value, found[place][column]):
                    yield Difference(
                        place=where,
                        table=name,
                        row=row,
                        column=column,
                        expected=text(value),
                        found=text(found[place][column]),
                    )


def _rejections(usecase: UseCase, home: Home, example: Example) -> Iterator[Difference]:
    found = {line: codes for (_, line), codes in reasons_by_record(usecase.name, home).items()}
    for number in sorted({*found, *example.rejected}):
        line, expected = example.rejected.get(number, (None, frozenset()))
        if expected != set(found.get(number, ())):
            yield Difference(
                place=example.file if line is None else f"{example.file}:{line}",
                table="rejected",
                row=str(number),
                expected=", ".join(sorted(expected)) or None,
                found=", ".join(sorted(found.get(number, ()))) or None,
            )


def _is_same(expected: Any, found: Any) -> bool:
    if isinstance(expected, float) and isinstance(found, float):
        return math.isclose(expected, found, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return bool(expected == found)


def _row_text(values: Mapping[str, Any]) -> str:
    own = {name: value for name, value in values.items() if not name.startswith("_")}
    return ", ".join(f"{name}: {text(value)}" for name, value in own.items())


def text(value: Any) -> str:
    """A value as an example file would have it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return f'"{utc_text(value)}"'
    if isinstance(value, date):
        return f'"{value.isoformat()}"'
    return f'"{value}"' if isinstance(value, str) else str(value)
