"""The rows that a training is measured on, and what a command is said to cost."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import peer_tfx
from benchmarks.process_cost import cost_of
from benchmarks.train import manifest_of, median, repeated
from benchmarks.train_page import page
from tests.tfx_pipeline.toy_export import ROWS, write_export
from tfx_pipeline.exports import verify_parts


def rows_of(folder: Path, path: str) -> list[dict[str, str]]:
    with (folder / path).open(newline="") as file:
        return list(csv.DictReader(file))


def test_each_row_several_times_is_an_export_that_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = write_export(tmp_path)
    export = tmp_path / "exports" / written.export_id
    many = export.with_name("many")
    repeated(export, many, 3)
    manifest = manifest_of(many)
    assert {name: split.rows for name, split in manifest.splits.items()} == {
        name: 3 * count for name, count in ROWS.items()
    }
    monkeypatch.setenv("GOLDLAKE_HOME", str(tmp_path))
    verify_parts(str(Path(written.export_id).with_name("many")), manifest)
    [first, *_] = manifest.splits["train"].parts
    once = rows_of(export, first.path)
    assert rows_of(many, first.path) == once * 3


def test_stock_tfx_reads_the_contracts_types_from_the_values(tmp_path: Path) -> None:
    written = write_export(tmp_path)
    export = tmp_path / "exports" / written.export_id
    peer_tfx.prepared(export, manifest_of(export), tmp_path / "rows")
    [first, *_] = manifest_of(export).splits["train"].parts
    before, after = rows_of(export, first.path), rows_of(tmp_path / "rows", first.path)
    assert len(after) == len(before)
    for one, other in zip(before, after, strict=True):
        assert other["overdue"] == str(int(one["overdue"] == "true"))
        # Berths are numbers as texts, vessel types are not.
        assert other["berth"] == (f"={one['berth']}" if one["berth"] else "")
        assert other["vessel_type"] == one["vessel_type"]
        assert other["length_m"] == one["length_m"]


def test_a_command_costs_what_it_and_its_children_take(tmp_path: Path) -> None:
    work = "import time\nwhile time.process_time() < 1: pass"
    script = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {work!r}, 'worker'])"
    log = tmp_path / "log"
    with subprocess.Popen(["sleep", "600"]) as other:  # a child of the caller is not waited for
        cost = cost_of([sys.executable, "-c", script], log, kinds={"worker": "train"})
        assert other.poll() is None
        other.kill()
    assert cost.cpu_s >= 1
    assert 0 < cost.cpu_by_kind["train"] <= cost.cpu_s + 0.1
    with pytest.raises(RuntimeError, match=r"failed; see .*log"):
        cost_of([sys.executable, "-c", "raise SystemExit(3)"], log)
    assert median([cost, cost, cost]).cpu_s == cost.cpu_s


def test_a_page_has_the_parts_that_were_measured() -> None:
    cost = {"cpu_s": 60.0, "seconds": 70.0, "peak_mb": 1000.0}
    about = {"day": "2026-11-29", "commit": "abc", "machine": "a machine", "model": "m.m"}
    rows = {"train": 700, "eval": 100, "test": 200}
    found = {"rows": rows, "first": cost, "again": cost, "nodes": {"Trainer": 20.0}, "times": 1}
    text = page({"year": {**about, **found}})
    assert "## `goldlake train m.m` on 1,000 rows" in text
    assert "stock TFX" not in text
    peer = {"peer": {**cost, "cpu_s": 240.0}, "metrics": {"auc": 0.9}, "peer_metrics": {"auc": 0.8}}
    assert "Stock TFX takes 4.0 times" in page({"many": {**about, **found, **peer}})
