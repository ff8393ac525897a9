"""The periods of a table version that a model learned from, counted once and then kept; no JVM.

A version never changes, so what is kept holds as long as the version, the contract's view of its
columns and the table are the same: these are its name.
"""

from __future__ import annotations

import contextlib
import hashlib

import msgspec

from goldlake_core.contracts.errors import StoreError
from goldlake_core.gate.baseline import Baseline
from goldlake_core.gate.counts import Counts
from goldlake_core.storage.gatefiles import GateFiles
from lakehouse.gate import Gate

LEARNED = "learned"
_FORMAT = 1


class _Kept(msgspec.Struct, frozen=True):
    """The baseline of a version, and the counts of its periods as `Counts.to_bytes` gives them."""

    baseline: Baseline
    counts: tuple[bytes, ...]


def learned(gate: Gate, uuid: str) -> tuple[Baseline, list[Counts]]:
    """The baseline of a version and the counts of all its periods. Writes what it had to count.

    Args:
        gate: The gate at the version.
        uuid: Id of the table, which another table in its place does not have.
    """
    files = gate.files
    view = repr((_FORMAT, uuid, gate.rows.version, gate.layout))
    file = (LEARNED, f"{gate.rows.version}-{hashlib.sha256(view.encode()).hexdigest()[:16]}.json")
    kept = _read(files, file)
    if kept is not None:
        return kept
    baseline = gate.baseline
    counts = gate.others("", baseline)
    made = _Kept(baseline, tuple(each.to_bytes() for each in counts))
    # Who may only read judges all the same.
    with contextlib.suppress(StoreError):
        files.write(msgspec.json.encode(made), *file)
    return baseline, counts


def _read(files: GateFiles, file: tuple[str, ...]) -> tuple[Baseline, list[Counts]] | None:
    """What is kept; None where nothing is, or where it is damaged and has to be made again."""
    data = files.read(*file)
    if data is None:
        return None
    try:
        kept = msgspec.json.decode(data, type=_Kept)
        return kept.baseline, [Counts.from_bytes(each, "/".join(file)) for each in kept.counts]
    except (msgspec.DecodeError, StoreError):
        return None
