"""What batch inference is asked and answers: rows of a Parquet file, and their scores."""

from __future__ import annotations

import msgspec

from goldlake_core.documents.codec import FORMAT
from goldlake_core.documents.stages import Request


class ScoreRequest(Request, frozen=True, kw_only=True):
    """The request of the stage ``score``.

    Attributes:
        model: Name of the model, without its use case.
        model_version: Version of the model that answers.
        rows: Parquet file with the inputs of the model and the columns to keep.
        keep: Columns of that file that go into the scores.
        out: Folder for the scores, one Parquet file per row group of the input.
    """

    model: str
    model_version: int
    rows: str
    keep: tuple[str, ...]
    out: str


class Scored(msgspec.Struct, frozen=True, kw_only=True, tag_field="status", tag="ok"):
    """The result of the stage ``score``.

    Attributes:
        format: Format version of the file.
        rows: Number of rows that were answered.
        files: The Parquet files, in the order of the rows.
        outputs: Names of the columns with answers.
    """

    format: int = FORMAT
    rows: int
    files: tuple[str, ...]
    outputs: tuple[str, ...]


class KeepRequest(Request, frozen=True, kw_only=True):
    """The request of the stage ``keep``.

    Attributes:
        model: Name of the model, without its use case.
        model_version: Version of the model that answered.
        source: What was scored, such as ``bikes.gold.rentals@3``.
        scored_at: Instant of the scoring, ISO 8601 in UTC.
        files: Parquet files of the stage ``score``.
    """

    model: str
    model_version: int
    source: str
    scored_at: str
    files: tuple[str, ...]


class Kept(msgspec.Struct, frozen=True, kw_only=True, tag_field="status", tag="ok"):
    """The result of the stage ``keep``.

    Attributes:
        format: Format version of the file.
        table: Id of the table of scores.
        version: Version that holds them.
        rows: Number of rows that were added.
    """

    format: int = FORMAT
    table: str
    version: int
    rows: int


class ScoreReport(msgspec.Struct, frozen=True, kw_only=True):
    """The report of `goldlake score`.

    Attributes:
        run_id: Id of the run.
        logs: Folder of its log files.
        model: The model with its version, such as ``bikes.is_late@7``.
        source: What was scored.
        rows: Number of rows.
        table: Id of the table that holds the scores, at its version; null for a file.
        file: The file that holds them; null for a table.
    """

    run_id: str
    logs: str
    model: str
    source: str
    rows: int
    table: str | None
    file: str | None
