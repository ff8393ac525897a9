"""Stages of this package: ``python -m tfx_pipeline RUN_DIR train`` or ``score``."""

from __future__ import annotations

import sys

from goldlake_core.stages import stage_main
from tfx_pipeline.scoring import score
from tfx_pipeline.stages import train
from tfx_pipeline.tuning import tune

if __name__ == "__main__":
    sys.exit(stage_main({"train": train, "score": score, "tune": tune}, sys.argv[1:]))
