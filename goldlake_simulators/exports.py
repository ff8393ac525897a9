"""Reads the bytes of exports that simulators replay."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Callable
from pathlib import Path

from goldlake_core.contracts.errors import UsageError

Warn = Callable[[str], None]
"""Takes one line about a part of the data that is skipped."""


def file_hash(file: Path) -> str:
    """sha256 of a file's bytes.

    Raises:
        UsageError: There is no such file, or it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with file.open("rb") as content:
            while chunk := content.read(1 << 20):
                digest.update(chunk)
    except OSError as error:
        raise UsageError(
            f"Cannot read the export {file}: {error.strerror}", valid="a file that exists"
        ) from error
    return digest.hexdigest()


def text_of(file: Path, warn: Warn) -> str:
    """The text of an export, unpacked where it is gzipped.

    Args:
        file: Its bytes say whether it is gzipped.
        warn: Called with one line where the download broke off.

    Raises:
        UsageError: It is damaged, or not UTF-8.
    """
    raw = file.read_bytes()
    if raw[:2] == b"\x1f\x8b":
        raw = _unzipped(file, raw, warn)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise UsageError(
            f"{file}:{line}: not UTF-8", hint=f"iconv -f latin1 -t utf8 {file} > NEW_FILE"
        ) from error


def _unzipped(file: Path, raw: bytes, warn: Warn) -> bytes:
    try:
        return gzip.decompress(raw)
    except (EOFError, zlib.error, OSError):
        inflate = zlib.decompressobj(31)
        try:
            part = inflate.decompress(raw)
        except zlib.error as error:
            raise UsageError(f"{file} is damaged: {error}", hint="download it again") from error
        warn(f"{file} is an incomplete gzip file: the download broke off; what is there is served")
        return part
