"""The landed pages that a model came of, in another home: chosen, checked and copied.

Nothing in the first home changes.
"""

from __future__ import annotations

import errno
import os
import posixpath
import shutil
from dataclasses import dataclass
from pathlib import Path

import msgspec

from goldlake.workflows.lineage import stored
from goldlake_core.contracts.errors import StoreError
from goldlake_core.contracts.ids import ModelId, TableId
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents.lineage import TableStep
from goldlake_core.instants import of_text
from goldlake_core.storage import erasures
from goldlake_core.storage.deltalog import DeltaLog
from goldlake_core.storage.files import write_atomic, writing
from goldlake_core.storage.home import Home
from goldlake_core.storage.landing import LandingZone, PageEntry
from goldlake_core.storage.restores import Restores
from lakehouse import commits, epochs, specs, steps
from lakehouse.commits import BronzeCommit
from metadata.database import Names
from metadata.store import Store

SPARE = 1.2
"""Room that is asked for, as a multiple of what the tables of the first home take."""


@dataclass(frozen=True)
class Landed:
    """The pages that a gold version was made of.

    Attributes:
        zone: Where they lie.
        gold: The gold version.
        pages: Those that counted when it was made, by number.
        restores: The restores that had been made by then.
    """

    zone: LandingZone
    gold: TableStep
    pages: tuple[PageEntry, ...]
    restores: Restores

    @property
    def through(self) -> int:
        """Number of the last page."""
        return self.gold.through or 0

    @property
    def epoch(self) -> int:
        """Epoch of silver that the gold version was made from."""
        return self.gold.epoch or epochs.FIRST


def landed_of(usecase: UseCase, home: Home, model: ModelId, table: str) -> Landed:
    """The pages that the gold version of a model was made of, each as it was landed. Read-only.

    Args:
        usecase: The use case that the model belongs to.
        home: Where the pages were landed.
        model: The model at a version, for messages.
        table: Id of the gold table at the version.

    Raises:
        StoreError: Which pages they are is not on record, or they are not what they were: one is
            missing, damaged, or had records erased from it.
    """
    erasures.require_done(home, usecase.name)
    store = Store(home) if home.is_local and home.fs.exists(home.mlmd) else None
    with Names(home) as names:
        gold = steps.gold_step(home, TableId.parse(table), names, stored(store))
    if gold is None or not gold.through:
        raise StoreError(
            f"Which landed pages {table} was made of is not on record, so {model} cannot be made "
            "again from them",
            hint=_from_rows(model),
        )
    zone = specs.landing(usecase, home)
    book = zone.restores()
    counted = book.after_page(gold.through)
    pages = tuple(
        page
        for page in zone.scan_all().entries
        if any(first <= page.sequence <= last for first, last in counted)
    )
    before = tuple(each for each in book.restores if each.given < gold.through)
    found = Landed(zone, gold, pages, msgspec.structs.replace(book, restores=before))
    _require_not_erased(usecase, home, model, found)
    _require_all(usecase, home, model, found)
    for page in pages:
        _require_as_landed(zone, page, model)
    return found


def copied(usecase: UseCase, landed: Landed, place: Home) -> None:
    """Lays the pages, what says which of them count, and the fits of clusters into another home.

    A page is linked where both homes are on one disk: a page that was landed never changes.

    Raises:
        StoreError: The disk is full or may not be written.
    """
    zone, target = landed.zone, specs.landing(usecase, place)
    numbered = [page for page in zone.scan_all().entries if page.sequence <= landed.through]
    wanted = {page.name for page in landed.pages}
    for page in numbered:
        line = zone.path("manifest", f"{page.name}.json")
        _file(zone.home, line, target.path("manifest", f"{page.name}.json"))
        if page.name in wanted:
            _page(zone, page, target.page_uri(page.name))
    if landed.restores.restores:
        data = msgspec.json.encode(landed.restores)
        write_atomic(target.fs, target.path("restores.json"), data)
    fits = zone.home.path("clusters", usecase.name)
    for file in zone.fs.find(fits) if zone.fs.exists(fits) else ():
        below = posixpath.relpath(file, zone.fs._strip_protocol(fits))
        _file(zone.home, file, place.path("clusters", usecase.name, below))


