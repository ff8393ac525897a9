"""Where faults of tables are made: a small use case, a home that is ready, and what must derive.

The use case ``pier`` has nine columns, two gold tables and a model. `Ready` prepares one home of
it; each fault works on a copy. Everything that is compared is read without Spark.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from goldlake_core.contracts.errors import GoldlakeError
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents.lakehouse import Refined
from goldlake_core.storage.deltalog import DeltaLog
from goldlake_core.storage.home import Home
from goldlake_core.storage.landing import Cursor
from lakehouse import audit, epochs, specs, stages
from tests.lakehouse.records import silent

PIER = Path(__file__).with_name("pier")
Record = Mapping[str, Any] | bytes
Contents = dict[str, list[str]]


def call(number: int, **changes: Any) -> dict[str, Any]:
    """A record in the source's shape; a field set to None is left out."""
    record = {
        "id": str(number),
        "date": f"2016-01-{number % 28 + 1:02d}T12:30:00",
        "kind": "AB"[number % 2],
        "code": str(number),
        "n": str(number % 7),
        "size": "41.5",
        "note": f"note {number}",
        "note2": f"other {number}",
        "done": number % 3 == 0,
        "updated_on": "2016-03-01T00:00:00",
        **changes,
    }
    return {name: value for name, value in record.items() if value is not None}


LATER, EARLIER = "2016-05-01T00:00:00", "2016-02-01T00:00:00"
ROWS = 30
BASE: tuple[tuple[Record, ...], ...] = (
    (
        *(call(number) for number in range(ROWS)),
        call(40, kind="C"),
        call(41, kind="C"),
        call(42, n="5", note=None),
        call(43, kind="OLD", n=None),
    ),
    (
        call(1, n="9", updated_on=LATER),
        call(2, note="late", updated_on=EARLIER),
        call(3),
        call(4, n="500", updated_on=LATER),
        b"{ not json",
        call(44, code=None),
    ),
)
"""Pages of the home that is ready: every fate but ``deleted``, and every reason that edits free."""


@dataclass
class Store:
    """One home of the pier, its use case in a folder that may be edited, and a Spark session.

    Attributes:
        spark: The session, shared by all tests of a process.
        folder: Where the home and the use case lie.
        usecase: The use case as its contract is now.
        home: The home.
        undone: What every table of the home that is ready holds.
        said: What the last refinement told people.
    """

    spark: Any
    folder: Path
    usecase: UseCase
    home: Home
    undone: Contents
    said: list[str] = field(default_factory=list)
    _pages: int = 0
    _fresh: int = 0

    def land(self, *records: Record) -> Path:
        """Lands a page with these records; returns its file."""
        self._pages += 1
        zone = specs.landing(self.usecase, self.home)
        name = zone.page_name(Cursor(f"p{self._pages}", ""))
        lines = [r if isinstance(r, bytes) else json.dumps(r).encode() for r in records]
        entry = zone.write_page(
            name, lines, url="test:", first_cursor=None, last_cursor=None, run_id="test"
        )
        zone.write_manifest(entry)
        return Path(zone.page_uri(name))

    def refine(self, *, is_rebuild: bool = False, home: Home | None = None) -> Refined:
        """Brings every table up to the landing zone, under the contract as it is now."""
        self.said = []
        # Each command is a process of its own, which knows nothing of tables that were there.
        self.spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()

        def emit(kind: str, message: str, **_: object) -> None:
            if kind != "progress":
                self.said.append(message)

        where = home or self.home
        return stages.refine(
            self.spark,
            self.usecase,
            where,
            "run",
            emit,
            is_rebuild=is_rebuild,
            accept_rejected=True,  # the pages are full of what is rejected
        )

    def change(self, edit: Callable[[Any], None]) -> None:
        """Edits the document in ``contract.yaml``, as a person would, and reads it again."""
        path = self.usecase.folder / "contract.yaml"
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        edit(document)
        path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
        self.usecase = load_usecase(str(self.usecase.folder))

    def edit(self, **changes: Any) -> None:
        """Changes keys of the contract's section ``silver``."""
        self.change(lambda document: document["silver"].update(changes))

    def edit_column(self, name: str, **changes: Any) -> None:
        """Changes keys of one silver column; one set to None is taken out."""

        def edit(document: Any) -> None:
            column = document["silver"]["columns"][name] | changes
            document["silver"]["columns"][name] = {k: v for k, v in column.items() if v is not None}

        self.change(edit)

    def edit_gold(self, name: str, **changes: Any) -> None:
        """Changes keys of one gold table."""
        self.change(lambda document: document["gold"][name].update(changes))

    def edit_code(self, file: str, old: str, new: str) -> None:
        """Changes a file of the use case's folder; ``old`` must be there."""
        path = self.usecase.folder / file
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")
        # Each command is a process of its own; in this one the module would be kept.
        for name in [name for name in sys.modules if name.startswith("goldlake_usecase_pier")]:
            del sys.modules[name]

    def undo(self) -> None:
        """Takes back every edit of the contract."""
        shutil.copyfile(PIER / "contract.yaml", self.usecase.folder / "contract.yaml")
        self.usecase = load_usecase(str(self.usecase.folder))

    def contents(self, home: Home | None = None) -> Contents:
        """What each table that answers holds; see `contents`."""
        return contents(self.usecase, home or self.home)

    def fresh(self) -> Contents:
        """What the tables hold that are built at once from the same landed pages."""
        self._fresh += 1
        home = Home(str(self.folder / f"fresh{self._fresh}"))
        shutil.copytree(self.home.path("landing"), home.path("landing"))
        self.refine(home=home)
        return self.contents(home)

    def derives(self) -> None:
        """Asserts that every table holds what it holds in a home that is built at once."""
        found, wanted = self.contents(), self.fresh()
        assert_same(found, wanted)

    def is_as_before(self) -> None:
        """Asserts that every table holds what it held in the home that is ready."""
        assert_same(self.contents(), self.undone)

    def deep(self) -> None:
        """Compares all contents of the home's tables; see `lakehouse.audit.deep`."""
        self.spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()
        audit.deep(self.spark, self.usecase, self.home, self.epoch, silent)

    @property
    def epoch(self) -> int:
        """Number of the epoch that answers."""
        return epochs.current(self.home, self.usecase.name)

    @property
    def bronze(self) -> str:
        """Location of bronze."""
        return specs.bronze(self.usecase, self.home).uri

    @property
    def versions(self) -> str:
        """Location of the table of versions that answers."""
        return specs.versions(self.usecase, self.home, self.epoch).uri

    @property
    def silver(self) -> str:
        """Location of silver that answers."""
        return specs.silver(self.usecase, self.home, self.epoch).uri

    def gold(self, name: str) -> str:
        """Location of a gold table."""
        return specs.gold(self.usecase, self.home, self.usecase.gold[name]).uri

    def tables(self) -> dict[str, str]:
        """Location of every table by a short name."""
        found = {"bronze": self.bronze, "versions": self.versions, "silver": self.silver}
        return {**found, **{name: self.gold(name) for name in self.usecase.gold}}

    def rows(self, uri: str, key: str = "id") -> dict[Any, dict[str, Any]]:
        """Rows of a table by one of its columns."""
        return {row[key]: row for row in DeltaLog(uri).read().to_pylist()}

    def call(self, number: int) -> dict[str, Any]:
        """The silver row of a call."""
        return self.rows(self.silver)[number]

    def fates(self, *numbers: int) -> list[str]:
        """Fates of all versions of some calls, in the order of landing."""
        rows = DeltaLog(self.versions).read().to_pylist()
        mine = [row for row in rows if row["id"] in numbers]
        mine.sort(key=lambda row: (row["_sequence"], row["_line"]))
        return [row["_fate"] for row in mine]

    def told_of(self, *words: str) -> None:
        """Asserts that the last refinement told people something with these words."""
        assert any(all(word in line for word in words) for line in self.said), self.said


