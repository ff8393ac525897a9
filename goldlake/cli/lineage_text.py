"""A lineage document as text: the way in words, and a small tree. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import attrgetter

from goldlake_core.documents.lineage import (
    LandedPage,
    ModelLineage,
    Reach,
    ReachedModel,
    RequestStep,
    RunStep,
    TableLineage,
    VerdictStep,
)
from goldlake_core.documents.reports import (
    ArtifactRecord,
    ExecutionRecord,
    Lineage,
    LineageStep,
    PushedRecord,
    SnapshotRecord,
)

_SHORT = 12
_WIDE = 11
_KEYS = 3


def lineage_text(document: Lineage | Reach) -> str:
    """A lineage document for people.

    Args:
        document: The lineage of a model or a table, or what a page, a row or a reason reached.

    Returns:
        What it comes to, one line per table version and model, and under it the tree of artifacts
        and the executions between them. An artifact's branch is drawn once.
    """
    if isinstance(document, Reach):
        return "\n".join(_reach(document))
    tree = _Tree(document)
    for root in document.roots:
        tree.artifact(root, "", "")
    if isinstance(document, ModelLineage):
        return "\n".join([*_way(document), "", "On record in ML Metadata:", *tree.lines])
    if isinstance(document, TableLineage):
        lines = [*_reach(document.reach), ""] if document.reach.reached else []
        return "\n".join([*lines, *_summary(document), *tree.lines])
    return "\n".join([*_summary(document), *tree.lines])


def continued_at(line: str) -> int:
    """How much further the rest of a line is indented that is too long for the terminal. Pure."""
    has_name = line[:2].isspace() and not line[2:3].isspace() and line[_WIDE + 2 :][:1] == " "
    return _WIDE + 1 if has_name else 2


def _way(document: ModelLineage) -> Iterator[str]:
    """From the answer to the pages, a line for each step."""
    labels = f" ({', '.join(document.labels)})" if document.labels else ""
    if document.request is not None:
        asked = document.request
        yield f"request {asked.request_id}"
        yield _line("answered", f"{asked.at}, {asked.status}, rows {asked.rows:,}{_keys(asked)}")
        outputs = ", ".join(f"{name} {value}" for name, value in asked.outputs.items())
        first = " (its first row)" if asked.rows > 1 and outputs else ""
        yield _line("answer", f"{outputs or 'not kept'}{first}")
    yield f"{document.id}: {'serves now' if document.serves else 'does not serve now'}{labels}"
    yield _line("pushed", f"{document.pushed_at}, sha256 {_cut(document.model_sha256)}")
    for model in document.models:
        for each in model.promotions:
            why = f": {each.why}" if each.why else ""
            how = "" if each.kind == "promote" else f"{each.kind} "
            yield _line("promoted", f"{how}to {each.label} at {each.time} by {each.who}{why}")
    yield from _run(document.run)
    for verdict in document.verdicts:
        yield from _verdict(verdict)
    evaluation = document.evaluation
    if evaluation is not None:
        metrics = (f"{k} {v:.4g}" for k, v in evaluation.metrics.items() if v is not None)
        yield _line("evaluation", evaluation.why or "no reason is on record")
        yield _line("", ", ".join(metrics))
        if evaluation.file:
            yield _line("", f"{evaluation.slices:,} slices in {evaluation.file}")
    export = document.export
    if export is not None:
        rows = ", ".join(f"{k} {v:,}" for k, v in export.rows.items() if v)
        yield _line("export", f"{export.export_id}, manifest {_cut(export.manifest_sha256)}")
        yield _line("", f"rows: {rows or 'the export is gone'}; as of {export.as_of}")
    for step in document.tables:
        count = "rows unknown" if step.rows is None else f"{step.rows:,} rows"
        layer = step.table.split(".")[1]
        at = f", made at version {step.made_at}" if step.made_at != step.version else ""
        yield _line(
            layer,
            f"{step.table}@{step.version}: {count}{at}, {step.committed_at}, run {step.run_id}",
        )
    landed = document.landed
    yield _line("pages", f"{landed.total:,} landed")
    yield from (_page(page) for page in landed.pages)
    if landed.total > len(landed.pages):
        yield _line("", f"and {landed.total - len(landed.pages):,} more; --all shows them")
    for text in document.not_recorded:
        yield _line("missing", text)


def _keys(asked: RequestStep) -> str:
    """Keys of the records that a request was about, as far as they fit a line."""
    if not asked.record_keys:
        return ""
    shown = ", ".join(asked.record_keys[:_KEYS])
    return f", record {shown}" + (", …" if len(asked.record_keys) > _KEYS else "")


def _run(run: RunStep | None) -> Iterator[str]:
    if run is None:
        return
    command = f" (goldlake {run.command}, {run.began_at})" if run.command else ""
    yield _line("run", f"{run.run_id}{command}")
    found = run.environment
    if found is not None:
        yield _line(
            "code",
            f"commit {_cut(found.commit) or 'unknown'}, sources {_cut(found.code_sha256)}, lock "
            f"file {_cut(found.lock_sha256) or 'unknown'}, packages {_cut(found.packages_sha256)}",
        )
        yield _line("stack", f"TFX {found.stack}, Python {found.python}, {found.platform}")
    sections = ", ".join(f"{name} {value[:8]}" for name, value in run.contract.items())
    yield _line("contract", sections or "not on record")


def _verdict(verdict: VerdictStep) -> Iterator[str]:
    if verdict.gate == "tfdv":
        role = ", an input of the training" if verdict.is_input else ""
        text = f"{verdict.subject}: {verdict.verdict}, anomalies {verdict.findings}{role}"
    else:
        text = (
            f"{verdict.subject}: {verdict.verdict}, {verdict.periods} periods judged in run "
            f"{verdict.run_id}, values beyond their limits {verdict.findings}"
        )
    yield _line("verdict", text)
    for each in verdict.accepted:
        about = f"{each.column} of {', '.join(each.periods)}"
        yield _line("accepted", f"{about} by {each.who} at {each.at}: {each.because}")


def _reach(found: Reach) -> Iterator[str]:
    yield f"{found.kind} {found.subject} of {found.usecase}"
    if found.page is not None:
        yield _page(found.page)
    if found.kind != "table":
        fates = ", ".join(f"{fate} {count:,}" for fate, count in found.fates.items())
        yield _line("records", f"{found.records:,}" + (f": {fates}" if fates else ""))
        for each in found.shown:
            reasons = f" ({', '.join(each.reasons)})" if each.reasons else ""
            key = each.key if each.key is not None else "no key"
            yield _line("", f"{each.record}, {key}: {each.fate}{reasons}")
        if found.records > len(found.shown):
            yield _line("", f"and {found.records - len(found.shown):,} more; --all shows them")
    all_versions = found.reached + found.others
    word = "version" if all_versions == 1 else "versions"
    yield _line("reached", f"{found.reached:,} of {all_versions:,} model {word}")
    for model in found.models:
        yield from _reached(model, found.kind)
    if found.reached > len(found.models):
        yield _line("", f"and {found.reached - len(found.models):,} more; --all shows them")
    for text in found.not_recorded:
        yield _line("missing", text)


def _reached(model: ReachedModel, kind: str) -> Iterator[str]:
    state = "serves now" if model.serves else "does not serve now"
    labels = f" ({', '.join(model.labels)})" if model.labels else ""
    yield f"  {model.id}: {state}{labels}, pushed {model.pushed_at}"
    yield f"    learned from {model.table}, pages through {model.through}"
    if model.records is not None:
        word = "kept out of its data" if kind == "reason" else "known to it"
        yield f"    records {word}: {model.records:,}"
    if model.splits is not None:
        rows = ", ".join(f"{split} {count:,}" for split, count in model.splits.items() if count)
        about = "rows with their keys in its export" if kind == "reason" else "rows in its export"
        yield f"    {about}: {rows or 'none'}"
    elif model.records is not None:
        yield "    nothing tells which rows of its export they are"
    if model.record is not None:
        yield f"    it saw the record {model.record}"


def _page(page: LandedPage) -> str:
    return _line(
        "",
        f"{page.sequence}: {page.landed_at}, {page.rows:,} records, sha256 {_cut(page.sha256)}, "
        f"{page.url}",
    )


def _line(name: str, text: str) -> str:
    return f"  {name:<{_WIDE}} {text}"


def _cut(digest: str | None) -> str:
    return (digest or "")[:_SHORT]


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
