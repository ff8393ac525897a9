"""The records of one month out of one or several answers: each once, ordered by key.

The API gives its records new ids when its data are updated, so their ``id`` tells them apart only
within one state of the data. Records with a ``persistent_id`` keep it. The others, such as all
anti-social behavior, differ by what they say: a record's key is a hash of all of it but the number
and the outcome, and how many of its like come before it.

A landed line is the record's exact bytes with one member put before the first: ``$key``.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Sequence

import msgspec

from goldlake_core.contracts.fields import KEY_FIELD
from goldlake_core.storage.landing import Cursor
from lakehouse.sources.split import Unreadable, texts_of

FIRST_DAY = "-01T00:00:00"
"""What makes the beginning of a month of it, as the cursors have it."""

_BEGIN = b'{"%b":"' % KEY_FIELD.encode()
_CHANGING = ("id", "outcome_status", "persistent_id")
_HEX_DIGITS = 32
_PERSISTENT = re.compile(r"[0-9A-Za-z_-]{8,128}")


class _Told(msgspec.Struct):
    id: int | str | None = None
    persistent_id: str | None = None
    month: str | None = None


class Mixed(Exception):
    """Answers were given before and after an update of the data, and do not fit each other."""


def merged(answers: Sequence[Sequence[bytes]]) -> list[bytes]:
    """The records of answers about areas that may overlap, each once.

    Args:
        answers: The records of each answer, all of one state of the data.

    Raises:
        Mixed: Two different records have one number.
    """
    found: Counter[bytes] = Counter()
    by_number: dict[int | str, bytes] = {}
    for rows in answers:
        for row, count in Counter(rows).items():
            number = _told(row).id
            if number is None:
                found[row] = max(found[row], count)
            elif by_number.setdefault(number, row) != row:
                raise Mixed(f"two records have the id {number}")
            else:
                found[row] = 1
    return list(found.elements())


def require_month(rows: Sequence[bytes], month: str) -> None:
    """Raises Unreadable where a record says that it is of another month."""
    for row in rows:
        told = _told(row).month
        if told is not None and told != month:
            raise Unreadable(f"a record of {told} is in the answer for {month}")


def keyed(rows: Sequence[bytes], month: str) -> list[bytes]:
    """The records of a month with their keys, ordered by them: whatever order they came in.

    Records that are not objects have no key, and come first.
    """
    alike: defaultdict[str, list[tuple[bytes, bytes]]] = defaultdict(list)
    others = []
    for row in rows:
        if row[:1] != b"{" or row.startswith(b'{"$bytes"'):
            others.append(row)
            continue
        name, order = _name_of(row)
        alike[name].append((order, row))
    lines = []
    for name in sorted(alike):
        for number, (_, row) in enumerate(sorted(alike[name]), 1):
            copy = f"-{number}" if number > 1 else ""
            lines.append(_with_key(f"{month}:{name}{copy}", row))
    return [*sorted(others), *lines]


def place_of(line: bytes) -> Cursor | None:
    """Month and key of a landed line; None where it has no key."""
    if not line.startswith(_BEGIN):
        return None
    key = line[len(_BEGIN) : line.index(b'"', len(_BEGIN))].decode()
    return Cursor(key.partition(":")[0] + FIRST_DAY, key)


def bytes_of(line: bytes) -> bytes:
    """The record of a landed line, byte for byte as the API sent it."""
    if not line.startswith(_BEGIN):
        return line
    rest = line[line.index(b'"', len(_BEGIN)) + 1 :]
    return b"{" + rest.removeprefix(b",")


def _with_key(key: str, row: bytes) -> bytes:
    joint = b"" if row[1:].lstrip().startswith(b"}") else b","
    return _BEGIN + key.encode() + b'"' + joint + row[1:]


def _name_of(row: bytes) -> tuple[str, bytes]:
    """What tells a record from others that are not its like, and its order among its like."""
    persistent = _told(row).persistent_id or ""
    if not _PERSISTENT.fullmatch(persistent):
        persistent = ""
    try:
        members = msgspec.json.decode(row, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        digest = hashlib.sha256(row).hexdigest()[:_HEX_DIGITS]
        return persistent or digest, row
    kept = b",".join(
        name.encode("utf-8", "surrogatepass") + b":" + bytes(value)
        for name, value in sorted(members.items())
        if name not in _CHANGING
    )
    order = kept + b"," + bytes(members.get("outcome_status", b""))
    return persistent or hashlib.sha256(kept).hexdigest()[:_HEX_DIGITS], order


def _told(row: bytes) -> _Told:
    try:
        return msgspec.json.decode(row, type=_Told)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = {name: texts_of(row, (name,)) for name in ("persistent_id", "month")}
        return _Told(**{name: texts[0] for name, texts in found.items() if texts})
