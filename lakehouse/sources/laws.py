"""What a source must keep to, per kind of paging. Landing believes no source, and no connector.

- keyset: the keys of a page ascend and follow the cursor; one key belongs to one record; the end is
  an empty page, never a short one.
- numbered, offsets: a page moves on, and is not the page before it once more.
- whole: there is one page. partitions: a page holds records of its partition.
- all: what was read to the end is as much as the source counts, where it counts.

A page that breaks a law is asked for again as after a 503, and refused in the end.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence

from goldlake_core.contracts.errors import PermanentError
from goldlake_core.storage.landing import Cursor
from lakehouse.sources.base import Connector, Page, Patience
from lakehouse.sources.http import MAX_WAIT_S, wait_before

RECOUNTS = 3
"""How often a source is asked for more when it ended before its own count."""


class Asker:
    """Asks a connector for pages until one keeps the laws.

    Args:
        reader: The connector that is asked.
        since: First day of the range, or None.
        until: First day after the range, or None.
        sleep: Waits; a parameter so that tests need not.
    """

    def __init__(
        self,
        reader: Connector,
        since: str | None,
        until: str | None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._reader = reader
        self._range = (since, until)
        self._sleep = sleep
        self._jitter = random.Random(0)
        self._before: Page | None = None

    def page(self, cursor: Cursor | None) -> tuple[Page, list[Cursor | None]]:
        """The page that follows a cursor, and its records' keys.

        Raises:
            PermanentError: Every try broke a law; the URL and the keys are named.
        """
        patience = self._reader.patience
        problem, url = "", ""
        for attempt in range(patience.attempts):
            if attempt:
                self._reader.traffic.retries += 1
                self.wait(patience, attempt - 1)
            page = self._reader.page(cursor, *self._range)
            keys = [self._reader.key(row) for row in page.rows]
            problem, url = self._broken(page, keys, cursor), page.url
            if not problem:
                self._before = page
                return page, keys
        raise PermanentError(
            f"{url} answered {patience.attempts} times with a page that cannot be right: {problem}",
            hint="tell the publisher; what was landed before this page stays",
        )

    def count(self, cursor: Cursor | None) -> int | None:
        """How many records the source says follow a cursor; None where it does not say."""
        return self._reader.count(cursor, *self._range)

    def wait(self, patience: Patience, attempt: int) -> None:
        """Waits as long as after a failed try."""
        self._sleep(min(wait_before(patience, attempt, self._jitter), MAX_WAIT_S))

    def _broken(self, page: Page, keys: Sequence[Cursor | None], cursor: Cursor | None) -> str:
        if self._reader.paging == "keyset":
            return broken_keyset(page.rows, keys, cursor)
        if self._reader.paging not in ("numbered", "offsets"):
            return ""
        before = self._before
        if page.next_cursor is not None and page.next_cursor == cursor:
            return f"it does not move on from {_told(cursor)}"
        if before and len(page.rows) > 1 and page.rows == before.rows and cursor is not None:
            return f"it is the page of {before.url} once more"
        return ""


def broken_keyset(
    rows: Sequence[bytes], keys: Sequence[Cursor | None], cursor: Cursor | None
) -> str:
    """What is wrong with a page of keyset paging, in words; "" for nothing.

    Only the values of keys are ordered. Tiebreaks tell records of one value apart, and how a source
    orders them is its own affair.

    Args:
        rows: The records of the page.
        keys: Their keys; None for a record that tells none, which is landed where it is. A first
            page of such records alone is refused; a later one ends what can be read.
        cursor: What the page was to follow.
    """
    if rows and cursor is None and not any(keys):
        return f"no record tells its place: {rows[0][:200]!r}"
    last = cursor
    seen: dict[Cursor, bytes] = {}
    for row, key in zip(rows, keys, strict=True):
        if key is None:
            continue
        if last is not None and key.value < last.value:
            return f"{_told(key)} comes after {_told(last)}"
        if key == cursor:
            return f"it does not move on from {_told(cursor)}"
        if seen.setdefault(key, row) != row:
            return f"two different records have the key {_told(key)}"
        last = key
    return ""


def _told(cursor: Cursor | None) -> str:
    return f"({cursor.value}, {cursor.tiebreak})" if cursor else "the start"
