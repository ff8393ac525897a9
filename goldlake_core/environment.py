"""Which code and packages this process runs: read from files, without importing or calling them."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import platform
import sysconfig
from pathlib import Path

from goldlake_core.documents.provenance import Environment

PACKAGES = ("goldlake", "goldlake_core", "lakehouse", "metadata", "serving", "tfx_pipeline")
_ROOT = Path(__file__).resolve().parents[1]


@functools.cache
def environment() -> Environment:
    """The environment of this process. Read-only; takes some hundredths of a second, once."""
    stack = _stack()
    lock = _ROOT / "requirements" / f"stack-{'.'.join(stack.split('.')[:2])}.txt"
    return Environment(
        commit=_commit(_ROOT),
        code_sha256=_digest(_sources()),
        lock_sha256=hashlib.sha256(lock.read_bytes()).hexdigest() if lock.is_file() else "",
        packages_sha256=hashlib.sha256("\n".join(_installed()).encode()).hexdigest(),
        stack=stack,
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
    )


def _stack() -> str:
    try:
        return importlib.metadata.version("tfx")
    except importlib.metadata.PackageNotFoundError:
        return ""


def _installed() -> list[str]:
    """Names and versions of the installed packages, as the names of their folders tell."""
    folders = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    return sorted(p.name for folder in folders for p in Path(folder).glob("*.dist-info"))


def _sources() -> list[Path]:
    return [file for name in PACKAGES for file in sorted((_ROOT / name).rglob("*.py"))]


def _digest(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"\0{file.relative_to(_ROOT)}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _commit(root: Path) -> str:
    """The commit that is checked out at a folder, or "" where it is not a checkout of git."""
    try:
        git = root / ".git"
        if git.is_file():  # a work tree beside the repository
            git = root / git.read_text(encoding="utf-8").partition("gitdir:")[2].strip()
        head = (git / "HEAD").read_text(encoding="utf-8").strip()
        name = head.partition("ref:")[2].strip()
        if not name:
            return head
        common = git / "commondir"
        if common.is_file():
            git = git / common.read_text(encoding="utf-8").strip()
        if (git / name).is_file():
            return (git / name).read_text(encoding="utf-8").strip()
        packed = (git / "packed-refs").read_text(encoding="utf-8").splitlines()
        return next((line.split()[0] for line in packed if line.endswith(f" {name}")), "")
    except OSError:
        return ""
