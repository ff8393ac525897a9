"""Epochs of silver: each is made from bronze under one contract, and one of them answers.

    tables/USECASE/epochs.json      the epochs, and which one is current
    tables/USECASE/silver/NAME      epoch 1
    tables/USECASE/silver/NAME@N    epoch N

A contract that stored rows cannot follow makes a new epoch. It is built beside the current one,
which answers until the new one is whole and its account balances; then the pointer moves. An epoch
whose contract comes back is continued where it ended, so that an edit can always be undone.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from goldlake_core.contracts.errors import StoreError
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents import codec
from goldlake_core.documents.planning import ChangedKey
from goldlake_core.instants import now_text
from goldlake_core.storage.files import document, list_names, read_bytes, write_atomic
from goldlake_core.storage.home import Home
from goldlake_core.storage.locks import require_held
from lakehouse.changes import changed_keys, consequence, stored

FORMAT = 1
FIRST = 1


class Epoch(msgspec.Struct, frozen=True, kw_only=True):
    """One epoch.

    Attributes:
        number: 1, 2, 3 and so on.
        silver: The contract's section that its rows are made under; see `changes.stored`. "" for
            tables of an earlier version of goldlake, which did not keep it, and of an epoch that
            was retired.
        made_at: When it was begun (ISO 8601, UTC).
        run_id: The run that began it.
    """

    number: int
    silver: str
    made_at: str
    run_id: str


class Book(msgspec.Struct, frozen=True, kw_only=True):
    """The file ``epochs.json``.

    Attributes:
        format: Format version of the file.
        current: Number of the epoch that answers.
        epochs: All epochs that were begun, the oldest first.
        gold: The contract's sections that the gold tables were made under, by table.
    """

    format: int = FORMAT
    current: int
    epochs: tuple[Epoch, ...]
    gold: dict[str, str] = {}

    def epoch(self, number: int) -> Epoch:
        """The epoch with a number; raises KeyError."""
        for epoch in self.epochs:
            if epoch.number == number:
                return epoch
        raise KeyError(number)


@dataclass(frozen=True)
class Plan:
    """What a contract means for the tables of a home.

    Attributes:
        epoch: Number of the epoch that holds, or will hold, the rows under this contract.
        is_new: Whether that epoch has to be begun.
        is_current: Whether it answers already.
        changes: Keys that differ from the contract that the current epoch was made under.
        why: A sentence for a person; "" where there is nothing to tell.
    """

    epoch: int
    is_new: bool
    is_current: bool
    changes: tuple[ChangedKey, ...] = ()
    why: str = ""

    @property
    def told(self) -> str:
        """Why an epoch begins or is continued, and the keys that changed, in one line."""
        keys = ", ".join(change.key for change in self.changes)
        what = "begins" if self.is_new else "continues"
        told = f"{self.why}; epoch {self.epoch} {what}, from bronze"
        return f"{told} ({keys})" if keys else told


def read(home: Home, usecase: str) -> Book | None:
    """The book of a use case, or None before the first refinement and in homes without epochs.

    Raises:
        StoreError: The file is damaged, or was written by a newer goldlake.
    """
    path = _path(home, usecase)
    data = read_bytes(home.fs, path)
    if data is None:
        return None
    book = document(data, path, Book, FORMAT, f"goldlake doctor --home {home.root} --repair")
    if all(epoch.number != book.current for epoch in book.epochs):
        raise StoreError(
            f"{path} names epoch {book.current} as current and does not list it",
            valid=", ".join(str(epoch.number) for epoch in book.epochs),
            hint=f"goldlake doctor --home {home.root} --repair",
        )
    return book


def current(home: Home, usecase: str) -> int:
    """Number of the epoch that answers; the first where there is no book."""
    book = read(home, usecase)
    return book.current if book else FIRST


def plan(
    usecase: UseCase, home: Home, *, has_tables_of_before: bool = False, rebuild: bool = False
) -> Plan:
    """Which epoch the rows under a contract belong to. Read-only.

    Args:
        usecase: The use case as its contract is now.
        home: Where everything is kept.
        has_tables_of_before: Whether there is a silver table without a book, which an earlier
            version of goldlake made.
        rebuild: Whether a new epoch is made whatever the contract says. One that was begun and is
            not whole is continued.
    """
    book = read(home, usecase.name)
    if book is None:
        if has_tables_of_before:
            # Where the book was lost, there may be later epochs, made under an unknown contract.
            newest = max((FIRST, *_folders(home, usecase.name)))
            why = "the tables were made by an earlier version of goldlake"
            if newest > FIRST:
                why = f"{_path(home, usecase.name)} is lost"
            return Plan(newest + 1, is_new=True, is_current=False, why=why)
        return Plan(FIRST, is_new=True, is_current=True)
    answers = book.epoch(book.current)
    changes = tuple(changed_keys(answers.silver, usecase.silver)) if answers.silver else ()
    if rebuild:
        last = book.epochs[-1]
        is_begun = last.number > book.current and _can_follow(last, usecase)
        number = last.number if is_begun else last.number + 1
        why = "a rebuild was asked for"
        return Plan(number, is_new=not is_begun, is_current=False, changes=changes, why=why)
    if _can_follow(answers, usecase):
        return Plan(book.current, is_new=False, is_current=True, changes=changes)
    for epoch in reversed(book.epochs):
        if _can_follow(epoch, usecase):
            why = f"the contract is that of epoch {epoch.number} again"
            return Plan(epoch.number, is_new=False, is_current=False, changes=changes, why=why)
    number = max(epoch.number for epoch in book.epochs) + 1
    why = "rows that are stored cannot follow the changed contract"
    return Plan(number, is_new=True, is_current=False, changes=changes, why=why)


def begin(usecase: UseCase, home: Home, plan: Plan, run_id: str) -> None:
    """Writes a planned epoch into the book, or the followed contract of one that is there."""
    book = read(home, usecase.name)
    silver = stored(usecase.silver)
    if book is not None and not plan.is_new:
        known = book.epoch(plan.epoch)
        if known.silver == silver:
            return
        epochs = tuple(
            msgspec.structs.replace(epoch, silver=silver) if epoch is known else epoch
            for epoch in book.epochs
        )
        write(home, usecase.name, msgspec.structs.replace(book, epochs=epochs))
        return
    epoch = Epoch(number=plan.epoch, silver=silver, made_at=now_text("seconds"), run_id=run_id)
    if book is None and plan.epoch > FIRST:
        unknown = Epoch(number=FIRST, silver="", made_at="", run_id="")
        book = Book(current=FIRST, epochs=(unknown,))
    book = book or Book(current=plan.epoch, epochs=())
    write(home, usecase.name, msgspec.structs.replace(book, epochs=(*book.epochs, epoch)))


def make_current(usecase: UseCase, home: Home, number: int) -> None:
    """Moves the pointer to an epoch that is whole."""
    book = read(home, usecase.name)
    if book is not None and book.current != number:
        write(home, usecase.name, msgspec.structs.replace(book, current=number))


def retire(home: Home, usecase: str, number: int) -> None:
    """Says that an epoch's tables may be gone: it is not continued, and its number stays taken."""
    book = read(home, usecase)
    if book is None or number == book.current:
        return
    epochs = tuple(
        msgspec.structs.replace(epoch, silver="") if epoch.number == number else epoch
        for epoch in book.epochs
    )
    write(home, usecase, msgspec.structs.replace(book, epochs=epochs))


