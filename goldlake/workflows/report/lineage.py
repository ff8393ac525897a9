"""Section 8: from the landed pages to the server, and the commands that make the model again."""

from __future__ import annotations

import shlex

from markupsafe import Markup

from goldlake.workflows.lineage import report_of
from goldlake.workflows.report import boxes
from goldlake.workflows.report.boxes import Box
from goldlake.workflows.report.gathered import GatheredModel
from goldlake.workflows.report.markup import (
    Part,
    command,
    folded,
    html,
    instant,
    joined,
    table,
)
from goldlake_core.documents.evaluation import EvaluationReport
from goldlake_core.documents.training import PushedVersion


def part(found: GatheredModel) -> Part:
    """The section."""
    # Of a candidate that was not pushed, less is on record.
    nodes = boxes.of_model(found.lineage) if found.lineage else _nodes(found)
    subject, about = found.subject, found.subject.about
    table_name = f"{about.table}@{about.table_version}" if about else subject.model.table
    name = subject.model_id if subject.version is not None else "The candidate"
    done = "was trained" if subject.refusal is None else "was to be trained"
    lead = f"{name} {done} on {table_name}; each box below says what is known of its step."
    body = [
        boxes.graph(nodes),
        html("<h3>{t}</h3>{c}", t="Commands that make this model again", c=_commands(found)),
        folded("Each step", boxes.details(nodes)),
    ]
    if found.lineage is not None:
        body.append(folded("Artifacts on record in ML Metadata", _artifacts(found)))
    return Part("lineage", "Lineage", lead, joined(body))


def _nodes(found: GatheredModel) -> list[Box]:
    subject, data, manifest = found.subject, found.data, found.manifest
    about, tables = subject.about, data.tables
    nodes = []
    if data.runs:
        run = data.runs[0]
        pages = sum(each.pages or 0 for each in data.runs)
        nodes.append(
            Box(
                "step-landing",
                "Landed pages",
                f"{pages:,} pages",
                (
                    ("Source", ", ".join(f"{k} {v}" for k, v in run.source.items()) or "–"),
                    ("Address", run.address or "–"),
                    ("Newest run", f"{run.run_id}, {instant(run.began_at.isoformat())}"),
                ),
            )
        )
    for layer in ("bronze", "silver", "gold"):
        entries = [e for e in (tables.tables if tables else ()) if e.id.split(".")[1] == layer]
        wanted = f".{subject.model.table}" if layer == "gold" else ""
        shown = [e for e in entries if e.id.endswith(wanted)] or entries
        if shown:
            nodes.append(
                Box(
                    f"step-{layer}",
                    layer.capitalize(),
                    f"{shown[0].rows:,} rows, version {shown[0].version} now",
                    tuple(
                        (e.id, f"version {e.version}, {e.rows:,} rows, {instant(e.committed_at)}")
                        for e in shown
                    ),
                )
            )
    if subject.export_id:
        rows = (
            ", ".join(
                f"{split} {manifest.rows.get(split, 0):,}" for split in ("train", "eval", "test")
            )
            if manifest
            else "not in this home any more"
        )
        nodes.append(
            Box(
                "step-export",
                "Export",
                rows,
                (
                    ("Export", subject.export_id),
                    ("Rows", rows),
                    ("Table", f"{manifest.table}@{manifest.version}" if manifest else "–"),
                    ("As of", instant(manifest.as_of) if manifest else "–"),
                    ("Content hash", manifest.content_hash if manifest else "–"),
                ),
            )
        )
    if subject.trained is not None:
        result = subject.trained
        nodes.append(
            Box(
                "step-pipeline",
                "Training run",
                result.run_id,
                tuple((node.id, f"{node.state}, {node.seconds:.1f} s") for node in result.nodes),
            )
        )
    if about is not None:
        nodes.append(
            Box(
                "step-model",
                "Pushed model",
                f"{subject.model_id}",
                (
                    ("Pushed", instant(about.pushed_at)),
                    ("SHA-256", about.model_sha256),
                    ("Made from (fingerprint)", about.fingerprint or "–"),
                    ("Compared with", _compared(report_of(subject.home, subject.model_id), about)),
                ),
            )
        )
    promotions = _promotions(found)
    serves = subject.served is not None and subject.served == subject.version
    note = "serves now" if serves else "does not serve now"
    nodes.append(Box("step-server", "Server", note, promotions or (("Promotions", "none"),)))
    return nodes


def _compared(report: EvaluationReport | None, about: PushedVersion) -> str:
    if report is not None and report.not_compared:
        return f"not with {report.not_compared}"
    version = about.baseline_version if report is None else report.baseline_version
    return f"@{version}" if version else "no model"


def _promotions(found: GatheredModel) -> tuple[tuple[str, str], ...]:
    if found.lineage is None:
        return ()
    return tuple(
        (instant(each.time), f"{each.kind} to {each.label} by {each.who} {each.why}".strip())
        for model in found.lineage.models
        for each in model.promotions
        if each.version == found.subject.version
    )


def _commands(found: GatheredModel) -> Markup:
    usecase, subject = found.usecase, found.subject
    name, lines = str(subject.model_id), []
    if subject.version is not None:
        lines += ["# from the rows of its export, compared with it", f"goldlake reproduce {name}"]
        lines += ["", "# from the source on"]
    run = found.data.runs[0] if found.data.runs else None
    if run is not None and run.source.get("kind") == "generated":
        rows, seed = run.source_count or 0, run.source.get("seed", 0)
        lines.append(f"goldlake run {usecase.name} --rows {rows} --seed {seed}")
        return command("\n".join(lines))
    own = run is None or not run.address or run.address == usecase.source.address
    source = "live" if own or run is None else shlex.quote(run.address or "")
    lines.append(f"goldlake ingest {usecase.name} --source {source}")
    version = subject.about.table_version if subject.about else None
    option = f" --version {version}" if version is not None else ""
    lines.append(f"goldlake train {subject.model_id.at(None)}{option}")
    if subject.version is not None:
        lines.append(f"goldlake promote {name}")
    return command("\n".join(lines))


def _artifacts(found: GatheredModel) -> Markup:
    assert found.lineage is not None
    rows = [
        (str(a.id), a.type, instant(a.created_at), a.uri.rpartition("/pipelines/")[2])
        for a in found.lineage.artifacts
    ]
    head = ("Id", "Artifact", "Made", "Place below pipelines/")
    more = command(f"goldlake lineage {found.subject.model_id}")
    return table("Artifacts that the model was made from", head, rows) + more
