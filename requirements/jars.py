"""Fetches the JARs of jars.lock into the environment's `jars` folder, once, for use offline.

Spark's own copy of Ivy resolves them, in a folder and with a user home that exist only for this
call: nothing in the person's Maven or Ivy repositories is read (a POM there without its JAR would
stop the resolution) or written. A mirror is used by way of an Ivy settings file: IVY_SETTINGS=FILE.
A JAR counts only if its sha256 is the locked one.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

LOCK = Path(__file__).with_name("jars.lock")
TIMEOUT_S = 300


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
      SystemExit: Java did not run or Ivy did not find the file; the message holds Ivy's own words.
    """
    pyspark = importlib.util.find_spec("pyspark")
    if pyspark is None or pyspark.origin is None:
        raise SystemExit("error: pyspark is not installed beside this Python. Run: make setup")
    jars = Path(pyspark.origin).with_name("jars")
    (ivy,) = jars.glob("ivy-*.jar")
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
    result = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=TIMEOUT_S
    )
    path = folder / file_name(coordinate)
    if result.returncode or not path.is_file():
        raise SystemExit(f"{result.stdout}\nerror: {coordinate} was not resolved")
    return path


def fetch(lock: Path, target: Path) -> None:
    """Makes `target` hold the locked JARs and no others; fetches what is missing or not right.

    Raises:
      SystemExit: A JAR could not be had, or its content is not the locked one.
    """
    target.mkdir(parents=True, exist_ok=True)
    wanted = locked(lock.read_text())
    missing = [key for key, digest in wanted.items() if sha256(target / file_name(key)) != digest]
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="ivy-") as folder:
        for coordinate in missing:
            path = resolve(coordinate, Path(folder))
            if sha256(path) != wanted[coordinate]:
                raise SystemExit(
                    f"error: Hash mismatch: {coordinate} has sha256 {sha256(path)}, "
                    f"and {lock} wants {wanted[coordinate]}"
                )
            os.replace(path, target / path.name)
    for path in target.glob("*.jar"):
        if path.name not in map(file_name, wanted):
            path.unlink()


def rewrite(lock: Path) -> None:
    """Resolves the coordinates of a lock file anew and writes the digests found into it."""
    text = lock.read_text()
    folder = Path(tempfile.mkdtemp(prefix="goldlake-jars-"))
    try:
        for coordinate in locked(text):
            digest = sha256(resolve(coordinate, folder))
            text = re.sub(rf"^({re.escape(coordinate)}) .*$", rf"\1 {digest}", text, flags=re.M)
    finally:
        shutil.rmtree(folder)
    lock.write_text(text)


if __name__ == "__main__":
    if sys.argv[1:] == ["fetch"]:
        fetch(LOCK, Path(sys.prefix, "jars"))
    elif sys.argv[1:] == ["lock"]:
        rewrite(LOCK)
    else:
        raise SystemExit("usage: jars.py fetch|lock")
