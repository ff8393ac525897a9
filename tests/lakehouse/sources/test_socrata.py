"""What the Socrata connector makes of answers that the simulated portal does not give."""

from __future__ import annotations

import pytest

from goldlake_core.contracts.errors import RetryableError
from goldlake_core.contracts.sections import UseCase
from goldlake_core.storage.landing import Cursor
from lakehouse.sources.socrata import SocrataConnector
from lakehouse.sources.split import envelope
from tests.lakehouse.sources.test_http import Server, server  # noqa: F401

JSON = {"Content-Type": "application/json;charset=utf-8"}
SYSTEM = b'":id":"row-a",":updated_at":"2018-02-10T21:50:01.000Z"'
EXACT = b"{ " + SYSTEM + b',"size" : 1.50, "name":"\\u00e4\\/ \\n", "big":12345678901234567890}'

DEEP = b"[{" + SYSTEM + b',"a":' + b"[" * 1_010 + b"]" * 1_010 + b"}]"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"[" + EXACT + b"\n, " + EXACT + b" ]\n", [EXACT, EXACT]),
        # A landed record is one line: line breaks between its tokens become blanks.
        (b"[{" + SYSTEM + b',\r\n  "size" : 1.50}]', [b"{" + SYSTEM + b',    "size" : 1.50}']),
        (b"[{\r" + SYSTEM + b"}]", [b"{ " + SYSTEM + b"}"]),
        (b"[]", []),
    ],
)
def test_a_landed_line_is_the_exact_bytes_of_the_record(
    toy: UseCase,
    server: Server,  # noqa: F811
    body: bytes,
    expected: list[bytes],
) -> None:
    server.script = [(200, JSON, body)]
    connector = SocrataConnector(toy, server.url)
    page = connector.page(None, None, None)
    assert page.rows == expected
    assert connector.key(EXACT) == Cursor("2018-02-10T21:50:01.000Z", "row-a")
    connector.close()


@pytest.mark.parametrize("body", [b"{}", b"[{]", b"[" * 5_000, b"<html></html>", b'[{"a": "x]'])
def test_an_answer_that_is_not_rows_is_refused_in_the_end(
    toy: UseCase,
    server: Server,  # noqa: F811
    body: bytes,
) -> None:
    server.script = [(200, JSON, body)]
    connector = SocrataConnector(toy, server.url)
    with pytest.raises(RetryableError, match="the answer could not be read"):
        connector.page(None, None, None)
    connector.close()
    assert len(server.asked) == 8


ODD = b'{"a": {":id":"no", ":updated_at":"no"}, "b": 1e400, "c": NaN, ' + SYSTEM + b"}"


@pytest.mark.parametrize(
    "record", [EXACT, DEEP[1:-1], ODD, envelope(b"{" + SYSTEM + b', "\xff\n"}')]
)
def test_a_record_tells_its_place_whatever_else_it_holds(toy: UseCase, record: bytes) -> None:
    found = SocrataConnector(toy, "http://127.0.0.1:9").key(record)
    assert found == Cursor("2018-02-10T21:50:01.000Z", "row-a")


@pytest.mark.parametrize("record", [b"1", b'{"a": \xff}', b"{}", b'{":id":1,":updated_at":"x"}'])
def test_a_record_without_its_place_has_no_key(toy: UseCase, record: bytes) -> None:
    assert SocrataConnector(toy, "http://127.0.0.1:9").key(record) is None
