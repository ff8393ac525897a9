"""Faults of contracts that change. An edit is followed or rebuilt, and can always be undone."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from goldlake.workflows import planning
from goldlake_core.contracts.errors import GoldlakeError
from goldlake_core.contracts.hashing import canonical
from goldlake_core.storage.deltalog import DeltaLog
from lakehouse import specs
from tests.faults.catalog import table_fault
from tests.faults.dying import Killed, dies
from tests.faults.lab import refused
from tests.faults.store import LATER, Store, call

Edit = Callable[[Store], None]
Shown = Callable[[Store], Any]
EPOCH = "a new epoch, equal to a home built at once; taken back, everything is as before"


def _changed(id: str, made: str, shown: Shown, wanted: Any, *, short: bool = False) -> Any:
    """Declares an edit: a new epoch that shows something, and everything as before afterwards."""

    def declare(edit: Edit) -> Edit:
        @table_fault(id, made, EPOCH, short=short)
        def run(store: Store) -> None:
            edit(store)
            store.refine()
            store.told_of("epoch 2 begins")
            assert shown(store) == wanted
            store.derives()
            store.undo()
            store.refine()
            store.told_of("the contract is that of epoch 1 again")
            store.is_as_before()
            if short:
                store.deep()

        return edit

    return declare


def _of(number: int, column: str) -> Shown:
    return lambda store: store.call(number)[column]


ZONE = {"type": "string", "field": "note2", "comment": "A zone."}
HAS_NOTE = {"code": "has_note", "expect": "note is not null", "comment": "A call has a note."}


def _columns(edit: Callable[[dict[str, Any]], Any]) -> Edit:
    """An edit of the columns as the contract's document has them."""
    return lambda store: store.change(lambda document: edit(document["silver"]["columns"]))


@_changed("C2", "a column is added that old records have", _of(7, "zone"), "other 7")
def added(store: Store) -> None:
    _columns(lambda columns: columns.update(zone=ZONE))(store)


@_changed("C4", "a nullable column is removed", lambda s: "note" in s.call(7), False)
def removed(store: Store) -> None:
    _columns(lambda columns: columns.pop("note"))(store)


@_changed("C5", "a type: long becomes double", lambda s: type(s.call(7)["n"]), float)
def widened(store: Store) -> None:
    store.edit_column("n", type="double")


@_changed("C6", "a type: string becomes long", _of(7, "code"), 7)
def retyped(store: Store) -> None:
    store.edit_column("code", type="long", pad=None)


@_changed("C7", "a domain is widened, by which two records were rejected", _of(40, "kind"), "C")
def let_in(store: Store) -> None:
    store.edit_column("kind", domain=["A", "B", "OLD", "C"])


@_changed(
    "C8", "a domain is narrowed; stored rows break it", lambda s: 1 in s.rows(s.silver), False
)
def narrowed(store: Store) -> None:
    store.edit_column("kind", domain=["A", "OLD"])


@_changed("C9", "the zone of a time", lambda s: s.call(7)["date"].hour, 12)
def another_zone(store: Store) -> None:
    store.edit_column("date", time_zone="UTC")


@_changed("C10", "a spelling is replaced", _of(43, "kind"), "A")
def replaced(store: Store) -> None:
    store.edit_column("kind", domain=["A", "B"], replace={"OLD": "A"})


@_changed("C11", "a text means missing", _of(5, "n"), None)
def missing_text(store: Store) -> None:
    store.edit_column("n", null_values=["5"])


@_changed("C12", "codes are padded to six digits", _of(7, "code"), "000007")
def padded(store: Store) -> None:
    store.edit_column("code", pad=6)


@_changed("C13", "a column reads another field", _of(7, "note"), "other 7")
def another_field(store: Store) -> None:
    store.edit_column("note", field="note2")


@_changed("C14", "the key becomes id and kind", lambda s: len(s.rows(s.silver)), 33)
def another_key(store: Store) -> None:
    def edit(document: Any) -> None:
        for section in (document["silver"], document["gold"]["facts"]):
            section["key"] = ["id", "kind"]

    store.change(edit)


@_changed("C15", "another column is the version", _of(2, "note"), "late")
def another_version(store: Store) -> None:
    store.edit(version="date")