def keep_gold(usecase: UseCase, home: Home) -> None:
    """Writes down the sections that the gold tables, which are up to date, were made under."""
    book = read(home, usecase.name)
    gold = {name: stored(table) for name, table in usecase.gold.items()}
    if book is not None and book.gold != gold:
        write(home, usecase.name, msgspec.structs.replace(book, gold=gold))


def table_folder(name: str, number: int) -> str:
    """Folder of a table of an epoch."""
    return name if number == FIRST else f"{name}@{number}"


def table_of(folder: str) -> tuple[str, int]:
    """Name and epoch of a table by its folder; the reverse of `table_folder`."""
    name, _, number = folder.partition("@")
    return name, int(number) if number.isdigit() else FIRST


def _folders(home: Home, usecase: str) -> list[int]:
    """Numbers of the epochs that have a folder."""
    names = list_names(home.fs, home.path("tables", usecase, "silver"))
    return [table_of(name)[1] for name in names]


def _can_follow(epoch: Epoch, usecase: UseCase) -> bool:
    if not epoch.silver:
        return False
    return consequence(changed_keys(epoch.silver, usecase.silver)) in (None, "follow")


def write(home: Home, usecase: str, book: Book) -> None:
    """Writes the book, whole or not at all."""
    require_held()
    write_atomic(home.fs, _path(home, usecase), codec.encode(book))


def _path(home: Home, usecase: str) -> str:
    return home.path("tables", usecase, "epochs.json")
