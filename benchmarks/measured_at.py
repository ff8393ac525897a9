"""What a benchmark's page names: the commit and the machine that were measured."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path


def commit(folder: Path | None = None) -> str:
    """The commit that is checked out, in short; here, or in another folder."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=folder
    ).stdout.strip()


def machine() -> str:
    """Cores, memory and system."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores of {platform.machine()}, {memory:.0f} GiB, {platform.system()}"
