"""The kit for connectors finds what a connector does wrong, and nothing in ours."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import pytest
from msgspec.structs import replace

from goldlake_core.contracts.sections import UseCase
from goldlake_core.storage.landing import Cursor
from lakehouse.sources.base import Connector, Origin, Page
from lakehouse.sources.socrata import SocrataConnector
from lakehouse.sources.testing import Kit, findings
from tests.faults.lab import odd_row, row, soda

ROWS = [row(0), odd_row(1, b"41.10"), odd_row(2, b"1e400"), *(row(n) for n in range(3, 30))]


class Parsing(SocrataConnector):
    """Reads each record and writes it again."""

    def page(self, cursor: Cursor | None, since: str | None, until: str | None) -> Page:
        page = super().page(cursor, since, until)
        return Page([json.dumps(json.loads(r)).encode() for r in page.rows], page.url)


class Halting(SocrataConnector):
    """Gives up as soon as a page is short."""

    def page(self, cursor: Cursor | None, since: str | None, until: str | None) -> Page:
        if cursor is not None and self.traffic.bytes and self.is_short:
            return Page([], "")
        page = super().page(cursor, since, until)
        self.is_short = len(page.rows) < 10
        return page


class Stuck(SocrataConnector):
    """Never looks at the cursor."""

    def page(self, cursor: Cursor | None, since: str | None, until: str | None) -> Page:
        return super().page(None, since, until)


class Addressed(SocrataConnector):
    """Calls itself by its address."""

    def origin(self) -> Origin:
        origin = super().origin()
        return Origin({**origin.identity, "address": origin.address})


class Forgetful(SocrataConnector):
    """Leaves the wanted fields out of its pages of keys."""

    def key_page(self, cursor: Cursor | None, fields: Sequence[str]) -> Page:
        return super().key_page(cursor, ())


@pytest.fixture
def kit(toy: UseCase) -> Callable[[type[SocrataConnector]], Kit]:
    options = {"attempts": 3, "backoff_s": 0.0005, "timeout_s": 5}
    usecase = replace(toy, source=replace(toy.source, page_rows=10, options=options))

    def make(kind: type[SocrataConnector]) -> Kit:
        def connector(url: str) -> Connector:
            return kind(usecase, url)

        return Kit(connector=connector, answer=soda, rows=ROWS, key_fields=("call_id",))

    return make


def test_our_connector_breaks_no_law(kit: Callable[[type[SocrataConnector]], Kit]) -> None:
    assert findings(kit(SocrataConnector)) == []


@pytest.mark.parametrize(
    ("kind", "law", "problem"),
    [
        (Parsing, "reads everything", "is missing or changed"),
        (Halting, "reads everything in short pages", "of 30 records came"),
        (Stuck, "reads everything", "comes after"),
        (Forgetful, "gives keys alone", "is missing, changed"),
        (Addressed, "has one identity at two addresses", "http://127.0.0.1:"),
    ],
)
def test_a_connector_that_breaks_a_law_is_found(
    kit: Callable[[type[SocrataConnector]], Kit],
    kind: type[SocrataConnector],
    law: str,
    problem: str,
) -> None:
    found = findings(kit(kind))
    assert any(line.startswith(law) and problem in line for line in found), found
