"""What a changed contract means, and which epoch of silver answers."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from goldlake_core.contracts.errors import StoreError
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import Check, Column, Silver, UseCase
from goldlake_core.storage.home import Home
from lakehouse import epochs
from lakehouse.changes import changed_keys, consequence, stored
from tests.goldlake_core.contracts.conftest import TOY


@pytest.fixture(scope="module")
def usecase() -> UseCase:
    return load_usecase(str(TOY))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.at(tmp_path)


def edited(silver: Silver, name: str, **changes: object) -> Silver:
    columns = tuple(replace(c, **changes) if c.name == name else c for c in silver.columns)
    return replace(silver, columns=columns)


def with_silver(usecase: UseCase, silver: Silver) -> UseCase:
    return replace(usecase, silver=silver)


def test_the_same_contract_has_no_changes(usecase: UseCase) -> None:
    assert changed_keys(stored(usecase.silver), usecase.silver) == []
    assert consequence([]) is None


def test_every_change_is_named_with_its_consequence(usecase: UseCase) -> None:
    silver = usecase.silver
    first, second = silver.columns[0], silver.columns[1]
    more = Column("zone", "string", "A zone.", field="zone")
    rule = Check("is_new", f"{first.name} is not null", "It is new.")
    after = replace(
        edited(silver, second.name, comment="Another.", nullable=not second.nullable),
        checks=(*silver.checks, rule),
    )
    after = replace(after, columns=(*after.columns[2:], after.columns[1], more))
    found = {c.key: c.consequence for c in changed_keys(stored(silver), after)}
    assert found == {
        f"silver.columns.{first.name}": "rebuild",
        f"silver.columns.{second.name}.comment": "follow",
        f"silver.columns.{second.name}.nullable": "rebuild",
        "silver.columns.zone": "rebuild",
        "silver.columns (order)": "rebuild",
        "silver.checks.is_new": "rebuild",
    }


def test_a_key_that_came_later_had_its_default(usecase: UseCase) -> None:
    text = stored(usecase.silver)
    assert '"checks"' in text
    older = text.replace('"unit":null', '"unused":0')
    assert [c.key for c in changed_keys(older, usecase.silver) if c.key.endswith(".unit")] == []


def test_a_change_reads_as_one_line(usecase: UseCase) -> None:
    name = usecase.silver.columns[1].name
    after = edited(usecase.silver, name, comment="x" * 200)
    (change,) = changed_keys(stored(usecase.silver), after)
    assert str(change).startswith(f'silver.columns.{name}.comment: "')
    assert str(change).endswith(f'-> "{"x" * 58}… (follow)')


def test_an_edit_begins_an_epoch_and_undoing_it_goes_back(usecase: UseCase, home: Home) -> None:
    first = epochs.plan(usecase, home)
    assert (first.epoch, first.is_new, first.is_current) == (1, True, True)
    epochs.begin(usecase, home, first, "run-1")
    other = with_silver(usecase, edited(usecase.silver, usecase.silver.columns[1].name, unit="m"))
    followed = epochs.plan(other, home)
    assert (followed.epoch, followed.is_new, followed.is_current) == (1, False, True)
    name = usecase.silver.columns[1].name
    changed = with_silver(usecase, edited(usecase.silver, name, field="other", unit="m"))
    second = epochs.plan(changed, home)
    assert (second.epoch, second.is_new, second.is_current) == (2, True, False)
    epochs.begin(changed, home, second, "run-2")
    # Begun and not whole: the first still answers, and the second is continued.
    assert epochs.current(home, usecase.name) == 1
    assert epochs.plan(changed, home).is_new is False
    epochs.make_current(changed, home, 2)
    assert epochs.current(home, usecase.name) == 2
    back = epochs.plan(usecase, home)
    assert (back.epoch, back.is_new, back.is_current) == (1, False, False)
    assert back.why == "the contract is that of epoch 1 again"


def test_tables_of_an_earlier_version_answer_until_the_new_ones_are_whole(
    usecase: UseCase, home: Home
) -> None:
    plan = epochs.plan(usecase, home, has_tables_of_before=True)
    assert (plan.epoch, plan.is_new, plan.is_current) == (2, True, False)
    epochs.begin(usecase, home, plan, "run")
    assert epochs.current(home, usecase.name) == 1
    assert epochs.plan(usecase, home).epoch == 2
    epochs.make_current(usecase, home, 2)
    assert epochs.current(home, usecase.name) == 2


def test_a_rebuild_that_was_begun_is_continued(usecase: UseCase, home: Home) -> None:
    epochs.begin(usecase, home, epochs.plan(usecase, home), "run-1")
    asked = epochs.plan(usecase, home, rebuild=True)
    assert (asked.epoch, asked.is_new) == (2, True)
    epochs.begin(usecase, home, asked, "run-2")
    again = epochs.plan(usecase, home, rebuild=True)
    assert (again.epoch, again.is_new) == (2, False)
    epochs.make_current(usecase, home, 2)
    assert epochs.plan(usecase, home, rebuild=True).epoch == 3


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"{", "is damaged"),
        (b'{"format": 9, "current": 1, "epochs": []}', "was made by a newer goldlake"),
        (b'{"format": 1, "current": 2, "epochs": []}', "names epoch 2 as current"),
    ],
)
def test_a_damaged_book_is_named(usecase: UseCase, home: Home, text: bytes, problem: str) -> None:
    file = Path(home.path("tables", usecase.name, "epochs.json"))
    file.parent.mkdir(parents=True)
    file.write_bytes(text)
    with pytest.raises(StoreError, match=problem):
        epochs.current(home, usecase.name)


def test_folders_of_epochs() -> None:
    assert [epochs.table_folder("calls", n) for n in (1, 2)] == ["calls", "calls@2"]
    assert [epochs.table_of(name) for name in ("calls", "calls@12")] == [
        ("calls", 1),
        ("calls", 12),
    ]
