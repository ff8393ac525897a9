"""What TensorFlow Serving answers over REST, as cases that any server can be asked.

The expectations are facts about TensorFlow Serving 2.20: what its documentation and tests state,
and what its source code does. The models are those of `tfx_pipeline.conformance_models`. A text
inside another one is compared by its parts, because releases word the part around it differently.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

INT32, INT64, UINT32, UINT64 = 2**31, 2**63, 2**32, 2**64
DEEP = 500_000
METRICS = "/monitoring/prometheus/metrics"
_ORIGIN = {"Origin": "https://example.org"}
_NAN, _INF = math.nan, math.inf


@dataclass(frozen=True)
class Expected:
    """What an answer has to be. What is None or empty is not compared.

    Attributes:
        status: Status code of the HTTP answer.
        document: The whole JSON document.
        part: Keys and values that the JSON document has among others.
        error: The whole text of the error.
        error_parts: Texts that the text of the error holds.
        body_parts: Texts that the body holds.
        content_type: Start of the content type.
        headers: Headers, with None for one that must be absent.
        is_empty: Whether the body has to be empty.
        is_no_document: Whether the body must be no JSON object.
    """

    status: int
    document: Any = None
    part: Mapping[str, Any] | None = None
    error: str | None = None
    error_parts: tuple[str, ...] = ()
    body_parts: tuple[str, ...] = ()
    content_type: str = ""
    headers: Mapping[str, str | None] = field(default_factory=dict)
    is_empty: bool = False
    is_no_document: bool = False


@dataclass(frozen=True)
class Case:
    """One request and what TensorFlow Serving answers.

    Attributes:
        name: Unique name, such as ``json/first-of-two-keys``.
        method: HTTP method of the request, in capitals.
        path: Path as it is sent.
        body: Body of the request; it may be empty.
        expected: What the answer has to be.
        headers: Headers of the request, by name.
        needs: A switch of the server that the case is about: ``cors``, ``no cors``, ``metrics`` or
            ``no metrics``; "" for all servers.
    """

    name: str
    method: str
    path: str
    body: bytes
    expected: Expected
    headers: Mapping[str, str] = field(default_factory=dict)
    needs: str = ""


def cases() -> list[Case]:
    """Returns every case, in the order in which they are asked."""
    return [
        *_types(),
        *_wrong_types(),
        *_shapes(),
        *_names(),
        *_base64(),
        *_json(),
        *_wrong_json(),
        *_formats(),
        *_outputs(),
        *_regress(),
        *_classify(),
        *_features(),
        *_paths(),
        *_wrong_paths(),
        *_metadata(),
        *_http(),
    ]


def _call(name: str, model: str, body: object, expected: Expected, verb: str = "predict") -> Case:
    raw = body if isinstance(body, bytes) else str(body).encode()
    if not isinstance(body, bytes | str):
        raw = json.dumps(body).encode()
    return Case(name, "POST", f"/v1/models/{model}:{verb}", raw, expected)


def _ok(**document: Any) -> Expected:
    return Expected(200, document=document, content_type="application/json")


def _bad(text: str) -> Expected:
    return Expected(400, error=text, content_type="application/json")


def _bad_with(*parts: str) -> Expected:
    return Expected(400, error_parts=parts, content_type="application/json")


def _echo(name: str, dtype: str, body: str, expected: Expected) -> Case:
    inner = body.strip()[1:]
    return _call(name, "echo", f'{{"signature_name": "{dtype}", {inner}', expected)


_RANGES: Mapping[str, tuple[int, int]] = {
    "int8": (-128, 127),
    "uint8": (0, 255),
    "int16": (-(2**15), 2**15 - 1),
    "int32": (-INT32, INT32 - 1),
    "int64": (-INT64, INT64 - 1),
    "uint32": (0, UINT32 - 1),
    "uint64": (0, UINT64 - 1),
}


def _types() -> Iterator[Case]:
    values: dict[str, list[Any]] = {
        "bool": [True, False],
        "float": [0.5, -3.25, 1e30],
        "double": [0.1, 1e300, -0.0],
        "string": ["", "a", "\u00e9\u65e5\U0001f600", 'quote " and \\ and \n'],
        **{dtype: list(ends) for dtype, ends in _RANGES.items()},
    }
    for dtype, some in values.items():
        rows, columns = {"instances": some}, {"inputs": {"x": [some, some]}}
        yield _echo(f"types/{dtype}-rows", dtype, json.dumps(rows), _ok(predictions=some))
        yield _echo(f"types/{dtype}-columns", dtype, json.dumps(columns), _ok(outputs=[some, some]))
    yield _echo(
        "types/whole-numbers-as-float", "float", '{"inputs": [1, 2]}', _ok(outputs=[1.0, 2.0])
    )
    yield _echo(
        "types/float-rounds",
        "float",
        '{"instances": [1435774380]}',
        _ok(predictions=[1435774336.0]),
    )
    yield _echo(
        "types/float-overflows",
        "float",
        '{"instances": [1e39, -1e39]}',
        _ok(predictions=[_INF, -_INF]),
    )
    yield _echo(
        "types/beyond-64-bits-is-a-double",
        "double",
        f'{{"inputs": [{UINT64}]}}',
        _ok(outputs=[float(UINT64)]),
    )
    yield _echo(
        "types/half-cannot-be-sent",
        "half",
        '{"inputs": [1.0]}',
        Expected(501, error="Conversion of JSON Value: 1.0 to type: half"),
    )


def _wrong_types() -> Iterator[Case]:
    def wrong(name: str, dtype: str, value: str, text: str, kind: str) -> Case:
        error = f"JSON Value: {text} Type: {kind} is not of expected type: {dtype}"
        return _echo(f"wrong-types/{name}", dtype, f'{{"inputs": [{value}]}}', _bad(error))

    for dtype, (low, high) in _RANGES.items():
        # A 32-bit integer is what TF Serving takes for the narrow ones, and they wrap around.
        is_narrow = dtype in ("int8", "uint8", "int16")
        low, high = (-INT32, INT32 - 1) if is_narrow else (low, high)
        if dtype != "uint64":
            yield wrong(f"{dtype}-too-large", dtype, str(high + 1), str(high + 1), "Number")
        if dtype != "int64":
            yield wrong(f"{dtype}-too-small", dtype, str(low - 1), str(low - 1), "Number")
    yield wrong("text-for-float", "float", '"1"', '"1"', "String")
    yield wrong("true-for-float", "float", "true", "true", "True")
    yield wrong("null-for-double", "double", "null", "null", "Null")
    yield wrong("number-for-text", "string", "1", "1", "Number")
    yield wrong("false-for-text", "string", "false", "false", "False")
    yield wrong("number-for-bool", "bool", "0", "0", "Number")
    yield wrong("fraction-for-int64", "int64", "1.5", "1.5", "Number")
    yield wrong("whole-double-for-int32", "int32", "1.0", "1.0", "Number")
    yield wrong("object-for-float", "float", '{"a": 1}', '{\n    "a": 1\n}', "Object")
    yield _echo(
        "wrong-types/row-is-named",
        "float",
        '{"instances": [1.0, "a"]}',
        _bad_with(
            "Failed to process element: 1 of 'instances' list. Error: ",
            'JSON Value: "a" Type: String is not of expected type: float',
        ),
    )


def _shapes() -> Iterator[Case]:
    def float_case(name: str, body: str, expected: Expected) -> Case:
        return _echo(f"shapes/{name}", "float", body, expected)

    yield float_case("column-scalar", '{"inputs": 1.5}', _ok(outputs=1.5))
    yield float_case("column-of-nothing", '{"inputs": []}', _ok(outputs=[]))
    yield float_case("column-object", '{"inputs": {"x": [[1.0]]}}', _ok(outputs=[[1.0]]))
    yield float_case("column-extra-key", '{"inputs": {"x": [1.0], "z": 1}}', _ok(outputs=[1.0]))
    yield float_case(
        "rows-of-lists", '{"instances": [[1.0], [2.0]]}', _ok(predictions=[[1.0], [2.0]])
    )
    yield float_case("rows-of-nothing", '{"instances": [[], []]}', _ok(predictions=[[], []]))
    yield float_case("named-rows", '{"instances": [{"x": [1.0]}]}', _ok(predictions=[[1.0]]))
    yield float_case("rank-six", '{"inputs": [[[[[[1.0]]]]]]}', _ok(outputs=[[[[[[1.0]]]]]]))
    yield float_case(
        "rows-of-other-size",
        '{"instances": [[1.0], [1.0, 2.0]]}',
        _bad_with("Expecting tensor size: 1 but got: 2"),
    )
    yield float_case(
        "rows-of-other-shape",
        '{"instances": [[1.0, 2.0], [[1.0], [2.0]]]}',
        _bad_with("Expecting shape [2] but got: [2,1]"),
    )
    yield float_case(
        "scalar-then-list",
        '{"instances": [1.0, [1.0]]}',
        _bad_with("Expecting shape [] but got: [1]"),
    )
    yield float_case(
        "list-then-value",
        '{"inputs": [[1.0], 2.0]}',
        _bad("JSON Value: 2.0 found at incorrect level: 2 in the JSON DOM. Expected at level: 2"),
    )
    yield float_case(
        "value-then-list",
        '{"inputs": [1.0, [2.0]]}',
        _bad("Encountered list at unexpected level: 1 expected < 1"),
    )
    yield float_case(
        "list-of-other-size",
        '{"inputs": [[1.0, 2.0], [3.0]]}',
        _bad("Encountered list at unexpected size: 1 at level: 1 expected size: 2"),
    )


def _names() -> Iterator[Case]:
    def pair(name: str, body: object, expected: Expected) -> Case:
        return _call(f"names/{name}", "pair", body, expected)

    rows = [{"count": 1, "name": "a"}, {"name": "b", "count": 2}]
    yield pair("rows", {"instances": rows}, _ok(predictions=rows))
    columns = {"count": [1, 2, 3], "name": ["a"]}
    yield pair("columns", {"inputs": columns}, _ok(outputs=columns))
    yield pair("columns-extra-key", {"inputs": {**columns, "z": None}}, _ok(outputs=columns))
    yield pair(
        "plain-rows",
        {"instances": [1]},
        _bad(
            "instances is a plain list, but expecting list of objects as multiple input tensors "
            "required as per tensorinfo_map"
        ),
    )
    yield pair(
        "plain-columns",
        {"inputs": [1]},
        _bad(
            "inputs is a plain value/list, but expecting an object as multiple input tensors "
            "required as per tensorinfo_map"
        ),
    )
    yield pair(
        "row-without-a-key",
        {"instances": [rows[0], {"count": 1}]},
        _bad_with(
            "Failed to process element: 1 of 'instances' list. JSON object: ",
            "keys must be equal to: count,name",
        ),
    )
    yield pair(
        "row-with-another-key",
        {"instances": [{**rows[0], "z": 1}]},
        _bad_with(
            "Failed to process element: 0 key: z of 'instances' list. Error: ",
            "JSON object: does not have named input: z",
        ),
    )
    yield pair(
        "columns-without-a-key",
        {"inputs": {"count": [1]}},
        _bad("Missing named input: name in 'inputs' object."),
    )
    yield pair(
        "row-of-wrong-type",
        {"instances": [{"count": "a", "name": "a"}]},
        _bad_with("Failed to process element: 0 key: count of 'instances' list. Error: "),
    )
    yield _echo(
        "names/object-then-value",
        "float",
        '{"instances": [{"x": 1.0}, 2.0]}',
        _bad("Expecting object but got list at item 1 of input list"),
    )
    yield _echo(
        "names/value-then-object",
        "float",
        '{"instances": [1.0, {"x": 2.0}]}',
        _bad("Expecting value/list but got object at item 1 of input list"),
    )
    yield _echo(
        "names/unknown-key",
        "float",
        '{"instances": [{"y": 2.0}]}',
        _bad_with("JSON object: does not have named input: y"),
    )


def _base64() -> Iterator[Case]:
    def text(name: str, body: str, expected: Expected) -> Case:
        return _echo(f"base64/{name}", "string", body, expected)

    yield text("rows", '{"instances": [{"b64": "YWI="}, "c"]}', _ok(predictions=["ab", "c"]))
    yield text("named-row", '{"instances": [{"x": {"b64": "YWI="}}]}', _ok(predictions=["ab"]))
    yield text("column", '{"inputs": {"b64": "YWI="}}', _ok(outputs="ab"))
    yield text("nested", '{"inputs": [[{"b64": "YQ=="}]]}', _ok(outputs=[["a"]]))
    yield text("without-padding", '{"inputs": [{"b64": "YQ"}]}', _ok(outputs=["a"]))
    yield text("of-nothing", '{"inputs": [{"b64": ""}]}', _ok(outputs=[""]))
    yield text("broken", '{"inputs": [{"b64": "!"}]}', _bad("Unable to base64 decode"))
    yield text(
        "value-is-no-text",
        '{"inputs": [{"b64": 1}]}',
        _bad('JSON Value: {\n    "b64": 1\n} not formatted correctly for base64 data'),
    )
    yield text(
        "row-value-is-no-text",
        '{"instances": [{"b64": 1}]}',
        _bad_with("JSON object: does not have named input: b64"),
    )
    yield text(
        "two-keys",
        '{"inputs": [{"b64": "YQ==", "z": 1}]}',
        _bad_with("not formatted correctly for base64 data"),
    )
    yield _echo(
        "base64/for-a-number",
        "float",
        '{"inputs": [{"b64": "YQ=="}]}',
        _bad_with("Type: Object is not of expected type: float"),
    )
    yield _call(
        "base64/output-by-its-name",
        "pair",
        '{"signature_name": "bytes", "instances": ["ab", "", {"b64": "AP8="}]}',
        _ok(predictions=[{"b64": "YWI="}, {"b64": ""}, {"b64": "AP8="}]),
    )


def _json() -> Iterator[Case]:
    def echo(name: str, body: object, expected: Expected) -> Case:
        return _call(f"json/{name}", "echo", body, expected)

    one = _ok(predictions=[1.0])
    yield echo("text-after-the-value", '{"instances": [1.0]} more', one)
    yield echo("second-value", '{"instances": [1.0]}{', one)
    yield echo("byte-order-mark", b'\xef\xbb\xbf{"instances": [1.0]}', one)
    yield echo("white-space", b' \t\r\n{ "instances" :\n[ 1.0 ]}', one)
    yield echo("first-of-two-keys", '{"instances": [1.0], "instances": [2.0]}', one)
    yield echo(
        "first-of-two-signatures",
        '{"signature_name": "float", "signature_name": "none", "instances": [1.0]}',
        one,
    )
    yield echo("first-of-two-columns", '{"inputs": {"x": 1.0, "x": 2.0}}', _ok(outputs=1.0))
    yield echo("ignored-key", '{"instances": [1.0], "other": {"a": [null]}}', one)
    yield echo("not-a-number", '{"instances": [NaN]}', _ok(predictions=[_NAN]))
    yield echo("infinity", '{"instances": [Infinity, -Infinity]}', _ok(predictions=[_INF, -_INF]))
    yield echo("short-infinity", '{"instances": [Inf, -Inf]}', _ok(predictions=[_INF, -_INF]))
    yield echo(
        "exponents", '{"instances": [1e2, 1E-2, 1.5e+1]}', _ok(predictions=[100.0, 0.01, 15.0])
    )
    yield echo("escaped-key", '{"inst\\u0061nces": [1.0]}', one)
    lists = b'{"other": ' + b"[" * DEEP + b"]" * DEEP + b', "instances": [1.0]}'
    yield echo("deep-lists-in-an-ignored-key", lists, one)
    objects = b'{"other": ' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b', "instances": [1.0]}'
    yield echo("deep-objects-in-an-ignored-key", objects, one)
    yield _echo(
        "json/escapes",
        "string",
        '{"instances": ["\\u00e9\\ud83d\\ude00\\/\\b\\f\\n\\r\\t"]}',
        _ok(predictions=["\u00e9\U0001f600/\b\f\n\r\t"]),
    )
    yield Case(
        "json/bytes-that-are-no-utf-8",
        "POST",
        "/v1/models/pair:predict",
        b'{"signature_name": "bytes", "instances": ["\xff\xfe"]}',
        _ok(predictions=[{"b64": "//4="}]),
    )


def _wrong_json() -> Iterator[Case]:
    member = "Missing a comma or "
    problems: list[tuple[str, bytes, str]] = [
        ("nothing", b"", "The document is empty"),
        ("white-space", b" \n", "The document is empty. at offset: 2"),
        ("lower-case-nan", b'{"instances": [nan]}', "Invalid value. at offset: 16"),
        ("cut-word", b'{"instances": [tru]}', "Invalid value. at offset: 18"),
        ("lone-minus", b'{"instances": [-]}', "Invalid value. at offset: 16"),
        ("comma-at-the-end", b'{"instances": [1,]}', "Invalid value. at offset: 17"),
        ("comma-in-an-object", b'{"a": 1,}', "Missing a name for object member. at offset: 8"),
        ("no-quotes", b"{a: 1}", "Missing a name for object member. at offset: 1"),
        ("no-colon", b'{"a" 1}', "Missing a colon after a name of object member. at offset: 5"),
        ("control-character", b'{"a\nb": 1}', "Invalid encoding in string. at offset: 3"),
        ("unknown-escape", b'{"\\x": 1}', "Invalid escape character in string. at offset: 2"),
        (
            "cut-escape",
            b'{"\\u12": 1}',
            "Incorrect hex digit after \\u escape in string. at offset: 2",
        ),
        (
            "lone-surrogate",
            b'{"\\ud800": 1}',
            "The surrogate pair in string is invalid. at offset: 2",
        ),
        ("no-fraction", b'{"a": 1.}', "Miss fraction part in number. at offset: 8"),
        ("no-exponent", b'{"a": 1e}', "Miss exponent in number. at offset: 8"),
        ("too-big", b'{"a": 1e400}', "Number too big to be stored in double. at offset: 6"),
    ]
    for name, body, text in problems:
        yield _call(f"wrong-json/{name}", "echo", body, _bad(f"JSON Parse error: {text}"))
    for name, body, bracket in (
        ("no-comma-in-a-list", b'{"instances": [1 2]}', "]"),
        ("no-comma-in-an-object", b'{"a": 1 "b": 2}', "}"),
        ("open-list", b'{"instances": [1', "]"),
    ):
        # Builds of RapidJSON differ in quotes around the bracket.
        yield _call(
            f"wrong-json/{name}", "echo", body, _bad_with("JSON Parse error: ", member, bracket)
        )
    yield _call(
        "wrong-json/open-text",
        "echo",
        b'{"instances": ["a',
        _bad_with("JSON Parse error: Missing a closing quotation mark in string."),
    )
    for name, body, text in (
        ("list", b"[1, 2]", "[1, 2]"),
        ("text", b'"a"', '"a"'),
        ("number", b"1", "1"),
        ("null", b"null", "null"),
    ):
        yield _call(f"wrong-json/{name}", "echo", body, _bad(f"JSON Value: {text} Is not object"))
    yield _call(
        "wrong-json/before-the-model", "none", b"", _bad("JSON Parse error: The document is empty")
    )


def _formats() -> Iterator[Case]:
    def echo(name: str, body: str, expected: Expected) -> Case:
        return _call(f"formats/{name}", "echo", body, expected)

    yield echo("neither", "{}", _bad("Missing 'inputs' or 'instances' key"))
    yield echo(
        "both",
        '{"instances": [1], "inputs": [1]}',
        _bad_with(
            "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist"
        ),
    )
    yield echo(
        "no-list", '{"instances": {"x": 1}}', _bad_with("Expecting 'instances' to be an list/array")
    )
    yield echo("no-rows", '{"instances": []}', _bad_with("No values in 'instances' array"))
    yield echo(
        "signature-is-no-text",
        '{"signature_name": 1, "instances": [1]}',
        _bad_with("not formatted correctly. 'signature_name' key must be a string value."),
    )
    yield echo(
        "unknown-signature",
        '{"signature_name": "none", "instances": [1]}',
        _bad('Serving signature name: "none" not found in signature def'),
    )
    yield echo(
        "empty-signature", '{"signature_name": "", "instances": [1]}', _ok(predictions=[1.0])
    )


def _outputs() -> Iterator[Case]:
    def asked(name: str, signature: str, key: str, expected: Expected) -> Case:
        body = f'{{"signature_name": "{signature}", "{key}": [1.0]}}'
        return _call(f"outputs/{name}", "constants", body, expected)

    cube = [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]
    yield asked("rows", "serving_default", "instances", _ok(predictions=[1, 2, 3]))
    yield asked("columns", "serving_default", "inputs", _ok(outputs=[1, 2, 3]))
    yield asked("cube-rows", "cube", "instances", _ok(predictions=cube))
    yield asked("cube-columns", "cube", "inputs", _ok(outputs=cube))
    yield asked(
        "digits-of-a-float",
        "digits",
        "inputs",
        _ok(outputs=[0.1, 0.33333334, 16777216.0, 1e-07, 3e38]),
    )
    yield asked("digits-of-a-double", "doubles", "inputs", _ok(outputs=[0.1, 1 / 3, 1e300]))
    yield asked("not-finite", "nonfinite", "instances", _ok(predictions=[_NAN, _INF, -_INF]))
    yield asked(
        "complex",
        "complex",
        "inputs",
        _bad("Failed to write JSON value for tensor type: complex64"),
    )
    yield asked("half", "half", "inputs", _bad("Failed to write JSON value for tensor type: half"))
    yield asked("scalar-column", "scalar", "inputs", _ok(outputs=7))
    yield asked(
        "scalar-row", "scalar", "instances", _bad("Tensor name: y has no shape information ")
    )
    yield asked("text-column", "text", "inputs", _ok(outputs="hello"))
    yield asked("texts", "texts", "instances", _ok(predictions=["a", "\u00e9", ""]))
    yield asked("bytes", "bytes", "inputs", _ok(outputs=[{"b64": "AP8="}, {"b64": ""}]))
    yield asked("flags", "flags", "instances", _ok(predictions=[True, False]))
    yield asked(
        "two-rows",
        "two",
        "instances",
        _ok(predictions=[{"a": 1, "b": ["x"]}, {"a": 2, "b": ["z"]}]),
    )
    yield asked("two-columns", "two", "inputs", _ok(outputs={"a": [1, 2], "b": [["x"], ["z"]]}))
    yield asked("uneven-rows", "uneven", "instances", _bad_with("has inconsistent batch size: "))
    yield asked("uneven-columns", "uneven", "inputs", _ok(outputs={"a": [1, 2], "b": ["x"]}))
    yield asked("no-rows", "nothing", "instances", _ok(predictions=[]))
    yield asked("no-columns", "nothing", "inputs", _ok(outputs=[]))
    yield asked("two-of-no-rows", "two_nothing", "instances", _ok(predictions=[]))
    yield asked("two-of-no-columns", "two_nothing", "inputs", _ok(outputs={"a": [], "b": []}))
    yield asked(
        "scalar-and-list", "scalar_and_list", "instances", _bad_with("has no shape information")
    )


def _regress() -> Iterator[Case]:
    def asked(name: str, signature: str, body: str, expected: Expected) -> Case:
        inner = body.strip()[1:]
        text = f'{{"signature_name": "{signature}", {inner}'
        return _call(f"regress/{name}", "examples", text, expected, "regress")

    some = '{"examples": [{"floats": 0.5}, {"floats": [1.0, 2.0]}]}'
    yield asked("examples", "", some, _ok(results=[0.5, 3.0]))
    yield asked("one-column", "matrix", some, _ok(results=[0.5, 3.0]))
    yield asked(
        "not-finite", "nonfinite", '{"examples": [{"floats": 1.0}, {}]}', _ok(results=[_INF, _NAN])
    )
    yield asked(
        "unknown-signature", "none", some, _bad("No signature was found with the name: none")
    )
    yield asked(
        "two-columns",
        "wide",
        some,
        _bad(
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got "
            "[2,2]"
        ),
    )
    yield asked(
        "double", "double", some, _bad("Expected output Tensor of DT_FLOAT.  Got: DT_DOUBLE")
    )
    yield asked(
        "other-size",
        "single",
        some,
        _bad("Input batch size did not match output batch size: 2 vs. 1"),
    )
    yield asked("two-outputs", "classify", some, _bad("Expected one output Tensor."))
    yield asked("two-inputs", "two_inputs", some, _bad("Expected one input Tensor."))
    yield asked(
        "other-output", "other", some, _bad_with("No regression outputs found in SignatureDef: ")
    )
    yield asked(
        "other-input", "unnamed", some, _bad_with("No regression inputs found in SignatureDef: ")
    )
    yield asked("feature-is-missing", "required", '{"examples": [{"z": 1}]}', _bad_with("x"))
    yield Case(
        "regress/version",
        "POST",
        "/v1/models/examples/versions/1:regress",
        some.encode(),
        _ok(results=[0.5, 3.0]),
    )
    yield _call(
        "regress/unknown-model",
        "none",
        some,
        Expected(404, error="Servable not found for request: Latest(none)"),
        "regress",
    )


def _classify() -> Iterator[Case]:
    def asked(name: str, signature: str, expected: Expected) -> Case:
        examples = [{"floats": 0.25}, {"floats": 0.5}]
        body = {"signature_name": signature, "examples": examples}
        return _call(f"classify/{name}", "examples", body, expected, "classify")

    both = [[["no", 0.75], ["yes", 0.25]], [["no", 0.5], ["yes", 0.5]]]
    yield asked("both", "classify", _ok(results=both))
    labels = [[["no", 0.0], ["yes", 0.0]]] * 2
    yield asked("classes-only", "classes", _ok(results=labels))
    scores = [[["", 0.75], ["", 0.25]], [["", 0.5], ["", 0.5]]]
    yield asked("scores-only", "scores", _ok(results=scores))
    yield asked("unknown-signature", "none", _bad("No signature was found with the name: none"))
    shape = "Expected Tensor shape: [batch_size num_classes] but got [2]"
    yield asked("scores-of-one-axis", "flat", _bad(shape))
    yield asked("whole-scores", "whole", _bad("Expected scores Tensor of DT_FLOAT. Got: DT_INT32"))
    yield asked(
        "numbers-as-classes", "numbers", _bad("Expected classes Tensor of DT_STRING. Got: DT_INT32")
    )
    yield asked(
        "uneven", "uneven", _bad("Tensors class and score should match in dim_size(1). Got 2 vs. 1")
    )
    yield asked("three-outputs", "three", _bad("Expected one or two output Tensors, found 3"))
    yield asked("two-inputs", "two_inputs", _bad("Expected one input Tensor."))
    yield asked(
        "other-input", "unnamed", _bad_with("No classification inputs found in SignatureDef: ")
    )
    yield asked(
        "other-outputs",
        "other",
        _bad_with(
            "Expected classification signature outputs to contain at least one of "
            '"classes" or "scores". Signature was: '
        ),
    )
    yield Case(
        "classify/unknown-label",
        "POST",
        "/v1/models/examples/labels/none:classify",
        b'{"examples": [{}]}',
        _bad("Unrecognized servable version label: none"),
    )


def _features() -> Iterator[Case]:
    def asked(name: str, body: object, expected: Expected) -> Case:
        return _call(f"features/{name}", "examples", body, expected, "regress")

    def one(name: str, feature: str, result: float) -> Case:
        return asked(name, f'{{"examples": [{feature}]}}', _ok(results=[result]))

    def wrong(name: str, feature: str, text: str) -> Case:
        return asked(name, f'{{"examples": [{feature}]}}', _bad(text))

    yield one("nothing", "{}", 0.0)
    yield one("empty-list", '{"ints": [], "floats": []}', 0.0)
    yield one("integers", '{"ints": [1, 2, -1]}', 200.0)
    yield one("integers-and-flags", '{"ints": [1, true, false]}', 200.0)
    yield one("text", '{"texts": "abc"}', 30000.0)
    yield one("texts", '{"texts": ["a", "\\u00e9"]}', 30000.0)
    yield one("base64", '{"texts": {"b64": "AAAA"}}', 30000.0)
    yield one("base64-and-text", '{"texts": [{"b64": "AAAA"}, "a"]}', 40000.0)
    yield one("last-of-two-features", '{"floats": 1.0, "floats": 2.0}', 2.0)
    yield one("not-finite", '{"floats": [Infinity]}', _INF)
    yield asked(
        "context",
        '{"context": {"ints": 1}, "examples": [{"floats": 0.5}, {}]}',
        _ok(results=[100.5, 100.0]),
    )
    yield asked(
        "example-before-context",
        '{"context": {"ints": 1}, "examples": [{"ints": 2}]}',
        _ok(results=[200.0]),
    )
    yield asked(
        "context-is-no-object",
        '{"context": [1], "examples": [{}]}',
        _bad("Example must be JSON object but got JSON Array"),
    )
    yield wrong("example-is-a-number", "1", "Example must be JSON object but got JSON Number")
    yield wrong("example-is-true", "true", "Example must be JSON object but got JSON True")
    prefix = "Feature: f has element with unexpected JSON type: "
    yield wrong("null", '{"f": null}', prefix + "Null")
    yield wrong("null-in-a-list", '{"f": [1, null]}', prefix + "Null")
    yield wrong("list-in-a-list", '{"f": [[1]]}', prefix + "Array")
    yield wrong("object", '{"f": {"a": 1}}', prefix + "Object")
    mixed = "Unexpected element type in feature: f expecting type: "
    yield wrong("integer-then-double", '{"f": [1, 1.0]}', mixed + "int64")
    yield wrong("double-then-integer", '{"f": [1.0, 1]}', mixed + "float")
    yield wrong("text-then-number", '{"f": ["a", 1]}', mixed + "bytes")
    yield wrong("double-then-flag", '{"f": [1.0, true]}', mixed + "float")
    yield wrong("integer-then-base64", '{"f": [1, {"b64": "YQ=="}]}', mixed + "int64")
    yield wrong("broken-base64", '{"f": {"b64": "!"}}', "Unable to base64 decode")
    yield wrong(
        "beyond-int64",
        f'{{"f": {INT64}}}',
        "Feature: f has uint64_t element. Only int64_t is supported.",
    )
    yield asked(
        "no-examples",
        "{}",
        _bad_with("When method is classify, key 'examples' is expected and was not found"),
    )
    yield asked(
        "examples-are-no-list",
        '{"examples": {}}',
        _bad_with("Expecting 'examples' value to be an list/array"),
    )
    yield asked(
        "empty-examples", '{"examples": []}', _bad_with("'examples' value is an empty array")
    )
    yield asked(
        "signature-is-no-text",
        '{"signature_name": [], "examples": [{}]}',
        _bad_with("'signature_name' key must be a string value."),
    )


_ROWS = b'{"instances": [1.0]}'


def _paths() -> Iterator[Case]:
    def posted(name: str, path: str, expected: Expected) -> Case:
        return Case(f"paths/{name}", "POST", path, _ROWS, expected)

    first, second = _ok(predictions=[1.5]), _ok(predictions=[2.5])
    yield posted("newest", "/v1/models/line:predict", second)
    yield posted("version", "/v1/models/line/versions/1:predict", first)
    yield posted("version-with-zeros", "/v1/models/line/versions/002:predict", second)
    yield posted("label", "/v1/models/line/labels/stable:predict", first)
    yield posted("other-label", "/v1/models/line/labels/canary:predict", second)
    yield posted("upper-case", "/V1/MODELS/line/VERSIONS/1:predict", first)
    yield posted("escaped-name", "/v1/models/l%69ne:predict", second)
    yield posted("escaped-label", "/v1/models/line/labels/st%61ble:predict", first)
    none = "Servable not found for request: "
    yield posted(
        "unknown-model", "/v1/models/none:predict", Expected(404, error=none + "Latest(none)")
    )
    yield posted(
        "unknown-version",
        "/v1/models/line/versions/9:predict",
        Expected(404, error=none + "Specific(line, 9)"),
    )
    yield posted(
        "unknown-label",
        "/v1/models/line/labels/none:predict",
        _bad("Unrecognized servable version label: none"),
    )
    status = {"state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    versions = [{"version": "2", **status}, {"version": "1", **status}]

    def got(name: str, path: str, expected: Expected) -> Case:
        return Case(f"paths/{name}", "GET", path, b"", expected)

    yield got("status", "/v1/models/line", _ok(model_version_status=versions))
    yield got(
        "status-of-a-version", "/v1/models/line/versions/1", _ok(model_version_status=versions[1:])
    )
    yield got(
        "status-ignores-the-label",
        "/v1/models/line/labels/none",
        _ok(model_version_status=versions),
    )
    yield got("status-without-a-name", "/v1/models", _bad("Missing model name in request."))
    yield got(
        "status-of-no-model",
        "/v1/models/none",
        Expected(404, error="Could not find any versions of model none"),
    )
    yield got(
        "status-of-no-version",
        "/v1/models/line/versions/9",
        Expected(404, error="Could not find version 9 of model line"),
    )
    yield got(
        "query-is-part-of-the-name",
        "/v1/models/line?x=1",
        Expected(404, error="Could not find any versions of model line?x=1"),
    )


def _wrong_paths() -> Iterator[Case]:
    wrong = [
        ("POST", "/v1/models/line"),
        ("POST", "/v1/models/line:"),
        ("POST", "/v1/models/line:PREDICT"),
        ("POST", "/v1/models/line:Classify"),
        ("POST", "/v1/models/line:explain"),
        ("POST", "/v1/models/line:predict/"),
        ("POST", "/v1/models/line:predict?x=1"),
        ("POST", "/v1/models/:predict"),
        ("POST", "/v1/models/line/1:predict"),
        ("POST", "/v1/models/line/version/1:predict"),
        ("POST", "/v1/models/line/versions/a:predict"),
        ("POST", "/v1/models/line/versions/1/labels/stable:predict"),
        ("POST", "/v1/models/line/labels/:predict"),
        ("POST", "/v1/models/line/metadata"),
        ("POST", "/v1/"),
        ("GET", "/v1/models/line:predict"),
        ("GET", "/v1/models/"),
        ("GET", "/v1/models/line/"),
        ("GET", "/v1/models/line/versions"),
        ("GET", "/v1/models/line/metadata/"),
        ("GET", "/v1/model/line"),
        ("PUT", "/v1/models/line:predict"),
        ("DELETE", "/v1/models/line"),
    ]
    for method, path in wrong:
        error = _bad(f"Malformed request: {method} {path}")
        yield Case(
            f"wrong-paths/{method}{path}", method, path, _ROWS if method == "POST" else b"", error
        )
    # TF Serving fails before it has a body for the text.
    beyond = Expected(400, is_empty=True)
    yield Case(
        "wrong-paths/version-beyond-64-bits",
        "GET",
        f"/v1/models/line/versions/{INT64}",
        b"",
        beyond,
    )
    other = Expected(404, is_no_document=True)
    for path in ("/", "/v1", "/v2/models/line", "/monitoring"):
        yield Case(f"wrong-paths/GET{path}", "GET", path, b"", other)


def _metadata() -> Iterator[Case]:
    def got(name: str, path: str, expected: Expected) -> Case:
        return Case(f"metadata/{name}", "GET", path, b"", expected)

    def version(number: str) -> Expected:
        spec = {"name": "line", "signature_name": "", "version": number}
        return Expected(200, part={"model_spec": spec}, content_type="application/json")

    yield got("newest", "/v1/models/line/metadata", version("2"))
    yield got("version", "/v1/models/line/versions/1/metadata", version("1"))
    yield got("label", "/v1/models/line/labels/stable/metadata", version("1"))
    tensor: Any = {"dtype": "DT_FLOAT", "tensor_shape": {"dim": [], "unknown_rank": True}}
    signature: Any = {
        "inputs": {"x": tensor},
        "outputs": {"y": tensor},
        "method_name": "tensorflow/serving/predict",
    }
    part = {"metadata": {"signature_def": {"signature_def": {"serving_default": signature}}}}
    yield got("signatures", "/v1/models/line/metadata", Expected(200, part=part))
    shape: Any = {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False}
    inputs: Any = {"inputs": {"inputs": {"dtype": "DT_STRING", "tensor_shape": shape}}}
    part = {"metadata": {"signature_def": {"signature_def": {"classify": inputs}}}}
    yield got("examples", "/v1/models/examples/metadata", Expected(200, part=part))
    none = "Servable not found for request: "
    yield got(
        "unknown-model", "/v1/models/none/metadata", Expected(404, error=none + "Latest(none)")
    )
    yield got(
        "unknown-version",
        "/v1/models/line/versions/9/metadata",
        Expected(404, error=none + "Specific(line, 9)"),
    )
    yield got(
        "unknown-label",
        "/v1/models/line/labels/none/metadata",
        _bad("Unrecognized servable version label: none"),
    )


def _http() -> Iterator[Case]:
    import gzip

    path, answer = "/v1/models/line:predict", _ok(predictions=[2.5])
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    yield Case("http/other-content-type", "POST", path, _ROWS, answer, form)
    packed = {"Content-Encoding": "gzip"}
    yield Case("http/gzip", "POST", path, gzip.compress(_ROWS), answer, packed)
    empty = _bad("JSON Parse error: The document is empty")
    yield Case("http/broken-gzip", "POST", path, b"no gzip", empty, packed)
    yield Case("http/preflight", "OPTIONS", path, b"", Expected(200, is_empty=True), _ORIGIN)
    yield Case("http/preflight-without-origin", "OPTIONS", path, b"", Expected(400, is_empty=True))
    yield Case(
        "http/preflight-elsewhere",
        "OPTIONS",
        "/none",
        b"",
        Expected(404, is_no_document=True),
        _ORIGIN,
    )
    allowed: dict[str, str | None] = {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Methods": "POST, GET",
        "Access-Control-Allow-Headers": "Content-Type",
    }
    for name, method, body, headers, status in (
        ("preflight", "OPTIONS", b"", _ORIGIN, 200),
        ("answer", "POST", _ROWS, {}, 200),
        ("error", "POST", b"", {}, 400),
    ):
        expected = Expected(status, headers=allowed)
        yield Case(f"cors/{name}", method, path, body, expected, headers, "cors")
    absent = Expected(200, headers=dict.fromkeys(allowed))
    yield Case("cors/off", "POST", path, _ROWS, absent, _ORIGIN, "no cors")
    prefix = ":tensorflow:serving:"
    answered = 'model_name="line",API="predict",entrypoint="REST"'
    ran = 'model_name="line",API="Predict",runtime="TF1"'
    expected = Expected(
        200,
        content_type="text/plain",
        body_parts=(
            f"# TYPE {prefix}request_count counter",
            f'{prefix}request_count{{model_name="line",status="OK"}} ',
            f"# TYPE {prefix}request_latency histogram",
            f'{prefix}request_latency_bucket{{{answered},le="10"}} ',
            f"{prefix}request_latency_count{{{answered}}} ",
            f'{prefix}runtime_latency_bucket{{{ran},le="+Inf"}} ',
            f'{prefix}request_example_count_total{{model="examples"}} ',
        ),
    )
    yield Case("metrics/on", "GET", METRICS, b"", expected, {}, "metrics")
    yield Case(
        "metrics/off", "GET", METRICS, b"", Expected(404, is_no_document=True), {}, "no metrics"
    )
