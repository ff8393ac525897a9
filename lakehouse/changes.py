"""What a changed contract means for tables that were made under the old one. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

import msgspec

from goldlake_core.contracts.hashing import canonical
from goldlake_core.contracts.keys import Change, keys_of
from goldlake_core.contracts.sections import Check, Cluster, Column, Lookup, Section
from goldlake_core.documents.planning import ChangedKey

# What names an item of a list of sections.
_NAMED: dict[type, str] = {Column: "name", Check: "code", Lookup: "name", Cluster: "name"}


def stored(section: Section) -> str:
    """The section as it is kept with what is made under it: canonical JSON."""
    return canonical(section)


def changed_keys(before: str, section: Section, path: str = "silver") -> list[ChangedKey]:
    """The keys whose values differ, each with its consequence.

    Args:
        before: The section that a table was made under; see `stored`.
        section: The section now.
        path: Where the section lies in the contract.

    Returns:
        The changes in the order of the contract's keys; empty where nothing changed.
    """
    return list(_changes(path, type(section), json.loads(before), json.loads(stored(section))))


def consequence(changes: list[ChangedKey]) -> Change | None:
    """The gravest consequence of some changes, or None without any."""
    found = {change.consequence for change in changes}
    order: tuple[Change, ...] = ("refuse", "rebuild", "follow")
    return next((each for each in order if each in found), None)


def _changes(
    path: str, kind: type[msgspec.Struct], before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[ChangedKey]:
    for declared in keys_of(kind):
        # A key that a later version of goldlake added had its default before.
        default = json.loads(canonical(declared.default))
        old = before.get(declared.attribute, default)
        new = after.get(declared.attribute, default)
        if old == new:
            continue
        place = f"{path}.{declared.name}"
        item = _item(declared.type)
        if item is None:
            yield ChangedKey(
                key=place, before=_text(old), after=_text(new), consequence=declared.key.change
            )
        else:
            yield from _item_changes(place, item, declared.key.change, old, new)


def _item_changes(
    path: str, kind: type[msgspec.Struct], change: Change, before: Any, after: Any
) -> Iterator[ChangedKey]:
    """Changes in a list of sections, whose items have names."""
    name = _NAMED[kind]
    old, new = ({each[name]: each for each in items} for items in (before, after))
    for item in old.keys() - new.keys():
        yield ChangedKey(
            key=f"{path}.{item}", before=_text(old[item]), after="", consequence=change
        )
    for item, section in new.items():
        if item in old:
            yield from _changes(f"{path}.{item}", kind, old[item], section)
        else:
            yield ChangedKey(
                key=f"{path}.{item}", before="", after=_text(section), consequence=change
            )
    order = [[each for each in one if each in other] for one, other in ((old, new), (new, old))]
    if order[0] != order[1]:
        yield ChangedKey(
            key=f"{path} (order)",
            before=_text(order[0]),
            after=_text(order[1]),
            consequence=change,
        )


def _item(kind: Any) -> type[msgspec.Struct] | None:
    """The section that a list holds, or None for another value."""
    items = get_args(kind) if get_origin(kind) is tuple else ()
    return items[0] if items and items[0] in _NAMED else None


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
