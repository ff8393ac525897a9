"""``python -m lakehouse RUN_DIR STAGE…`` with stages land, refine and export.

Whoever calls a stage, ML Metadata holds what it made: the command records it when the stage ended.
"""

from __future__ import annotations

import logging
import sys

from goldlake_core.contracts.registry import find_usecase
from goldlake_core.documents import codec
from goldlake_core.documents.provenance import Value
from goldlake_core.documents.stages import Request, Stage
from goldlake_core.environment import environment
from goldlake_core.stages import Emit, Result, stage_main
from goldlake_core.storage.home import Home
from lakehouse import provenance
from lakehouse.stages import STAGES
from metadata import database, stages

NOT_RECORDED: frozenset[Stage] = frozenset({"audit", "examples", "keep", "remake"})
"""Stages that make no version of a table that a model could come from, or work in other homes."""
log = logging.getLogger("goldlake")


def record(stage: Stage, request: Request, result: Result | None, emit: Emit) -> None:
    """Records what a stage made. What goes wrong is said, and the next stage tries again."""
    home = Home.at(request.home)
    if stage in NOT_RECORDED or not home.is_local:
        return
    try:
        usecase = find_usecase(request.usecase).resolve().name
        with database.Names(home) as names:
            found = provenance.executions(usecase, home, request, stage, result, _about, names)
        stages.record(home, found)
    except Exception as error:  # the stage did what it was asked for
        log.exception("not recorded")
        emit("info", f"{stage} is not on record in {home.mlmd} yet: {error}")


def _about() -> dict[str, Value]:
    return codec.plain(environment())  # type: ignore[no-any-return]


if __name__ == "__main__":
    sys.exit(stage_main(STAGES, sys.argv[1:], record))