@_changed("C17", "a check that stored rows break", lambda s: 42 in s.rows(s.silver), False)
def checked(store: Store) -> None:
    store.edit(checks=[HAS_NOTE])


@_changed("C17b", "a column and such a check in one edit", lambda s: 42 in s.rows(s.silver), False)
def added_and_checked(store: Store) -> None:
    added(store)
    checked(store)


@_changed(
    "C20", "nullable becomes false; stored rows lack it", lambda s: 42 in s.rows(s.silver), False
)
def required(store: Store) -> None:
    store.edit_column("note", nullable=False)


@_changed("C32", "a column is renamed", _of(7, "remark"), "note 7")
def renamed(store: Store) -> None:
    _columns(lambda columns: columns.update(remark={**columns.pop("note"), "field": "note"}))(store)


@_changed(
    "C9b",
    "zone, spellings, missing texts, padding, a field, a column and a domain in one edit",
    lambda s: [s.call(7)[c] for c in ("code", "note", "zone")] + [s.call(43)["kind"]],
    ["000007", "other 7", "other 7", "A"],
    short=True,
)
def all_at_once(store: Store) -> None:
    for edit in (another_zone, replaced, missing_text, padded, another_field, added):
        edit(store)
    store.edit_column("kind", domain=["A", "B", "C"])


@table_fault(
    "C14b",
    "the key becomes id and kind, then a known id comes with another kind",
    "two rows of that id, as the key says; taken back, one row",
)
def two_of_an_id(store: Store) -> None:
    another_key(store)
    store.refine()
    store.land(call(0, kind="B", updated_on=LATER))
    store.refine()
    store.derives()
    store.undo()
    store.refine()
    assert store.call(0)["kind"] == "B"
    store.derives()


@table_fault(
    "C19",
    "nullable becomes true, then a record comes without the value; the edit is taken back",
    "the row enters silver; afterwards it is quarantined, and rows after it come in",
)
def no_longer_required(store: Store) -> None:
    store.edit_column("size", nullable=True)
    store.land(call(60, size=None))
    store.refine()
    assert store.call(60)["size"] is None
    store.derives()
    store.undo()
    store.land(call(61))
    store.refine()
    assert store.fates(60, 61) == ["quarantined", "inserted"]
    store.derives()


@table_fault("C21", "a comment is edited", "followed in the same epoch; no row is written")
def commented(store: Store) -> None:
    store.edit_column("note", comment="Edited.")
    store.refine()
    assert store.epoch == 1
    assert "Edited." in [field.comment for field in DeltaLog(store.silver).snapshot().schema]
    store.is_as_before()


@table_fault(
    "C22",
    "the contract is edited, edited again and taken back, and records come each time",
    "each time as built at once",
)
def edited_again(store: Store) -> None:
    for number, edit in enumerate((padded, removed, Store.undo), start=70):
        edit(store)
        store.land(call(number), call(3, note=f"edit {number}", updated_on=LATER))
        store.refine()
        store.derives()


@table_fault(
    "R2",
    "the kind of source becomes another",
    "refused before anything is written, with the key",
)
def another_source(store: Store) -> None:
    def edit(document: Any) -> None:
        document["source"] = {"kind": "files", "dataset": document["source"]["dataset"]}

    identity = {"kind": "socrata", "dataset": store.usecase.source.dataset}
    specs.landing(store.usecase, store.home).claim(identity, canonical(store.usecase.source))
    before = store.contents()
    store.change(edit)
    told: list[object] = []
    tell = partial(planning.tell, store.usecase, store.home, told.append, "land")
    refused(tell, GoldlakeError, "source.kind")
    store.undo()
    assert store.contents() == before


@table_fault(
    "K2", "killed while an epoch is built, then the edit is undone", "nothing is left of it"
)
def killed_in_an_edit(store: Store) -> None:
    all_at_once(store)
    for when in ("before", "after"):
        with dies("append", "silver/calls_versions", when), pytest.raises(Killed):
            store.refine()
        assert store.epoch == 1
    store.undo()
    store.refine()
    store.is_as_before()
    all_at_once(store)
    store.refine()
    store.derives()
