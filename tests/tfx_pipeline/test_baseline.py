"""Where the statistics are that a candidate's data is compared with."""

from __future__ import annotations

from pathlib import Path

from goldlake_core.contracts.ids import ModelId
from goldlake_core.storage.home import Home
from tests.metadata.recorded import Recorder, record_training
from tfx_pipeline.baseline import statistics_folder


def test_statistics_of_the_examples_that_trained_a_version(tmp_path: Path) -> None:
    home = Home.at(tmp_path)
    assert statistics_folder(home, ModelId.parse("toy.color@1")) == "", "nothing is recorded yet"
    recorder = Recorder(home)
    older = _train(recorder, home, 3, 1, "StatisticsGen/statistics/9")
    _train(recorder, home, 4, 2, "StatisticsGen/statistics/12", baseline=older["model"])
    assert statistics_folder(home, ModelId.parse("toy.color@1")) == "StatisticsGen/statistics/9"
    assert statistics_folder(home, ModelId.parse("toy.color@2")) == "StatisticsGen/statistics/12"
    # The newest artifact counts, whatever the order of the texts is.
    _statistics(recorder, older, f"{home.root}/StatisticsGen/statistics/13")
    assert statistics_folder(home, ModelId.parse("toy.color@1")) == "StatisticsGen/statistics/13"
    _statistics(recorder, older, "/elsewhere/statistics/14")
    assert statistics_folder(home, ModelId.parse("toy.color@1")) == "StatisticsGen/statistics/13"
    assert statistics_folder(home, ModelId.parse("toy.color@7")) == ""
    assert statistics_folder(home, ModelId.parse("toy.color")) == ""


def _train(
    recorder: Recorder, home: Home, table: int, version: int, place: str, **options: int
) -> dict[str, int]:
    made = record_training(recorder, table, version, **options)
    _statistics(recorder, made, f"{home.root}/{place}")
    return made


def _statistics(recorder: Recorder, made: dict[str, int], uri: str) -> None:
    outputs = {"statistics": ("ExampleStatistics", {"uri": uri})}
    recorder.run("StatisticsGen", {"examples": made["examples"]}, outputs)
