"""What differs between two model versions, as text. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from goldlake_core.documents.lineage import Change, ModelDiff, Scalar, SliceChange

_HASH = re.compile(r"[0-9a-f]{40,64}")
_LONGEST = 60


def diff_text(document: ModelDiff) -> str:
    """The document for people; hashes and long values are cut."""
    return "\n".join(_lines(document))


def _lines(document: ModelDiff) -> Iterator[str]:
    yield f"{document.before} -> {document.after}"
    yield from _part("data", document.data)
    yield from _part("contract", document.contract)
    yield from _part("code", document.code)
    yield from _part("metrics", document.metrics)
    where = "the same test rows" if document.same_test else "each on its own test rows"
    if document.metric is None:
        yield "slices: not on record"
    else:
        yield f"slices: {document.metric}, {where}" + ("" if document.slices else "; none differs")
        yield from (f"  {_slice(each)}" for each in document.slices)
        if document.slices_total > len(document.slices):
            left = document.slices_total - len(document.slices)
            yield f"  and {left:,} more; --all shows them"
    for text in document.not_recorded:
        yield f"missing: {text}"


def _part(name: str, changes: Sequence[Change]) -> Iterator[str]:
    yield f"{name}:" + ("" if changes else " nothing differs")
    for change in changes:
        yield f"  {change.name}: {_value(change.before)} -> {_value(change.after)}"


def _slice(change: SliceChange) -> str:
    about = ", ".join(f"{k}={v}" for k, v in change.slice.items()) or "the whole test split"
    moved = change.after - change.before
    return f"{about}: {change.before:.4f} -> {change.after:.4f} ({moved:+.4f})"


def _value(value: Scalar) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    text = "none" if value is None else str(value)
    if _HASH.fullmatch(text):
        return text[:12]
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
