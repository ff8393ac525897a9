"""Stages in ML Metadata: those of the lakehouse whole, and what TFX leaves out of a training run.

A stage of the lakehouse is an execution, a version of a table and the pages of a run are artifacts,
and all executions of a run are in one context, which has the run's name. The paths of these
artifacts are relative to the home, so that they hold wherever it is moved to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from goldlake_core.documents.provenance import EXPORT, ExecutionFacts
from goldlake_core.storage.home import Home
from metadata.store import Store

PIPELINE_RUN = "pipeline_run"
"""TFX's type of the context of one run of a pipeline; its name is goldlake's run id."""
REPEATED = "."
"""Between a run id and the number of a repetition: a stage that was called again in one run."""


def record(home: Home, found: Sequence[ExecutionFacts]) -> None:
    """Records executions of the lakehouse. Writes where there is something to record; idempotent.

    Args:
        home: The home whose metadata is written.
        found: What is not on record yet.
    """
    if not found:
        return
    store = Store(home, is_writer=True)
    for facts in found:
        store.put_facts(facts)


def pipeline_run(home: Home, run_id: str) -> str:
    """The name of the next run of a pipeline: goldlake's run id. Read-only.

    A stage that is called again in the same run, for another model or after a failure, gets a
    number, because TFX takes executions of one name for one run.
    """
    if not home.fs.exists(home.mlmd):
        return run_id
    store = Store(home)
    name, number = run_id, 1
    while store.has_context(PIPELINE_RUN, name):
        number += 1
        name = f"{run_id}{REPEATED}{number}"
    return name


def run_of(name: str) -> str:
    """Goldlake's run id in the name of a run of a pipeline; the reverse of `pipeline_run`."""
    return name.partition(REPEATED)[0]


def complete(
    home: Home,
    name: str,
    snapshot: int,
    export: str,
    about: Mapping[str, int | str],
) -> None:
    """Adds what TFX does not know of its run: the code, and the export that it began with.

    Args:
        home: The home whose metadata is written.
        name: Name of the run of the pipeline.
        snapshot: Execution of DataSnapshotGen in it.
        export: Name of the export's artifact.
        about: What is known of the process.
    """
    store = Store(home, is_writer=True)
    store.note(PIPELINE_RUN, name, about)
    source = store.named(EXPORT, export)
    if source is not None:
        store.add_input(snapshot, source.id, "export")
