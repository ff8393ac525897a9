"""The archive of the classes that Spark loads, which Java maps instead of reading JARs anew.

Optional: without it, or where Java finds that it does not fit (another Java, other JARs, damage),
each process starts as Java always does. `lakehouse.recording` makes it.
"""

from __future__ import annotations

from pathlib import Path

from lakehouse.jars import jars_folder

NAME = "classes.jsa"


def archive() -> Path:
    """Where the archive is, if there is one: beside the JARs that it is made from."""
    return jars_folder() / NAME


def java_options(recorded: Path | None = None) -> list[str]:
    """Options of Java that use the archive, or that write it; [] where there is none.

    Args:
        recorded: File to write at the end of the process.
    """
    if recorded is not None:
        return [f"-XX:ArchiveClassesAtExit={recorded}"]
    return [f"-XX:SharedArchiveFile={archive()}"] if archive().is_file() else []
