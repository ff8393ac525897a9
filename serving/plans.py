"""What of decoding and encoding is the same for all requests of a signature, done once for each.

A plan takes the usual request in few steps: rows as objects, or plain values, of one number, text
or flag for each input. Anything else is left to `serving.codec` and `serving.answers`, which give
the same result, and word the errors.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import numpy as np
import orjson

from serving.codec import INTEGER_RANGES, flat_array
from serving.signatures import Signature

_NUMBERS = frozenset({int, float})
_TEXTS = frozenset({str})
_FLAGS = frozenset({bool})
_INTEGERS = frozenset({int})

# One value for each row.
Column = Sequence[Any]


class Plan:
    """The plan of one signature. It never changes, and may be used from any thread.

    Args:
        name: Name of the signature.
        signature: What it takes and returns.

    Attributes:
        name: Name of the signature.
        signature: What it takes and returns.
        has_rows: Whether the first axis of every input and output is declared as of any size: only
            such calls can be run together.
    """

    def __init__(self, name: str, signature: Signature) -> None:
        self.name = name
        self.signature = signature
        specs = [*signature.inputs.values(), *signature.outputs.values()]
        self.has_rows = bool(signature.inputs and signature.outputs) and all(
            spec.shape and spec.shape[0] == -1 for spec in specs
        )
        self._dtypes = [spec.dtype for spec in signature.inputs.values()]
        self._fits = [_fit(dtype) for dtype in self._dtypes]
        self._names = list(signature.inputs)
        # An object with the one key "b64" is bytes, whatever the name of the input.
        is_usual = bool(self._names) and self._names != ["b64"]
        self._values = itemgetter(*self._names) if is_usual else None
        self._row = b"{%b}" % b",".join(
            orjson.dumps(name).replace(b"%", b"%%") + b":%b" for name in signature.outputs
        )

    def columns(self, document: Mapping[str, Any]) -> list[Column] | None:
        """The values of a predict request in row format by input, or None where they need a look.

        Args:
            document: The body of the request.
        """
        rows = document.get("instances")
        if type(rows) is not list or not rows or self._values is None or "inputs" in document:
            return None
        width = len(self._names)
        if width == 1 and type(rows[0]) is not dict:
            found: list[Column] = [rows]
        else:
            for row in rows:
                if type(row) is not dict or len(row) != width:
                    return None
            try:
                values = list(map(self._values, rows))
            except KeyError:
                return None
            found = [values] if width == 1 else list(zip(*values, strict=True))
        for column, fits in zip(found, self._fits, strict=True):
            if not fits(column):
                return None
        return found

    def arrays(self, calls: Sequence[Sequence[Column]]) -> dict[str, np.ndarray]:
        """The inputs of one or several requests one after the other, one array per input.

        Args:
            calls: What `columns` returned for each request.
        """
        columns = calls[0]
        if len(calls) > 1:
            columns = [list(itertools.chain(*parts)) for parts in zip(*calls, strict=True)]
        return {
            name: flat_array(column, dtype)
            for name, column, dtype in zip(self._names, columns, self._dtypes, strict=True)
        }

    def row_texts(self, outputs: Mapping[str, np.ndarray]) -> list[bytes] | None:
        """The JSON text of each row of an answer in row format, or None where it needs a look.

        Args:
            outputs: What the model returned, with as many rows each.
        """
        columns = []
        for array in outputs.values():
            texts = _texts(array)
            if texts is None:
                return None
            columns.append(texts)
        if len(columns) == 1:
            return columns[0]
        return [self._row % row for row in zip(*columns, strict=True)]


def _fit(dtype: str) -> Callable[[Column], bool]:
    """Whether all values of a column fit a type as they are."""
    if dtype in INTEGER_RANGES:
        low, high = INTEGER_RANGES[dtype]

        def is_integer(column: Column) -> bool:
            return (
                _INTEGERS.issuperset(map(type, column))
                and low <= min(column)
                and max(column) <= high
            )

        return is_integer
    kinds = {"float": _NUMBERS, "double": _NUMBERS, "string": _TEXTS, "bool": _FLAGS}.get(
        dtype, frozenset()
    )
    return lambda column: kinds.issuperset(map(type, column))


def _texts(array: np.ndarray) -> list[bytes] | None:
    """The JSON text of each number of a list, or of each list of numbers, each as `orjson` has it.

    A text between two others is the same as the text of that value alone.
    """
    kind = array.dtype.kind
    is_known = kind == "f" and array.dtype.itemsize >= 4 or kind == "i"
    if not is_known or not array.size or array.ndim not in (1, 2):
        return None
    if kind == "f" and not np.isfinite(array).all():
        return None
    text = orjson.dumps(np.ascontiguousarray(array), option=orjson.OPT_SERIALIZE_NUMPY)
    if array.ndim == 1:
        return text[1:-1].split(b",")
    return [b"[%b]" % row for row in text[2:-2].split(b"],[")]
