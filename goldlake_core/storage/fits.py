"""What clusters of gold tables were fitted to, kept in the home: one file a fit, in a chain.

    clusters/USECASE/TABLE.CLUSTER/MEANING-N/set.json    why the set was begun
    clusters/USECASE/TABLE.CLUSTER/MEANING-N/0001.json   its first fit, and so on

A set holds the fits of one meaning, which is a hash of what the contract says of the cluster. A fit
that was made is never changed: each names the digest of the one before, so that the name of the
newest fit of a gold version pins all of them. Another set of the same meaning is begun where fits
have to be made anew.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from goldlake_core.contracts.errors import StoreError
from goldlake_core.documents import codec
from goldlake_core.storage.files import document, list_names, read_bytes, write_atomic
from goldlake_core.storage.home import Home
from goldlake_core.storage.locks import require_held

FORMAT = 1
_SET = "set.json"


class Center(msgspec.Struct, frozen=True, kw_only=True):
    """The middle of a cluster.

    Attributes:
        number: Number of the cluster.
        values: One value per column, in the unit of the column.
    """

    number: int
    values: tuple[float, ...]


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """The clusters of the rows of one interval of event time.

    Attributes:
        format: Format version of the file.
        number: Place in the chain, from 1.
        before: sha256 of the file of the fit before; "" for the first.
        start: Begin of the interval (ISO 8601, UTC). Only earlier rows were fitted.
        rows: Number of rows that were fitted.
        columns: Columns of which the clusters are made.
        scales: Divisor of each column.
        centers: The centers; none where no earlier row was there.
        through: Sequence of the last page whose records were there.
        restore: Run of the restore of the landing zone that was followed, or "".
        run_id: Run that made it.
    """

    format: int = FORMAT
    number: int
    before: str
    start: str
    rows: int
    columns: tuple[str, ...]
    scales: tuple[float, ...]
    centers: tuple[Center, ...]
    through: int
    restore: str = ""
    run_id: str


class _Begun(msgspec.Struct, frozen=True, kw_only=True):
    """The file ``set.json``."""

    format: int = FORMAT
    meaning: str
    because: str


@dataclass(frozen=True)
class FitSet:
    """The fits of one set, in the order in which they were made.

    Attributes:
        folder: Where they lie.
        because: Why the set was begun.
        fits: The fits in the order in which they were made.
        digests: sha256 of the file of each.
    """

    folder: str
    because: str
    fits: tuple[Fit, ...] = ()
    digests: tuple[str, ...] = ()

    @property
    def pin(self) -> str:
        """What names the newest fit, and by it all: ``SET/NUMBER@DIGEST``."""
        name = posixpath.basename(self.folder)
        return f"{name}/{len(self.fits):04d}@{self.digests[-1][:16] if self.digests else ''}"

    def holds(self, pin: str) -> bool:
        """Whether a pin names a fit of this set."""
        name, _, rest = pin.partition("/")
        number, _, digest = rest.partition("@")
        if name != posixpath.basename(self.folder) or not number.isdigit():
            return False
        place = int(number)
        if place == 0:
            return True
        return place <= len(self.digests) and self.digests[place - 1].startswith(digest)

    def first(self, number: int) -> FitSet:
        """The set as it was when so many fits were made."""
        return FitSet(self.folder, self.because, self.fits[:number], self.digests[:number])


@dataclass(frozen=True)
class FitStore:
    """The sets of fits of one cluster.

    Attributes:
        home: Where everything is kept.
        usecase: Name of the use case.
        table: Name of the gold table.
        cluster: Name of the cluster.
        meaning: Hash of what the contract says of it now.
    """

    home: Home
    usecase: str
    table: str
    cluster: str
    meaning: str

    @property
    def folder(self) -> str:
        """Folder of all sets."""
        return self.home.path("clusters", self.usecase, f"{self.table}.{self.cluster}")

    def newest(self, *, is_whole: bool = True) -> FitSet | None:
        """The set that counts, or None before the first fit. Read-only.

        Args:
            is_whole: Whether a damaged fit is an error; else only those before it are taken.

        Raises:
            StoreError: A fit is damaged, missing, or not the one that was made.
        """
        numbers = self._numbers()
        return self._read(numbers[-1], is_whole=is_whole) if numbers else None

    def before(self, current: FitSet) -> FitSet | None:
        """The set that another one took the place of, as far as it can be read."""
        own = int(current.folder.rpartition("-")[2])
        earlier = [number for number in self._numbers() if number < own]
        return self._read(earlier[-1], is_whole=False) if earlier else None

    def begin(self, because: str, kept: Sequence[Fit] = ()) -> FitSet:
        """Begins a set, which counts from now on.

        Args:
            because: Why, for people.
            kept: Fits of the set before, from its first on, that stay as they are.
        """
        require_held()
        numbers = self._numbers()
        made = FitSet(self._place(numbers[-1] + 1 if numbers else 1), because)
        for fit in kept:
            made = self._written(made, fit)
        # What has no such file does not count yet: a begun set is never seen half.
        begun = codec.encode(_Begun(meaning=self.meaning, because=because))
        write_atomic(self.home.fs, posixpath.join(made.folder, _SET), begun)
        return made

    def add(self, known: FitSet, fit: Fit) -> FitSet:
        """Adds the next fit to the set that counts."""
        require_held()
        return self._written(known, fit)

    def keep_only(self, kept: FitSet | None) -> None:
        """Removes all sets, whatever their meaning, but one."""
        for name in list_names(self.home.fs, self.folder):
            if kept is None or name != posixpath.basename(kept.folder):
                self.home.fs.rm(posixpath.join(self.folder, name), recursive=True)

    def _written(self, known: FitSet, fit: Fit) -> FitSet:
        before = known.digests[-1] if known.digests else ""
        number = len(known.fits) + 1
        fit = msgspec.structs.replace(fit, number=number, before=before)
        data = codec.encode(fit)
        write_atomic(self.home.fs, _file(known.folder, number), data)
        digest = hashlib.sha256(data).hexdigest()
        return FitSet(known.folder, known.because, (*known.fits, fit), (*known.digests, digest))

    def _numbers(self) -> list[int]:
        """Numbers of the begun sets of this meaning, ascending."""
        found = []
        for name in list_names(self.home.fs, self.folder):
            meaning, _, number = name.rpartition("-")
            is_ours = meaning == self.meaning[:16] and number.isdigit()
            if is_ours and self.home.fs.exists(posixpath.join(self.folder, name, _SET)):
                found.append(int(number))
        return sorted(found)

    def _place(self, number: int) -> str:
        return posixpath.join(self.folder, f"{self.meaning[:16]}-{number}")

    def _read(self, number: int, *, is_whole: bool) -> FitSet:
        folder, hint = self._place(number), f"goldlake rebuild {self.usecase}"
        path = posixpath.join(folder, _SET)
        data = read_bytes(self.home.fs, path)
        try:
            begun = document(data or b"", path, _Begun, FORMAT, hint)
        except StoreError:
            if is_whole:
                raise
            begun = _Begun(meaning=self.meaning, because="")
        found = FitSet(folder, begun.because)
        names = [n for n in list_names(self.home.fs, folder, ".json") if n != _SET]
        for place in range(1, len(names) + 1):
            path = _file(folder, place)
            data = read_bytes(self.home.fs, path)
            try:
                if data is None:
                    raise StoreError(f"{path} is missing", hint=hint)
                fit = document(data, path, Fit, FORMAT, hint)
                if fit.before != (found.digests[-1] if found.digests else ""):
                    raise StoreError(
                        f"{path} does not follow the fit before it: one of the two was changed",
                        hint=hint,
                    )
            except StoreError:
                if is_whole:
                    raise
                return found
            digest = hashlib.sha256(data).hexdigest()
            found = FitSet(folder, begun.because, (*found.fits, fit), (*found.digests, digest))
        return found


def _file(folder: str, number: int) -> str:
    return posixpath.join(folder, f"{number:04d}.json")
