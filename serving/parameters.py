"""The files that TF Serving takes beside ``models.config``, in its text formats."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import Any

import fsspec

from goldlake_core.contracts.errors import PermanentError, UsageError
from serving.batching import MAX_ROWS
from serving.messages import message_classes
from serving.metrics import DEFAULT_PATH

log = logging.getLogger("serving")
_BATCHING = {
    "Int64Value": ["int64 value = 1"],
    "StringValue": ["string value = 1"],
    "BoolValue": ["bool value = 1"],
    "BatchingParameters": [
        "Int64Value max_batch_size = 1",
        "Int64Value batch_timeout_micros = 2",
        "Int64Value max_enqueued_batches = 3",
        "Int64Value num_batch_threads = 4",
        "StringValue thread_pool_name = 5",
        "repeated int64 allowed_batch_sizes = 6",
        "bool pad_variable_length_inputs = 7",
        "BoolValue enable_large_batch_splitting = 8",
        "Int64Value max_execution_batch_size = 9",
    ],
}
_MONITORING = {
    "PrometheusConfig": ["bool enable = 1", "string path = 2"],
    "MonitoringConfig": ["PrometheusConfig prometheus_config = 1"],
}
_POSITIVE = (
    "max_batch_size",
    "max_enqueued_batches",
    "num_batch_threads",
    "max_execution_batch_size",
)


@dataclass(frozen=True)
class Batching:
    """What a batching file asks for.

    Attributes:
        threads: Calls to compute at the same time, or None where the file does not say.
        max_rows: Most rows of several requests in one call, or None where the file does not say.
        ignored: Settings that are accepted and change nothing here, in the order of the format.
    """

    threads: int | None
    max_rows: int | None
    ignored: tuple[str, ...]


@dataclass(frozen=True)
class Files:
    """What the files ask of a server.

    Attributes:
        metrics_path: Path of the metrics, or None for no such path.
        threads: Calls to compute at the same time, or None where no file says so.
        max_batch_rows: Most rows of several requests in one call.
    """

    metrics_path: str | None
    threads: int | None
    max_batch_rows: int = MAX_ROWS


def read_files(monitoring: str | None, batching: str | None) -> Files:
    """Returns what two files ask of a server.

    The log warns of what a batching file sets and this server does not use.

    Args:
        monitoring: Path or URL of a ``MonitoringConfig`` file, or None.
        batching: Path or URL of a ``BatchingParameters`` file, or None.

    Raises:
        UsageError: There is no such file.
        PermanentError: A file does not hold what TF Serving takes.
    """
    metrics_path = None if monitoring is None else read_monitoring(monitoring)
    if batching is None:
        return Files(metrics_path, None)
    asked = read_batching(batching)
    if asked.ignored:
        log.warning(
            "%s: %s %s no effect here: what waits runs at once, without a window or padding",
            batching,
            ", ".join(asked.ignored),
            "have" if len(asked.ignored) > 1 else "has",
        )
    return Files(metrics_path, asked.threads, asked.max_rows or MAX_ROWS)


def read_batching(path: str) -> Batching:
    """Returns what a file of TF Serving's ``BatchingParameters`` asks for.

    This server runs what waits at once, so that of the settings the number of threads and the
    size of a batch have an effect.

    Args:
        path: Path or fsspec URL of the file, in protobuf text format.

    Raises:
        UsageError: There is no such file.
        PermanentError: The file does not parse, or TF Serving would refuse a value in it.
    """
    message = _read(path, "BatchingParameters", _BATCHING)
    for name in _POSITIVE:
        if message.HasField(name) and getattr(message, name).value < 1:
            raise _wrong(path, f"{name} is {getattr(message, name).value}", "1 or more")
    if message.batch_timeout_micros.value < 0:
        value = message.batch_timeout_micros.value
        raise _wrong(path, f"batch_timeout_micros is {value}", "0 or more")
    sizes = list(message.allowed_batch_sizes)
    if sizes and sizes != sorted(set(sizes)):
        raise _wrong(path, f"allowed_batch_sizes are {sizes}", "sizes in increasing order")
    if sizes and message.HasField("max_batch_size") and sizes[-1] != message.max_batch_size.value:
        problem = f"the last of allowed_batch_sizes is {sizes[-1]}"
        raise _wrong(path, problem, f"max_batch_size, {message.max_batch_size.value}")
    given = [field.name for field, _ in message.ListFields()]
    return Batching(
        message.num_batch_threads.value or None,
        message.max_batch_size.value or None,
        tuple(name for name in given if name not in ("num_batch_threads", "max_batch_size")),
    )


def read_monitoring(path: str) -> str | None:
    """Returns the path of the metrics that a ``MonitoringConfig`` file switches on, or None.

    Args:
        path: Path or fsspec URL of the file, in protobuf text format.

    Raises:
        UsageError: There is no such file.
        PermanentError: The file does not parse, or names a path that cannot be one.
    """
    prometheus = _read(path, "MonitoringConfig", _MONITORING).prometheus_config
    if not prometheus.enable:
        return None
    found = str(prometheus.path) or DEFAULT_PATH
    if not re.fullmatch(r"/[!-~]+", found) or "?" in found or found.lower().startswith("/v1/"):
        raise _wrong(path, f"prometheus_config.path is {found!r}", "a path outside of /v1/")
    return found


def _read(path: str, name: str, messages: dict[str, list[str]]) -> Any:
    from google.protobuf import text_format

    fs, place = fsspec.core.url_to_fs(path)
    try:
        text = fs.cat_file(place).decode("utf-8")
    except (FileNotFoundError, IsADirectoryError) as error:
        raise UsageError(
            f"There is no file {path}", valid=f"a file of TF Serving's {name}"
        ) from error
    except UnicodeDecodeError as error:
        raise _wrong(path, "it is not text", f"TF Serving's {name}") from error
    message = message_classes("goldlake.serving", messages)[name]()
    try:
        text_format.Parse(text, message)
    except text_format.ParseError as error:
        raise _wrong(path, str(error), f"TF Serving's {name} in protobuf text format") from error
    return message


def _wrong(path: str, problem: str, valid: str) -> PermanentError:
    return PermanentError(f"{path} cannot be used: {problem}", valid=valid)
