"""What `goldlake export` prints about the rows of its splits."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from goldlake.cli import account
from goldlake_core.documents.export import Boundaries
from goldlake_core.documents.lakehouse import Exported

EXPORTED = Exported(
    export_id="pier/done/1-abc",
    uri="exports/pier/done/1-abc",
    table="pier.gold.calls",
    version=1,
    table_uuid="u",
    content_hash="c",
    as_of="2026-01-01T00:00:00.000000Z",
    event_end="2026-01-01T00:00:00.000000Z",
    boundaries=Boundaries(
        eval_from="2025-10-22T00:00:00.000000Z",
        test_from="2025-11-28T00:00:00.000000Z",
        until="2025-12-28T00:00:00.000000Z",
        mature_until="2025-12-28T00:00:00.000000Z",
        train_until="2025-10-15T00:00:00.000000Z",
        eval_until="2025-11-21T00:00:00.000000Z",
    ),
    rows={"train": 500, "eval": 30, "test": 30, "immature": 4, "outside": 0, "gap": 14},
    manifest_sha256="m",
    reused=False,
)


def test_splits_end_before_a_gap_and_its_rows_are_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    account.print_export(EXPORTED)
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    for line in (
        "train 500 before 2025-10-15",
        "eval 30 from 2025-10-22 to before 2025-11-21",
        "test 30 from 2025-11-28 to before 2025-12-28",
        "gap 14 left out: they are in the gap between two splits",
    ):
        assert line in lines


def test_without_a_gap_train_ends_where_eval_begins(capsys: pytest.CaptureFixture[str]) -> None:
    assert EXPORTED.boundaries is not None
    rows = {name: number for name, number in EXPORTED.rows.items() if name != "gap"}
    limits = replace(EXPORTED.boundaries, train_until=msgspec.UNSET, eval_until=msgspec.UNSET)
    account.print_export(replace(EXPORTED, boundaries=limits, rows=rows))
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "train 500 before 2025-10-22" in lines
    assert "eval 30 from 2025-10-22" in lines
    assert not any("gap" in line for line in lines)
