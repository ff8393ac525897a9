"""What would become of a source's first records, by the typing rules alone. Starts no JVM.

Rules over several columns (``silver.checks``) are Spark SQL, and are left to the run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from goldlake.workflows.drafting.cures import cure
from goldlake_core.contracts import sql_rules
from goldlake_core.contracts.column_types import NUMBERS
from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.findings import Remark, warning
from goldlake_core.contracts.rules import OF_FILES
from goldlake_core.contracts.sections import Column, Model, UseCase
from goldlake_core.storage.landing import Cursor
from lakehouse.silver import ALWAYS_ACCEPTED
from lakehouse.sources.base import Connector
from lakehouse.sources.file_records import reading
from lakehouse.sources.files import files_of, wanted_of
from lakehouse.sources.plugins import connector
from lakehouse.typed_records import NESTED, broken_rows, decoded, text_of, typed_frames

if TYPE_CHECKING:
    import polars as pl

RECORDS = 20_000
_SHOWN_VALUES = 6


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What the typing rules say of a source's first records.

    Attributes:
        records: Number of records that were looked at.
        rejected: Number of them that would be quarantined.
        reasons: Number of records by reason code.
        missing: By column, the number of records without a value, where there are any.
        labels: By model, the number of records by the value of its label.
        is_accepted: Whether the share of rejected records is one that the contract accepts.
    """

    records: int
    rejected: int
    reasons: Mapping[str, int]
    missing: Mapping[str, int]
    labels: Mapping[str, Mapping[str, int]]
    is_accepted: bool


@dataclass(frozen=True)
class Problem:
    """Why records would be rejected.

    Attributes:
        column: The column, or None where the line is not a record.
        remark: What it is, and the likely cure.
    """

    column: str | None
    remark: Remark


def try_records(usecase: UseCase, records: int = RECORDS) -> tuple[Trial, list[Problem]]:
    """Types the first records of a use case's source. Read-only.

    Args:
        usecase: The use case.
        records: Most records to look at.

    Raises:
        UsageError: The source has no records, or a column's format can only be read by Spark.
        PermanentError: The source refuses, or a file cannot be landed.
        RetryableError: The source did not answer.
    """
    import polars as pl

    lines = list(islice(first_records(usecase), records))
    if not lines:
        raise UsageError(f"The source of {usecase.name} has no records yet")
    read = [(line, decoded(line)) for line in lines]
    found = [(line, record) for line, record in read if record is not None]
    fields = {name for _, record in found for name in record}
    columns = usecase.silver.columns
    texts = {c.name: [text_of(line, record, c.field) for line, record in found] for c in columns}
    frames = typed_frames(columns, texts)
    problems: list[Problem] = []
    reasons: dict[str, int] = {}
    if len(found) < len(lines):
        count = reasons[sql_rules.JSON_INVALID] = len(lines) - len(found)
        example = next(line for line, record in read if record is None)
        what = f"{_share(count, len(lines))} are not JSON objects, such as {_shown(example)}"
        problems.append(Problem(None, warning(what, "lines that have all fields of the header")))
    rejected, missing = pl.repeat(value=False, n=len(found), eager=True), dict[str, int]()
    labels = {model.label: model for model in usecase.models.values()}
    counted: dict[str, Mapping[str, int]] = {}
    for column in columns:
        typed = frames[column.name]
        empty = int(typed["text"].null_count())
        if empty:
            missing[column.name] = empty
        if column.name in labels:
            model = labels[column.name]
            counted[model.name] = _counts(typed["value"])
            problems += _label_problems(column, model, typed["value"])
        for code, is_broken in broken_rows(column, typed):
            count = int(is_broken.sum())
            if not count:
                continue
            reasons[code] = count
            rejected = rejected | is_broken
            problems.append(_problem(column, code, typed["source"], is_broken, fields))
    problems += [
        Problem(column.name, remark)
        for column in columns
        if (remark := _never_there(column, missing.get(column.name, 0), len(found), fields))
    ]
    number = int(rejected.sum()) + len(lines) - len(found)
    limit = max(ALWAYS_ACCEPTED, usecase.silver.most_rejected * len(lines))
    trial = Trial(
        records=len(lines),
        rejected=number,
        reasons=dict(sorted(reasons.items(), key=lambda item: -item[1])),
        missing=missing,
        labels=counted,
        is_accepted=number <= limit,
    )
    return trial, problems


