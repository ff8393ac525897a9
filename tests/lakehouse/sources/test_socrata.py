"""What the Socrata connector makes of answers that the simulated portal does not give."""

from __future__ import annotations

import pytest

from goldlake_core.contracts.errors import PermanentError
from goldlake_core.contracts.sections import UseCase
from lakehouse.sources.socrata import SocrataConnector
from tests.lakehouse.sources.test_http import Server, server  # noqa: F401

JSON = {"Content-Type": "application/json;charset=utf-8"}
SYSTEM = b'":id":"row-a",":updated_at":"2018-02-10T21:50:01.000Z"'
EXACT = b"{ " + SYSTEM + b',"size" : 1.50, "name":"\\u00e4\\/ \\n", "big":12345678901234567890}'

DEEP = b"[{" + SYSTEM + b',"a":' + b"[" * 1_010 + b"]" * 1_010 + b"}]"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"[" + EXACT + b"\n, " + EXACT + b" ]\n", [EXACT, EXACT]),
        # A landed record is one line: what is spread over several is written again.
        (b"[{" + SYSTEM + b',\r\n  "size" : 1.50}]', [b"{" + SYSTEM + b',"size":1.5}']),
        (b"[{\r" + SYSTEM + b"}]", [b"{" + SYSTEM + b"}"]),
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
    assert page.is_last
    connector.close()


@pytest.mark.parametrize("body", [b"{}", b"[1]", b"[{]", b"[" * 5_000, DEEP, b'[{"a": \xff}]'])
def test_an_answer_that_is_not_rows_is_refused(
    toy: UseCase,
    server: Server,  # noqa: F811
    body: bytes,
) -> None:
    server.script = [(200, JSON, body)]
    connector = SocrataConnector(toy, server.url)
    with pytest.raises(PermanentError, match="answered"):
        connector.page(None, None, None)
    connector.close()
