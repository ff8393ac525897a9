"""One analysed, trained and exported toy model for the whole test run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.tfx_pipeline import toy


@dataclass(frozen=True)
class Toy:
    """Folders of the toy data: Examples, transform graph; and its rows by split."""

    examples: Path
    graph: Path
    rows: Mapping[str, list[toy.Row]]

    def fn_args(self, folder: Path, **changes: Any) -> SimpleNamespace:
        """What TFX hands to ``run_fn``; results go below ``folder``."""
        arguments = {
            "custom_config": toy.training_spec().to_json(),
            "transform_output": str(self.graph),
            "train_files": [str(self.examples / "Split-train" / "*")],
            "eval_files": [str(self.examples / "Split-eval" / "*")],
            "model_run_dir": str(folder / "run"),
            "serving_model_dir": str(folder / "Format-Serving"),
        }
        return SimpleNamespace(**{**arguments, **changes})


@pytest.fixture(scope="session")
def toy_data(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    folder = tmp_path_factory.mktemp("toy")
    rows = {split: toy.rows(n, seed) for seed, (split, n) in enumerate(toy.ROWS.items())}
    for split, records in rows.items():
        toy.write_split(folder / "examples", split, records)
    toy.analyze(folder / "examples", folder / "graph")
    return Toy(folder / "examples", folder / "graph", rows)


@pytest.fixture(scope="session")
def toy_model(toy_data: Toy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a Model artifact (``Format-Serving/saved_model.pb``, logs in ``run``)."""
    from tfx_pipeline.modules.trainer import run_fn

    folder = tmp_path_factory.mktemp("model")
    run_fn(toy_data.fn_args(folder))
    return folder
