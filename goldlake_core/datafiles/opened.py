"""Opens files of any place, plain or packed, without trusting their sizes.

A file lies on this machine, at an http(s) address, or in any other store that fsspec knows. It may
be packed as gzip or as a zip with one file in it, whatever its name says.
"""

from __future__ import annotations

import gzip
import io
import posixpath
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, cast
from urllib.parse import urlsplit

from goldlake_core.contracts.addresses import LOOPBACK
from goldlake_core.contracts.errors import PermanentError, RetryableError, UsageError

MAX_FETCHED_BYTES = 64 * 2**30
"""Largest file that is fetched from another machine."""
MIN_UNPACKED_BYTES, MAX_RATIO = 256 * 2**20, 250
"""What a packed file may always unpack to, and by what factor a larger one may."""
PART = 1 << 20
_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
_PACKED = (".gz", ".zip")
_TIMEOUTS_S = (10.0, 60.0)


@dataclass(frozen=True)
class SourceFile:
    """A file of a source.

    Attributes:
        name: Its name without the folder, as people call it.
        place: Path or URL of the file.
    """

    name: str
    place: str

    @property
    def is_local(self) -> bool:
        """Whether the file lies on this machine."""
        return "://" not in self.place

    @property
    def uri(self) -> str:
        """The file's URI, for the manifest."""
        return Path(self.place).resolve().as_uri() if self.is_local else self.place


def found(where: str, suffixes: tuple[str, ...], others: tuple[str, ...]) -> list[SourceFile]:
    """The files at a place, by name.

    Args:
        where: A file, a folder, or a pattern; a path of this machine or a URL.
        suffixes: Endings of the files that are taken of a folder, without those of packed files.
        others: Endings of the files that a pattern may name besides.

    Raises:
        UsageError: There is none, two have one name, or no package reads such a URL.
    """
    if where.startswith(("http://", "https://")):
        name = posixpath.basename(where.partition("?")[0]) or "download"
        return [SourceFile(name, where)]
    named, is_single = _listed(where)
    wanted = suffixes if is_single is None else (*suffixes, *others)
    files = [
        file
        for file in named
        if is_single or bare_name(file.name).endswith(wanted) or file.name.lower().endswith(".zip")
    ]
    files.sort(key=lambda file: file.name)
    if not files:
        raise UsageError(f"There are no files at {where}", valid=f"*{', *'.join(suffixes)}")
    twice = {a.name for a, b in zip(files, files[1:], strict=False) if a.name == b.name}
    if twice:
        raise UsageError(f"Several files at {where} are called {', '.join(sorted(twice))}")
    return files


def bare_name(name: str) -> str:
    """A file's name in lower case without the endings of packed files."""
    name = name.lower()
    for ending in _PACKED:
        name = name.removesuffix(ending)
    return name


def _listed(where: str) -> tuple[list[SourceFile], bool | None]:
    """The files at a place; and True for a single file, False for a pattern, None for a folder."""
    import fsspec

    try:
        fs, path = fsspec.core.url_to_fs(where)
        if fs.isfile(path):
            return [SourceFile(posixpath.basename(path), _place(fs, path))], True
        is_folder = fs.isdir(path)
        names = fs.ls(path, detail=False) if is_folder else fs.glob(path)
        files = [name for name in names if fs.isfile(name)]
    except (ImportError, ValueError) as error:
        raise UsageError(f"Nothing here reads {where}: {error}") from error
    except OSError as error:
        raise UsageError(f"{where} cannot be listed: {error}") from error
    named = [SourceFile(posixpath.basename(name), _place(fs, name)) for name in files]
    return named, None if is_folder else False


def _place(fs: object, path: str) -> str:
    protocol = getattr(fs, "protocol", "file")
    names = (protocol,) if isinstance(protocol, str) else protocol
    return path if "file" in names or "local" in names else f"{names[0]}://{path}"


@contextmanager
def raw(file: SourceFile) -> Iterator[BinaryIO]:
    """The bytes of a file as they are, seekable; one of another machine is fetched to disk.

    Raises:
        PermanentError: It cannot be read, or is larger than 64 GiB.
        RetryableError: Another machine did not answer.
    """
    if file.is_local:
        try:
            stream = open(file.place, "rb")  # noqa: SIM115 (closed below)
        except OSError as error:
            raise PermanentError(f"{file.place} cannot be read: {error.strerror}") from error
        with stream:
            yield stream
        return
    with tempfile.TemporaryFile() as copy:
        size = 0
        for part in _fetched(file.place):
            size += len(part)
            if size > MAX_FETCHED_BYTES:
                raise PermanentError(f"{file.place} is larger than {MAX_FETCHED_BYTES >> 30} GiB")
            copy.write(part)
        copy.seek(0)
        yield cast(BinaryIO, copy)


