"""TFDV's statistics of a split, read without TFDV and without TensorFlow."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import msgspec

STATISTICS_FILE = "FeatureStats.pb"
MOST_VALUES = 50


class Bucket(msgspec.Struct, frozen=True, kw_only=True):
    """A bar of a histogram.

    Attributes:
        low: Its lower end.
        high: Its upper end.
        count: Number of rows in it, an estimate.
    """

    low: float
    high: float
    count: float


class ColumnStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """What TFDV counted in a column of one split.

    Attributes:
        name: Name of the column.
        rows: Number of rows with a value.
        missing: Number of rows without one.
        values: The commonest texts with their number of rows; empty for numbers.
        distinct: Number of different texts, or null for numbers.
        buckets: Histogram of equally wide bars; empty for texts.
        mean: Mean of the numbers, or null for texts.
        deviation: Their standard deviation, or null for texts.
    """

    name: str
    rows: int
    missing: int
    values: tuple[tuple[str, float], ...] = ()
    distinct: int | None = None
    buckets: tuple[Bucket, ...] = ()
    mean: float | None = None
    deviation: float | None = None


def read_statistics(folder: str, split: str) -> dict[str, ColumnStatistics]:
    """Statistics by column of a split; nothing where the file is not there. Read-only.

    Args:
        folder: Folder of an ExampleStatistics artifact.
        split: Name of the split, such as ``train``.
    """
    from tensorflow_metadata.proto.v0 import statistics_pb2

    path = Path(folder, f"Split-{split}", STATISTICS_FILE)
    if not path.is_file():
        return {}
    found = statistics_pb2.DatasetFeatureStatisticsList.FromString(path.read_bytes())
    # Statistics of the whole split come first; slices would follow.
    features = found.datasets[0].features if found.datasets else ()
    columns = (_column(feature) for feature in features)
    return {column.name: column for column in columns if column is not None}


def _column(feature: Any) -> ColumnStatistics | None:
    name = ".".join(feature.path.step) or feature.name
    kind = feature.WhichOneof("stats")
    if kind not in ("num_stats", "string_stats"):
        return None
    stats = getattr(feature, kind)
    common = stats.common_stats
    rows, missing = int(common.num_non_missing), int(common.num_missing)
    if kind == "string_stats":
        ranks = stats.rank_histogram.buckets
        values = tuple((b.label, float(b.sample_count)) for b in ranks)[:MOST_VALUES]
        return ColumnStatistics(
            name=name, rows=rows, missing=missing, values=values, distinct=int(stats.unique)
        )
    standard = [h for h in stats.histograms if h.type == h.STANDARD]
    buckets = tuple(
        Bucket(low=b.low_value, high=b.high_value, count=b.sample_count)
        for b in (standard[0].buckets if standard else ())
        if math.isfinite(b.low_value) and math.isfinite(b.high_value)
    )
    return ColumnStatistics(
        name=name,
        rows=rows,
        missing=missing,
        buckets=buckets,
        mean=stats.mean,
        deviation=stats.std_dev,
    )
