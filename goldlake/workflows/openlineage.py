"""What OpenLineage hears of a stage: that it began, what it read and wrote, and how it ended."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goldlake_core.contracts.errors import GoldlakeError
from goldlake_core.contracts.ids import TableId
from goldlake_core.documents.lakehouse import Exported, Landed, Refined
from goldlake_core.documents.stages import Request, Stage, TrainRequest
from goldlake_core.documents.training import Trained
from goldlake_core.instants import now_text
from goldlake_core.storage.home import Home
from lakehouse import catalog
from metadata.openlineage import Dataset, Job, Receiver, Transition, dataset, event

log = logging.getLogger("goldlake")

Sets = tuple[list[Dataset], list[Dataset]]
"""What a stage read, and what it wrote."""


@dataclass
class Reports:
    """Tells a receiver of the stages of one run. A receiver that fails is named once.

    Attributes:
        receiver: Takes the events; None where nobody asked for them.
        is_warned: Whether the receiver was named already.
    """

    receiver: Receiver | None
    is_warned: bool = False

    @contextmanager
    def of(self, stage: Stage, request: Request) -> Iterator[Callable[[Any], None]]:
        """Reports a stage that runs in the block: its begin, and its end as the block ends.

        Args:
            stage: Name of the stage.
            request: What it was asked for.

        Yields:
            Takes the result of the stage.
        """
        if self.receiver is None:
            yield lambda result: None
            return
        job = job_of(stage, request)
        results: list[object] = []
        self._tell("START", job, request)
        try:
            yield results.append
        except GoldlakeError as error:
            self._tell("FAIL", job, request, problem=str(error))
            raise
        except BaseException:  # SIGTERM, Ctrl-C, or a fault of the workflow
            self._tell("ABORT", job, request)
            raise
        self._tell("COMPLETE", job, request, results[-1] if results else None)

    def _tell(
        self,
        transition: Transition,
        job: Job,
        request: Request,
        result: object = None,
        problem: str = "",
    ) -> None:
        if self.receiver is None:
            return
        try:
            inputs, outputs = datasets(request, result)
            failure = self.receiver.send(event(transition, job, inputs, outputs, problem))
        except (GoldlakeError, OSError, ValueError) as error:  # of a damaged home
            failure = str(error)
        if failure and not self.is_warned:
            self.is_warned = True
            log.warning("OpenLineage: %s; the run goes on, and events may be missing", failure)


def job_of(stage: Stage, request: Request) -> Job:
    """The run of a stage, as OpenLineage knows it.

    Args:
        stage: Name of the stage.
        request: What it was asked for.
    """
    usecase = _usecase(request)
    model = getattr(request, "model", None)
    parts = (usecase, *((model,) if model else ()), stage)
    return Job(
        home=request.home,
        run_id=request.run_id,
        started=now_text("microseconds"),
        parent=usecase,
        name=".".join(parts),
    )


def datasets(request: Request, result: object) -> Sets:
    """What a stage read and wrote, as far as its request and its result tell.

    Args:
        request: What the stage was asked for.
        result: What it returned; None before it ended well.
    """
    home, usecase = Home.at(request.home), _usecase(request)
    landing = home.landing(usecase)
    if isinstance(result, Landed):
        is_place = "://" in result.address or result.address.startswith("/")
        source = [dataset(result.address)] if is_place else []
        return source, [dataset(landing, rows=result.rows)]
    if isinstance(result, Refined):
        tables = result.tables.items()
        written = [_table(home, TableId.parse(id_).at(at.version), at.rows) for id_, at in tables]
        return [dataset(landing)], written
    if isinstance(result, Exported):
        rows = sum(result.rows.values())
        written = [dataset(result.uri, version=result.manifest_sha256, rows=rows)]
        return [_table(home, TableId.parse(result.table).at(result.version))], written
    if isinstance(request, TrainRequest):
        export = home.path("exports", request.export_id)
        pushed = isinstance(result, Trained) and result.model_uri
        version = str(result.model_version) if isinstance(result, Trained) else ""
        return (
            [dataset(export, version=request.manifest_sha256 or "")],
            [dataset(home.model(usecase, request.model), version=version)] if pushed else [],
        )
    return [], []


def _table(home: Home, table: TableId, rows: int | None = None) -> Dataset:
    return dataset(
        catalog.location(home, table.usecase, table.layer, table.name),
        alias=str(table.at(None)),
        version=str(table.version),
        rows=rows,
        is_delta=True,
    )


def _usecase(request: Request) -> str:
    """Name of the use case of a request, which may have its path."""
    return Path(request.usecase).name
