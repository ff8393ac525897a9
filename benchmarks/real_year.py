"""The real year 2016, from the first request to the promoted model, against gradient boosting.

usage: python -m benchmarks.real_year [--home DIR] [--json FILE]

Needs GOLDLAKE_TEST_DATA. Replays the portal's export of 2016 with `goldlake source`, runs `goldlake
run` in a new home, asks the promoted model for every row of the test split over HTTP, fits
scikit-learn's HistGradientBoostingClassifier on the same rows, and prints both areas under the ROC
curve and calibrations, the counts and the seconds.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from goldlake.workflows.servers import embedded_server
from goldlake_core.contracts.registry import load_model
from goldlake_core.contracts.wire import fill_nulls, raw_inputs
from goldlake_core.storage.home import Home
from serving.client import predict

MODEL = "chicago_crime.arrest"
CATEGORICAL = [
    "primary_type",
    "description",
    "iucr",
    "location_description",
    "fbi_code",
    "district",
    "community_area",
]
NUMERIC = ["hour", "minute", "weekday", "domestic", "latitude", "longitude", "report_delay"]
MAX_CATEGORIES = 254
REQUEST_ROWS = 2_000


def measure(home: Path) -> dict[str, Any]:
    """Runs everything once.

    Args:
        home: An empty folder to run in.

    Returns:
        ``account`` (of `goldlake run`), ``seconds``, ``auc`` and ``calibration`` (of the served
        model), ``baseline_auc``, ``baseline_calibration`` and ``baseline_seconds``. A calibration
        is the sum of probabilities over the number of arrests.
    """
    export = Path(os.environ["GOLDLAKE_TEST_DATA"]) / "chicago" / "crimes_2016.csv.gz"
    with replay(export) as url:
        started = time.monotonic()
        account = run(url, home)
        seconds = time.monotonic() - started
    splits = {
        split: read_split(Path(account["models"][MODEL]["export"]["uri"]), split)
        for split in ("train", "eval", "test")
    }
    started = time.monotonic()
    boosted = boosted_answers(pl.concat([splits["train"], splits["eval"]]), splits["test"])
    boosting_s = time.monotonic() - started
    served = served_answers(home, splits["test"])
    arrests = splits["test"]["arrest"].to_numpy()
    return {
        "account": account,
        "seconds": round(seconds, 1),
        "auc": float(roc_auc_score(arrests, served)),
        "calibration": float(served.sum() / arrests.sum()),
        "baseline_auc": float(roc_auc_score(arrests, boosted)),
        "baseline_calibration": float(boosted.sum() / arrests.sum()),
        "baseline_seconds": round(boosting_s, 1),
    }


@contextlib.contextmanager
def replay(export: Path) -> Iterator[str]:
    """Starts the use case's API, which replays one export."""
    command = [sys.executable, "-m", "goldlake.cli.main", "source", "chicago_crime"]
    command += ["--data", str(export), "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["url"]
        finally:
            process.terminate()


def run(url: str, home: Path) -> dict[str, Any]:
    """The account of `goldlake run` on a source."""
    command = [sys.executable, "-m", "goldlake.cli.main", "run", "chicago_crime"]
    command += ["--source", url, "--home", str(home), "--json"]
    answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    document: dict[str, Any] = json.loads(answer.stdout)
    return document


def read_split(export: Path, split: str) -> pl.DataFrame:
    """All rows of one split of an export; empty fields are null."""
    parts = sorted((export / split).glob("*.csv"))
    texts = dict.fromkeys(CATEGORICAL, pl.String)
    frames = [pl.read_csv(part, schema_overrides=texts) for part in parts]
    return pl.concat(frames, how="vertical_relaxed")


def boosted_answers(train: pl.DataFrame, test: pl.DataFrame) -> np.ndarray:
    """Probabilities for ``test`` of gradient boosting fitted on ``train``, float64 [n]."""
    mean = train["arrest"].mean()
    codes: dict[str, dict[str, int]] = {}
    for name in CATEGORICAL:
        common = train[name].drop_nulls().value_counts(sort=True)[name].to_list()
        codes[name] = {value: code for code, value in enumerate(common[:MAX_CATEGORIES])}

    def matrix(rows: pl.DataFrame) -> np.ndarray:
        columns = [
            rows[name].replace_strict(codes[name], default=None, return_dtype=pl.Float64)
            for name in CATEGORICAL
        ]
        columns += [rows[name].cast(pl.Float64) for name in NUMERIC]
        return np.column_stack([column.to_numpy() for column in columns])

    model = HistGradientBoostingClassifier(
        categorical_features=list(range(len(CATEGORICAL))), random_state=0
    )
    assert mean is not None
    model.fit(matrix(train), train["arrest"].to_numpy())
    found: np.ndarray = model.predict_proba(matrix(test))[:, 1]
    return found


def served_answers(home: Path, test: pl.DataFrame) -> np.ndarray:
    """The promoted model's probabilities for ``test`` over HTTP, float64 [n]."""
    usecase, model = load_model(MODEL)
    table = usecase.gold[model.table]
    inputs = raw_inputs(model, table)
    codes = [name for name in model.feature_columns if table.column(name).type == "string"]
    columns = test.select(model.feature_columns).with_columns(pl.col(codes).cast(pl.String))
    if "community_area" in columns.columns:
        columns = columns.with_columns(pl.col("community_area").cast(pl.Int64))
    rows = [
        {name: value for name, value in row.items() if value is not None}
        for row in columns.iter_rows(named=True)
    ]
    answers: list[float] = []
    with embedded_server(Home.at(home).models_config, home / "real_year.log") as url:
        for start in range(0, len(rows), REQUEST_ROWS):
            instances = fill_nulls(inputs, rows[start : start + REQUEST_ROWS])
            answers += predict(url, MODEL, instances)
    return np.array(answers)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, help="an empty folder (default: a temporary one)")
    parser.add_argument("--json", type=Path, help="write everything there as well")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = measure(options.home or Path(folder))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1), encoding="utf-8")
    totals = result["account"]["refine"]["totals"]
    print(f"silver rows          {totals['silver']:,}")
    print(f"first request to promoted model  {result['seconds']:.0f} s")
    print(f"AUC, served model    {result['auc']:.4f}")
    print(f"AUC, boosting        {result['baseline_auc']:.4f}")
    print(f"difference           {result['auc'] - result['baseline_auc']:+.4f}")
    print(f"calibration, served model  {result['calibration']:.3f}")
    print(f"calibration, boosting      {result['baseline_calibration']:.3f}")


if __name__ == "__main__":
    main()