def first_records(usecase: UseCase) -> Iterator[bytes]:
    """The records of a source from its first, as they would be landed."""
    if usecase.source.kind in OF_FILES:
        for file in files_of(usecase):
            with reading(file, wanted_of(usecase)) as records:
                yield from records.lines
        return
    reader = connector(usecase)
    try:
        yield from _pages(reader)
    finally:
        reader.close()


def _pages(reader: Connector) -> Iterator[bytes]:
    cursor: Cursor | None = None
    while True:
        page = reader.page(cursor, None, None)
        yield from page.rows
        keys = [key for key in map(reader.key, page.rows) if key is not None]
        ends = page.next_cursor or (keys[-1] if keys and reader.paging == "keyset" else None)
        if ends is None or ends == cursor:
            return
        cursor = ends


def _problem(
    column: Column, code: str, texts: pl.Series, is_broken: pl.Series, fields: set[str]
) -> Problem:
    broken = texts.filter(is_broken).drop_nulls()
    share = _share(int(is_broken.sum()), len(texts))
    kind = code.rpartition(".")[2]
    if kind == "missing" or not len(broken):
        return Problem(
            column.name, warning(f"{share} have no value", cure(column, kind, (), fields))
        )
    examples = broken.value_counts(sort=True)["source"].to_list()
    example = "an object or a list" if examples[0] == NESTED else repr(examples[0][:40])
    said = {
        "unparsable": f"is not a {column.type}",
        "domain": "is not in the domain",
        "range": f"is outside of {sql_rules.range_text(column)}",
        "pattern": f"does not match {column.pattern}",
    }
    what = f"{share} would be rejected: {example} {said[kind]}"
    return Problem(column.name, warning(what, cure(column, kind, examples, fields)))


def _label_problems(column: Column, model: Model, values: pl.Series) -> Iterator[Problem]:
    """What a model could not learn of its label."""
    known = values.drop_nulls()
    numbers = known if column.type in NUMBERS else None
    others = numbers.filter((numbers != 0) & (numbers != 1)) if numbers is not None else None
    if model.head.kind == "binary" and others is not None and len(others):
        shown = ", ".join(map(str, known.unique().sort().head(_SHOWN_VALUES).to_list()))
        what = f"the label has the values {shown}, and the head binary knows 0 and 1"
        yield Problem(column.name, warning(what, "head: multiclass, regression or count"))
    elif model.head.kind == "count" and numbers is not None and (numbers < 0).any():
        what = "the label has values below 0, and the head count knows 0 and more"
        yield Problem(column.name, warning(what, "head: regression"))
    elif len(known) and known.n_unique() < 2:
        what = f"the label is {known[0]!r} in all records that have one"
        yield Problem(column.name, warning(what, "a label that differs"))


def _never_there(column: Column, missing: int, records: int, fields: set[str]) -> Remark | None:
    """What is wrong with a column that may be missing, and is in every record."""
    if missing < records or not column.nullable:
        return None
    return warning("no record has a value", cure(column, "missing", (), fields))


def _share(count: int, records: int) -> str:
    return f"{count:,} of {records:,} records"


def _shown(line: bytes) -> str:
    return repr(line[:60].decode("utf-8", "replace"))


def _counts(values: pl.Series) -> Mapping[str, int]:
    counted = values.value_counts(sort=True).head(20)
    names: Sequence[Any] = counted.to_series(0).to_list()
    return {
        "missing" if name is None else str(name).lower() if isinstance(name, bool) else str(name): n
        for name, n in zip(names, counted["count"], strict=True)
    }
