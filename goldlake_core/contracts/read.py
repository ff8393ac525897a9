"""Reads any section of a contract by its declared keys, and collects every error on the way."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeVar, get_args, get_origin

import yaml

from goldlake_core.contracts import addresses
from goldlake_core.contracts.durations import is_duration, seconds_of
from goldlake_core.contracts.errors import ContractError
from goldlake_core.contracts.fields import KEY_FIELD, placed
from goldlake_core.contracts.keys import Declared, Form
from goldlake_core.contracts.names import MAX_NAME, is_name, nearest
from goldlake_core.contracts.windows import ALL
from goldlake_core.contracts.yaml_entry import Entry

T = TypeVar("T")

_FUNCTION = re.compile(r"[a-z_][a-z0-9_]*\.[A-Za-z_][A-Za-z0-9_]*")
_DATASET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_ZONE = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*")
_JAVA_ONLY = re.compile(r"\\[pPQRhHXz]|\[\^?\[|&&|[*+?}]\+|\(\?<[^=!]")

MAX_WINDOW = 100_000
"""Most rows of a window, but for one that has all of its unit."""
_SQL_WORDS = ("partition", "order", "rows", "range")

# What these hold is read by the section that knows the columns or the keys below them.
LATER = frozenset(
    {
        Form.COLUMN,
        Form.COLUMNS,
        Form.KEY,
        Form.LIST,
        Form.RANGE,
        Form.SECTION,
        Form.SECTIONS,
        Form.SLICES,
        Form.WIRE_NULL,
    }
)


@dataclass
class Errors:
    """The errors of the files that are being read, in the order in which they were found."""

    found: list[ContractError] = field(default_factory=list)

    def catch(self, action: Callable[[], T]) -> T | None:
        """What an action returns, or None where it raises a ContractError, which is kept."""
        try:
            return action()
        except ContractError as error:
            self.found.append(error)
            return None

    def add(self, errors: Iterable[ContractError]) -> bool:
        """Keeps errors; whether there were none."""
        before = len(self.found)
        self.found.extend(errors)
        return len(self.found) == before


@dataclass
class Found:
    """A section as it was read.

    Attributes:
        entry: The whole section.
        entries: The values that are written and not null, by key.
        values: What was read, by key; defaults filled in; without keys in `broken`.
        broken: Keys whose value does not hold, and required keys that are missing.
    """

    entry: Entry
    entries: dict[str, Entry]
    values: dict[str, Any]
    broken: set[str]

    def has(self, *keys: str) -> bool:
        """Whether each of these keys is written and holds."""
        return all(key in self.entries and key not in self.broken for key in keys)

    @property
    def options(self) -> Mapping[str, Any]:
        """What the key ``options`` holds; {} where it is not written or does not hold."""
        return self.values.get("options") or {}

    def at(self, key: str) -> Entry:
        """Where a key is written, or else the section."""
        return self.entries.get(key, self.entry)


def read_section(entry: Entry, keys: tuple[Declared, ...], errors: Errors) -> Found:
    """The keys of a mapping; what is unknown, missing or does not hold goes to ``errors``.

    Args:
        entry: Mapping to read.
        keys: The keys it may have.
        errors: Where errors are kept.
    """
    names = tuple(key.name for key in keys)
    required = tuple(key.name for key in keys if key.is_required)
    members = errors.catch(entry.members)
    if members is None:
        return Found(entry, {}, {}, set(names))
    # A misspelled key is one error: the key that was meant is not missing as well.
    meant = set()
    for name, item in members.items():
        if name not in names:
            valid = nearest(name, names)
            meant.add(valid.partition(" (nearest)")[0])
            errors.found.append(item.error(f"unknown key {name!r}", valid=valid))
    missing = [name for name in required if name not in members]
    _report_missing(entry, [name for name in missing if name not in meant], required, errors)
    found = Found(entry, {n: e for n, e in members.items() if not e.is_null}, {}, set(missing))
    for key in keys:
        if key.name in members and members[key.name].is_null and key.is_required:
            problem = members[key.name].error(
                "the key has no value", valid=f"a value for {key.name!r}"
            )
            errors.found.append(problem)
            found.broken.add(key.name)
        _read_key(key, found, errors)
    return found


def _report_missing(
    entry: Entry, missing: list[str], required: tuple[str, ...], errors: Errors
) -> None:
    if missing:
        listed = ", ".join(repr(name) for name in missing)
        what = f"the key {listed} is" if len(missing) == 1 else f"the keys {listed} are"
        errors.found.append(
            entry.error(f"{what} missing", valid=f"required here: {', '.join(required)}")
        )


def _read_key(key: Declared, found: Found, errors: Errors) -> None:
    if key.name not in found.entries:
        found.values[key.name] = key.default
    elif key.key.form not in LATER:
        before = len(errors.found)
        value = errors.catch(lambda: read_value(found.entries[key.name], key))
        if len(errors.found) > before:
            found.broken.add(key.name)
        else:
            found.values[key.name] = value


def read_value(entry: Entry, key: Declared) -> Any:
    """The value of one key.

    Raises:
        ContractError: It has another type, is out of bounds, or is not written as its form asks.
    """
    if key.key.form is not None:
        return _FORMS[key.key.form](entry, key)
    if key.options:
        return entry.choice(*key.options)
    if get_origin(key.type) is tuple:
        values = tuple(_bounded(item, key, item.integer()) for item in entry.items())
        return _not_empty(entry, key, values, "whole number")
    if key.type is bool:
        return entry.boolean()
    if key.type is date:
        return entry.day()
    return _bounded(entry, key, entry.integer() if key.type is int else entry.number())


def _bounded(entry: Entry, key: Declared, value: float) -> float:
    if not key.key.is_inside(value):
        raise entry.error(f"{value} is out of bounds", valid=key.key.bounds)
    return value


def _not_empty(entry: Entry, key: Declared, values: tuple[T, ...], what: str) -> tuple[T, ...]:
    if len(values) < key.key.least:
        raise entry.error("the list is empty", valid=f"at least one {what}")
    return values


def _texts(entry: Entry, key: Declared) -> tuple[str, ...]:
    texts: list[str] = []
    for item in entry.items():
        text = item.exact_text()
        if text in texts:
            raise item.error(f"{text!r} is listed twice", valid="each text once")
        texts.append(text)
    return _not_empty(entry, key, tuple(texts), "text")


def _free(entry: Entry, key: Declared) -> Mapping[str, Any]:
    if not entry.is_mapping:
        raise entry.error(f"expected a mapping, got {entry.shape}", valid="lines with 'key: '")
    if get_args(key.type)[1] is str:
        return {name: item.exact_text() for name, item in entry.members().items()}
    values: Mapping[str, Any] = entry.free()
    return values


def function(entry: Entry) -> str:
    """``module.function`` of the use-case folder; no folders, no ``..``."""
    text = entry.exact_text()
    if not _FUNCTION.fullmatch(text) or text.startswith("__"):
        raise entry.error(
            f"{text!r} does not name a function of the use-case folder",
            valid="module.function, such as tables.rows for the function rows in tables.py",
        )
    return text


def dotted(entry: Entry) -> str:
    """``module.function`` of the use-case folder, or the full name of a function of a package."""
    text = entry.exact_text()
    if text.count(".") < 2:
        return function(entry)
    if not all(part.isidentifier() for part in text.split(".")):
        raise entry.error(
            f"{text!r} does not name a function",
            valid="package.module.function, such as tfx_pipeline.parts.linear.build_model",
        )
    return text


def _dataset(entry: Entry) -> str:
    text = entry.exact_text()
    if not _DATASET.fullmatch(text):
        raise entry.error(
            f"{text!r} cannot be part of a path",
            valid="letters, digits, '.', '_' and '-', a letter or digit first",
        )
    return text


def _duration(entry: Entry) -> str:
    text = entry.exact_text() if entry.is_text else str(entry.integer())
    if not is_duration(text):
        raise entry.error(f"{text!r} is not a length of time", valid=Form.DURATION.value)
    return text


def _address(entry: Entry) -> str:
    return addresses.address(entry).rstrip("/") if entry.exact_text() else ""


def _words(entry: Entry) -> tuple[str, ...]:
    words = tuple(item.exact_text() for item in entry.items())
    if not words or not words[0]:
        raise entry.error("there is no program", valid="[PROGRAM, ARGUMENT, …]")
    return words


def _choices(entry: Entry, key: Declared) -> tuple[str, ...]:
    options = get_args(get_args(key.type)[0])
    return _not_empty(entry, key, tuple(item.choice(*options) for item in entry.items()), "of them")


def _field(entry: Entry) -> str:
    """A name as it is, or the place of a column without one."""
    if not entry.is_text:
        position = entry.integer()
        if position < 1:
            raise entry.error(f"{position} is not the place of a column", valid="1 or more")
        return placed(position)
    text = entry.exact_text()
    if not text or (text.startswith("$") and text != KEY_FIELD):
        raise entry.error(
            f"{text!r} is not a field name", valid="a name of the source, such as place.city"
        )
    return text


def _formats(entry: Entry) -> str | tuple[str, ...]:
    if not isinstance(entry.node, yaml.SequenceNode):
        return entry.text()
    formats = tuple(item.text() for item in entry.items())
    if not formats or len(set(formats)) < len(formats):
        raise entry.error("the list is empty or has a format twice", valid="each format once")
    return formats[0] if len(formats) == 1 else formats


def _path(entry: Entry) -> str:
    text = entry.exact_text()
    problem = addresses.path_problem(text)
    if problem:
        raise entry.error(f"{text!r} {problem}", valid=addresses.PATHS)
    return text


def _windows(entry: Entry) -> Mapping[str, int | str]:
    """By window its number of rows, `ALL` for all of the unit, or its length of time."""
    lengths: dict[str, int | str] = {}
    for name, item in entry.members().items():
        if not is_name(name) or name in _SQL_WORDS:
            raise item.error(f"{name!r} cannot name a window", valid="a name such as last5")
        lengths[name] = _window(item)
    return lengths


def _window(entry: Entry) -> int | str:
    text = entry.exact_text() if entry.is_text else ""
    if text == "all":
        return ALL
    if text and is_duration(text) and seconds_of(text):
        return text
    if text:
        raise entry.error(
            f"{text!r} is not a window", valid="a number of rows, a length such as 28d, or all"
        )
    rows = entry.integer()
    if not 1 <= rows <= MAX_WINDOW:
        raise entry.error(f"{rows} is out of bounds", valid=f"1 to {MAX_WINDOW:,}, or all")
    return rows


def _delimiter(entry: Entry) -> str:
    text = entry.exact_text()
    if text not in ("tab", "blanks") and (len(text) != 1 or text in '"\r\n'):
        raise entry.error(f"{text!r} does not separate fields", valid=Form.DELIMITER.value)
    return text


def _encoding(entry: Entry) -> str:
    text = entry.exact_text()
    if not is_text_encoding(text):
        raise entry.error(
            f"{text!r} is not a text encoding", valid="such as utf-8, cp1252, latin-1 or utf-16"
        )
    return text


def is_text_encoding(name: str) -> bool:
    """Whether Python knows an encoding of text by this name."""
    try:
        "".encode(name)
    except (LookupError, TypeError, ValueError):
        return False
    return True


def _mark(entry: Entry) -> str:
    text = entry.exact_text()
    if len(text) > 1 or text.isalnum() or text in ("+", "-", "\r", "\n"):
        raise entry.error(f"{text!r} is not a mark", valid=Form.MARK.value)
    return text


def _zone(entry: Entry) -> str:
    zone = entry.text()
    if not _ZONE.fullmatch(zone) or not _is_known_zone(zone):
        near = nearest(zone, sorted(zoneinfo.available_timezones())).split("; all")[0]
        text = near if "(nearest)" in near else "an IANA zone, such as UTC or Europe/London"
        raise entry.error(f"unknown time zone {zone!r}", valid=text)
    return zone


def _is_known_zone(zone: str) -> bool:
    try:
        zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        # A machine without zone data knows none; there, Spark's own data decide.
        return not zoneinfo.available_timezones()
    return True


def _pattern(entry: Entry) -> str:
    pattern = entry.exact_text()
    if compiled(pattern) is None and not _JAVA_ONLY.search(pattern):
        raise entry.error(
            f"{pattern!r} is not a regular expression", valid="a Java regular expression"
        )
    return pattern


def compiled(pattern: str) -> re.Pattern[str] | None:
    """A Java pattern as Python compiles it, or None where Python cannot."""
    try:
        return re.compile(pattern)
    except (re.error, RecursionError, OverflowError):
        return None


def _plain(reader: Callable[[Entry], Any]) -> Callable[[Entry, Declared], Any]:
    return lambda entry, key: reader(entry)


_FORMS: Mapping[Form, Callable[[Entry, Declared], Any]] = {
    Form.TEXT: _plain(Entry.text),
    Form.TABLE: _plain(Entry.exact_text),
    Form.NAME: _plain(Entry.name),
    Form.ADDRESS: _plain(_address),
    Form.DATASET: _plain(_dataset),
    Form.DURATION: _plain(_duration),
    Form.FUNCTION: _plain(function),
    Form.DOTTED: _plain(dotted),
    Form.FIELD: _plain(_field),
    Form.FORMATS: _plain(_formats),
    Form.PATH: _plain(_path),
    Form.DELIMITER: _plain(_delimiter),
    Form.ENCODING: _plain(_encoding),
    Form.MARK: _plain(_mark),
    Form.ZONE: _plain(_zone),
    Form.PATTERN: _plain(_pattern),
    Form.TEXTS: _texts,
    Form.FREE: _free,
    Form.WORDS: _plain(_words),
    Form.CHOICES: _choices,
    Form.WEBHOOK: _plain(addresses.webhook),
    Form.HEADERS: _plain(addresses.headers),
    Form.WINDOWS: _plain(_windows),
    Form.IMAGE: _plain(addresses.image),
    Form.PLACE: _plain(addresses.place),
}


def name_errors(name: str, entry: Entry) -> Iterable[ContractError]:
    """An error where a mapping's key is to become a name and cannot."""
    if not is_name(name):
        yield entry.error(
            f"{name!r} is not a name",
            valid=f"a lower-case letter, then lower-case letters, digits or _ (at most {MAX_NAME})",
        )


def column_name(entry: Entry, known: tuple[str, ...]) -> str:
    """One known column.

    Raises:
        ContractError: There is no such column.
    """
    name = entry.exact_text()
    if name not in known:
        raise entry.error(f"there is no column {name!r}", valid=nearest(name, known))
    return name


def column_names(entry: Entry, known: tuple[str, ...], *, minimum: int = 1) -> tuple[str, ...]:
    """A list of known columns, each once.

    Raises:
        ContractError: A column is unknown or listed twice, or there are too few.
    """
    names: list[str] = []
    for item in entry.items():
        name = column_name(item, known)
        if name in names:
            raise item.error(f"the column {name!r} is listed twice", valid="each column once")
        names.append(name)
    if len(names) < minimum:
        raise entry.error(
            f"{len(names)} columns are listed", valid=f"at least {minimum} of: {', '.join(known)}"
        )
    return tuple(names)
