"""Scalars of TensorBoard's event files, read without TensorFlow and without TensorBoard's server.

An event file is a TFRecord file: per record its length (8 bytes, little-endian), a checksum of the
length (4), the record, and a checksum of the record (4). A record is an Event message.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_HEADER = struct.Struct("<Q")
_CHECKSUM_BYTES = 4
MOST_RECORD_BYTES = 64 << 20


def scalars(folder: str) -> dict[str, tuple[tuple[int, float], ...]]:
    """Step and value by tag of all event files in a folder, in the order of steps. Read-only.

    Args:
        folder: Folder of one writer, such as ``model_run/26/train``.

    Returns:
        Nothing for a folder without event files. The end of a file that was cut off is left out.
    """
    from tensorboard.compat.proto import event_pb2

    found: dict[str, dict[int, float]] = {}
    for path in sorted(Path(folder).glob("events.out.tfevents.*")):
        for record in _records(path):
            event = event_pb2.Event.FromString(record)
            for value in event.summary.value:
                number = _number(value)
                if number is not None:
                    found.setdefault(value.tag, {})[event.step] = number
    return {tag: tuple(sorted(points.items())) for tag, points in found.items()}


def _records(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while len(header := file.read(_HEADER.size)) == _HEADER.size:
            (length,) = _HEADER.unpack(header)
            if length > MOST_RECORD_BYTES:
                return
            file.read(_CHECKSUM_BYTES)
            record = file.read(length)
            if len(record) < length or len(file.read(_CHECKSUM_BYTES)) < _CHECKSUM_BYTES:
                return
            yield record


def _number(value: Any) -> float | None:
    """A scalar as Keras writes it (a tensor) or as older writers do; None for anything else."""
    if value.WhichOneof("value") == "simple_value":
        return float(value.simple_value)
    tensor = value.tensor
    if value.WhichOneof("value") != "tensor" or tensor.tensor_shape.dim:
        return None
    formats = {1: "<f", 2: "<d"}  # DT_FLOAT, DT_DOUBLE
    form = formats.get(tensor.dtype)
    if form is None:
        return None
    if len(tensor.tensor_content) == struct.calcsize(form):
        return float(struct.unpack(form, tensor.tensor_content)[0])
    held = tensor.float_val if form == "<f" else tensor.double_val
    return float(held[0]) if len(held) == 1 else None
