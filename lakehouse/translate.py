"""Says in our words what Spark, Delta, Java and functions of a use case fail with.

It is the edge of every stage: whatever is raised inside comes out as one error that names the
table, the file or the function, and what to do next. Java's traceback is in the log.
"""

from __future__ import annotations

import errno
import functools
import os
import re
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

from goldlake_core.contracts.errors import (
    GoldlakeError,
    PermanentError,
    RetryableError,
    StoreError,
)
from goldlake_core.contracts.registry import find_usecase
from goldlake_core.documents.stages import Request
from goldlake_core.stages import Emit
from goldlake_core.storage.home import Home
from lakehouse.epochs import table_of

Q = TypeVar("Q", bound=Request)
A = TypeVar("A")

_FULL = re.compile(r"No space left on device|Disk quota exceeded")
_READ_ONLY = re.compile(
    r"Read-only file system|Permission denied|AccessDenied|Mkdirs failed to create"
)
_MEMORY = re.compile(
    r"OutOfMemoryError|GC overhead limit|SparkOutOfMemory|UNABLE_TO_ACQUIRE_MEMORY"
)
_NO_JAVA = re.compile(r"JAVA_GATEWAY_EXITED|Java gateway process exited")
_JAVA_DIED = re.compile(
    r"Py4JNetworkError|ConnectionRefused|ConnectionReset|Answer from Java side is empty|"
    r"Connection refused|SparkContext was shut down|cannot call a method on a stopped"
)
_CONCURRENT = re.compile(
    r"DELTA_CONCURRENT\w*|Concurrent\w+Exception|(Metadata|Protocol)ChangedException|"
    r"DELTA_METADATA_CHANGED|DELTA_PROTOCOL_CHANGED"
)
_BROKEN_RULE = re.compile(
    r"(?:CHECK constraint (?P<rule>\S+) .*?violated by row with values:"
    r"(?P<values>[^\n]*(?:\n -[^\n]*)*))"
    r"|NOT NULL constraint violated for column: (?P<column>[^\s.]+)"
)
_TWICE = re.compile(r"MULTIPLE_SOURCE_ROW_MATCHING_TARGET_ROW")
_NO_LOG = re.compile(
    r"DELTA_(LOG_FILE_NOT_FOUND|TRUNCATED_TRANSACTION_LOG|STATE_RECOVER|VERSIONS_NOT_CONTIGUOUS|"
    r"MISSING_COMMIT|\w*CHECKPOINT)"
)
_BAD_FILE = re.compile(
    r"is not a Parquet file|FAILED_READ_FILE|FileNotFoundException|PATH_NOT_FOUND|"
    r"(File|Path) \S+ does not exist|Could not read footer|ParquetDecodingException|EOFException|"
    r"can not read class org.apache.parquet|Expected magic number"
)
_FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+), in (?P<function>\S+)')
_JAVA_CLASS = re.compile(r"^(?:[a-z_][\w$]*\.)+[A-Z][\w$]*: ")
_CODE = re.compile(r"^\[[A-Z_0-9.]+\] ")
_CAUSES = 20
_AGAIN = "the same command again"
_UNCHANGED = "what was there before is unchanged"


def translated(stage: Callable[[Q, Emit], A]) -> Callable[[Q, Emit], A]:
    """A stage whose every failure is an error of ours, as far as its cause is known."""

    @functools.wraps(stage)
    def run(request: Q, emit: Emit) -> A:
        try:
            return stage(request, emit)
        except GoldlakeError:
            raise
        except Exception as error:
            folder = None
            with suppress(GoldlakeError):
                folder = find_usecase(request.usecase).resolve()
            ours = told(error, Home.at(request.home), folder)
            if ours is None:
                raise
            raise ours from error

    return run


