"""Answers of scikit-learn models to the real year 2016: train until August, test from October."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from tfx_pipeline.evaluation.slices import Answers

# scikit-learn warns where a system does not say how many cores a processor has.
os.environ.setdefault("LOKY_MAX_CPU_COUNT", "1")
YEAR_FILE = "chicago/crimes_2016.csv.gz"
CATEGORIES = ["primary_type", "iucr", "location_description", "district", "domestic"]
NUMBERS = ["hour", "weekday", "latitude", "longitude"]
SLICES = (("primary_type",), ("district",))


@cache
def rows(folder: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows to train on and those to test on."""
    raw = pl.read_csv(folder / YEAR_FILE, infer_schema_length=0)
    raw = raw.rename({name: name.lower().replace(" ", "_") for name in raw.columns})
    date = pl.col("date").str.to_datetime("%m/%d/%Y %I:%M:%S %p")
    table = raw.select(
        pl.col(*CATEGORIES).fill_null(""),
        date.dt.month().alias("month"),
        date.dt.hour().alias("hour"),
        date.dt.weekday().alias("weekday"),
        pl.col("latitude", "longitude").cast(pl.Float64),
        (pl.col("arrest").str.to_lowercase() == "true").alias("label"),
    )
    return table.filter(pl.col("month") <= 8), table.filter(pl.col("month") >= 10)


def fitted(train: pl.DataFrame, test: pl.DataFrame, seed: int) -> np.ndarray:
    """Probabilities for the test rows of a model with this seed, float32 [n]."""
    mean = train["label"].mean()
    for name in CATEGORIES:
        rate = ((pl.col("label").sum() + 20 * mean) / (pl.len() + 20)).alias(f"{name}_rate")
        rates = train.group_by(name).agg(rate)
        train = train.join(rates, on=name, how="left", maintain_order="left")
        test = test.join(rates, on=name, how="left", maintain_order="left")
    columns = [*(f"{name}_rate" for name in CATEGORIES), *NUMBERS]
    model = HistGradientBoostingClassifier(
        max_iter=40, learning_rate=0.2, max_features=0.5, early_stopping=False, random_state=seed
    )
    # On busy cores, threads that wait for each other cost ten times the work.
    with threadpool_limits(1):
        model.fit(train.select(columns).to_numpy(), train["label"].to_numpy())
        found = model.predict_proba(test.select(columns).to_numpy())[:, 1]
    return np.asarray(found, np.float32)


def answers(test: pl.DataFrame, after: np.ndarray, before: np.ndarray) -> Answers:
    """Both models' answers as the head binary keeps them."""
    label = test["label"].to_numpy().astype(np.int8)
    kept = [(label, found, (found > 0.5).astype(np.int8)) for found in (after, before)]
    values = {name: test[name].to_list() for name in ("primary_type", "district")}
    return Answers(kept[0], kept[1], values)
