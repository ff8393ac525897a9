from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving import jsontext
from serving.errors import StatusError
from serving.jsontext import MAX_DEPTH, debug_text, members, read

_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cs",))),
    lambda inner: st.lists(inner) | st.dictionaries(st.text('abc\\"\n'), inner),
    max_leaves=20,
)


@given(_VALUES, st.booleans())
def test_both_readers_read_what_json_writes(value: object, is_ascii: bool) -> None:
    text = json.dumps(value, ensure_ascii=is_ascii)
    assert read(text.encode()) == value
    assert read(text.encode() + b" and more") == value


@given(st.binary(max_size=30))
def test_any_bytes_give_a_value_or_a_status(body: bytes) -> None:
    try:
        read(body)
        text = "JSON Parse error: "
    except StatusError as error:
        text = error.text
    assert text.startswith("JSON Parse error: ")


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"[NaN, -Infinity, Infinity]", [math.nan, -math.inf, math.inf]),
        (b"[Inf, -Inf, -NaN]", [math.inf, -math.inf, math.nan]),
        (b"\xef\xbb\xbf{}", {}),
        (b'{"a": 1} trailing', {"a": 1}),
        (b'["Inf, -NaN", Inf, -NaN]', ["Inf, -NaN", math.inf, math.nan]),
        (b'"\\\\ud800 1e400" NaN', "\\ud800 1e400"),
        (b'"\\ud83d\\ude00" x', "\U0001f600"),
        (b'"\\u00e9" 1e22', "\u00e9"),
        (b'["\xff"]', ["\udcff"]),
        (b"[1e22, NaN]", [1e22, math.nan]),
    ],
)
def test_what_only_rapidjson_takes(body: bytes, value: object) -> None:
    # NaN is unlike itself; its text is not.
    assert repr(read(body)).replace("-nan", "nan") == repr(value)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "The document is empty"),
        (b"  ", "The document is empty. at offset: 2"),
        (b"[nan]", "Invalid value. at offset: 2"),
        (b"[tru]", "Invalid value. at offset: 4"),
        (b"[-]", "Invalid value. at offset: 2"),
        (b"[1,]", "Invalid value. at offset: 3"),
        (b"[1 2]", "Missing a comma or ']' after an array element. at offset: 3"),
        (b'{"a" 1}', "Missing a colon after a name of object member. at offset: 5"),
        (b'{"a": 1,}', "Missing a name for object member. at offset: 8"),
        (b'{"a": 1 "b": 2}', "Missing a comma or '}' after an object member. at offset: 8"),
        (b"{a: 1}", "Missing a name for object member. at offset: 1"),
        (b'["a', "Missing a closing quotation mark in string. at offset: 3"),
        (b'["a\nb"]', "Invalid encoding in string. at offset: 3"),
        (b'["\\x"]', "Invalid escape character in string. at offset: 2"),
        (b'["\\u12g4"]', "Incorrect hex digit after \\u escape in string. at offset: 2"),
        (b'["\\ud800"]', "The surrogate pair in string is invalid. at offset: 2"),
        (b'["\\udc00"]', "The surrogate pair in string is invalid. at offset: 2"),
        (b"[1.]", "Miss fraction part in number. at offset: 3"),
        (b"[1e]", "Miss exponent in number. at offset: 3"),
        (b"[1e400]", "Number too big to be stored in double. at offset: 1"),
        (b"[" + b"9" * 400 + b"]", "Number too big to be stored in double. at offset: 1"),
        ('["é", nan]'.encode(), "Invalid value. at offset: 8"),
        (b"[" + b"9" * 5000 + b"]", "Number too big to be stored in double. at offset: 1"),
        (b'["Inf", Inf, -Inf, nan]', "Invalid value. at offset: 20"),
        (
            b'\xef\xbb\xbf["]", {"}": 1}, 1 2]',
            "Missing a comma or ']' after an array element. at offset: 21",
        ),
        (b'{"a": [{}], "b": 1 2}', "Missing a comma or '}' after an object member. at offset: 19"),
        (b'["1e400 \\x"]', "Invalid escape character in string. at offset: 8"),
    ],
)
def test_errors_are_worded_as_rapidjson_does(body: bytes, text: str) -> None:
    with pytest.raises(StatusError) as error:
        read(body)
    assert error.value.text == f"JSON Parse error: {text}"