def told(error: Exception, home: Home, folder: Path | None) -> GoldlakeError | None:
    """An error in our words, or None where it is none of Spark's, the system's or the use case's.

    Args:
        error: What was raised.
        home: The home that the stage works on.
        folder: The use case's folder, for errors that its functions raise, or None.
    """
    messages = [str(error), *_java_messages(error)]
    if not _is_spark(error):
        of_function = _of_function(error, folder)
        return of_function or (_of_machine(error, home) if isinstance(error, OSError) else None)
    lines = [line for text in messages for line in text.splitlines()]
    # Names of exceptions in Java's stack say nothing.
    said = [line for line in lines if not line.lstrip().startswith("at ")]
    text = unquote("\n".join([type(error).__name__, *said]))
    place = _table(text, error, home)
    return (
        _of_spark(text, home)
        or _of_worker(messages, folder)
        or _of_table(text, place or "a table", home)
        or _of_function(error, folder)
        or PermanentError(
            f"Spark failed{f' at {place}' if place else ''}: {_last_words(messages)}",
            hint="the log has all that Spark said",
        )
    )


def _is_spark(error: BaseException) -> bool:
    """Whether an error comes from Spark, Delta, or the bridge to Java."""
    origins = {type(error).__module__.partition(".")[0], _raised_in(error)}
    return bool(origins & {"pyspark", "py4j", "delta"})


def _raised_in(error: BaseException) -> str:
    """The package whose code raised an error, such as a refused connection to Java."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        for package in ("py4j", "pyspark", "delta"):
            if f"/site-packages/{package}/" in frame.filename.replace(os.sep, "/"):
                return package
        break
    return ""


def _java_messages(error: BaseException) -> Iterator[str]:
    """What each Java exception that caused an error says, the deepest last."""
    java = getattr(error, "java_exception", None) or getattr(error, "_origin", None)
    with suppress(Exception):  # The Java process may be gone, and with it what it had to say.
        for _ in range(_CAUSES):
            if java is None:
                return
            yield f"{java.getClass().getName()}: {java.getMessage() or ''}"
            java = java.getCause()


def _of_machine(error: OSError, home: Home) -> GoldlakeError | None:
    """Disk and permissions, outside of Spark."""
    place = error.filename or home.root
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _full(place)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return _not_allowed(place)
    if error.errno == errno.ENOENT and re.search(r"bin/(java|spark-submit)$", str(place)):
        return _no_java()
    return None


def _of_spark(text: str, home: Home) -> GoldlakeError | None:
    """Disk, permissions, memory, and the Java process."""
    if _FULL.search(text):
        return _full(_path(text, home) or home.root)
    if _MEMORY.search(text):
        return PermanentError(
            "Spark ran out of memory",
            valid="more memory in GOLDLAKE_SPARK_MEMORY, such as 6g",
            hint=f"GOLDLAKE_SPARK_MEMORY=6g and {_AGAIN}",
        )
    if _NO_JAVA.search(text):
        return _no_java()
    if _JAVA_DIED.search(text):
        return RetryableError(
            f"Spark's Java process ended in the middle (killed, or out of memory); {_UNCHANGED}",
            hint=f"{_AGAIN}; GOLDLAKE_SPARK_MEMORY limits its memory",
        )
    if _READ_ONLY.search(text):
        return _not_allowed(_path(text, home) or home.root)
    return None


def _full(place: str) -> StoreError:
    return StoreError(
        f"The disk is full: {place} could not be written; {_UNCHANGED}",
        hint=f"make room there and in the folder for temporary files, then {_AGAIN}",
    )


def _not_allowed(place: str) -> StoreError:
    return StoreError(
        f"{place} may not be read or written; {_UNCHANGED}",
        hint=f"correct its permissions, then {_AGAIN}",
    )


def _no_java() -> PermanentError:
    return PermanentError("Java did not start, and Spark needs it", hint="goldlake doctor")


def _of_table(text: str, table: str, home: Home) -> GoldlakeError | None:
    """Rules, other writers, and damaged files of a table."""
    usecase = table.partition(".")[0] if "." in table else "USECASE"
    if _CONCURRENT.search(text):
        return RetryableError(
            f"Another program wrote {table} at the same time; nothing of this commit was written",
            hint=_AGAIN,
        )
    broken = _BROKEN_RULE.search(text)
    if broken:
        rule = broken["rule"] or f"{broken['column']} is not null"
        values = " ".join((broken["values"] or "").replace("\n -", ",").split()).strip(", ")
        return StoreError(
            f"A row breaks the rule {rule} of {table}{f' ({values})' if values else ''}; nothing "
            "of this commit was written",
            hint="correct the function that makes the rows, or the rule in contract.yaml",
        )
    if _TWICE.search(text):
        return StoreError(
            f"{table} or what is written to it has a key twice; nothing was written",
            hint="goldlake doctor --deep",
        )
    if _NO_LOG.search(text):
        why = next(_first_line(line) for line in text.splitlines() if _NO_LOG.search(line))
        return StoreError(
            f"Delta's log of {table} is damaged or incomplete: {why}",
            hint=f"goldlake rebuild {usecase}",
        )
    if _BAD_FILE.search(text):
        path = _path(text, home)
        which = f"the file {path}" if path else "a file"
        hint = f"goldlake rebuild {usecase}"
        if path and "/landing/" in path:
            return StoreError(f"The landed page {path} is damaged or missing", hint=hint)
        return StoreError(f"{table}: {which} is damaged or missing", hint=hint)
    return None


def _of_worker(messages: list[str], folder: Path | None) -> GoldlakeError | None:
    """What a function of the use case raised in a worker of Spark, by file and line."""
    for text in messages:
        frames = [match.groups() for match in _FRAME.finditer(text)]
        where = _place(frames, folder)
        if where:
            after = text[[*_FRAME.finditer(text)][-1].end() :].splitlines()
            raised = (line.strip() for line in after if re.match(r"[A-Za-z_][\w.]*(:|$)", line))
            return _failed(where, next(raised, "it did not say why"))
    return None


def _of_function(error: Exception, folder: Path | None) -> GoldlakeError | None:
    """What a function of the use case raised, by file and line."""
    frames = [(f.filename, f.lineno, f.name) for f in traceback.extract_tb(error.__traceback__)]
    where = _place(frames, folder)
    if not where:
        return None
    first = _first_line(str(error)) or "it did not say why"
    return _failed(where, first if _is_spark(error) else f"{type(error).__name__}: {first}")


def _place(frames: Sequence[tuple[Any, ...]], folder: Path | None) -> tuple[Any, ...] | None:
    """File, line and function of the innermost frame that lies in a folder."""
    if folder is None:
        return None
    inside = [each for each in frames if Path(each[0]).resolve().is_relative_to(folder.resolve())]
    return inside[-1] if inside else None


def _failed(where: tuple[Any, ...], what: str) -> PermanentError:
    file, line, function = where
    return PermanentError(
        f"{function} in {file}:{line} failed: {what}", hint=f"correct {Path(file).name}"
    )


def _last_words(messages: list[str]) -> str:
    """The deepest message that says something, as one line without Java's names."""
    for text in reversed(messages):
        line = _first_line(text)
        if line:
            return line
    return "it did not say why"