def contents(usecase: UseCase, home: Home, *, without: Collection[str] = frozenset()) -> Contents:
    """What each table that answers holds.

    Args:
        usecase: The use case.
        home: Where its tables are.
        without: Columns that are left out. By default none is: no column holds a run or the time
            of a commit.

    Returns:
        By a table's id its rows as texts, sorted.
    """
    epoch = epochs.current(home, usecase.name)
    found = {}
    for spec in specs.all_tables(usecase, home, epoch):
        names = [name for name in spec.names if name not in without]
        rows = DeltaLog(spec.uri).read(names).to_pylist() if _exists(spec.uri) else []
        found[spec.id] = sorted(repr(list(row.items())) for row in rows)
    return found


def _exists(uri: str) -> bool:
    return DeltaLog(uri).exists()


def assert_same(found: Contents, wanted: Contents) -> None:
    """Asserts that two homes hold the same; the message shows the first rows that differ."""
    assert found.keys() == wanted.keys()
    for table, rows in wanted.items():
        more = [row for row in found[table] if row not in rows]
        less = [row for row in rows if row not in found[table]]
        assert found[table] == rows, f"{table}: found {more[:3]}, not {less[:3]}"


def refused_or_derived(store: Store, word: str) -> None:
    """Asserts that a refinement is refused with a word, or that all tables derive after it."""
    try:
        store.refine()
    except GoldlakeError as error:
        if word not in error.message:
            raise
    else:
        store.derives()


@dataclass
class Ready:
    """A home of the pier that is ready, made once for all tests of a process.

    Attributes:
        spark: The Spark session.
        folder: Where it is kept.
    """

    spark: Any
    folder: Path

    @cached_property
    def _store(self) -> Store:
        store = _made(self.spark, self.folder)
        for page in BASE:
            store.land(*page)
            store.refine()
        store.undone = store.contents()
        return store

    def copy(self, folder: Path) -> Store:
        """A copy of the home and of the use case in an empty folder."""
        made = self._store
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        usecase = load_usecase(str(folder / "pier"))
        home = Home(str(folder / "home"))
        return Store(self.spark, folder, usecase, home, made.undone, _pages=len(BASE))

    def empty(self, folder: Path) -> Store:
        """The use case with a home in which nothing was landed."""
        return _made(self.spark, folder)


def _made(spark: Any, folder: Path) -> Store:
    shutil.copytree(PIER, folder / "pier", ignore=shutil.ignore_patterns("__pycache__"))
    usecase = load_usecase(str(folder / "pier"))
    return Store(spark, folder, usecase, Home(str(folder / "home")), {})
