"""Reads the answers of one model version from its request log. Read-only; see `requestlog`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from goldlake_core.documents.lineage import Output
from goldlake_core.storage.home import Home
from serving.logfile import DONE, OPEN, log_names

MOST_LINES = 200_000
"""Lines of a version that are read, the newest ones; they take about a kilobyte each."""
# Spelled as in `serving.signatures`, which imports NumPy.
_ANSWERS = ("serving_default", "tf_example")


class Answered(msgspec.Struct, frozen=True):
    """A row that was asked about.

    Attributes:
        at: Instant of the request, ISO 8601 in UTC.
        status: Canonical code of the answer, such as ``OK``.
        version: Version that answered, or None for a refused request.
        signature: Signature that was asked.
        record_key: Key of the record that the row is about, or None.
        inputs: What was asked, by name; redacted inputs are left out.
        outputs: What was answered, by name.
        redacted: Names of inputs that were not kept.
    """

    at: str
    status: str
    version: int | None = None
    signature: str = ""
    record_key: str | None = None
    inputs: dict[str, Output] = {}
    outputs: dict[str, Output] = {}
    redacted: tuple[str, ...] = ()


@dataclass
class AnsweredLog:
    """The answers of a version, and what else is in the log.

    Attributes:
        folder: Folder of the log.
        lines: Answers of the version, the oldest first.
        files: Number of files that were read.
        refused: Requests that were answered with an error.
        others: Lines about other versions or signatures.
        damaged: Whole lines that are not what the server writes.
        is_cut: Whether older lines were not read.
    """

    folder: Path
    lines: list[Answered] = field(default_factory=list)
    files: int = 0
    refused: int = 0
    others: int = 0
    damaged: int = 0
    is_cut: bool = False


def answered(
    model: str, version: int, home: Home, folder: str | None = None, most: int = MOST_LINES
) -> AnsweredLog:
    """The newest answers of a version. A line that is only half written is left for the next time.

    Files may be rotated, erased from and removed while they are read.

    Args:
        model: Name of the model, such as ``city_bikes.is_late``.
        version: Number of the version that answered.
        home: Home whose log is read.
        folder: Folder of the log where the server was given another one.
        most: Most lines of the version; the file that reaches it is read to its end.
    """
    place = Path(folder or home.path("requests")) / model
    log = AnsweredLog(place)
    parts: list[list[Answered]] = []
    count = 0
    for name in _names(place):
        if count >= most:
            log.is_cut = True
            break
        data = _content(place, name)
        if data is None:
            continue
        log.files += 1
        parts.append(list(_wanted(data, version, log)))
        count += len(parts[-1])
    log.lines = [line for part in reversed(parts) for line in part]
    return log


def _names(place: Path) -> list[str]:
    """Names of the files without their suffix, the newest first. They begin with the time."""
    found = {
        name.removesuffix(suffix)
        for suffix in (DONE, OPEN)
        for name in log_names(str(place), suffix)
    }
    return sorted(found, reverse=True)


def _content(place: Path, name: str) -> bytes | None:
    """A file that may be finished, and so renamed, in between; None where it was removed."""
    for suffix in (OPEN, DONE):
        try:
            return (place / f"{name}{suffix}").read_bytes()
        except FileNotFoundError:
            continue
    return None


def _wanted(data: bytes, version: int, log: AnsweredLog) -> Iterator[Answered]:
    decoder = msgspec.json.Decoder(Answered)
    whole, _, _half = data.rpartition(b"\n")
    for text in whole.split(b"\n"):
        if not text:
            continue
        try:
            line = decoder.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError):
            log.damaged += 1
            continue
        if line.status != "OK":
            log.refused += 1
        elif line.version != version or line.signature not in _ANSWERS:
            log.others += 1
        else:
            yield line
