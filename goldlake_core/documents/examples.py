"""What became of a use case's own examples."""

from __future__ import annotations

import msgspec

from goldlake_core.documents.codec import FORMAT
from goldlake_core.documents.stages import Request


class ExamplesRequest(Request, frozen=True, kw_only=True):
    """The request of the stage ``examples``.

    Attributes:
        homes: A home for each example, in which its records are landed.
    """

    homes: dict[str, str]


class ExamplesRefined(msgspec.Struct, frozen=True, kw_only=True, tag_field="status", tag="ok"):
    """The result of the stage ``examples``.

    Attributes:
        format: Format version of the file.
        problems: Why an example was not refined to its end, by the example.
    """

    format: int = FORMAT
    problems: dict[str, str]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """What an example expects and what came, of one cell, row or record.

    Attributes:
        place: File of the example, and the line of what is expected where there is one.
        table: The table, ``silver``, ``gold.NAME`` or ``rejected``.
        row: Key of the row, or number of the record.
        column: The column, or null where a whole row is meant.
        expected: What the example expects; null where it expects no such row.
        found: What came; null where there is no such row.
    """

    place: str
    table: str
    row: str
    column: str | None = None
    expected: str | None = None
    found: str | None = None


class ExampleResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one example.

    Attributes:
        name: Name of the example, which is also the name of its file.
        about: What it shows.
        is_ok: Whether everything is as it expects.
        problem: Why it was not refined to its end, or null.
        differences: What is not as it expects.
    """

    name: str
    about: str
    is_ok: bool
    problem: str | None = None
    differences: tuple[Difference, ...] = ()


class ExamplesReport(msgspec.Struct, frozen=True, kw_only=True):
    """The report of `goldlake test`.

    Attributes:
        usecase: Name of the use case.
        passed: Number of examples with everything as they expect.
        failed: Number of the other examples.
        examples: The examples by name.
    """

    usecase: str
    passed: int
    failed: int
    examples: tuple[ExampleResult, ...]
