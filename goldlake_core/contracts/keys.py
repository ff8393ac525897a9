"""How a contract key is declared: one `Key` beside the attribute that the key becomes.

From this one line come the reader and its error texts (`read`), the rules over several keys, the
reference page, the JSON Schema for editors, and what a change of the key means.
"""

from __future__ import annotations

import enum
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec

Change = Literal["follow", "rebuild", "refuse"]
"""What a changed value means for a home that holds data made under the old one.

``follow``: what is made from now on uses the new value, and what exists stays right.
``rebuild``: rows that exist were made under another meaning and have to be made again.
``refuse``: it names another thing, which belongs into another home or under another name.
"""


class Form(enum.Enum):
    """How a value is written in YAML where its type alone does not say; the value is for people."""

    TEXT = "text"
    TABLE = "gold table"
    NAME = "name"
    ADDRESS = "http or https URL"
    DATASET = "letters, digits, . _ -"
    DURATION = "0, or a number with s, m, h, d or w, such as 12h"
    FUNCTION = "module.function"
    DOTTED = "module.function of the folder, or package.module.function"
    FIELD = "field name, with dots for nested fields of JSON, or a place"
    FORMATS = "Spark datetime pattern, iso, epoch_s or epoch_ms, or a list of these"
    PATH = "path, pattern or fsspec URL"
    DELIMITER = "one character, tab or blanks"
    ENCODING = "name of an encoding, such as utf-8 or cp1252"
    MARK = "one character, or an empty text for none"
    KEY = "list of columns, or content"
    ZONE = "IANA time zone"
    PATTERN = "Java regular expression"
    COLUMN = "column"
    COLUMNS = "list of columns"
    TEXTS = "list of texts"
    RANGE = "[lowest, highest], either may be null"
    WIRE_NULL = 'nan, {text: "…"} or {flag: has_x}'
    SECTION = "mapping"
    SECTIONS = "mapping of name to mapping"
    WINDOWS = "mapping of name to a number of rows, a length of time or all"
    LIST = "list of mappings"
    FREE = "mapping of anything"
    SLICES = "list of lists of columns"
    WORDS = "list of words"
    CHOICES = "list of choices"
    WEBHOOK = "http or https URL, or {env: NAME}"
    IMAGE = "container image, such as registry.example.com/goldlake:1.0"
    PLACE = "absolute path, or fsspec URL"
    HEADERS = "mapping of header to text or {env: NAME}"


@dataclass(frozen=True)
class Key:
    """The declaration of one key.

    Attributes:
        about: What the key means, in full sentences.
        change: What a change of its value means.
        low: Least number allowed.
        high: Greatest number allowed.
        above: Number that the value must exceed.
        form: How it is written, where the type does not say.
        of: Further words on what it takes, such as ``not nullable``.
        only: Column types that may have the key; empty: all.
        default: Words for the default on the reference page; "" prints the value.
        name: Spelling in YAML, where the attribute has another name.
        required: Whether it must be written although the attribute has a default.
        variants: Variants of the section that have the key (``kind: relative``); empty: all.
        in_gold: Whether a gold column may have it too.
        in_silver: Whether a silver column may have it.
        least: Least number of items of a list.
        later: Whether contracts of an earlier version lacked the key. At its default it does not
            enter hashes, which stay as they were.
    """

    about: str
    change: Change
    low: float | None = None
    high: float | None = None
    above: float | None = None
    form: Form | None = None
    of: str = ""
    only: tuple[str, ...] = ()
    default: str = ""
    name: str = ""
    required: bool = False
    variants: tuple[str, ...] = ()
    in_gold: bool = True
    in_silver: bool = True
    least: int = 0
    later: bool = False

    @property
    def bounds(self) -> str:
        """The bounds in words, such as ``1 to 64`` or ``above 0, to 1``; "" without any."""
        if self.above is not None:
            return f"above {self.above}" + (f", to {self.high}" if self.high is not None else "")
        if self.low is None:
            return "" if self.high is None else f"{self.high} or less"
        return f"{self.low} or more" if self.high is None else f"{self.low} to {self.high}"

    def is_inside(self, value: float) -> bool:
        """Whether a number is inside the bounds."""
        is_low = (self.low is not None and value < self.low) or (
            self.above is not None and value <= self.above
        )
        return not is_low and (self.high is None or value <= self.high)


@dataclass(frozen=True)
class Declared:
    """A key as a section has it.

    Attributes:
        name: Spelling in YAML.
        attribute: Attribute of the section's Struct.
        key: How the key is declared.
        type: The Python type without ``None``.
        options: Values allowed, for a choice.
        is_required: Whether it must be written.
        default: Value where it is not written.
    """

    name: str
    attribute: str
    key: Key
    type: Any
    options: tuple[str, ...]
    is_required: bool
    default: Any

    @property
    def takes(self) -> str:
        """What the value is, in words, bounds included."""
        if self.key.form is not None:
            text = self.key.form.value
        elif self.options:
            text = _either(self.options)
        else:
            text = _WORDS[get_origin(self.type) or self.type]
        parts = [text, self.key.bounds, self.key.of]
        if self.key.least:
            parts.append("at least one")
        only = f" ({' and '.join(self.key.only)} only)" if self.key.only else ""
        return ", ".join(part for part in parts if part) + only


_WORDS = {
    bool: "true or false",
    int: "whole number",
    float: "number",
    date: "YYYY-MM-DD",
    tuple: "list of whole numbers",
}


def _either(options: tuple[str, ...]) -> str:
    return ", ".join(options[:-1]) + f" or {options[-1]}" if len(options) > 1 else options[0]


@cache
def keys_of(section: type[msgspec.Struct], variant: str = "") -> tuple[Declared, ...]:
    """The keys of a section in the order of its attributes.

    Args:
        section: A Struct. Its attributes that are annotated with a `Key` are keys.
        variant: The value of ``kind``, for sections whose keys depend on it.
    """
    hints = get_type_hints(section, include_extras=True)
    defaults = {field.name: field for field in msgspec.structs.fields(section)}
    found = []
    for attribute, hint in hints.items():
        key = _key(hint)
        if key is None or (key.variants and variant and variant not in key.variants):
            continue
        kind = _without_none(get_args(hint)[0])
        field = defaults[attribute]
        found.append(
            Declared(
                name=key.name or attribute,
                attribute=attribute,
                key=key,
                type=kind,
                options=get_args(kind) if get_origin(kind) is Literal else (),
                is_required=key.required or field.required,
                default=None if field.required else _default(field),
            )
        )
    return tuple(found)


def declared(section: type[msgspec.Struct], keep: Callable[[Key], bool]) -> tuple[Declared, ...]:
    """The keys of a section whose declaration passes a test."""
    return tuple(each for each in keys_of(section) if keep(each.key))


def _key(hint: Any) -> Key | None:
    if get_origin(hint) is not Annotated:
        return None
    return next((part for part in get_args(hint)[1:] if isinstance(part, Key)), None)


def _without_none(kind: Any) -> Any:
    if get_origin(kind) in (types.UnionType, typing.Union):
        # Of several, such as a text or a list of texts, the form of the key knows the others.
        return next(each for each in get_args(kind) if each is not type(None))
    return kind


def _default(field: msgspec.structs.FieldInfo) -> Any:
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return field.default
