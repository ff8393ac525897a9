"""What a server has done, counted under TF Serving's names, as Prometheus reads it.

The names, labels and bucket limits are those of TF Serving's ``util.cc`` and
``prometheus_exporter.cc``, so that dashboards made for it fit. Times are in microseconds.
"""

from __future__ import annotations

import bisect
import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

# What TF Serving does not have.
_OWN_PREFIX = "goldlake_"
DEFAULT_PATH = "/monitoring/prometheus/metrics"
_PREFIX = ":tensorflow:serving:"
_LATENCY_LIMITS = tuple(10 * 1.8**power for power in range(33))
_EXAMPLE_LIMITS = tuple(float(2**power) for power in range(15))

_Labels = tuple[str, ...]


@dataclass
class _Histogram:
    """Counts by bucket; the last bucket has no limit."""

    limits: Sequence[float]
    counts: list[int] = field(default_factory=list)
    total: float = 0.0

    def add(self, value: float) -> None:
        if not self.counts:
            self.counts = [0] * (len(self.limits) + 1)
        self.counts[bisect.bisect_right(self.limits, value)] += 1
        self.total += value


class Metrics:
    """Counters of one server. All methods may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._own: dict[str, dict[_Labels, int]] = {}
        self._requests: dict[_Labels, int] = {}
        self._examples: dict[_Labels, int] = {}
        self._example_counts: dict[_Labels, _Histogram] = {}
        self._request_latency: dict[_Labels, _Histogram] = {}
        self._runtime_latency: dict[_Labels, _Histogram] = {}

    def answered(self, model: str, api: str, entrypoint: str, code: str, seconds: float) -> None:
        """Counts a request, and its time if it succeeded.

        Args:
            model: Name of the model, or "".
            api: What was asked for, such as ``predict``.
            entrypoint: Either ``REST`` or ``GRPC``.
            code: Canonical code of the answer, such as ``OK``.
            seconds: How long it took.
        """
        with self._lock:
            key = (model, code)
            self._requests[key] = self._requests.get(key, 0) + 1
            if code == "OK":
                labels = (model, api, entrypoint)
                _cell(self._request_latency, labels, _LATENCY_LIMITS).add(seconds * 1e6)

    def ran(self, model: str, api: str, seconds: float) -> None:
        """Counts the time of one call of a model.

        Args:
            model: Name of the model.
            api: What was asked for, such as ``Predict``.
            seconds: How long the call took.
        """
        with self._lock:
            _cell(self._runtime_latency, (model, api, "TF1"), _LATENCY_LIMITS).add(seconds * 1e6)

    def took_examples(self, model: str, count: int) -> None:
        """Counts the examples of a classify, regress or multi-inference request.

        Args:
            model: Name of the model.
            count: How many examples the request holds.
        """
        with self._lock:
            self._examples[(model,)] = self._examples.get((model,), 0) + count
            _cell(self._example_counts, (model,), _EXAMPLE_LIMITS).add(count)

    def counted(self, name: str, model: str, count: int = 1) -> None:
        """Counts what TF Serving does not know, such as lost lines of the request log.

        Args:
            name: Name of the counter without prefix and ``_total``.
            model: Name of the model.
            count: How many there were.
        """
        with self._lock:
            cells = self._own.setdefault(name, {})
            cells[(model,)] = cells.get((model,), 0) + count

    def request_count(self) -> int:
        """The number of requests that were counted so far."""
        with self._lock:
            return sum(self._requests.values())

    def page(self) -> str:
        """Everything in Prometheus's text format."""
        with self._lock:
            lines = [
                *_histograms("request_example_counts", ("model",), self._example_counts),
                *_counters("request_example_count_total", ("model",), self._examples),
                *_counters("request_count", ("model_name", "status"), self._requests),
                *_histograms(
                    "runtime_latency", ("model_name", "API", "runtime"), self._runtime_latency
                ),
                *_histograms(
                    "request_latency", ("model_name", "API", "entrypoint"), self._request_latency
                ),
            ]
            for name, own in sorted(self._own.items()):
                full = f"{_OWN_PREFIX}{name}_total"
                lines += _counters(full, ("model_name",), own, prefix="")
        return "\n".join(lines) + "\n"


def _cell(cells: dict[_Labels, _Histogram], labels: _Labels, limits: Sequence[float]) -> _Histogram:
    if labels not in cells:
        cells[labels] = _Histogram(limits)
    return cells[labels]


def _counters(
    name: str, labels: Sequence[str], cells: Mapping[_Labels, int], prefix: str = _PREFIX
) -> list[str]:
    if not cells:
        return []
    name = prefix + name
    lines = [f"{name}{{{_pairs(labels, key)}}} {count}" for key, count in cells.items()]
    return [f"# TYPE {name} counter", *lines]


def _histograms(name: str, labels: Sequence[str], cells: Mapping[_Labels, _Histogram]) -> list[str]:
    if not cells:
        return []
    lines = [f"# TYPE {_PREFIX}{name} histogram"]
    for key, cell in cells.items():
        pairs = _pairs(labels, key)
        so_far = 0
        for limit, count in zip((*cell.limits, math.inf), cell.counts, strict=True):
            so_far += count
            text = "+Inf" if math.isinf(limit) else f"{limit:g}"
            lines.append(f'{_PREFIX}{name}_bucket{{{pairs},le="{text}"}} {so_far}')
        lines.append(f"{_PREFIX}{name}_sum{{{pairs}}} {cell.total:g}")
        lines.append(f"{_PREFIX}{name}_count{{{pairs}}} {so_far}")
    return lines


def _pairs(labels: Sequence[str], values: _Labels) -> str:
    return ",".join(
        f'{label}="{_escaped(value)}"' for label, value in zip(labels, values, strict=True)
    )


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
