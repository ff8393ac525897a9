"""Section 2: source, freshness, rows per day, fates, quarantine, and what changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from markupsafe import Markup

from goldlake.workflows.report import charts
from goldlake.workflows.report.charts import Bar
from goldlake.workflows.report.gathered import Gathered, GatheredModel
from goldlake.workflows.report.markup import (
    Part,
    command,
    facts,
    folded,
    grid,
    html,
    instant,
    joined,
    paragraph,
    percent,
    table,
)

FATES = ("inserted", "amended", "unchanged", "stale", "deleted", "quarantined")
MOST_BARS = 120
MOST_TEXT = 600
MOST_RUNS = 5


def part(found: Gathered) -> Part:
    """The section."""
    data, usecase = found.data, found.usecase
    if data.tables is None or not data.tables.landed:
        hint = f"goldlake ingest {usecase.name} --source URL|live"
        return Part("data", "Data", "Nothing was landed yet.", command(hint), "warning")
    fates = data.tables
    share = fates.quarantined / fates.landed
    lead = (
        f"{fates.landed:,} records landed and make {fates.silver:,} rows of silver; "
        f"{fates.quarantined:,} ({percent(share)}) are in quarantine."
    )
    if data.newest_event:
        lead += f" The newest event is of {instant(data.newest_event)}."
    items = [(name, float(getattr(fates, name))) for name in FATES]
    drawn = [
        charts.columns(_title_of_days(data.days), _binned(data.days), y="rows"),
        charts.bars(
            "What became of the landed records",
            [Bar(name, value, text=f"{value:,.0f}") for name, value in items],
        ),
    ]
    if data.quarantine is not None and data.quarantine.reasons:
        reasons = [
            Bar(name, float(count), text=f"{count:,}")
            for name, count in list(data.quarantine.reasons.items())[:12]
        ]
        drawn.append(charts.bars("Rejected records by reason", reasons))
    body = [_source(found), grid(drawn)]
    if not data.days:
        body.append(paragraph("Silver has no event time, so there are no rows per day.", "soft"))
    if isinstance(found, GatheredModel):
        body.append(_changed(found))
    body += [_tables(found), _rejected(found), _runs(found)]
    return Part("data", "Data", lead, joined(body), "warning" if share > 0.05 else "plain")


def _source(found: Gathered) -> Markup:
    usecase, runs = found.usecase, found.data.runs
    pairs: list[tuple[str, object]] = [
        ("Source", f"{usecase.source.kind} {usecase.source.address}".strip()),
        ("Data set", usecase.source.dataset or "–"),
    ]
    if runs:
        newest = runs[0]
        pairs.append(("Landed last", instant(newest.began_at.isoformat())))
        pairs.append(("From", newest.address or "–"))
        if newest.source.get("kind") == "generated":
            pairs.append(("Kind of data", "generated rows, not the publisher's"))
    pairs.append(("Licence", usecase.licence or "not stated in the contract"))
    return facts(pairs)


def _title_of_days(days: Sequence[tuple[date, int]]) -> str:
    size = _bin_days(days)
    return {1: "Rows per day of the event", 7: "Rows per week of the event"}.get(
        size, f"Rows per {size} days of the event"
    )


def _bin_days(days: Sequence[tuple[date, int]]) -> int:
    span = (days[-1][0] - days[0][0]).days + 1 if days else 1
    return next(size for size in (1, 7, 28, 91, 364, 3640, 36_400) if span <= size * MOST_BARS)


def _binned(days: Sequence[tuple[date, int]]) -> list[tuple[str, float]]:
    """Rows by bin; a bin without rows is a gap, not left out. Only whole bins are shown."""
    if not days:
        return []
    size, first = _bin_days(days), days[0][0]
    bins = [0.0] * ((days[-1][0] - first).days // size + 1)
    for day, rows in days:
        bins[(day - first).days // size] += rows
    if size > 1 and len(bins) > 1 and ((days[-1][0] - first).days + 1) % size:
        del bins[-1]
    start = first.toordinal()
    return [(date.fromordinal(start + n * size).isoformat(), rows) for n, rows in enumerate(bins)]


def _changed(found: GatheredModel) -> Markup:
    other, manifest = found.against, found.manifest
    if other is None or other.about is None or found.subject.about is None:
        return paragraph("There is no earlier model to compare the data with.", "soft")
    ours, theirs = found.subject.about, other.about
    if ours.content_hash is not None and ours.content_hash == theirs.content_hash:
        return paragraph(
            f"Version {other.version} learned from the same rows: nothing changed in the data."
        )
    from goldlake.workflows import model_views

    before = model_views.manifest(other)
    rows = []
    for split in ("train", "eval", "test"):
        now = manifest.rows.get(split) if manifest else None
        then = before.rows.get(split) if before else None
        shown = [f"{n:,}" if n is not None else "–" for n in (then, now)]
        rows.append((split, *shown))
    rows.append(("as of", instant(theirs.as_of), instant(ours.as_of)))
    rows.append(("table version", str(theirs.table_version), str(ours.table_version)))
    caption = f"What changed in the data since version {other.version}"
    return table(caption, ("", f"@{other.version}", f"@{found.subject.version}"), rows, (1, 2))


def _tables(found: Gathered) -> Markup:
    assert found.data.tables is not None
    rows = [
        (
            entry.id,
            f"{entry.rows:,}",
            str(entry.version),
            f"{entry.bytes / 1e6:,.1f}",
            instant(entry.committed_at),
        )
        for entry in found.data.tables.tables
    ]
    head = ("Table", "Rows", "Version", "MB", "Committed")
    return folded("Tables", table("Tables and their versions", head, rows, (1, 2, 3)))


def _rejected(found: Gathered) -> Markup:
    quarantine = found.data.quarantine
    if quarantine is None or not quarantine.records:
        return Markup()
    items = joined(
        html(
            "<h3>{reasons}</h3><p class='soft'>{record}</p>{value}",
            reasons=", ".join(each.reasons),
            record=each.record,
            value=command(each.value[:MOST_TEXT] + "…" * (len(each.value) > MOST_TEXT)),
        )
        for each in quarantine.records
    )
    more = command(f"goldlake quarantine {found.usecase.name}")
    return folded(
        f"{len(quarantine.records)} of {quarantine.total:,} rejected records", items + more
    )


def _runs(found: Gathered) -> Markup:
    rows = [
        (
            instant(run.began_at.isoformat()),
            run.command,
            run.status,
            f"{run.landed or 0:,}",
            f"{run.quarantined or 0:,}",
            "–" if run.seconds is None else f"{run.seconds:,.0f} s",
        )
        for run in found.data.runs[:MOST_RUNS]
    ]
    head = ("Began", "Command", "Ended", "Landed", "Rejected", "Took")
    return folded("Newest runs", table("Runs that landed data", head, rows, (3, 4, 5)))
