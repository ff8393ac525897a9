"""The two Delta JARs that Spark needs: fetched once, verified against jars.lock, used offline.

Spark's own copy of Ivy resolves them, in a folder and with a user home that exist only for this
call: nothing in the person's Maven or Ivy repositories is read (a POM there without its JAR would
stop the resolution) or written. A mirror is used by way of an Ivy settings file: IVY_SETTINGS=FILE.
A JAR counts only if its sha256 is the locked one.

Set-up fetches them, else the first Spark session does, else a person: ``goldlake doctor`` prints
the command.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from goldlake_core.contracts.errors import GoldlakeError, PermanentError, RetryableError

LOCK = Path(__file__).with_name("jars.lock")
TIMEOUT_S = 300


def jars_folder() -> Path:
    """Returns the folder of the JARs; only the names of its files are looked at.

    It belongs to the environment, so that a removed environment leaves nothing. Where that cannot
    be written, and nobody who could has put them there, it is the user's cache.
    """
    in_prefix = Path(sys.prefix, "jars")
    if _has_all(in_prefix) or os.access(_existing(in_prefix), os.W_OK):
        return in_prefix
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "goldlake", "jars")


def ensure_jars() -> list[Path]:
    """Returns the paths of the JARs; fetches them first where one is missing.

    Raises:
      GoldlakeError: A JAR could not be had, or its content is not the locked one.
    """
    folder = jars_folder()
    if not _has_all(folder):
        # A stage's standard error is its log.
        print(f"Fetching the Delta JARs into {folder}, once", file=sys.stderr)
        fetch(LOCK, folder)
    return [folder / file_name(coordinate) for coordinate in locked(LOCK.read_text())]


def wrong_jars(folder: Path) -> list[str]:
    """Returns the names of the locked JARs that a folder lacks or holds with other content."""
    wanted = locked(LOCK.read_text())
    return [file_name(key) for key in wanted if sha256(folder / file_name(key)) != wanted[key]]


def fetch_command() -> str:
    """Returns the command that makes the folder right; ``-I`` keeps the working directory out."""
    return f"{shlex.quote(sys.executable)} -I -m lakehouse.jars fetch"


def locked(text: str) -> dict[str, str]:
    """Returns Maven coordinate -> sha256 of a lock file's text."""
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    return dict(line.split() for line in lines)


def file_name(coordinate: str) -> str:
    """Returns the file name Maven gives `group:artifact:version`."""
    _, artifact, version = coordinate.split(":")
    return f"{artifact}-{version}.jar"


def sha256(path: Path) -> str:
    """Returns the hexadecimal digest of a file's content, or '' where there is no file."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def java_proxy_options(environ: Mapping[str, str]) -> list[str]:
    """Returns the proxy of `https_proxy` in Java's words: it does not read that variable."""
    url = urlsplit(environ.get("https_proxy") or environ.get("HTTPS_PROXY") or "")
    if not url.hostname:
        return []
    return [f"-Dhttps.proxyHost={url.hostname}", f"-Dhttps.proxyPort={url.port or 80}"]


def resolve(coordinate: str, folder: Path) -> Path:
    """Downloads one JAR, without what it depends on, into `folder` and returns its path.

    Raises:
      PermanentError: There is no pyspark or no Java.
      RetryableError: Ivy did not find the file; the cause holds Ivy's own words.
    """
    pyspark = importlib.util.find_spec("pyspark")
    if pyspark is None or pyspark.origin is None:
        raise PermanentError("pyspark is not installed beside this Python", hint="make setup")
    (ivy,) = Path(pyspark.origin).with_name("jars").glob("ivy-*.jar")
    java = Path(os.environ["JAVA_HOME"], "bin", "java") if os.environ.get("JAVA_HOME") else "java"
    settings = os.environ.get("IVY_SETTINGS")
    command = [
        str(java),
        f"-Duser.home={folder / 'home'}",
        *java_proxy_options(os.environ),
        *("-cp", str(ivy), "org.apache.ivy.Main"),
        *(("-settings", settings) if settings else ()),
        *("-cache", str(folder / "cache"), "-notransitive", "-types", "jar"),
        *("-dependency", *coordinate.split(":")),
        *("-retrieve", f"{folder}/[artifact]-[revision].[ext]"),
    ]
    try:
        result = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=TIMEOUT_S
        )
    except FileNotFoundError as error:
        raise PermanentError(f"There is no Java at {java}", hint="goldlake doctor") from error
    except subprocess.TimeoutExpired as error:
        raise _not_resolved(coordinate, f"no answer in {TIMEOUT_S} s") from error
    path = folder / file_name(coordinate)
    if result.returncode or not path.is_file():
        raise _not_resolved(coordinate, _reason(result.stdout)) from RuntimeError(result.stdout)
    return path


def fetch(lock: Path, target: Path) -> None:
    """Makes `target` hold the locked JARs and no others; fetches what is missing or not right.

    Two at a time do no harm: a JAR is verified beside the folder and moved in whole.

    Raises:
      GoldlakeError: A JAR could not be had, or its content is not the locked one.
    """
    target.mkdir(parents=True, exist_ok=True)
    wanted = locked(lock.read_text())
    missing = [key for key, digest in wanted.items() if sha256(target / file_name(key)) != digest]
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="ivy-") as folder:
        for coordinate in missing:
            path = resolve(coordinate, Path(folder))
            if sha256(path) != wanted[coordinate]:
                raise PermanentError(
                    f"Hash mismatch: {coordinate} has sha256 {sha256(path)}",
                    valid=f"{wanted[coordinate]}, of {lock}",
                )
            os.replace(path, target / path.name)
    for path in target.glob("*.jar"):
        if path.name not in map(file_name, wanted):
            path.unlink()


def rewrite(lock: Path) -> None:
    """Resolves the coordinates of a lock file anew and writes the digests found into it."""
    text = lock.read_text()
    with tempfile.TemporaryDirectory(prefix="goldlake-jars-") as folder:
        for coordinate in locked(text):
            digest = sha256(resolve(coordinate, Path(folder)))
            text = re.sub(rf"^({re.escape(coordinate)}) .*$", rf"\1 {digest}", text, flags=re.M)
    lock.write_text(text)


def main(arguments: list[str]) -> int:
    """Runs ``fetch`` or ``lock`` and returns the exit code."""
    try:
        if arguments == ["fetch"]:
            fetch(LOCK, jars_folder())
        elif arguments == ["lock"]:
            rewrite(LOCK)
        else:
            print("usage: python -m lakehouse.jars fetch|lock", file=sys.stderr)
            return 2
    except GoldlakeError as error:
        if error.__cause__ is not None:
            print(error.__cause__, file=sys.stderr)
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _has_all(folder: Path) -> bool:
    return all((folder / file_name(key)).is_file() for key in locked(LOCK.read_text()))


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path


def _not_resolved(coordinate: str, why: str) -> RetryableError:
    return RetryableError(
        f"The JAR {coordinate} was not resolved: {why}",
        hint="connect, or name a mirror (export IVY_SETTINGS=ivysettings.xml), then run: "
        + fetch_command(),
    )


def _reason(output: str) -> str:
    """The line of Ivy's report that says most."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if re.search(r"not found|error|exception", line, re.I)]
    return (telling or lines or ["Java said nothing"])[0]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
