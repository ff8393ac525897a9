"""What a name is, and which known name is nearest to a wrong one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

MAX_NAME = 64
_NAME = re.compile(r"[a-z][a-z0-9_]*")


def is_name(text: str) -> bool:
    """Whether ``text`` is a name as goldlake writes them: ``[a-z][a-z0-9_]*``, 64 at most."""
    return len(text) <= MAX_NAME and _NAME.fullmatch(text) is not None


def nearest(word: str, known: Iterable[str]) -> str:
    """What an error says is valid: the nearest known word first, then all of them.

    Args:
        word: What was written.
        known: What may be written; its order is kept.
    """
    choices = list(dict.fromkeys(known))
    close = difflib.get_close_matches(word.lower(), choices, n=1, cutoff=0.55)
    listed = ", ".join(choices) or "nothing"
    return f"{close[0]} (nearest); all: {listed}" if close else listed
