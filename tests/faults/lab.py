"""Where faults are made: a small portal that misbehaves, a folder of files, a home."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from urllib.parse import parse_qs, urlsplit

import msgspec
from msgspec.structs import replace

from goldlake_core.contracts.errors import GoldlakeError
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents.lakehouse import Landed
from goldlake_core.storage.home import Home
from goldlake_core.storage.landing import LandingZone
from lakehouse.sources.land import land
from lakehouse.sources.testing import Rows, Server

TOY = Path(__file__).parents[1] / "usecases" / "toy_harbour"
_TIME, _ID, _DAY = (
    re.compile(rb'"%b" ?: ?"([^"]*)"' % name) for name in (b":updated_at", b":id", b"arrived")
)
E = TypeVar("E", bound=GoldlakeError)


def row(number: int, extra: bytes = b"", *, minute: int | None = None, cargo: str = "TIN") -> bytes:
    """A record of the portal; one minute later than the one before it."""
    at = number if minute is None else minute
    time = f"2024-03-{1 + at // 1440:02}T{at // 60 % 24:02}:{at % 60:02}:00.000"
    record = {
        ":id": f"row-{number:06}",
        ":updated_at": f"{time}Z",
        "call_id": f"C{number:05}",
        "arrived": time,
        "changed": time,
        "booked_until": time,
        "vessel_type": "CARGO",
        "cargo": cargo,
        "berth": "1",
        "length_m": "90",
        "crew": "7",
        "overdue": False,
    }
    return json.dumps(record).encode()[:-1] + extra + b"}"


def odd_row(number: int, value: bytes) -> bytes:
    """A record with one more field, whose value is these bytes."""
    return row(number, b', "odd": ' + value)


def _place(record: bytes) -> tuple[str, str]:
    time, id_ = _TIME.search(record), _ID.search(record)
    return (time[1].decode() if time else "", id_[1].decode() if id_ else "")


def soda(target: str, rows: Rows) -> bytes:
    """The answer of a portal to the requests that our connector sends."""
    query = {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}
    where = query.get("$where", "")
    found = sorted(rows.all, key=_place)
    after = re.search(r":updated_at > '([^']*)' or .* :id > '([^']*)'", where)
    since = re.search(r":updated_at >= '([^']*)'", where)
    if after:
        found = [r for r in found if _place(r) > (after[1], after[2])]
    if since:
        found = [r for r in found if _place(r)[0] >= since[1]]
    for operator, day in re.findall(r"arrived (>=|<) '([^']*)'", where):
        days = [(m[1].decode() if (m := _DAY.search(r)) else "", r) for r in found]
        found = [r for d, r in days if (d >= day if operator == ">=" else d < day)]
    if "count" in query.get("$select", ""):
        return b'[{"n":"%d"}]' % len(found)
    select = query.get("$select", ":*,*")
    if select == ":id":
        return b"[]"
    if select != ":*,*":
        found = [_picked(r, select.split(",")) for r in found]
    return rows.page(found, int(query["$limit"]))


def _picked(record: bytes, names: list[str]) -> bytes:
    """Some fields of a record, each as it is."""
    fields = msgspec.json.decode(record, type=dict[str, msgspec.Raw])
    return msgspec.json.encode({name: fields[name] for name in names if name in fields})


@dataclass
class Lab:
    """One home, one portal and one folder of files.

    Attributes:
        folder: Where the home and the files lie.
        server: The portal.
        usecase: Whose source the portal is.
        told: Lines that landing told people.
    """

    folder: Path
    server: Server
    usecase: UseCase
    told: list[str] = field(default_factory=list)

    @property
    def home(self) -> Home:
        """The home."""
        return Home.at(self.folder / "home")

    @property
    def zone(self) -> LandingZone:
        """The landing zone of the use case."""
        return LandingZone(self.home, self.usecase.name, self.usecase.source.dataset)

    @property
    def landing(self) -> Path:
        """Folder of the landing zone."""
        return Path(self.zone.path("pages")).parent

    @property
    def data(self) -> Path:
        """Folder of the files."""
        return self.folder / "data"

    def serve(self, count: int, **faults: object) -> None:
        """The portal has so many records, and faults as `Rows` has them."""
        self.server.rows = Rows([row(n) for n in range(count)], **faults)  # type: ignore[arg-type]

    def source(self, **changes: object) -> None:
        """Changes keys of the contract's source."""
        self.usecase = replace(self.usecase, source=replace(self.usecase.source, **changes))

    def land(
        self, since: str | None = None, until: str | None = None, address: str | None = None
    ) -> Landed:
        """Lands from the portal, or from the files."""
        is_files = self.usecase.source.kind == "files"
        where = address or (str(self.data) if is_files else self.server.url)
        self.told = []

        def emit(kind: str, message: str, *, done: object = None, total: object = None) -> None:
            if kind != "progress":
                self.told.append(message)

        return land(self.usecase, self.home, where, since, until, "run", emit)

    def file(self, name: str, content: bytes) -> Path:
        """Writes a file of the folder; the use case's source is files from then on."""
        self.source(kind="files", address="", time_field="")
        if "attempts" in self.usecase.source.options:
            self.source(options={})
        self.data.mkdir(exist_ok=True)
        path = self.data / name
        path.write_bytes(content)
        return path

    def lines(self) -> list[bytes]:
        """All landed records, by the manifest; checks every page's digest."""
        return [line for entry in self.zone.manifest() for line in self.zone.read_page(entry)]

    def has_all(self) -> None:
        """Asserts that every record of the portal is landed, and none twice."""
        assert sorted(self.lines()) == sorted(self.server.rows.all)

    def told_of(self, *words: str) -> None:
        """Asserts that landing told people something with these words."""
        assert any(all(word in line for word in words) for line in self.told), self.told

    def files(self) -> dict[str, bytes]:
        """The content of every file of the home."""
        root = self.folder / "home"
        return {str(p): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def refused(action: Callable[[], object], kind: type[E], *words: str) -> E:
    """Asserts that an action is refused in one message with these words; returns the error."""
    try:
        action()
    except kind as error:
        message = error.message
        assert all(word in message for word in words), message
        assert "\n" not in message
        return error
    except Exception as error:
        raise AssertionError(f"another error: {type(error).__name__}: {error}") from error
    raise AssertionError("it was not refused")


@contextmanager
def lab(folder: Path) -> Iterator[Lab]:
    """A lab in an empty folder. Its portal has 600 records and is asked without long waits."""
    toy = load_usecase(str(TOY))
    options = {"attempts": 4, "backoff_s": 0.0005, "timeout_s": 5}
    source = replace(toy.source, options=options, page_rows=200)
    rows = Rows([row(number) for number in range(600)])
    with Server(soda, rows).running() as server:
        yield Lab(folder, server, replace(toy, source=source))
