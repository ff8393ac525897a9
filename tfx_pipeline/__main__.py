"""Stages of this package: ``python -m tfx_pipeline RUN_DIR train``."""

from __future__ import annotations

import sys

from goldlake.storage.rundir import stage_main
from tfx_pipeline.runner import train

if __name__ == "__main__":
    sys.exit(stage_main({"train": train}, sys.argv[1:]))
