"""The rows that the simulated portal publishes: all versions, in an SQLite table in memory.

The table holds each row as the JSON text it is answered with. A field becomes a column, which
compares as the API compares, when a request first names it. Columns are named by number: no name
of a field reaches SQLite.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from goldlake_simulators.socrata.values import SYSTEM_TYPES, SoqlError, stored

ID, UPDATED_AT = "row_id", "updated_at"
PAGING_ORDER = f"{UPDATED_AT}, {ID}"

_SYSTEM = {":id": ID, ":created_at": "created_at", ":updated_at": UPDATED_AT}
_READING = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION)
# What SQLite says of a query that is over its limits (nesting, size, parameters, LIKE pattern).
_OVER_LIMITS = ("overflow", "too ")


@dataclass(frozen=True)
class Record:
    """One version of one row.

    Attributes:
        id: The row's ``:id``; versions of a row share it.
        created_at: The row's ``:created_at``, UTC with milliseconds and Z.
        updated_at: The row's ``:updated_at``, written alike.
        body: The row's own fields as a JSON object.
    """

    id: str
    created_at: str
    updated_at: str
    body: bytes


class Dataset:
    """All versions of all rows, read-only once made.

    Attributes:
        types: SODA type by field, in the order of the columns, without system fields.
        versions: Number of versions of all rows.
        earliest: Smallest ``:updated_at``, or None without rows.
        latest: Greatest ``:updated_at``, or None without rows.
    """

    def __init__(self, types: Mapping[str, str], records: Iterable[Record]) -> None:
        """Takes the records in.

        Args:
            types: SODA type by field; read after the last record.
            records: In any order; of two versions with one time, the later one is the newer.
        """
        self._columns = dict(_SYSTEM)
        self._is_writing = True
        self._database = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self._database.set_authorizer(self._authorized)
        self._database.create_function("upper_", 1, lambda v: v and v.upper(), deterministic=True)
        self._database.create_function("lower_", 1, lambda v: v and v.lower(), deterministic=True)
        self._fill(records)
        self._is_writing = False
        self.types = dict(types)
        span = f"count(*), min({UPDATED_AT}), max({UPDATED_AT})"
        self.versions, self.earliest, self.latest = self.query(f"SELECT {span} FROM version")[0]
        self._rows: int = self.query("SELECT count(*) FROM version WHERE replaced_at IS NULL")[0][0]

    def __len__(self) -> int:
        """Rows, each once."""
        return self._rows

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The answer of a SELECT from the table ``version``. Nothing else is allowed.

        Raises:
            SoqlError: The query is over one of SQLite's limits.
        """
        try:
            return self._database.execute(sql, parameters).fetchall()
        except sqlite3.OperationalError as error:
            if not any(text in str(error) for text in _OVER_LIMITS):
                raise
            raise SoqlError(
                "query.compiler.malformed", f"The query is too complex: {error}"
            ) from error

    def type_of(self, field: str) -> str:
        """The SODA type of a field.

        Raises:
            SoqlError: There is no such field.
        """
        kind = SYSTEM_TYPES.get(field) or self.types.get(field)
        if kind is None:
            raise SoqlError("query.soql.no-such-column", f"No such column: {field}")
        return kind

    def column(self, field: str) -> str:
        """The SQL name of a field's column, which is made when the field is first named.

        Raises:
            SoqlError: There is no such field.
        """
        kind = self.type_of(field)
        if field not in self._columns:
            name = f"c{len(self._columns)}"
            self._database.create_function(
                f"{name}_", 1, lambda body: stored(orjson.loads(body).get(field), kind)
            )
            self._is_writing = True
            self._database.execute(f"ALTER TABLE version ADD COLUMN {name}")
            self._database.execute(f"UPDATE version SET {name} = {name}_(body)")
            self._is_writing = False
            self._columns[field] = name
        return self._columns[field]

    def _authorized(self, action: int, *_: object) -> int:
        is_allowed = self._is_writing or action in _READING
        return sqlite3.SQLITE_OK if is_allowed else sqlite3.SQLITE_DENY

    def _fill(self, records: Iterable[Record]) -> None:
        columns = ["n INTEGER PRIMARY KEY", *_SYSTEM.values(), "replaced_at", "body"]
        rows = ((r.id, r.created_at, r.updated_at, r.body) for r in records)
        for statement in (
            "PRAGMA journal_mode = OFF",
            "PRAGMA temp_store = MEMORY",
            "PRAGMA case_sensitive_like = ON",
            f"CREATE TABLE version ({', '.join(columns)})",
            "BEGIN",
        ):
            self._database.execute(statement)
        self._database.executemany("INSERT INTO version VALUES (NULL, ?, ?, ?, NULL, ?)", rows)
        # Of two versions with one time, the one that came last is the newer.
        later = f"lead({UPDATED_AT}) OVER (PARTITION BY {ID} ORDER BY {UPDATED_AT}, n)"
        self._database.execute(
            f"UPDATE version SET replaced_at = later"
            f" FROM (SELECT n AS this, {later} AS later FROM version)"
            f" WHERE n = this AND later IS NOT NULL"
        )
        self._database.execute(f"CREATE INDEX paging ON version ({PAGING_ORDER}, replaced_at)")
        self._database.execute("COMMIT")
