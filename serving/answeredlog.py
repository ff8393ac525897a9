"""Reads the answers in the files of a request log. Read-only; see `requestlog`."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from goldlake_core.documents.lineage import Output
from serving.logfile import DONE, OPEN, log_names

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
class FileAnswers:
    """What is in a part of a file.

    Attributes:
        lines: Answers of any version, in their order.
        refused: Requests that were answered with an error.
        others: Lines of signatures that do not answer, such as ``explain``.
        damaged: Whole lines that are not what the server writes.
    """

    lines: list[Answered] = field(default_factory=list)
    refused: int = 0
    others: int = 0
    damaged: int = 0


@dataclass(frozen=True)
class Content:
    """The whole lines of a file; what is only half written is left for the next time.

    Attributes:
        data: The lines, each with its line break.
        inode: Which file they were read from, as it may be replaced meanwhile.
    """

    data: bytes
    inode: int


def file_names(place: Path) -> list[str]:
    """Names of the files without their suffix, the newest first. They begin with the time."""
    found = {
        name.removesuffix(suffix)
        for suffix in (DONE, OPEN)
        for name in log_names(str(place), suffix)
    }
    return sorted(found, reverse=True)


def content(place: Path, name: str) -> Content | None:
    """A file that may be finished, and so renamed, in between; None where it was removed."""
    for suffix in (OPEN, DONE):
        try:
            with (place / f"{name}{suffix}").open("rb") as file:
                data, inode = file.read(), os.fstat(file.fileno()).st_ino
        except FileNotFoundError:
            continue
        return Content(data[: data.rfind(b"\n") + 1], inode)
    return None


def is_there(place: Path, name: str, inode: int) -> bool:
    """Whether a file is still the one that was read, and no lines of it were erased."""
    for suffix in (OPEN, DONE):
        try:
            return (place / f"{name}{suffix}").stat().st_ino == inode
        except FileNotFoundError:
            continue
    return False


def answers_of(data: bytes) -> FileAnswers:
    """The answers in some lines. Pure."""
    found = FileAnswers()
    decoder = msgspec.json.Decoder(Answered)
    for text in data.split(b"\n"):
        if not text:
            continue
        try:
            line = decoder.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError):
            found.damaged += 1
            continue
        if line.status != "OK":
            found.refused += 1
        elif line.version is None or line.signature not in _ANSWERS:
            found.others += 1
        else:
            found.lines.append(line)
    return found