def _fetched(url: str) -> Iterator[bytes]:
    if url.startswith(("http://", "https://")):
        yield from _downloaded(url)
        return
    import fsspec

    try:
        with fsspec.open(url, "rb") as stream:
            while part := stream.read(PART):
                yield part
    except (OSError, ImportError, ValueError) as error:
        raise PermanentError(f"{url} cannot be read: {error}") from error


def _downloaded(url: str) -> Iterator[bytes]:
    import requests

    with requests.Session() as session:
        # A proxy of the environment must not stand between us and this machine.
        session.trust_env = LOOPBACK.fullmatch(urlsplit(url).hostname or "") is None
        session.headers["User-Agent"] = "goldlake"
        session.max_redirects = 5
        try:
            with session.get(url, stream=True, timeout=_TIMEOUTS_S) as answer:
                if answer.status_code >= 500 or answer.status_code == 429:
                    raise RetryableError(f"GET {url} answered HTTP {answer.status_code}")
                if answer.status_code != 200:
                    raise PermanentError(f"GET {url} answered HTTP {answer.status_code}")
                yield from answer.iter_content(PART)
        except requests.RequestException as error:
            raise RetryableError(
                f"GET {url} failed: {type(error).__name__}", hint="the same command again, later"
            ) from error


@contextmanager
def unpacked(file: SourceFile) -> Iterator[tuple[BinaryIO, str]]:
    """The bytes of a file without gzip or zip around them, and the name that they have there.

    Reading more than a packed file of its size can honestly hold raises PermanentError, and so does
    reading what is damaged.

    Raises:
        PermanentError: It is a zip of several files, or with a password.
        RetryableError: Another machine did not answer.
    """
    with ExitStack() as stack:
        stream = stack.enter_context(raw(file))
        begin = stream.read(4)
        size = stream.seek(0, io.SEEK_END)
        stream.seek(0)
        if begin[:2] == _GZIP:
            inner = stack.enter_context(gzip.GzipFile(fileobj=stream))
            yield _bounded(inner, size, file), file.name
        elif begin == _ZIP:
            member, name = _member(stream, file, stack)
            yield _bounded(member, size, file), name
        else:
            yield stream, file.name


def _member(stream: BinaryIO, file: SourceFile, stack: ExitStack) -> tuple[IO[bytes], str]:
    try:
        packed = stack.enter_context(zipfile.ZipFile(stream))
        members = [
            info
            for info in packed.infolist()
            if not info.is_dir() and not info.filename.startswith("__MACOSX/")
        ]
        if len(members) != 1:
            listed = ", ".join(info.filename for info in members[:5]) or "nothing"
            raise PermanentError(
                f"{file.place} holds {len(members)} files ({listed})",
                valid="a zip with one file in it",
                hint="unpack it into a folder, and name the folder",
            )
        name = posixpath.basename(members[0].filename)
        return stack.enter_context(packed.open(members[0])), name
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise PermanentError(f"{file.place} is not a zip that can be read: {error}") from error


def _bounded(inner: object, size: int, file: SourceFile) -> BinaryIO:
    return cast(BinaryIO, _Bounded(cast("IO[bytes]", inner), size, file.place))


class _Bounded(io.RawIOBase):
    """What a packed file unpacks to, up to the most that a file of its size may hold."""

    def __init__(self, inner: IO[bytes], packed_bytes: int, place: str) -> None:
        self._inner, self._place = inner, place
        self._left = max(MIN_UNPACKED_BYTES, MAX_RATIO * packed_bytes)
        self._most = self._left

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """As a file's; see the class.

        Raises:
            PermanentError: The file is damaged, or unpacks to more than is plausible.
        """
        wanted = self._left + 1 if size is None or size < 0 else min(size, self._left + 1)
        try:
            part = self._inner.read(wanted)
        except (EOFError, OSError, zlib.error, zipfile.BadZipFile) as error:
            raise PermanentError(
                f"{self._place} is damaged: {error}", hint="fetch it again"
            ) from error
        self._left -= len(part)
        if self._left < 0:
            raise PermanentError(
                f"{self._place} unpacks to more than {self._most >> 20} MiB, which is "
                "implausible for its size",
                hint="unpack it, and name what comes out",
            )
        return part

    def readinto(self, buffer: object, /) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        part = self.read(len(view))
        view[: len(part)] = part
        return len(part)