def _first_line(text: str) -> str:
    for line in text.splitlines():
        plain = _CODE.sub("", _JAVA_CLASS.sub("", line.strip())).partition(" SQLSTATE:")[0]
        plain = re.sub(r"^An error occurred while calling \w+\.\w+\.?:?$", "", plain).strip()
        plain = _JAVA_CLASS.sub("", plain).strip()
        if plain and not plain.startswith(("at ", "JVM stacktrace", ":")):
            return plain
    return ""


def _path(text: str, home: Home) -> str | None:
    """The path inside the home that a message names: a file rather than a folder."""
    found = re.findall(rf"{re.escape(home.root)}/[^\s'\"\]),;]+", text)
    plain = [path.rstrip(".:") for path in found]
    files = [path for path in plain if re.search(r"\.\w+$", path)]
    return (files or plain or [None])[0]


def _table(text: str, error: BaseException, home: Home) -> str | None:
    """Id of the table that an error is about, such as ``bikes.silver.rentals``."""
    path = _path(text, home) or ""
    places = [path, *re.findall(r"/tables/[^\s'\"\]),;]+", text), getattr(error, "about", "")]
    for place in places:
        match = re.search(r"/tables/([^/]+)/([^/]+)/([^/]+)", place)
        if match:
            return f"{match[1]}.{match[2]}.{table_of(match[3])[0]}"
    return None
