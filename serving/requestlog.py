"""The request log: answered requests, one line of JSON per row, written beside the requests.

The folder has one folder per model with the files of `serving.logfile`, which the source kind
``files`` lands. Each line is a `Record`; docs/request-log.md describes it.
"""

from __future__ import annotations

import base64
import json
import logging
import math
import os
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from typing import Any

import numpy as np

from goldlake_core.contracts.durations import seconds_of
from serving.exchange import Arrays, Exchange, Run
from serving.logfile import LogFile
from serving.metrics import Metrics
from serving.policies import Policies, Policy
from serving.signatures import DEFAULT_SIGNATURE
from serving.worker import Worker

log = logging.getLogger("serving")
MAX_WAITING_BYTES = 64 * 1024 * 1024
_MEGABYTE = 1024 * 1024
_SAID_EVERY_S = 60.0
WRITTEN = "request_log_lines"
DROPPED = "request_log_dropped"
# Their outputs tell nothing of the inputs but the answer.
_ANSWERS = frozenset({DEFAULT_SIGNATURE, "tf_example", ""})


class RequestLog:
    """Writes exchanges to files; all methods may be called from any thread.

    Args:
        folder: A local path; each model has a folder in it.
        policies: What each model's contract says.
        metrics: Where lines and losses are counted, by model.
        max_waiting_bytes: Most bytes of exchanges that wait to be written.
    """

    def __init__(
        self,
        folder: str,
        policies: Policies,
        metrics: Metrics,
        max_waiting_bytes: int = MAX_WAITING_BYTES,
    ) -> None:
        self._folder = folder
        self._policies = policies
        self._metrics = metrics
        self._files: dict[str, LogFile] = {}
        self._guard = threading.Lock()
        self._said_at = -math.inf
        self._worker = Worker("serving-log", self._write, self._drop, max_waiting_bytes)

    def offer(self, exchange: Exchange) -> None:
        """Takes an exchange, to be written soon, or drops and counts it; never waits."""
        self._worker.offer(exchange)

    def close(self, timeout_s: float = 5.0) -> None:
        """Writes what waits and finishes the files."""
        self._worker.close(timeout_s)
        for file in self._files.values():
            file.finish()

    def adopt(self, model: str) -> None:
        """Finishes what an earlier process left of a model's files."""
        policy = self._policies.of(model)
        if policy is not None:
            self._file(model, policy)

    def _drop(self, exchange: Exchange) -> None:
        self._metrics.counted(DROPPED, exchange.model)

    def _write(self, exchanges: Sequence[Exchange]) -> None:
        lines: dict[str, list[bytes]] = {}
        for exchange in exchanges:
            policy = self._policies.of(exchange.model)
            if policy is not None:
                try:
                    found = [_line(record) for record in records(exchange, policy)]
                except Exception:  # one odd request must not take the others with it
                    log.exception("The request %s is not kept", exchange.request_id)
                    self._drop(exchange)
                    continue
                lines.setdefault(exchange.model, []).extend(found)
        for model, written in lines.items():
            policy = self._policies.of(model)
            assert policy is not None
            try:
                self._file(model, policy).write(written)
                self._metrics.counted(WRITTEN, model, len(written))
            except OSError as error:
                lost = sum(exchange.model == model for exchange in exchanges)
                self._metrics.counted(DROPPED, model, lost)
                self._say(model, error)
        for file in list(self._files.values()):
            file.tick()

    def _file(self, model: str, policy: Policy) -> LogFile:
        with self._guard:
            if model not in self._files:
                self._files[model] = LogFile(
                    os.path.join(self._folder, model),
                    policy.log.file_megabytes * _MEGABYTE,
                    seconds_of(policy.log.file_age) or math.inf,
                    policy.log.files,
                )
            return self._files[model]

    def _say(self, model: str, error: OSError) -> None:
        # A full disk lasts, and every request would add a line to the log of the server.
        if time.monotonic() - self._said_at >= _SAID_EVERY_S:
            self._said_at = time.monotonic()
            log.error("Requests for %s are not kept: %s", model, error)


