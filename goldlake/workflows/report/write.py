"""Gathers, draws and writes a report."""

from __future__ import annotations

from pathlib import Path

from fsspec.implementations.local import LocalFileSystem

from goldlake.workflows import names
from goldlake.workflows.processes import OnEvent
from goldlake.workflows.report import (
    card,
    data,
    evaluation,
    explanation,
    gathered,
    lineage,
    live,
    map,
    page,
    training,
    validation,
    verdict,
)
from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.documents.reports import ReportWritten
from goldlake_core.instants import now_text
from goldlake_core.storage.files import write_atomic
from goldlake_core.storage.home import Home


def report(
    name: str, home: Home, against: int | None, out: str | None, on_event: OnEvent
) -> ReportWritten:
    """Writes the report of a model version, or of the data of a use case.

    Args:
        name: ``USECASE.MODEL[@V]`` or ``PATH:MODEL[@V]``, or a use case's name or path.
        home: Home that is shown.
        against: Version to compare with; None: the one that the gate compared with.
        out: File to write, or None for one in the working directory with the model's name.
        on_event: Called with events where the test split has to be answered first.

    Raises:
        UsageError: There is no such model, version or use case.
        StoreError: The file cannot be written.
    """
    if _is_model(name):
        found = gathered.of_model(name, against, home, on_event)
        subject = found.subject
        about = str(subject.model_id)
        title = subject.model.title or about
        parts = [
            verdict.part(found),
            data.part(found),
            validation.part(found),
            training.part(found),
            evaluation.part(found),
            *([in_use] if (in_use := live.part(found)) else []),
            explanation.part(found),
            map.part(found),
            lineage.part(found),
            card.part(found),
        ]
        subtitle = about if subject.version is not None else f"{about}, the newest candidate"
    else:
        if against is not None:
            raise UsageError("--against goes with a model", valid="USECASE.MODEL --against V")
        usecase = load_usecase(name)
        of_data = gathered.of_usecase(usecase, home)
        about, title, subtitle = usecase.name, usecase.title, usecase.name
        parts = [data.part(of_data), validation.part(of_data), map.part(of_data)]
    footer = f"Made by goldlake report from the home {home.root} at {now_text('seconds')}."
    text = page.page(title, subtitle, footer, parts)
    target = Path(out or f"{about.replace('@', '-')}.html")
    encoded = text.encode("utf-8")
    write_atomic(LocalFileSystem(), str(target.absolute()), encoded)
    return ReportWritten(
        subject=about,
        file=str(target),
        bytes=len(encoded),
        sections=tuple(part.id for part in parts),
    )


def _is_model(name: str) -> bool:
    """Whether a name is that of a model; a path without a colon is that of a use case."""
    if ":" in name:
        return True
    text = name.partition("@")[0]
    return "/" not in text and "." in text.strip(".") or text in set(names.contract_models())