@pytest.mark.parametrize("tail", [b"", b" and more"])  # for each of the readers
def test_the_first_of_duplicate_keys_wins(tail: bytes) -> None:
    value = read(b'{"a": 1, "b": {"x": 1, "x": ":"}, "a": [":"]}' + tail)
    assert value == {"a": 1, "b": {"x": 1}}
    assert list(members(value["b"])) == [("x", 1), ("x", ":")]
    assert [key for key, _ in members(value)] == ["a", "b", "a"]
    assert type(read(b'{"a:": ":", "b": "\\":"}' + tail)) is dict


@given(_VALUES)
def test_the_last_reader_reads_what_the_quick_ones_read(value: object) -> None:
    text = json.dumps(value)
    assert jsontext._Reader(text).value() == value


DEEP = 100_000


@pytest.mark.parametrize(
    ("opening", "inside", "closing"),
    [
        (b"[", b"", b"]"),
        (b'{"a":', b"1", b"}"),
        (b'[ {"]" : ', b'"]"', b"} ]"),
        (b'[1, {"a": 2, "b":', b"null", b"}, 3]"),
        (b'["[", ', b"[]", b"]"),
    ],
)
def test_a_nest_of_any_depth_is_passed_over(opening: bytes, inside: bytes, closing: bytes) -> None:
    nest = opening * DEEP + inside + closing * DEEP
    value = read(b'{"ignored": ' + nest + b', "instances": [1]} more')
    assert value["instances"] == [1]
    depth, inner = 0, value["ignored"]
    while isinstance(inner, dict | list) and inner:
        depth, inner = (
            depth + 1,
            next(iter(members(inner)))[1] if isinstance(inner, dict) else inner[-1],
        )
        inner = next((v for v in [inner] if isinstance(v, dict | list)), None)
    assert depth <= MAX_DEPTH


@pytest.mark.parametrize(
    ("tail", "text"),
    [
        (b"]" * (DEEP - 1) + b"}", "Missing a comma or ']' after an array element."),
        (b"]" * (DEEP - 1), "Missing a comma or ']' after an array element."),
        (b", nan", "Invalid value."),
        (b"]" * (DEEP + 1) + b"1", "Missing a comma or '}' after an object member."),
    ],
)
def test_a_fault_below_a_deep_nest_has_its_place(tail: bytes, text: str) -> None:
    start = b'{"ignored": ' + b"[" * DEEP + b"1"
    body = start + tail if tail != b", nan" else start + tail
    with pytest.raises(StatusError) as error:
        read(body)
    at = len(body) - (tail[-1:] in b"}1") - (tail == b", nan") * 2
    at = at - 1 if tail.endswith(b"]1") else at
    assert error.value.text == f"JSON Parse error: {text} at offset: {at}"


def test_more_values_than_this_server_builds_are_refused() -> None:
    for body in (b"[" + b"[]," * jsontext.MAX_CONTAINERS, b"1," * (jsontext.MAX_VALUES + 1)):
        with pytest.raises(StatusError) as error:
            read(body)
        assert error.value.code == "RESOURCE_EXHAUSTED"


def test_a_message_takes_the_start_of_a_value_however_wide_and_deep_it_is() -> None:
    wide: object = 1
    for _ in range(6):
        wide = [wide] * 1000  # a million million million values, if they were written
    assert debug_text(wide) == ("[[[[[[" + "1, " * 100)[:256]
    deep: object = []
    for _ in range(5000):
        deep = [deep]
    assert debug_text(deep) == "[" * 256
    assert debug_text({"a": [], "b": {}}) == '{\n    "a": [],\n    "b": {}\n}'
