from __future__ import annotations

import logging
from pathlib import Path

import pytest

from goldlake_core.contracts.errors import GoldlakeError, UsageError
from serving.metrics import DEFAULT_PATH
from serving.parameters import Batching, Files, read_batching, read_files, read_monitoring


def written(folder: Path, text: str) -> str:
    path = folder / "file"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_monitoring_is_off_until_it_is_enabled(tmp_path: Path) -> None:
    assert read_monitoring(written(tmp_path, "")) is None
    assert read_monitoring(written(tmp_path, 'prometheus_config { path: "/m" }')) is None
    assert read_monitoring(written(tmp_path, "prometheus_config { enable: true }")) == DEFAULT_PATH
    text = 'prometheus_config { enable: true path: "/metrics" }'
    assert read_monitoring(written(tmp_path, text)) == "/metrics"


@pytest.mark.parametrize("path", ["metrics", "/", "/v1/models/x", "/a?b", "/a b"])
def test_a_path_that_cannot_be_one_is_refused(tmp_path: Path, path: str) -> None:
    text = f'prometheus_config {{ enable: true path: "{path}" }}'
    with pytest.raises(GoldlakeError, match="prometheus_config.path is"):
        read_monitoring(written(tmp_path, text))


def test_what_batching_asks_for_and_what_of_it_has_no_effect(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = (
        "num_batch_threads { value: 3 } max_batch_size { value: 4 } "
        "allowed_batch_sizes: 2 allowed_batch_sizes: 4 pad_variable_length_inputs: true"
    )
    path = written(tmp_path, text)
    ignored = ("allowed_batch_sizes", "pad_variable_length_inputs")
    assert read_batching(path) == Batching(3, 4, ignored)
    with caplog.at_level(logging.WARNING):
        assert read_files(None, path) == Files(None, 3, 4)
    assert f"{', '.join(ignored)} have no effect here" in caplog.text
    assert read_batching(written(tmp_path, "")) == Batching(None, None, ())


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("max_batch_size { value: 0 }", "max_batch_size is 0. Valid: 1 or more"),
        ("num_batch_threads { value: -1 }", "num_batch_threads is -1"),
        ("batch_timeout_micros { value: -1 }", "batch_timeout_micros is -1"),
        ("allowed_batch_sizes: 2 allowed_batch_sizes: 2", "in increasing order"),
        ("max_batch_size { value: 8 } allowed_batch_sizes: 4", "Valid: max_batch_size, 8"),
        ("max_batch_size: 8", "1:"),
        ("unknown: 1", "unknown"),
        ("\udcff", "it is not text"),
    ],
)
def test_what_tf_serving_refuses_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(GoldlakeError) as error:
        read_batching(str(path))
    assert str(path) in error.value.message
    assert problem in error.value.message


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    for read in (read_batching, read_monitoring):
        with pytest.raises(UsageError, match=f"There is no file {tmp_path}/no"):
            read(str(tmp_path / "no"))
