"""A loop as an orchestrator's tasks do it, by the Python API alone: ingest, train, promote, ask."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

import goldlake
from goldlake_core.contracts.registry import load_model
from goldlake_core.contracts.wire import RawInput, raw_inputs
from tests.end_to_end.commands import source

TOY = "toy_harbour"
MODEL = "toy_harbour.overdue"
ROWS = 2000
"""The toy's calls are two a day from 2024 on: many more would lie in the future."""


@pytest.mark.long
@pytest.mark.spark
@pytest.mark.tfx
def test_a_loop_by_the_python_api(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOLDLAKE_USECASES", str(Path(__file__).parents[1] / "usecases"))
    home = goldlake.open(tmp_path / "home")
    with source(TOY, "--rows", str(ROWS), folder=tmp_path) as url:
        first = home.ingest(TOY, url)
        silver = home.tables["toy_harbour.silver.calls"]
        again = home.ingest(TOY, url)
    assert "land" in capsys.readouterr().err
    assert first.land.rows == first.refine.totals.landed == ROWS
    assert again.land.rows == 0
    fates = home.usecases["toy_harbour"].fates
    others = (fates.amended, fates.unchanged, fates.stale, fates.quarantined, fates.deleted)
    assert fates.landed == fates.inserted + sum(others) == ROWS
    assert silver.rows == fates.silver == silver.to_polars().height
    assert silver.scan(as_of="2100-01-01").select(pl.len()).collect().item() == fates.silver

    trained = home.train(MODEL).train
    assert trained.blessed
    version = f"{MODEL}@{trained.model_version}"
    promoted = home.promote(version, because="a test")
    assert (promoted.version, promoted.is_confirmed) == (trained.model_version, True)
    serving = home.models[MODEL].serving
    assert serving is not None
    assert serving.version == trained.model_version

    gold = home.tables[f"{serving.table}@{serving.table_version}"]
    columns = [each.name for each in _inputs() if each.flag_of is None]
    rows = gold.to_polars(columns, limit=300)
    with home.serve():
        answers = home.predict(version, rows)
        assert home.predict(version, rows.to_pandas()) == pytest.approx(answers)
        assert home.predict(version, rows.to_arrow()) == pytest.approx(answers)
    assert len(answers) == 300
    assert all(0 < answer < 1 for answer in answers)
    with pytest.raises(goldlake.UsageError, match="No server of"):
        home.predict(version, rows)

    assert home.lineage(version).snapshots[0].version == gold.version
    assert home.validation(MODEL).table == gold.id
    assert sum(home.validation(MODEL).rows.values()) == trained_rows(home)
    written = home.report(f"{MODEL}@{trained.model_version}", tmp_path / "report.html")
    assert Path(written.file).stat().st_size == written.bytes > 10_000


def _inputs() -> Sequence[RawInput]:
    usecase, model = load_model(MODEL)
    return raw_inputs(model, usecase.gold[model.table])


def trained_rows(home: goldlake.Home) -> int:
    found = home.validation(MODEL)
    return sum(found.examples(split).num_rows for split in found.rows)
