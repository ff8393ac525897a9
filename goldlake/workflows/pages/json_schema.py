"""JSON Schemas of ``contract.yaml`` and ``models/NAME.yaml``, for editors; from the declared keys.

Schema dialect: JSON Schema draft 2020-12, https://json-schema.org/draft/2020-12. A schema knows
types, bounds and names of keys; rules over several keys are only known to the reader.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, get_args, get_origin

import msgspec

from goldlake.workflows.pages.places import CONTRACT, MODEL, Place
from goldlake_core.contracts.durations import PATTERN as DURATION
from goldlake_core.contracts.heads import METRICS
from goldlake_core.contracts.keys import Declared, Form
from goldlake_core.contracts.names import MAX_NAME
from goldlake_core.contracts.read import MAX_WINDOW
from goldlake_core.contracts.sections import STEPS
from lakehouse.sources.plugins import OURS, source_kind

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_NAME: Schema = {"type": "string", "pattern": "^[a-z][a-z0-9_]*$", "maxLength": MAX_NAME}
_CHARACTER: Schema = {"type": "string", "minLength": 1, "maxLength": 1}
_TEXTS: Schema = {"type": "array", "items": _TEXT, "uniqueItems": True}


def contract_schema() -> Schema:
    """The schema of ``contract.yaml``."""
    return _document("A use case of goldlake", {**_place(CONTRACT), "allOf": _options_by_kind()})


def model_schema() -> Schema:
    """The schema of ``models/NAME.yaml``."""
    return _document("A model of goldlake", _place(MODEL))


def schema_text(schema: Schema) -> str:
    """A schema as it is committed: indented JSON with a line break at the end."""
    return msgspec.json.format(msgspec.json.encode(schema), indent=1).decode() + "\n"


def _options_by_kind() -> list[Schema]:
    """What `source.options` may have, of each kind of source that declares it."""
    declared = {kind: source_kind(kind).options_schema for kind in OURS}
    return [
        {
            "if": {"properties": {"source": {"properties": {"kind": {"const": kind}}}}},
            "then": {
                "properties": {
                    "source": {
                        "properties": {
                            "options": {"properties": schema, "additionalProperties": False}
                        }
                    }
                }
            },
        }
        for kind, schema in declared.items()
        if schema
    ]


def _document(title: str, schema: Schema) -> Schema:
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **schema}


def _place(place: Place) -> Schema:
    """The schema of a mapping, or of the several that are alike."""
    if place.repeated == ".METRIC":
        return {
            "type": "object",
            "properties": {n: _threshold(place.keys, m.high) for n, m in METRICS.items()},
            "additionalProperties": False,
            "minProperties": 1,
        }
    if place.kinds:
        schema: Schema = {"oneOf": [_variant(keys, kind) for kind, keys in place.kinds.items()]}
    else:
        schema = _section(place.keys, {name: _place(each) for name, each in place.below.items()})
    if place.short:
        keys = place.keys or next(iter(place.kinds.values()))
        alone = next(_value(key) for key in keys if key.name == place.short)
        schema = {"anyOf": [alone, schema]}
    if place.repeated == ".STEP":
        names = {"enum": list(STEPS)}
        return {"type": "object", "propertyNames": names, "additionalProperties": schema}
    if place.repeated == ".NAME":
        return {"type": "object", "propertyNames": _NAME, "additionalProperties": schema}
    return {"type": "array", "items": schema} if place.repeated == "[]" else schema


def _section(keys: tuple[Declared, ...], below: Mapping[str, Schema]) -> Schema:
    return {
        "type": "object",
        "properties": {key.name: _key(key, below.get(key.name)) for key in keys},
        "required": [key.name for key in keys if key.is_required],
        "additionalProperties": False,
    }


def _variant(keys: tuple[Declared, ...], kind: str) -> Schema:
    schema = _section(keys, {})
    schema["properties"]["kind"] = {**schema["properties"]["kind"], "enum": [kind]}
    return schema


def _threshold(keys: tuple[Declared, ...], high: float | None) -> Schema:
    schema = _section(keys, {})
    if high is not None:
        for name in ("min", "max"):
            schema["properties"][name]["maximum"] = high
    return schema


def _key(key: Declared, below: Schema | None) -> Schema:
    schema = dict(below) if below is not None else _value(key)
    schema["description"] = key.key.about
    if not key.is_required and key.default not in (None, "", (), {}) and below is None:
        schema["default"] = msgspec.to_builtins(key.default)
    return schema


def _value(key: Declared) -> Schema:
    if key.key.form is not None:
        return dict(_FORMS[key.key.form](key))
    if key.options:
        return {"enum": list(key.options)}
    if get_origin(key.type) is tuple:
        items = {"type": "integer", **_bounds(key)}
        return {"type": "array", "items": items, "minItems": key.key.least}
    if key.type is bool:
        return {"type": "boolean"}
    if key.type is date:
        # YAML 1.1 readers take a bare day for a date, so no type is asked for.
        return {"format": "date"}
    return {"type": "integer" if key.type is int else "number", **_bounds(key)}


def _bounds(key: Declared) -> Schema:
    named = {
        "minimum": key.key.low,
        "maximum": key.key.high,
        "exclusiveMinimum": key.key.above,
    }
    return {name: bound for name, bound in named.items() if bound is not None}


def _free(key: Declared) -> Schema:
    if get_args(key.type)[1] is str:
        return {"type": "object", "additionalProperties": _TEXT}
    return {"type": "object"}


def _always(schema: Schema) -> Callable[[Declared], Schema]:
    return lambda key: schema


def _least(schema: Schema) -> Callable[[Declared], Schema]:
    return lambda key: {**schema, "minItems": key.key.least} if key.key.least else schema


_VARIABLE: Schema = {
    "type": "object",
    "properties": {"env": _TEXT},
    "required": ["env"],
    "additionalProperties": False,
}
_HIDDEN: Schema = {"oneOf": [_TEXT, _VARIABLE]}


def _choices(key: Declared) -> Schema:
    options = list(get_args(get_args(key.type)[0]))
    return {"type": "array", "items": {"enum": options}, "minItems": key.key.least}


_NUMBER_OR_NULL: Schema = {"type": ["number", "null"]}
_FORMS: Mapping[Form, Callable[[Declared], Schema]] = {
    Form.TEXT: _always({"type": "string", "minLength": 1}),
    Form.TABLE: _always(_TEXT),
    Form.NAME: _always(_NAME),
    Form.ADDRESS: _always(_TEXT),
    Form.DATASET: _always({"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"}),
    Form.DURATION: _always(
        {"anyOf": [{"const": 0}, {"type": "string", "pattern": f"^({DURATION})$"}]}
    ),
    Form.FUNCTION: _always(
        {"type": "string", "pattern": "^[a-z_][a-z0-9_]*\\.[A-Za-z_][A-Za-z0-9_]*$"}
    ),
    Form.FIELD: _always({"anyOf": [_TEXT, {"type": "integer", "minimum": 1}]}),
    Form.FORMATS: _always({"anyOf": [_TEXT, {**_TEXTS, "minItems": 1}]}),
    Form.PATH: _always(_TEXT),
    Form.DELIMITER: _always({"anyOf": [{"enum": ["tab", "blanks"]}, _CHARACTER]}),
    Form.ENCODING: _always(_TEXT),
    Form.MARK: _always({"type": "string", "maxLength": 1}),
    Form.KEY: _always({"anyOf": [{"const": "content"}, {**_TEXTS, "minItems": 1}]}),
    Form.ZONE: _always(_TEXT),
    Form.PATTERN: _always(_TEXT),
    Form.COLUMN: _always(_TEXT),
    Form.COLUMNS: _least(_TEXTS),
    Form.TEXTS: _least(_TEXTS),
    Form.RANGE: _always({"type": "array", "items": _NUMBER_OR_NULL, "minItems": 2, "maxItems": 2}),
    Form.WIRE_NULL: _always(
        {
            "oneOf": [
                {"const": "nan"},
                {
                    "type": "object",
                    "properties": {"text": _TEXT, "flag": _NAME},
                    "additionalProperties": False,
                    "minProperties": 1,
                    "maxProperties": 1,
                },
            ]
        }
    ),
    Form.DOTTED: _always({"type": "string", "pattern": r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$"}),
    Form.FREE: _free,
    Form.LIST: _always({"type": "array", "items": {"type": "object"}}),
    Form.SLICES: _always({"type": "array", "items": _TEXTS}),
    Form.WORDS: _always({"type": "array", "items": _TEXT, "minItems": 1}),
    Form.CHOICES: _choices,
    Form.WEBHOOK: _always(_HIDDEN),
    Form.WINDOWS: _always(
        {
            "type": "object",
            "propertyNames": _NAME,
            "additionalProperties": {
                "anyOf": [
                    {"const": "all"},
                    {"type": "integer", "minimum": 1, "maximum": MAX_WINDOW},
                    {"type": "string", "pattern": f"^({DURATION})$"},
                ]
            },
        }
    ),
    Form.IMAGE: _always(_TEXT),
    Form.PLACE: _always({"type": "string", "pattern": "^(/|[a-z0-9]+://)"}),
    Form.HEADERS: _always({"type": "object", "additionalProperties": _HIDDEN}),
}
