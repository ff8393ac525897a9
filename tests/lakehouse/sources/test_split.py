"""Records stay the bytes that came."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from goldlake_core.contracts.sections import Format
from goldlake_core.datafiles import csvs
from lakehouse.sources.split import Unreadable, as_utf8, envelope, one_line, records, texts_of

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
BLANKS = st.sampled_from([b"", b" ", b"\t"])


@given(st.lists(VALUES), BLANKS, st.booleans(), st.sampled_from([b"", b",NaN", b', {"a": 1e999}']))
def test_an_array_is_its_records_and_what_is_between(
    values: list[object], blank: bytes, is_ascii: bool, odd: bytes
) -> None:
    """Whether the fast reader or our own reads it: odd values leave only the second."""
    parts = [json.dumps(value, ensure_ascii=is_ascii).encode("utf-8") for value in values]
    extra = [odd.lstrip(b", ")] if odd and parts else []
    separator = blank + b"," + blank
    body = b"[" + blank + separator.join(parts) + (odd if extra else b"") + blank + b"]" + blank
    assert records(body) == [*parts, *extra]


@pytest.mark.parametrize(
    "body",
    [b"", b" ", b"{}", b"[", b"[1", b'["]', b"[1}", b"[1,]", b"[,1]", b"[1] 2", b"<html>", b"]["],
)
def test_half_an_array_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        records(body)


def test_nesting_has_no_limit() -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    assert records(b"[" + deep + b"]") == [deep]


@pytest.mark.parametrize(
    ("record", "line"),
    [
        (b'{"a":\r\n1}', b'{"a":  1}'),
        (b'{"a": "\\n"}', b'{"a": "\\n"}'),
        (b'{"a": "\n"}', envelope(b'{"a": "\n"}')),
        (b'{"a": "\xff"}', envelope(b'{"a": "\xff"}')),
    ],
)
def test_a_record_is_one_line(record: bytes, line: bytes) -> None:
    assert one_line(record) == line


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("[Ä]".encode("latin-1"), "application/json; charset=ISO-8859-1"),
        ("[Ä]".encode("utf-16"), "application/json"),
        (b"\xef\xbb\xbf[\xc3\x84]", "application/json;charset=utf-8"),
        ("[Ä]".encode(), ""),
        ("[Ä]".encode(), 'application/json; charset="utf8"'),
    ],
)
def test_a_body_is_decoded_by_its_charset(body: bytes, content_type: str) -> None:
    assert as_utf8(body, content_type) == "[Ä]".encode()


def test_a_charset_that_does_not_fit_changes_nothing() -> None:
    assert as_utf8(b"[\xff]", "x; charset=klingon") == b"[\xff]"


def test_texts_of_the_top_level_only() -> None:
    record = b'{"b": {"a": "no"}, "c": ["a", "x"], "a" : "yes", "d": 1}'
    assert texts_of(record, ("a",)) == ["yes"]
    assert texts_of(envelope(record), ("a",)) == ["yes"]
    assert texts_of(record, ("a", "d")) is None


FIELD = st.text(st.characters(exclude_categories=("Cs",)), max_size=6) | st.none()


@example(table=[["\n", "\n"]], delimiter=",")
@example(table=[["", '"\n']], delimiter=",")
@example(table=[['He said "hi" and\nleft', "2"], ["3", "4"]], delimiter=",")
@given(st.lists(st.lists(FIELD, min_size=2, max_size=4)), st.sampled_from([",", ";", "\t"]))
def test_csv_fields_come_back(table: list[list[str | None]], delimiter: str) -> None:
    def written(field: str | None) -> str:
        return "" if field is None else '"' + field.replace('"', '""') + '"'

    lines = [delimiter.join(map(written, fields)) for fields in table]
    text = io.StringIO("\r\n".join(lines), newline="")
    dialect = csvs.Dialect(Format(delimiter=delimiter))
    found = list(csvs.rows(text, dialect))
    assert found == list(zip(lines, table, strict=True))
