"""Stages of this package: ``python -m tfx_pipeline RUN_DIR train``, or another stage."""

from __future__ import annotations

import sys

from goldlake_core.documents.stages import Stage
from goldlake_core.stages import StageFunction, stage_main
from tfx_pipeline.compiling import compile_pipeline
from tfx_pipeline.examine import examine
from tfx_pipeline.reproducing import reproduce
from tfx_pipeline.scoring import score
from tfx_pipeline.stages import train
from tfx_pipeline.tuning import tune

if __name__ == "__main__":
    stages: dict[Stage, StageFunction] = {
        "train": train,
        "reproduce": reproduce,
        "score": score,
        "tune": tune,
        "compile": compile_pipeline,
        "examine": examine,
    }
    sys.exit(stage_main(stages, sys.argv[1:]))