def records(exchange: Exchange, policy: Policy) -> Iterator[dict[str, object]]:
    """Yields what is kept of an exchange, one document per row.

    Args:
        exchange: A request that is answered.
        policy: What its model's contract says, such as what is redacted.
    """
    base: dict[str, object] = {
        "request_id": exchange.request_id,
        "at": datetime.fromtimestamp(exchange.at, timezone.utc).isoformat(timespec="milliseconds"),
        "model": exchange.model,
        "label": exchange.label,
        "entrypoint": exchange.entrypoint,
        "status": exchange.code,
        "milliseconds": round(exchange.seconds * 1e3, 3),
    }
    if not exchange.runs:
        yield {**base, "row": None, "rows": 0, "record_key": exchange.record_key}
    number = 0
    for place, run in enumerate(exchange.runs):
        rows = _rows(run)
        keys = _record_keys(exchange.record_key, rows)
        kept, redacted = _kept(run, policy)
        is_answer = not policy.redacted or run.signature_name in _ANSWERS
        outputs = run.outputs if is_answer else {}
        shadow = exchange.shadow[place] if place < len(exchange.shadow) else None
        for row in range(rows):
            record: dict[str, object] = {
                **base,
                "version": run.version,
                "api": run.api,
                "signature": run.signature_name or DEFAULT_SIGNATURE,
                "row": number,
                "rows": rows,
                "record_key": keys[row],
                "inputs": {name: _input(array, row, name) for name, array in kept.items()},
                "outputs": _outputs(outputs, row),
                "redacted": redacted,
            }
            if shadow is not None:
                record["shadow"] = {
                    "version": shadow.version,
                    "problem": shadow.problem or None,
                    "outputs": _outputs(shadow.outputs if is_answer else {}, row),
                    "difference": differences(run.outputs, shadow.outputs, row),
                }
            yield record
            number += 1


def differences(answered: Arrays, shadow: Arrays, row: int) -> dict[str, float | None]:
    """Returns how far two answers to a row are apart, by output.

    Numbers: the largest absolute difference; texts: 0 or 1. None where an output is missing, has
    another shape, or is not a number in one of both.
    """
    return {name: _difference(answered[name], shadow.get(name), row) for name in answered}


def _difference(one: np.ndarray, other: np.ndarray | None, row: int) -> float | None:
    if other is None or one.ndim == 0 or other.shape[1:] != one.shape[1:] or len(other) <= row:
        return None
    if one.dtype.kind in "OSU":
        return float(not np.array_equal(one[row], other[row]))
    wide = np.complex128 if "c" in one.dtype.kind + other.dtype.kind else np.float64
    apart = np.abs(np.asarray(one[row], wide) - np.asarray(other[row], wide))
    found = float(apart.max()) if apart.size else 0.0
    return found if math.isfinite(found) else None


def _line(record: dict[str, object]) -> bytes:
    return json.dumps(record, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"


def _rows(run: Run) -> int:
    """The number of rows: the first size that all inputs share, or 1."""
    sizes = {array.shape[0] if array.ndim else 1 for array in run.inputs.values()}
    return sizes.pop() if len(sizes) == 1 else 1


def _kept(run: Run, policy: Policy) -> tuple[Arrays, list[str]]:
    """The inputs that may be written, and the names of the others.

    Where something is redacted, an input that the contract does not name, such as a serialized
    tf.Example, may hold it.
    """
    if not policy.redacted:
        return run.inputs, []
    kept = {n: a for n, a in run.inputs.items() if n in policy.inputs - policy.redacted}
    return kept, sorted(set(run.inputs) - set(kept))


def _record_keys(header: str | None, rows: int) -> list[str | None]:
    """A key per row: a header that is a list of as many texts has one for each."""
    if header is not None and header.startswith("["):
        try:
            found = json.loads(header)
        except ValueError:
            found = None
        if isinstance(found, list) and len(found) == rows:
            return [key if isinstance(key, str) else json.dumps(key) for key in found]
    return [header] * rows


def _input(array: np.ndarray, row: int, name: str) -> Any:
    found = _value(array, row, name)
    return None if found == "NaN" and array.dtype.kind == "f" else found


def _outputs(arrays: Arrays, row: int) -> dict[str, object]:
    return {name: _value(array, row, name) for name, array in arrays.items()}


def _value(array: np.ndarray, row: int, name: str) -> Any:
    """A row of an array as JSON has it; numbers that are not finite become texts."""
    if array.ndim and row >= array.shape[0]:
        return None
    found = array[row] if array.ndim else array
    if array.dtype == np.float32:
        # The shortest text of a float32 is not that of the same number as a double.
        found = np.asarray(found).astype(str).astype(np.float64)
    return _plain(found.tolist() if hasattr(found, "tolist") else found, name)


def _plain(value: Any, name: str) -> Any:
    if isinstance(value, list):
        return [_plain(each, name) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, complex):
        return [_plain(value.real, name), _plain(value.imag, name)]
    if isinstance(value, bytes):
        if name.endswith("_bytes") or name == "examples":
            return {"b64": base64.b64encode(value).decode("ascii")}
        return value.decode("utf-8", "replace")
    return value
