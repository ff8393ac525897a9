"""Gives a target bytes that atheris finds, from the corpus on: ``python -m tests.fuzz.run TARGET``.

usage: python -m tests.fuzz.run TARGET [--seconds N] [--keep FOLDER]

What opens new ways through the code is written to the folder of ``--keep``; what fails is written
to the working directory, and belongs into ``tests/fuzz/corpus/TARGET`` once it is mended.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["serving", "tests.fuzz.targets"]):
    from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).with_name("corpus")


def main() -> None:
    """Runs until the time is over or something fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    # What is found is added to the first folder, which must not be the corpus itself.
    kept = options.keep or Path(tempfile.mkdtemp(prefix="goldlake-fuzz-"))
    kept.mkdir(parents=True, exist_ok=True)
    folders = [str(kept), str(CORPUS / options.target)]
    limits = [f"-max_total_time={options.seconds}", "-timeout=10", "-rss_limit_mb=2048"]
    arguments = [sys.argv[0], *limits, "-max_len=4096", *folders]
    atheris.Setup(arguments, TARGETS[options.target])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
