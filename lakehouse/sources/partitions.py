"""Lands a source that consists of parts: each content once, whatever its name.

A part is a file, say, which is landed to its end once, or a log that grows, of which what came
since is landed each time.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from goldlake_core.contracts.errors import UsageError
from goldlake_core.storage.landing import Cursor, PageEntry
from lakehouse.sources.base import Partition, Partitioned
from lakehouse.sources.laws import Asker

if TYPE_CHECKING:
    from lakehouse.sources.land import Landing

_END = "end"


def land(landing: Landing, asker: Asker) -> None:
    """Lands the records of all partitions whose digest is not landed to its end.

    Raises:
        UsageError: A range was asked for, or the connector names no partitions.
    """
    reader, kind = landing.reader, landing.usecase.source.kind
    if landing.since or landing.until:
        raise UsageError(
            f"A source of kind {kind!r} is landed whole: it takes no --since or --until"
        )
    if not isinstance(reader, Partitioned):
        raise UsageError(f"The connector of kind {kind!r} names no partitions")
    entries = _kept(landing.pages_of_all)
    before = reader.landed_before([entry for entry in entries if entry.format == 1])
    names = {str(entry.inputs.get("file")): entry.inputs.get("digest") for entry in entries}
    landed = _spans(entries)
    for part in reader.partitions():
        spans = landed.setdefault(part.digest, {})
        if not spans and names.get(part.name, part.digest) != part.digest:
            landing.emit("info", f"{part.name} was issued again with other content")
        _land_part(landing, asker, part, spans, before.get(part.digest, 0))


def unlanded(reader: Partitioned, pages: list[PageEntry]) -> list[Partition]:
    """The partitions that are not landed to their end, in their order. Read-only.

    Args:
        reader: The connector of the source.
        pages: All landed pages by their sequence.
    """
    entries = _kept(pages)
    before = reader.landed_before([entry for entry in entries if entry.format == 1])
    landed = _spans(entries)
    return [
        part
        for part in reader.partitions()
        if not _is_whole(part, landed.get(part.digest, {}), before.get(part.digest, 0))
    ]


def _is_whole(part: Partition, spans: dict[int, tuple[int, bool]], place: int) -> bool:
    is_end = place < 0
    while not is_end and place in spans:
        place, is_end = spans[place]
    return is_end or (part.end is not None and place >= part.end)


def _kept(pages: list[PageEntry]) -> list[PageEntry]:
    """The pages of records, without those of parts that were gone when rows were deleted.

    Such a part is landed again when it comes back.
    """
    gone: dict[str, int] = {}
    for page in pages:
        absent = page.inputs.get("absent")
        if isinstance(absent, list):
            gone.update(dict.fromkeys(absent, page.sequence))
    records = [page for page in pages if not page.tombstones]
    return [p for p in records if p.sequence > gone.get(str(p.inputs.get("digest")), 0)]


def _land_part(
    landing: Landing, asker: Asker, part: Partition, spans: dict[int, tuple[int, bool]], place: int
) -> None:
    is_end = place < 0
    while not is_end and (part.end is None or place < part.end):
        if place in spans:
            place, is_end = spans[place]
            continue
        page, _ = asker.page(Cursor(part.name, f"{place}:{part.digest}"))
        places = page.places or range(place, place + len(page.rows))
        landed_from = min((begin for begin in spans if begin > place), default=None)
        size = len(places) if landed_from is None else bisect_left(places, landed_from)
        if size < len(page.rows) and landed_from is not None:
            last = landed_from
        else:
            last = _place(page.next_cursor) if page.next_cursor else place + size
            is_end = page.next_cursor is None
        if size:
            landing.write(
                page,
                page.rows[:size],
                Cursor(part.name, f"{place}:{part.digest}"),
                Cursor(part.name, f"{last}:{part.digest}" + (f":{_END}" if is_end else "")),
                file=part.name,
                digest=part.digest,
            )
        elif part.end is None or last == place:
            return
        spans[place] = (last, is_end)
        place = last


def _place(cursor: Cursor) -> int:
    return int(cursor.tiebreak.partition(":")[0])


def _spans(entries: list[PageEntry]) -> dict[str, dict[int, tuple[int, bool]]]:
    """By digest, where each landed page begins, where it ends, and whether the part ends there."""
    spans: dict[str, dict[int, tuple[int, bool]]] = {}
    for entry in entries:
        first, last = entry.first_cursor, entry.last_cursor
        if entry.format > 1 and first is not None and last is not None:
            begin, _, digest = first.tiebreak.partition(":")
            end, _, rest = last.tiebreak.partition(":")
            is_end = rest.endswith(f":{_END}")
            spans.setdefault(digest, {})[int(begin)] = (int(end), is_end)
    return spans
