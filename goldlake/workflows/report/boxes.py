"""The way from the pages to the answer as boxes with details; report and lineage page share it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from goldlake.workflows.report.markup import (
    counted,
    facts,
    html,
    instant,
    joined,
    metric_name,
    number,
)
from goldlake_core.contracts.sections import SPLITS
from goldlake_core.documents.lineage import LandedPages, ModelLineage, TableStep, VerdictStep
from goldlake_core.documents.reports import PromotionRecord

WIDTH, BOX, GAP, TALL = 480, 420, 26, 48
# What fits into a box: all of it is in the details.
LONGEST_TITLE, LONGEST_NOTE = 40, 56
MISSING = "not on record"


@dataclass(frozen=True)
class Box:
    """A box of the graph.

    Attributes:
        id: Name of its anchor.
        title: What it is.
        note: One line about it.
        facts: What is known about it.
    """

    id: str
    title: str
    note: str
    facts: tuple[tuple[str, str], ...]


def of_model(found: ModelLineage) -> list[Box]:
    """The boxes of a model version, from the landed pages to the answer."""
    boxes = [_landed(found.landed)] if found.landed.total else []
    boxes += [_table(step) for step in reversed(found.tables)]
    boxes += _export(found)
    if found.verdicts:
        passed = all(each.verdict == "passed" for each in found.verdicts)
        note = "passed" if passed else "refused"
        pairs = tuple(pair for each in found.verdicts for pair in _verdict(each))
        boxes.append(Box("step-verdict", "Verdicts on the data", note, pairs))
    boxes.append(_run(found))
    boxes += _evaluation(found)
    about = (("Pushed", instant(found.pushed_at)), ("SHA-256", found.model_sha256 or MISSING))
    boxes.append(Box("step-model", "Pushed model", found.id, about))
    boxes.append(_server(found))
    boxes += _answer(found)
    return boxes


def promoted(each: PromotionRecord) -> str:
    """What a promotion did, by whom and why, in a line."""
    how = "" if each.kind == "promote" else f"{each.kind} "
    return f"{how}to {each.label} by {each.who}" + (f": {each.why}" if each.why else "")


def details(nodes: Sequence[Box]) -> Markup:
    """What is known of each box."""
    return joined(
        html(
            '<div id="{id}" tabindex="-1"><h3>{t}</h3>{f}</div>',
            id=each.id,
            t=each.title,
            f=facts(each.facts),
        )
        for each in nodes
    )


def graph(nodes: Sequence[Box]) -> Markup:
    """The boxes, one below the other, each a link to its details."""
    parts = []
    left = (WIDTH - BOX) / 2
    for place, node in enumerate(nodes):
        top = 4 + place * (TALL + GAP)
        if place:
            parts.append(
                html(
                    '<path class="edge" d="M{x} {a}V{b}m-5 -7l5 7l5 -7"/>',
                    x=WIDTH / 2,
                    a=top - GAP,
                    b=top - 1,
                )
            )
        parts.append(
            html(
                '<a href="#{id}"><rect x="{x}" y="{y}" width="{w}" '
                'height="{h}" rx="8"/><text x="{m}" y="{t}" text-anchor="middle" '
                'class="name">{title}</text><text class="tick" x="{m}" y="{u}" '
                'text-anchor="middle">{note}</text></a>',
                id=node.id,
                title=_cut(node.title, LONGEST_TITLE),
                note=_cut(node.note, LONGEST_NOTE),
                x=left,
                y=top,
                w=BOX,
                h=TALL,
                m=WIDTH / 2,
                t=top + 20,
                u=top + 38,
            )
        )
    height = len(nodes) * (TALL + GAP) - GAP + 8
    return html(
        '<figure class="graph"><svg viewBox="0 0 {w} {h}" role="group" aria-label="Lineage">'
        "{parts}</svg></figure>",
        w=WIDTH,
        h=height,
        parts=joined(parts),
    )


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _landed(landed: LandedPages) -> Box:
    newest = landed.pages[0] if landed.pages else None
    pairs = [("Pages", f"{landed.total:,}")]
    if newest is not None:
        pairs += [
            ("Newest page", newest.name),
            ("Address", newest.url),
            ("Landed", instant(newest.landed_at)),
            ("SHA-256", newest.sha256),
            ("Run", newest.run_id),
        ]
    return Box("step-landing", "Landed pages", counted(landed.total, "page"), tuple(pairs))


def _table(step: TableStep) -> Box:
    _, layer, name = step.table.split(".")
    rows = "rows unknown" if step.rows is None else f"{step.rows:,} rows"
    made = f"version {step.made_at}" if step.made_at != step.version else "this version"
    return Box(
        f"step-{layer}-{name}",
        f"{layer.capitalize()}: {name}",
        f"version {step.version}, {rows}",
        (
            ("Table", f"{step.table}@{step.version}"),
            ("Rows", rows),
            ("Made by", f"{made}, run {step.run_id}, {instant(step.committed_at)}"),
            ("Pages", f"through {step.through}" if step.through is not None else MISSING),
            ("In ML Metadata", "yes" if step.recorded else "no, read from the table's log"),
        ),
    )


def _export(found: ModelLineage) -> Iterator[Box]:
    export = found.export
    if export is None:
        return
    counts = ", ".join(f"{split} {count:,}" for split, count in export.rows.items() if count)
    rows = counts or "not in this home any more"
    learned = ", ".join(f"{split} {export.rows[split]:,}" for split in SPLITS if export.rows)
    yield Box(
        "step-export",
        "Export",
        learned or rows,
        (
            ("Export", export.export_id),
            ("Rows", rows),
            ("Table", export.table),
            ("As of", instant(export.as_of)),
            ("Content hash", export.content_hash),
            ("SHA-256 of the manifest", export.manifest_sha256),
        ),
    )


def _verdict(verdict: VerdictStep) -> Iterator[tuple[str, str]]:
    if verdict.gate == "tfdv":
        role = ", an input of the training" if verdict.is_input else ""
        yield verdict.subject, f"{verdict.verdict}, anomalies {verdict.findings}{role}"
    else:
        yield (
            verdict.subject,
            f"{verdict.verdict}, {verdict.periods} periods, values beyond their limits "
            f"{verdict.findings}, run {verdict.run_id}",
        )
    for each in verdict.accepted:
        about = f"{each.column} of {', '.join(each.periods)}"
        yield "Accepted", f"{about} by {each.who}, {instant(each.at)}: {each.because}"


def _run(found: ModelLineage) -> Box:
    run = found.run
    if run is None:
        return Box("step-pipeline", "Training run", MISSING, (("Run", MISSING),))
    pairs = [
        ("Run", run.run_id),
        ("Command", f"goldlake {run.command}" if run.command else MISSING),
        ("Began", instant(run.began_at)),
        ("Run of the pipeline", run.pipeline_run or MISSING),
    ]
    code = run.environment
    if code is None:
        pairs.append(("Code and packages", MISSING))
    else:
        pairs += [
            ("Commit", code.commit or MISSING),
            ("SHA-256 of the sources", code.code_sha256),
            ("SHA-256 of the lock file", code.lock_sha256 or MISSING),
            ("SHA-256 of the packages", code.packages_sha256),
            ("Stack", f"TFX {code.stack}, Python {code.python}, {code.platform}"),
        ]
    pairs += [(f"Contract: {name}", value) for name, value in run.contract.items()]
    return Box("step-pipeline", "Training run", run.run_id, tuple(pairs))


def _evaluation(found: ModelLineage) -> Iterator[Box]:
    evaluation = found.evaluation
    if evaluation is None:
        return
    metrics = [
        (metric_name(name), number(v)) for name, v in evaluation.metrics.items() if v is not None
    ]
    yield Box(
        "step-evaluation",
        "Evaluation",
        ", ".join(f"{name} {value}" for name, value in metrics[:1]) or MISSING,
        (
            ("Why it is blessed", evaluation.why or MISSING),
            *metrics,
            ("Slices", f"{evaluation.slices:,}"),
            ("Report", evaluation.file or MISSING),
        ),
    )


def _server(found: ModelLineage) -> Box:
    promotions = tuple(
        (instant(each.time), promoted(each)) for model in found.models for each in model.promotions
    )
    note = "serves now" if found.serves else "does not serve now"
    return Box("step-server", "Server", note, promotions or (("Promotions", "none"),))


def _answer(found: ModelLineage) -> Iterator[Box]:
    asked = found.request
    if asked is None:
        return
    outputs = ", ".join(f"{name} {value}" for name, value in asked.outputs.items())
    yield Box(
        "step-answer",
        "Answer",
        f"{instant(asked.at)}, {asked.status}",
        (
            ("Request", asked.request_id),
            ("Began", asked.at),
            ("Rows", f"{asked.rows:,}"),
            ("Records", ", ".join(asked.record_keys) or "not named"),
            ("Answer to the first row", outputs or "not kept"),
            ("File of the log", asked.file),
        ),
    )