def require_room(usecase: UseCase, landed: Landed, export: int, place: Home) -> None:
    """Checks that the disk has room for what is made again.

    Args:
        usecase: The use case whose tables are made again.
        landed: The pages that they are made of.
        export: Size of the export in bytes; the pipeline keeps about as much twice more.
        place: The home in which they are made.

    Raises:
        StoreError: It has not.
    """
    home = landed.zone.home
    tables = specs.all_tables(usecase, home, landed.epoch)
    logs = [DeltaLog(table.uri) for table in tables]
    size = sum(log.snapshot().bytes for log in logs if log.exists())
    pages = sum(landed.zone.page_sizes().get(page.name, 0) for page in landed.pages)
    wanted = int(SPARE * (size + pages + 3 * export))
    folder = Path(place.root)
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < wanted:
        raise StoreError(
            f"Making the tables again takes about {_megabytes(wanted)}, and the disk of {folder} "
            f"has {_megabytes(free)} free",
            hint="make room, or name a folder of another disk: --in DIR",
        )


def _require_not_erased(usecase: UseCase, home: Home, model: ModelId, landed: Landed) -> None:
    """Records that were erased before the gold version was made were not in it either."""
    # An erasure says by the second when it was asked for, and takes longer to make gold again.
    made_at = of_text(landed.gold.committed_at).replace(microsecond=0)
    done = erasures.read(home, usecase.name).erasures
    later = {each.id for each in done if of_text(each.asked_at) >= made_at}
    touched = [page for page in landed.pages if later & page.erased.keys()]
    if touched:
        number = sum(page.erased[id_] for page in touched for id_ in later & page.erased.keys())
        raise StoreError(
            f"{model} cannot be made again from its landed pages: {_records(number)} erased from "
            f"{touched[0].name}{_more(len(touched) - 1)} after {landed.gold.table}@"
            f"{landed.gold.version} was made",
            valid="a version that was trained after the erasure",
            hint=f"goldlake train {model.at(None)}",
        )


def _require_all(usecase: UseCase, home: Home, model: ModelId, landed: Landed) -> None:
    """Bronze says how many records it had with the last page, as long as its log does."""
    found = sum(page.rows for page in landed.pages)
    bronze = _bronze(usecase, home, landed.through)
    if not landed.pages or (bronze is not None and bronze.rows != found):
        had = f"{bronze.rows:,} records" if bronze else "records"
        raise StoreError(
            f"{model} cannot be made again from its landed pages: bronze had {had} with page "
            f"{landed.through}, and the pages that are left hold {found:,}",
            valid="all pages that its gold version was made of",
            hint=f"restore the folder landing/ from a copy of the home, or {_from_rows(model)}",
        )


def _bronze(usecase: UseCase, home: Home, through: int) -> BronzeCommit | None:
    """The newest commit of bronze that ended with a page, or None where its log has none."""
    log = DeltaLog(specs.bronze(usecase, home).uri)
    for version in reversed(log.versions() if log.exists() else ()):
        commit = log.commit(version)
        if commit.metadata.get(commits.THROUGH) == through:
            return commits.decoded(commit, BronzeCommit)
    return None


def _require_as_landed(zone: LandingZone, page: PageEntry, model: ModelId) -> None:
    try:
        zone.read_page(page)
    except StoreError as error:
        raise StoreError(
            f"{model} cannot be made again from its landed pages. {error.problem}",
            valid="all pages that its gold version was made of, each as it was landed",
            hint=f"restore the folder landing/ from a copy of the home, or {_from_rows(model)}",
        ) from error


def _page(zone: LandingZone, page: PageEntry, target: str) -> None:
    source = zone.page_uri(page.name)
    if zone.home.is_local and os.path.isfile(source):
        with writing(target):
            Path(target).parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(source, target)
                return
            except OSError as error:
                if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP):
                    raise
    _written(zone.page_bytes(page.name) or b"", target)


def _file(home: Home, source: str, target: str) -> None:
    _written(home.fs.cat_file(source), target)


def _written(data: bytes, target: str) -> None:
    with writing(target):
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        Path(target).write_bytes(data)


def _from_rows(model: ModelId) -> str:
    return f"goldlake reproduce {model} makes it again from the rows of its export"


def _records(number: int) -> str:
    return "a record was" if number == 1 else f"{number:,} records were"


def _more(number: int) -> str:
    return f" and {number:,} more pages" if number > 1 else " and another page" if number else ""


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
