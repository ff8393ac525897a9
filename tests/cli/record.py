"""Records what commands print with ``--json``: ``python -m tests.cli.record``; takes minutes.

The documents in ``recorded/`` were written by this module, from one real run. Tests of the command
line read them, so that they need neither Spark nor TensorFlow. With a folder as its argument, the
module writes them there.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

RECORDED = Path(__file__).parent / "recorded"
PLACE = "/home/you"
MODEL = "chicago_crime.arrest"
COMMANDS = {
    # As `make run` runs it: the README shows what this prints.
    "run": ("run", "chicago_crime"),
    "tables": ("tables", "chicago_crime"),
    "models": ("models",),
    "lineage": ("lineage", f"{MODEL}@1"),
    "lineage_forwards": ("lineage", "chicago_crime.gold.arrest_features"),
    "quarantine": ("quarantine", "list", "chicago_crime", "--limit", "3"),
    "promote": ("promote", f"{MODEL}@1", "--label", "canary"),
    "export": ("export", MODEL),
}


def record(folder: Path, target: Path) -> None:
    """Runs every command on one home in ``folder``; writes its document to ``target``."""
    target.mkdir(parents=True, exist_ok=True)
    for name, arguments in COMMANDS.items():
        command = [sys.executable, "-m", "goldlake.cli.main", *arguments]
        answer = subprocess.run(
            [*command, "--home", str(folder / "lake"), "--json"],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        text = answer.stdout.replace(str(folder), PLACE)
        (target / f"{name}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        record(Path(place).resolve(), Path(sys.argv[1]) if sys.argv[1:] else RECORDED)
