"""Whole files on any fsspec file system: a reader sees the old content or the new, never a part.

For example::

    home = Home.at("var")
    write_json(home.fs, home.landing("toy", "identity.json"), {"kind": "files"})
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import posixpath
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from fsspec import AbstractFileSystem

from goldlake_core.contracts.errors import StoreError

T = TypeVar("T")
_CHUNK_BYTES = 1 << 20

# A put is not atomic on these: a reader could meet half a file, so the file is moved into place.
RENAMING_PROTOCOLS = frozenset(
    {"sftp", "ssh", "hdfs", "arrow_hdfs", "webhdfs", "webHDFS", "smb", "ftp"}
)


def is_local(fs: AbstractFileSystem) -> bool:
    """Whether ``fs`` is this machine's disk."""
    protocols = (fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol
    return "file" in protocols


def write_atomic(fs: AbstractFileSystem, path: str, data: bytes) -> None:
    """Writes a file whole or not at all, over an earlier one of the same name.

    On the local disk the bytes are on the disk when this returns. Files in the making begin with a
    dot, which Spark's readers and `list_names` leave out.

    Args:
        fs: The file system of ``path``.
        path: Path or URL; missing folders are made.
        data: Content of the file.

    Raises:
        StoreError: This machine's disk is full, or the folder may not be written.
    """
    if is_local(fs):
        with writing(path):
            _write_local(fs._strip_protocol(path), data)
        return
    folder, name = posixpath.split(path)
    fs.makedirs(folder, exist_ok=True)
    protocols = {fs.protocol} if isinstance(fs.protocol, str) else set(fs.protocol)
    if protocols & RENAMING_PROTOCOLS:
        unfinished = posixpath.join(folder, f".{name}.{os.urandom(6).hex()}")
        fs.pipe_file(unfinished, data)
        fs.mv(unfinished, path)
    else:
        fs.pipe_file(path, data)


@contextlib.contextmanager
def writing(path: str) -> Iterator[None]:
    """A block that writes ``path`` on this machine's disk.

    Raises:
        StoreError: The disk is full or read-only, or the folder may not be written.
    """
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"Cannot write {path}: {error.strerror}; what was there before is unchanged",
            hint="make room on that disk or correct its permissions, then the same command "
            "again; or another --home",
        ) from error


def read_bytes(fs: AbstractFileSystem, path: str) -> bytes | None:
    """The content of a file, or None where there is none. Always asks the store, not a cache."""
    try:
        content = fs.cat_file(path)
    except FileNotFoundError:
        return None
    return bytes(content)


def file_sha256(fs: AbstractFileSystem, path: str) -> str:
    """The sha256 of a file as hexadecimal digits; the file is never in memory as a whole.

    Args:
        fs: The file system of ``path``.
        path: Path or URL.

    Raises:
        FileNotFoundError: There is no such file.
    """
    digest = hashlib.sha256()
    with fs.open(path, "rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def read_all(fs: AbstractFileSystem, paths: Sequence[str]) -> list[bytes | None]:
    """The contents of many small files, each as `read_bytes` gives it."""
    if is_local(fs):
        return [_read_local(path) for path in paths]
    with ThreadPoolExecutor(16) as pool:
        return list(pool.map(lambda path: read_bytes(fs, path), paths))


class NewerFormat(StoreError):
    """A document was written by a newer goldlake, and is not touched."""


class _Numbered(msgspec.Struct):
    format: int = 1


def document(data: bytes, path: str, kind: type[T], newest: int, hint: str) -> T:
    """A state document out of its bytes.

    Args:
        data: The JSON text of the document.
        path: Where the bytes come from, for the error.
        kind: Type of the document. Its own field ``format`` is 1 where the bytes name none.
        newest: The newest format that this version reads.
        hint: What repairs a damaged document.

    Raises:
        NewerFormat: The document has a newer format.
        StoreError: The document is damaged.
    """
    try:
        number = msgspec.json.decode(data, type=_Numbered).format
        if number > newest:
            raise NewerFormat(
                f"{path} has format {number}; it was made by a newer goldlake",
                valid=f"format {newest} or older",
                hint="use the goldlake that wrote this home, or a newer one",
            )
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise StoreError(f"{path} is damaged: {error}", hint=hint) from error


def write_json(fs: AbstractFileSystem, path: str, document: Any) -> None:
    """Writes a JSON document (UTF-8, sorted keys, a newline at the end) as `write_atomic` does."""
    text = json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True)
    write_atomic(fs, path, text.encode() + b"\n")


def read_json(fs: AbstractFileSystem, path: str) -> Any:
    """The JSON document at ``path``, or None where there is none.

    Raises:
        StoreError: The file is not JSON.
    """
    data = read_bytes(fs, path)
    if data is None:
        return None
    try:
        return json.loads(data)
    except ValueError as error:
        raise StoreError(
            f"{path} is not JSON: {error}",
            hint="restore the file from a copy of the home, or use another --home",
        ) from error


def list_names(fs: AbstractFileSystem, folder: str, suffix: str = "") -> list[str]:
    """Names of the finished files in a folder that end in ``suffix``, sorted; [] without folder."""
    try:
        fs.invalidate_cache(folder)
        paths = fs.ls(folder, detail=False)
    except FileNotFoundError:
        return []
    names = (posixpath.basename(str(path).rstrip("/")) for path in paths)
    return sorted(n for n in names if n.endswith(suffix) and not n.startswith("."))


def write_new(fs: AbstractFileSystem, path: str, data: bytes) -> bool:
    """Writes a file whole unless there is one; whether it was written.

    Stores without an exclusive write may overwrite: two machines with one remote home are not
    kept apart by locks either.

    Raises:
        StoreError: The file cannot be written, as on a read-only or a full disk.
    """
    if not is_local(fs):
        if fs.exists(path):
            return False
        fs.pipe_file(path, data)
        return True
    with writing(path):
        try:
            # A link fails where the name is taken; a rename would replace the other's file.
            _write_local(fs._strip_protocol(path), data, os.link)
        except FileExistsError:
            return False
    return True


def _write_local(path: str, data: bytes, place: Callable[[str, str], None] | None = None) -> None:
    folder, name = os.path.split(path)
    os.makedirs(folder, exist_ok=True)
    handle, unfinished = tempfile.mkstemp(dir=folder, prefix=f".{name}.")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        os.chmod(unfinished, 0o644)
        (place or os.replace)(unfinished, path)
    finally:
        # After a rename the file has another name; that nothing is left is right then.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(unfinished)
    # The rename itself is a change of the folder: without this a power cut could undo it.
    parent = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)


def _read_local(path: str) -> bytes | None:
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        return None
