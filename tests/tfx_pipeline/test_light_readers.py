"""Event files and statistics are read without TensorFlow."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2
from tensorflow_metadata.proto.v0 import statistics_pb2

from tfx_pipeline.event_files import scalars
from tfx_pipeline.statistics import read_statistics


def record(message: event_pb2.Event) -> bytes:
    data = message.SerializeToString()
    return len(data).to_bytes(8, "little") + b"\0" * 4 + data + b"\0" * 4


def event(step: int, tag: str, value: float) -> event_pb2.Event:
    tensor = tensor_pb2.TensorProto(dtype=1, float_val=[value])
    summary = summary_pb2.Summary(value=[summary_pb2.Summary.Value(tag=tag, tensor=tensor)])
    return event_pb2.Event(step=step, summary=summary)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    old = summary_pb2.Summary(value=[summary_pb2.Summary.Value(tag="old", simple_value=2.0)])
    events = [event(1, "loss", 0.25), event(0, "loss", 0.5), event_pb2.Event(step=3, summary=old)]
    data = b"".join(map(record, events))
    (tmp_path / "events.out.tfevents.1.here").write_bytes(data)
    return tmp_path


def test_scalars_come_in_the_order_of_steps(folder: Path) -> None:
    assert scalars(str(folder)) == {"loss": ((0, 0.5), (1, 0.25)), "old": ((3, 2.0),)}


def test_a_file_that_is_still_written_ends_where_it_is_whole(folder: Path) -> None:
    path = folder / "events.out.tfevents.1.here"
    path.write_bytes(path.read_bytes()[:-1])
    assert scalars(str(folder)) == {"loss": ((0, 0.5), (1, 0.25))}
    path.write_bytes(b"\xff" * 100)
    assert scalars(str(folder)) == {}


def test_a_folder_that_is_not_there_has_no_scalars(tmp_path: Path) -> None:
    assert scalars(str(tmp_path / "no")) == {}
    assert read_statistics(str(tmp_path / "no"), "train") == {}


def test_statistics_are_those_of_the_file(tmp_path: Path) -> None:
    found = statistics_pb2.DatasetFeatureStatisticsList()
    dataset = found.datasets.add(num_examples=10)
    text = dataset.features.add(type=statistics_pb2.FeatureNameStatistics.STRING)
    text.path.step.append("kind")
    text.string_stats.common_stats.num_non_missing = 9
    text.string_stats.common_stats.num_missing = 1
    text.string_stats.unique = 2
    text.string_stats.rank_histogram.buckets.add(label="<b>", sample_count=6)
    number = dataset.features.add(type=statistics_pb2.FeatureNameStatistics.FLOAT)
    number.path.step.append("size")
    number.num_stats.mean = 3
    histogram = number.num_stats.histograms.add(type=statistics_pb2.Histogram.STANDARD)
    histogram.buckets.add(low_value=1, high_value=4, sample_count=10)
    (tmp_path / "Split-test").mkdir()
    (tmp_path / "Split-test" / "FeatureStats.pb").write_bytes(found.SerializeToString())
    columns = read_statistics(str(tmp_path), "test")
    assert columns["kind"].values == (("<b>", 6.0),)
    assert (columns["kind"].rows, columns["kind"].missing) == (9, 1)
    assert columns["size"].buckets[0].high == 4
    assert columns["size"].mean == 3


def test_readers_start_neither_tensorflow_nor_a_jvm() -> None:
    code = (
        "import sys, goldlake.workflows.report.write, tfx_pipeline.event_files as e;"
        "e.scalars('/nowhere');"
        "sys.exit(bool({'tensorflow', 'tfx', 'pyspark', 'apache_beam'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
