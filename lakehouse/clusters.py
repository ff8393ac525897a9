"""Clusters of gold rows: fitted once per interval of event time, then only looked up.

The rows of an interval get their numbers by a fit of KMeans on rows that happened before the
interval began. A fit is made when the first row of its interval is there, stored in the home
(`goldlake_core.storage.fits`), and never made again: what happened earlier and comes later changes
no number. The rows of a fit are a sample by the hash of the key, in one partition and in one order,
so that a fit does not depend on how the rows are divided.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import product
from typing import TYPE_CHECKING

from goldlake_core.contracts.durations import seconds_of
from goldlake_core.contracts.errors import PermanentError, StoreError
from goldlake_core.contracts.sections import Cluster, GoldTable, UseCase
from goldlake_core.contracts.sql_rules import quoted
from goldlake_core.instants import micros_of, of_micros, of_text, utc_text
from goldlake_core.stages import Emit
from goldlake_core.storage.files import list_names
from goldlake_core.storage.fits import Center, Fit, FitSet, FitStore
from goldlake_core.storage.home import Home
from lakehouse import specs

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

MOST_FITS = 1000
"""Most fits of one run: a table with more intervals is refused before the first one."""
_STEPS = 50
_FIT, _FAR, _X, _HASH, _MICROS = "_fit", "_far", "_x", "_hash", "_micros"
_FITS = "map<string, struct<n: array<bigint>, c: array<array<double>>, s: array<double>>>"


@dataclass
class Clusters:
    """The clusters of one gold table with what they were fitted to.

    Attributes:
        usecase: The use case.
        home: Where everything is kept.
        table: The gold table.
        sets: By cluster the set of fits that counts, as far as landed pages agree with it.
    """

    usecase: UseCase
    home: Home
    table: GoldTable
    sets: dict[str, FitSet] = field(default_factory=dict)
    _cut: dict[str, FitSet] = field(default_factory=dict)

    @classmethod
    def of(cls, usecase: UseCase, home: Home, table: GoldTable) -> Clusters:
        """The clusters of a table as the home has them. Read-only.

        Raises:
            StoreError: A fit is damaged.
        """
        found = cls(usecase, home, table)
        for cluster in table.clusters:
            known = found._store(cluster).newest()
            if known is None:
                continue
            restores = specs.landing(usecase, home).restores()
            agreed = 0
            for fit in known.fits:
                if restores.agreed(fit.restore, fit.through) != fit.through:
                    break
                agreed += 1
            kept = found.sets if agreed == len(known.fits) else found._cut
            kept[cluster.name] = known.first(agreed)
        return found

    @property
    def pins(self) -> dict[str, str]:
        """By cluster what names its fits; to be stored with the rows that they number."""
        return {name: known.pin for name, known in self.sets.items()}

    def hold(self, pins: Mapping[str, str]) -> bool:
        """Whether rows that were numbered by these fits have the numbers that a build gives."""
        return all(
            cluster.name in self.sets and self.sets[cluster.name].holds(pins.get(cluster.name, ""))
            for cluster in self.table.clusters
        )

    def prepare(self, emit: Emit) -> None:
        """Begins the sets that are not there. Where pages were taken back, fits of them go too."""
        for cluster in self.table.clusters:
            if cluster.name in self.sets:
                continue
            store, cut = self._store(cluster), self._cut.get(cluster.name)
            if cut is None:
                self.sets[cluster.name] = store.begin("the first")
                continue
            self.sets[cluster.name] = store.begin("pages were taken back", cut.fits)
            emit("info", f"{self._named(cluster)} is fitted anew where pages were taken back")

    def assigned(self, rows: DataFrame) -> DataFrame:
        """Rows with the columns of the clusters; null where a value, a fit or a time is missing."""
        for cluster in self.table.clusters:
            rows = _assigned(rows, cluster, self.sets.get(cluster.name))
        return rows

    def complete(
        self,
        rows: DataFrame,
        unnumbered: Callable[[], DataFrame],
        through: int,
        run_id: str,
        emit: Emit,
    ) -> bool:
        """Fits the intervals that rows lie in and that have no fit. Writes; idempotent.

        Args:
            rows: Rows of the table that are to be written.
            unnumbered: Returns all rows of the table, without clusters.
            through: Sequence of the last page whose records they hold.
            run_id: Run that refines the table.
            emit: Called with a line for each cluster that was fitted.

        Returns:
            Whether anything was fitted.

        Raises:
            PermanentError: There are more intervals than can be fitted.
        """
        has_new = False
        for cluster in self.table.clusters:
            known = self.sets[cluster.name]
            fitted = {fit.start for fit in known.fits}
            place = _start(cluster).alias(_MICROS)
            found = rows.select(place).where(f"{_MICROS} is not null").distinct().collect()
            starts = sorted(each[_MICROS] for each in found)
            lacking = [each for each in starts if _text(each) not in fitted]
            if len(lacking) > MOST_FITS:
                raise PermanentError(
                    f"{self._named(cluster)} has {len(lacking):,} intervals of {cluster.every} to "
                    f"fit, of at most {MOST_FITS:,}",
                    valid="longer intervals",
                    hint=f"raise gold.{self.table.name}.clusters.{cluster.name}.every",
                )
            if lacking:
                self._fit(cluster, lacking, unnumbered(), through, run_id)
                has_new = True
                times = "once" if len(lacking) == 1 else f"{len(lacking):,} times"
                first, last = (_text(each)[:10] for each in (lacking[0], lacking[-1]))
                until = first if first == last else f"{first}, and so on until {last}"
                emit("info", f"{self._named(cluster)} was fitted {times}, on rows before {until}")
        return has_new

    def _fit(
        self,
        cluster: Cluster,
        starts: Sequence[int],
        rows: DataFrame,
        through: int,
        run_id: str,
    ) -> None:
        store = self._store(cluster)
        points = _points(rows, cluster, self.table.key)
        # Each fit takes a part of the same rows.
        points = points.where(f"{_MICROS} < {starts[-1]}").persist()
        replaced = store.before(self.sets[cluster.name])
        try:
            for start in starts:
                known = self.sets[cluster.name]
                number, scales, centers = _fitted(points, cluster, start)
                numbered = _numbered(centers, scales, _nearby(known, replaced, start), cluster.k)
                fit = Fit(
                    number=0,
                    before="",
                    start=_text(start),
                    rows=number,
                    columns=cluster.columns,
                    scales=tuple(scales),
                    centers=numbered,
                    through=through,
                    restore=specs.landing(self.usecase, self.home).restores().newest.run_id,
                    run_id=run_id,
                )
                self.sets[cluster.name] = store.add(known, fit)
        finally:
            points.unpersist()

    def _named(self, cluster: Cluster) -> str:
        return f"gold: {self.usecase.name}.gold.{self.table.name}: cluster {cluster.name}"

    def _store(self, cluster: Cluster) -> FitStore:
        return _store(self.usecase, self.home, self.table, cluster)


def fit_anew(usecase: UseCase, home: Home, because: str) -> None:
    """Begins new sets of fits, once per reason: gold is numbered anew by the next refinement.

    The new fits keep the numbers of the clusters of the old ones. Writes; idempotent.
    """
    for store in _stores(usecase, home):
        known = store.newest(is_whole=False)
        if known is not None and known.because != because:
            store.begin(because)


def mend(usecase: UseCase, home: Home, emit: Emit) -> None:
    """Begins a new set where a fit is damaged or missing, with the fits before it. Writes."""
    for store in _stores(usecase, home):
        try:
            store.newest()
        except StoreError as damaged:
            sound = store.newest(is_whole=False)
            store.begin("a fit was damaged", sound.fits if sound else ())
            emit("info", f"{damaged.problem}; it and those after it are made again")


def forget(usecase: UseCase, home: Home) -> None:
    """Removes all fits but those that count now: they may hold values of erased records."""
    kept = {store.folder: store for store in _stores(usecase, home)}
    root = home.path("clusters", usecase.name)
    for name in list_names(home.fs, root):
        folder = home.path("clusters", usecase.name, name)
        if folder in kept:
            kept[folder].keep_only(kept[folder].newest())
        else:
            home.fs.rm(folder, recursive=True)


def newest_fit(usecase: UseCase, home: Home, table: GoldTable, cluster: Cluster) -> Fit | None:
    """The newest fit that has centers, or None before the first. Read-only.

    Raises:
        StoreError: A fit is damaged.
    """
    known = _store(usecase, home, table, cluster).newest()
    made = [fit for fit in known.fits if fit.centers] if known is not None else []
    return made[-1] if made else None


def _stores(usecase: UseCase, home: Home) -> list[FitStore]:
    return [
        _store(usecase, home, table, cluster)
        for table in usecase.gold.values()
        for cluster in table.clusters
    ]


def _store(usecase: UseCase, home: Home, table: GoldTable, cluster: Cluster) -> FitStore:
    meaning = specs.cluster_hash(usecase, table, cluster)
    return FitStore(home, usecase.name, table.name, cluster.name, meaning)


def _text(micros: int) -> str:
    return utc_text(of_micros(micros), "microseconds")


def _width(cluster: Cluster) -> int:
    return int(seconds_of(cluster.every) * 1_000_000)


def _start(cluster: Cluster) -> Column:
    """Begin of the interval of a row, in microseconds since 1970."""
    from pyspark.sql import functions as F

    micros = F.unix_micros(F.col(quoted(cluster.time)).cast("timestamp"))
    return micros - F.pmod(micros, F.lit(_width(cluster)))


def _is_point(cluster: Cluster) -> Column:
    """Whether a row has all values, each a finite number."""
    from pyspark.sql import functions as F

    values = (F.col(quoted(name)).cast("double") for name in cluster.columns)
    finite = (each.isNotNull() & (F.abs(each) < float("inf")) for each in values)
    return reduce(lambda one, other: one & other, finite)


def _assigned(rows: DataFrame, cluster: Cluster, known: FitSet | None) -> DataFrame:
    from pyspark.sql import functions as F

    fits = {
        str(_micros(fit)): {
            "n": [center.number for center in fit.centers],
            "c": [center.values for center in fit.centers],
            "s": fit.scales,
        }
        for fit in (known.fits if known is not None else ())
        if fit.centers
    }
    if not fits:
        return rows.withColumn(cluster.name, F.lit(None).cast("bigint"))
    names = rows.columns
    # Constants of the plan: a join would look like rows of another table that meet these.
    fit = F.from_json(F.lit(json.dumps(fits)), _FITS)[_start(cluster).cast("string")]
    values = F.array(*(F.col(quoted(name)).cast("double") for name in cluster.columns))
    distances = (
        f"transform({_FIT}.c, c -> aggregate("
        f"zip_with(zip_with({_X}, c, (x, y) -> x - y), {_FIT}.s, (d, s) -> (d / s) * (d / s)), "
        "0D, (sum, part) -> sum + part))"
    )
    nearest = f"element_at({_FIT}.n, cast(array_position({_FAR}, array_min({_FAR})) as int))"
    placed = rows.withColumns({_FIT: F.when(_is_point(cluster), fit), _X: values})
    placed = placed.withColumn(_FAR, F.expr(distances))
    number = F.when(F.col(_FIT).isNotNull(), F.expr(nearest))
    return placed.select(*map(quoted, names), number.alias(cluster.name))


def _micros(fit: Fit) -> int:
    return micros_of(of_text(fit.start))


def _points(rows: DataFrame, cluster: Cluster, key: Sequence[str]) -> DataFrame:
    """The rows that can be fitted: their time, their place in the sample, and their values."""
    from pyspark.sql import functions as F

    texts = [F.col(quoted(name)).cast("string").alias(f"_key_{name}") for name in key]
    place = F.xxhash64(F.lit(cluster.seed), *texts).alias(_HASH)
    micros = F.unix_micros(F.col(quoted(cluster.time)).cast("timestamp")).alias(_MICROS)
    values = (
        F.col(quoted(name)).cast("double").alias(f"{_X}{index}")
        for index, name in enumerate(cluster.columns)
    )
    return rows.where(_is_point(cluster)).select(micros, place, *texts, *values)


def _fitted(
    points: DataFrame, cluster: Cluster, start: int
) -> tuple[int, list[float], list[tuple[float, ...]]]:
    """Number of fitted rows, scales and centers of the rows before an instant."""
    from pyspark.ml.clustering import KMeans
    from pyspark.ml.feature import VectorAssembler
    from pyspark.sql import functions as F

    names = [f"{_X}{index}" for index in range(len(cluster.columns))]
    keys = [name for name in points.columns if name.startswith("_key_")]
    order = [_HASH, *map(quoted, keys)]
    # The least of all come sorted and in one partition, wherever they were.
    sample = points.where(f"{_MICROS} < {start}").orderBy(*order).limit(cluster.rows)
    sample = sample.select(*names).coalesce(1).persist()
    try:
        deviations = [F.stddev_pop(name) for name in names]
        number, *spread = sample.agg(F.count("*"), *deviations).collect()[0]
        is_scaled = cluster.scale == "z"
        scales = [value if is_scaled and value and value > 0 else 1.0 for value in spread]
        if not number:
            return 0, scales, []
        scaled = sample.select(
            *(
                (F.col(name) / F.lit(scale)).alias(name)
                for name, scale in zip(names, scales, strict=True)
            )
        )
        vectors = VectorAssembler(inputCols=names, outputCol=_X).transform(scaled).select(_X)
        means = KMeans(featuresCol=_X, k=cluster.k, seed=cluster.seed, maxIter=_STEPS)
        vectors = vectors.persist()
        try:
            found = means.fit(vectors).clusterCenters()
        finally:
            vectors.unpersist()
    finally:
        sample.unpersist()
    # Of fewer different points than clusters, some centers may come twice.
    centers = {tuple(float(v) * s for v, s in zip(center, scales, strict=True)) for center in found}
    return number, scales, sorted(centers)


def _nearby(known: FitSet, replaced: FitSet | None, start: int) -> tuple[Center, ...]:
    """Centers whose numbers a fit takes over: of the fit before it, or of one that it replaces."""
    for fits in (known.fits, replaced.fits if replaced is not None else ()):
        earlier = [fit for fit in fits if fit.centers and _micros(fit) <= start]
        if earlier:
            return max(earlier, key=_micros).centers
        if fits is not known.fits:
            later = [fit for fit in fits if fit.centers]
            if later:
                return min(later, key=_micros).centers
    return ()


def _numbered(
    centers: Sequence[tuple[float, ...]],
    scales: Sequence[float],
    before: Sequence[Center],
    k: int,
) -> tuple[Center, ...]:
    """Centers with numbers: those of the nearest centers of before, then the free ones."""

    def distance(one: Sequence[float], other: Sequence[float]) -> float:
        return sum(((a - b) / s) ** 2 for a, b, s in zip(one, other, scales, strict=True))

    pairs = sorted(
        (distance(center, old.values), old.number, place)
        for (place, center), old in product(enumerate(centers), before)
    )
    numbers: dict[int, int] = {}
    taken: set[int] = set()
    for _, number, place in pairs:
        if place not in numbers and number not in taken:
            numbers[place] = number
            taken.add(number)
    free = iter(sorted(set(range(k)) - taken))
    for place in range(len(centers)):
        if place not in numbers:
            numbers[place] = next(free)
    made = (Center(number=numbers[place], values=c) for place, c in enumerate(centers))
    return tuple(sorted(made, key=lambda center: center.number))
