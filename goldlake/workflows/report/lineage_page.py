"""The page of `goldlake lineage --html`: one file with the look of the report, without a script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from fsspec.implementations.local import LocalFileSystem
from markupsafe import Markup

from goldlake.workflows.report import boxes, page
from goldlake.workflows.report.markup import (
    Part,
    badge,
    counted,
    facts,
    folded,
    html,
    instant,
    joined,
    table,
    whole,
    wrapped,
)
from goldlake_core.documents.lineage import (
    LandedPage,
    ModelLineage,
    Reach,
    ReachedModel,
    TableLineage,
)
from goldlake_core.documents.reports import Lineage, ReportWritten
from goldlake_core.instants import now_text
from goldlake_core.storage.files import write_atomic
from goldlake_core.storage.home import Home

KINDS = {"page": "Page", "row": "Row", "reason": "Quarantine reason", "table": "Table"}


def written(
    document: ModelLineage | TableLineage | Reach, home: Home, out: str | None
) -> ReportWritten:
    """Writes a lineage as a page.

    Args:
        document: What `goldlake lineage` answers.
        home: Home that was asked.
        out: File to write, or None for one in the working directory with the subject's name.

    Raises:
        StoreError: The file cannot be written.
    """
    name = f"{document.usecase}-{document.subject}" if isinstance(document, Reach) else document.id
    file = Path(out or f"lineage-{re.sub(r'[^A-Za-z0-9._-]+', '-', name)[:100]}.html")
    title, parts = _parts(document)
    footer = f"Made by goldlake lineage from the home {home.root} at {now_text('seconds')}."
    data = page.page(title, _subtitle(document), footer, parts).encode()
    write_atomic(LocalFileSystem(), str(file.absolute()), data)
    return ReportWritten(
        subject=title, file=str(file), bytes=len(data), sections=tuple(p.id for p in parts)
    )


def _parts(document: ModelLineage | TableLineage | Reach) -> tuple[str, list[Part]]:
    if isinstance(document, ModelLineage):
        return f"Lineage of {document.id}", list(_model(document))
    reach = document if isinstance(document, Reach) else document.reach
    parts = list(_reach(reach))
    if isinstance(document, TableLineage) and document.artifacts:
        parts.append(_artifacts(document))
    return f"What {KINDS[reach.kind].lower()} {reach.subject} reached", parts


def _subtitle(document: ModelLineage | TableLineage | Reach) -> str:
    if isinstance(document, ModelLineage):
        if document.request is not None:
            return f"From the answer to request {document.request.request_id} to the landed pages"
        return "From the server to the landed pages"
    return "From landed data to the models that learned from it"


def _model(found: ModelLineage) -> Iterator[Part]:
    nodes = boxes.of_model(found)[::-1]
    lead = (
        f"{found.id} {'serves now' if found.serves else 'does not serve now'}. Each box was made "
        "from the one below it, and links to what is known of it."
    )
    yield Part("way", "The way", lead, boxes.graph(nodes))
    yield _missing(found.not_recorded)
    yield Part("steps", "Each step", "What is on record of each box.", boxes.details(nodes))
    landed = found.landed
    shown = f"; the newest {len(landed.pages):,} are shown" * (len(landed.pages) < landed.total)
    yield Part(
        "pages",
        "Landed pages",
        f"{counted(landed.total, 'page')} went into the model's data{shown}.",
        _pages(landed.pages),
    )
    yield _artifacts(found)


def _missing(texts: tuple[str, ...]) -> Part:
    if not texts:
        return Part("missing", "What is missing", "Every step is on record.")
    items = joined(html("<li>{text}</li>", text=text) for text in texts)
    body = html("<ul>{items}</ul>", items=items)
    lead = "Not everything is on record:"
    return Part("missing", "What is missing", lead, body, "warning")


def _pages(pages: tuple[LandedPage, ...]) -> Markup:
    head = ("Page", "Landed", "Records", "Run", "SHA-256 and URL")
    rows = [
        (
            str(p.sequence),
            whole(instant(p.landed_at)),
            f"{p.rows:,}",
            whole(p.run_id),
            html("{sha256}<br>{url}", sha256=wrapped(p.sha256), url=wrapped(p.url)),
        )
        for p in pages
    ]
    return table("Landed pages, the newest first", head, rows, [2]) if rows else Markup()


def _reach(found: Reach) -> Iterator[Part]:
    serving = [each.id for each in found.models if each.serves]
    what = f"{KINDS[found.kind]} {found.subject}"
    lead = f"{what} reached {counted(found.reached, 'model version')}" + (
        f"; {', '.join(serving)} serves now." if serving else ", none of which serves now."
    )
    left = found.reached - len(found.models)
    others = facts(
        [
            ("Reached", f"{found.reached:,}" + (f", {left:,} are not shown" if left else "")),
            ("Not reached", f"{found.others:,}"),
        ]
    )
    yield Part("models", "Models", lead, joined([others, _models(found)]))
    yield _missing(found.not_recorded)
    if found.page is not None:
        yield Part("page", "Page", found.page.name, _pages((found.page,)))
    if found.kind != "table":
        counts = ", ".join(f"{fate} {count:,}" for fate, count in found.fates.items())
        rows = [
            (wrapped(e.record), e.key if e.key is not None else "–", e.fate, ", ".join(e.reasons))
            for e in found.shown
        ]
        head = ("Record", "Key", "Fate", "Reasons")
        lead = f"{counted(found.records, 'landed record')}: {counts}."
        yield Part("records", "Records", lead, table("Records, the newest first", head, rows))


def _models(found: Reach) -> Markup:
    records = "Records kept out" if found.kind == "reason" else "Records known"
    head = ("Model", "State", "Pushed", "Gold table", records, "Rows in its export", "Record")
    rows = [
        (
            whole(each.id),
            badge("serves now", "warning") if each.serves else ", ".join(each.labels) or "–",
            whole(instant(each.pushed_at)),
            whole(each.table),
            "–" if each.records is None else f"{each.records:,}",
            whole(_splits(each)),
            wrapped(each.record or "–"),
        )
        for each in found.models
    ]
    return table("Model versions that it reached, the newest first", head, rows, [4])


def _splits(model: ReachedModel) -> str:
    if model.splits is None:
        return "–"
    return ", ".join(f"{k} {v:,}" for k, v in model.splits.items() if v) or "none"


def _artifacts(found: Lineage) -> Part:
    executions = {each.id: each for each in found.executions}
    made = {out: executions[step.execution] for step in found.steps for out in step.outputs}
    rows = [
        (
            str(each.id),
            each.type,
            whole(instant(each.created_at)),
            made[each.id].type.rpartition(".")[2] if each.id in made else "–",
            wrapped(_in_home(each.uri)),
        )
        for each in found.artifacts
    ]
    head = ("Id", "Artifact", "Made", "By", "Place in the home")
    body = folded("All artifacts", table("Artifacts on the way", head, rows))
    return Part("artifacts", "ML Metadata", f"{counted(len(rows), 'artifact')} on the way.", body)


def _in_home(uri: str) -> str:
    """The place of an artifact of TFX relative to the home, which may have been moved since."""
    root, mark, rest = uri.partition("/pipelines/")
    return f"pipelines/{rest}" if mark and root.startswith("/") else uri
