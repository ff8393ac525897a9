"""``python -m lakehouse RUN_DIR STAGE…`` with stages land, refine and export."""

from __future__ import annotations

import sys

from goldlake_core.stages import stage_main
from lakehouse.stages import STAGES

if __name__ == "__main__":
    sys.exit(stage_main(STAGES, sys.argv[1:]))
