"""JSON as TF Serving reads and writes it, but for the white space of its answers.

``NaN``, ``Inf`` and ``Infinity`` are numbers; text that follows the first value is ignored; bytes
that are not UTF-8 are kept as lone surrogates. Errors have RapidJSON's texts and offsets.
"""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import numpy as np
import orjson

from serving.errors import invalid

DEBUG_CHARACTERS = 256
_STRING = r'"(?:[^"\\]|\\.)*(?:"|\Z)'
_TOKEN = re.compile(_STRING + r"|[][{}]|-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?", re.DOTALL)
_SHORT_FORMS = re.compile(_STRING + r"|-NaN|Inf(?!inity)", re.DOTALL)
# `json` accepts lone surrogate escapes and numbers beyond a double; these texts may hold some.
_DOUBTFUL = re.compile(r"\\u[dD]|[eE]\+?[0-9]{2}|[0-9]{300}")
_ESCAPE = re.compile(r"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|(\\u[dD][89a-fA-F])|\\.", re.DOTALL)
# RapidJSON points at the first character that does not continue a literal.
_LITERAL = re.compile(r"n(?:ul?)?|t(?:ru?)?|f(?:a(?:ls?)?)?|-|")
_CUT_NUMBER = re.compile(r"(?<=[0-9])(?:\.(?![0-9])|[eE])")
_PROBLEMS = {
    "Expecting value": "Invalid value.",
    "Expecting property name enclosed in double quotes": "Missing a name for object member.",
    "Expecting ':' delimiter": "Missing a colon after a name of object member.",
    "Unterminated string starting at": "Missing a closing quotation mark in string.",
    "Invalid control character at": "Invalid encoding in string.",
    "Invalid \\escape": "Invalid escape character in string.",
    "Invalid \\uXXXX escape": "Incorrect hex digit after \\u escape in string.",
    "Illegal trailing comma before end of array": "Invalid value.",
    "Illegal trailing comma before end of object": "Missing a name for object member.",
}


def read(body: bytes) -> Any:
    """Returns the first JSON value of a request body; integers beyond 64 bits may become float.

    Raises:
        StatusError: INVALID_ARGUMENT with RapidJSON's message and offset in bytes.
        RecursionError: The value is nested too deeply.
    """
    if not body:
        raise invalid("JSON Parse error: The document is empty")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    bare = body.removeprefix(b"\xef\xbb\xbf")  # the byte order mark
    original = bare.decode("utf-8", "surrogateescape")
    text = _SHORT_FORMS.sub(_long_form, original)
    start = len(text) - len(text.lstrip(" \t\r\n"))
    value, problem, end = None, "", len(text)
    try:
        value, end = json.JSONDecoder().raw_decode(text, start)
    except json.JSONDecodeError as error:
        problem, end = _rapidjson(error, text) if start < end else ("The document is empty.", end)
    except ValueError:  # an integer longer than `int` reads, which the next line finds
        pass
    if _DOUBTFUL.search(text):
        problem, end = _unstorable(text, end) or (problem, end)
    if not problem:
        return value
    added = sum(5 for m in _SHORT_FORMS.finditer(original) if m[0] == "Inf" and m.start() < end)
    offset = len(body) - len(bare) + len(text[:end].encode("utf-8", "surrogateescape")) - added
    raise invalid(f"JSON Parse error: {problem} at offset: {offset}")


def _long_form(token: re.Match[str]) -> str:
    return {"-NaN": " NaN", "Inf": "Infinity"}.get(token[0], token[0])


def _rapidjson(error: json.JSONDecodeError, text: str) -> tuple[str, int]:
    """RapidJSON's text and position for an error of `json`."""
    at = error.pos
    if error.msg == "Expecting ',' delimiter":
        part = _CUT_NUMBER.match(text, at)
        if part:
            return f"Miss {'fraction part' if part[0] == '.' else 'exponent'} in number.", at + 1
        brackets = ""
        for token in _TOKEN.findall(text, 0, at):
            brackets = brackets[:-1] if token in "]}" else brackets + token * (token in "[{")
        is_array = brackets.endswith("[")
        what = "']' after an array element" if is_array else "'}' after an object member"
        return f"Missing a comma or {what}.", at
    if error.msg.startswith("Illegal trailing comma"):  # Python 3.13 points at the comma
        at = len(text) - len(text[at + 1 :].lstrip())
    problem = _PROBLEMS.get(error.msg, error.msg)
    if problem == "Invalid value.":
        literal = _LITERAL.match(text, at)
        return problem, literal.end() if literal else at
    return problem, at - (error.msg == "Invalid \\uXXXX escape")


def _unstorable(text: str, end: int) -> tuple[str, int] | None:
    """The first lone surrogate escape or number beyond a double, as RapidJSON reports it."""
    for token in _TOKEN.finditer(text, 0, end):
        if token[0][0] == '"':
            lone = next((e for e in _ESCAPE.finditer(token[0]) if e[1]), None)
            if lone:
                return "The surrogate pair in string is invalid.", token.start() + lone.start()
        elif token[0] not in "[]{}" and abs(float(token[0])) == float("inf"):
            return "Number too big to be stored in double.", token.start()
    return None


def write(document: Any, *, is_finite: bool = True) -> bytes:
    """Returns a document, which may hold NumPy arrays of numbers, as JSON.

    Args:
        document: What to write.
        is_finite: False where a number may be NaN or infinite: orjson would write null.
    """
    if is_finite:
        try:
            return orjson.dumps(document, _plain, orjson.OPT_SERIALIZE_NUMPY)
        except orjson.JSONEncodeError:  # lone surrogates: bytes that are not UTF-8
            pass
    text = json.dumps(document, default=_plain, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogateescape")


def _plain(array: Any) -> Any:
    # By way of its text a float32 keeps as few digits as it needs.
    return (array.astype(str).astype(float) if array.dtype == np.float32 else array).tolist()


def debug_text(value: Any, depth: int = 1) -> str:
    """Returns a value for an error message as TF Serving lays it out, cut if it is long."""
    line = "\n" + "    " * depth
    if isinstance(value, dict):
        some = itertools.islice(value.items(), DEBUG_CHARACTERS)
        members = [f"{line}{debug_text(k)}: {debug_text(v, depth + 1)}" for k, v in some]
        text = "{" + ",".join(members) + (line[:-4] if members else "") + "}"
    elif isinstance(value, list):
        text = f"[{', '.join(debug_text(v, depth + 1) for v in value[:DEBUG_CHARACTERS])}]"
    else:
        text = json.dumps(value, ensure_ascii=False)
    return text[:DEBUG_CHARACTERS]
