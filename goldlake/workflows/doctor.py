"""What this machine lacks, and the command that fixes it. Read-only."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from packaging.specifiers import SpecifierSet

from goldlake_core.documents.reports import Finding
from goldlake_core.storage.home import Home
from lakehouse import classes, jars

JAVA_MAJOR = 17
FREE_GIB = 3.0
PACKAGES = (
    "tfx",
    "tensorflow",
    "tensorflow-data-validation",
    "ml-metadata",
    "delta-spark",
    "pyspark",
    "apache-beam",
    "tensorboard",
    "requests",
)


def findings(home: Home) -> list[Finding]:
    """Looks at everything that goldlake needs on this machine.

    Args:
        home: The home whose disk is looked at.
    """
    checks: tuple[Callable[[Home], Iterator[Finding]], ...] = (
        _python,
        _java,
        _compiler,
        _packages,
        _jars,
        _disk,
    )
    return [finding for check in checks for finding in check(home)]


def _python(home: Home) -> Iterator[Finding]:
    found = ".".join(map(str, sys.version_info[:3]))
    # TFX's releases differ in the Pythons that they have wheels for, and say so.
    ranges = {name: _python_range(name) for name in ("goldlake", "tfx")}
    is_ok = all(SpecifierSet(text).contains(found) for text in ranges.values())
    wanted = ", ".join(f"{text} for {name}" for name, text in ranges.items() if text)
    yield Finding("Python", is_ok, found, wanted, "" if is_ok else "make setup")


def _python_range(package: str) -> str:
    try:
        return importlib.metadata.metadata(package)["Requires-Python"] or ""
    except importlib.metadata.PackageNotFoundError:
        return ""


def _java(home: Home) -> Iterator[Finding]:
    java_home = os.environ.get("JAVA_HOME")
    program = str(Path(java_home, "bin", "java")) if java_home else shutil.which("java")
    fix = _java_install()
    wanted = f"{JAVA_MAJOR} or newer"
    try:
        answer = subprocess.run([program or "java", "-version"], capture_output=True, text=True)
    except OSError:
        where = f"JAVA_HOME is {java_home}, without a java in it" if java_home else "none on PATH"
        yield Finding("Java", False, where, wanted, fix)
        return
    match = re.search(r'version "(?:1\.)?(\d+)[^"]*"', answer.stderr)
    if match is None:
        yield Finding("Java", False, answer.stderr.strip()[:60] or "no answer", wanted, fix)
        return
    is_ok = int(match[1]) >= JAVA_MAJOR
    found = match[0].split('"')[1]
    yield Finding("Java", is_ok, found, wanted, "" if is_ok else fix)


def _java_install() -> str:
    if sys.platform == "darwin":
        return "brew install openjdk@21"
    # Debian 12 has 17, Debian 13 has 21.
    is_new = platform.libc_ver() >= ("glibc", "2.39")
    return f"sudo apt-get install openjdk-{21 if is_new else JAVA_MAJOR}-jre-headless"


def _compiler(home: Home) -> Iterator[Finding]:
    # Only set-up compiles (pyfarmhash has no wheel), so a finished set-up does not need it again.
    found = shutil.which("g++") or shutil.which("c++") or shutil.which("clang++")
    is_needed = _version("pyfarmhash") is None
    fix = "sudo apt-get install g++" if found is None and is_needed else ""
    text = found or ("none" if is_needed else "none, and none is needed any more")
    yield Finding("C++ compiler", not fix, text, "g++ (for set-up only)", fix)


def _packages(home: Home) -> Iterator[Finding]:
    missing = [name for name in PACKAGES if _version(name) is None]
    if missing:
        yield Finding("Packages", False, f"missing: {', '.join(missing)}", "the lock", "make setup")
    else:
        text = ", ".join(f"{name} {_version(name)}" for name in ("tfx", "tensorflow", "pyspark"))
        yield Finding("Packages", True, text, "the lock")


def _jars(home: Home) -> Iterator[Finding]:
    folder = jars.jars_folder()
    wrong = jars.wrong_jars(folder)
    names = [path.name for path in sorted(folder.glob("*.jar"))]
    damaged = [name for name in wrong if name in names]
    found = f"checksum differs: {', '.join(damaged)}" if damaged else ", ".join(names) or "none"
    wanted = f"delta-spark and delta-storage in {folder}, as locked"
    yield Finding("Delta JARs", not wrong, found, wanted, jars.fetch_command() if wrong else "")
    archive = classes.archive()
    size = (
        f"{archive.stat().st_size >> 20} MiB" if archive.is_file() else "none: Spark starts slower"
    )
    yield Finding("Classes", True, size, f"{archive}, optional")


def _disk(home: Home) -> Iterator[Finding]:
    if not home.is_local:
        yield Finding("Disk", True, f"{home.root} is not on this machine", "")
        return
    folder = Path(home.root)
    while not folder.exists():
        folder = folder.parent
    free_gib = shutil.disk_usage(folder).free / 2**30
    is_ok = free_gib >= FREE_GIB and os.access(folder, os.W_OK)
    found = f"{free_gib:.1f} GiB free at {folder}"
    if not os.access(folder, os.W_OK):
        found += ", not writable"
    fix = "" if is_ok else "choose another place: goldlake … --home DIR"
    yield Finding("Disk", is_ok, found, f"{FREE_GIB:.0f} GiB free, writable", fix)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
