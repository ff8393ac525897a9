"""A lineage document as a small tree of text. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

from goldlake_core.documents.reports import (
    ArtifactRecord,
    ExecutionRecord,
    Lineage,
    LineageStep,
    PushedRecord,
    SnapshotRecord,
)

_SHORT = 12


def lineage_text(document: Lineage) -> str:
    """A lineage document for people.

    Args:
        document: The lineage that `metadata.lineage.lineage` returned.

    Returns:
        What it comes to, one line per table version and model, and under it the tree of artifacts
        and the executions between them. An artifact's branch is drawn once.
    """
    tree = _Tree(document)
    for root in document.roots:
        tree.artifact(root, "", "")
    return "\n".join([*_summary(document), *tree.lines])


def _summary(document: Lineage) -> list[str]:
    lines = [str(document.id)]
    if document.direction == "backwards":
        lines += [f"  learned from {_snapshot(s)}" for s in document.snapshots]
        lines += [f"  {line}" for m in document.models for line in _promotions(m)]
        return [*lines, ""]
    for model in document.models:
        lines.append(f"  made {model.id}, pushed {model.pushed_at}")
        lines += [f"    {line}" for line in _promotions(model)]
    if not document.models:
        lines.append("  made no pushed model")
    return [*lines, ""]


def _snapshot(snapshot: SnapshotRecord) -> str:
    content = str(snapshot.content_hash or "")[:_SHORT]
    return (
        f"{snapshot.table}@{snapshot.version} (table {snapshot.table_uuid}, "
        f"content {content}, as of {snapshot.as_of}, export {snapshot.export_id})"
    )


def _promotions(model: PushedRecord) -> list[str]:
    return [f"promoted to {p.label} at {p.time}" for p in model.promotions]


class _Tree:
    """Draws artifacts and executions in the document's direction."""

    def __init__(self, document: Lineage) -> None:
        self.lines: list[str] = []
        self._artifacts = {a.id: a for a in document.artifacts}
        self._executions = {e.id: e for e in document.executions}
        self._steps = document.steps
        self._is_back = document.direction == "backwards"
        outputs, inputs = attrgetter("outputs"), attrgetter("inputs")
        self._near, self._far = (outputs, inputs) if self._is_back else (inputs, outputs)
        self._drawn: set[int] = set()

    def artifact(self, number: int, lead: str, below: str, note: str = "") -> None:
        line = f"{lead}{note}{_artifact_title(self._artifacts[number])}"
        steps = [] if note else [s for s in self._steps if number in self._near(s)]
        if number in self._drawn and steps:
            self.lines.append(f"{line} (above)")
            return
        self._drawn.add(number)
        self.lines.append(line)
        for index, step in enumerate(steps):
            self._step(step, below, is_last=index == len(steps) - 1)

    def _step(self, step: LineageStep, below: str, *, is_last: bool) -> None:
        branch, inner = _branch(below, is_last)
        self.lines.append(branch + _execution_title(self._executions[step.execution]))
        far: Sequence[tuple[int, str]] = [
            *((number, "") for number in self._far(step)),
            *((number, "compared with ") for number in step.compared_with if self._is_back),
        ]
        for index, (number, note) in enumerate(far):
            lead, deeper = _branch(inner, index == len(far) - 1)
            self.artifact(number, lead, deeper, note)


def _branch(below: str, is_last: bool) -> tuple[str, str]:
    return (below + "└─ ", below + "   ") if is_last else (below + "├─ ", below + "│  ")


def _artifact_title(artifact: ArtifactRecord) -> str:
    properties = artifact.properties
    title = f"{artifact.type} {artifact.id}"
    if properties.get("table"):
        return f"{title}: {properties['table']}@{properties.get('version')}"
    if artifact.type == "PushedModel" and properties.get("version"):
        return f"{title}: version {properties['version']}"
    return title


def _execution_title(execution: ExecutionRecord) -> str:
    name = str(execution.type).rpartition(".")[2]
    state = "" if execution.state == "COMPLETE" else f", {execution.state}"
    return f"{name} {execution.id} ({execution.created_at}{state})"
