"""What the contract, or a function that it names, makes of silver rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from goldlake_core.contracts.errors import PermanentError
from goldlake_core.contracts.registry import resolve
from goldlake_core.contracts.sections import GoldTable, UseCase
from goldlake_core.contracts.sql_rules import quoted
from goldlake_core.stages import Emit
from goldlake_core.storage.deltalog import Snapshot
from lakehouse import computed, delta, lookups, specs
from lakehouse.clusters import Clusters

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True)
class Build:
    """Makes the rows of one gold table of a silver version, or of some rows of it.

    Attributes:
        spark: Where it is made.
        usecase: Whose contract says how.
        table: The table's section of the contract.
        spec: Its place and columns.
        silver: The silver version that it is made of.
        groups: Its clusters, which number the rows.
    """

    spark: SparkSession
    usecase: UseCase
    table: GoldTable
    spec: specs.TableSpec
    silver: Snapshot
    groups: Clusters

    def whole(self) -> DataFrame:
        """The table as all of silver makes it."""
        return self.of(self.silver_rows())

    def of(self, silver: DataFrame) -> DataFrame:
        """The table as these rows of silver make it."""
        return self.declared(self.numbered(silver))

    def unnumbered(self) -> DataFrame:
        """The table as all of silver makes it, without clusters."""
        return self.made(self.silver_rows())

    def silver_rows(self) -> DataFrame:
        """All rows of silver, with the contract's columns."""
        rows = delta.read(self.spark, self.silver.uri, self.silver.version)
        return rows.select(*self.columns)

    def numbered(
        self, silver: DataFrame, changes: DataFrame | None = None, gold: DataFrame | None = None
    ) -> DataFrame:
        """What `made` gives, and the clusters of the rows."""
        return self.groups.assigned(self.made(silver, changes, gold))

    def made(
        self,
        silver: DataFrame,
        changes: DataFrame | None = None,
        gold: DataFrame | None = None,
        held: Sequence[str] = (),
    ) -> DataFrame:
        """What the function or the contract makes, without clusters.

        Args:
            silver: Rows of silver, with the columns ``held``.
            changes: For a build of mode ``aggregate``.
            gold: For a build of mode ``aggregate``.
            held: Computed columns that the rows have already.
        """
        if self.table.lookups:
            silver = lookups.with_lookups(silver, self.table.lookups, self._looked_up)
        if not self.table.build:
            return computed.with_computed(silver, self.table, held)
        function: Callable[..., Any] = resolve(
            self.usecase, self.table.build, f"gold.{self.table.name}.build"
        )
        built = function(silver) if self.table.mode == "rows" else function(silver, changes, gold)
        return built  # type: ignore[no-any-return]

    def declared(self, rows: DataFrame, *more: str) -> DataFrame:
        """The declared columns in order, types and comments."""
        from pyspark.sql import functions as F

        missing = [name for name in self.spec.names if name not in rows.columns]
        if missing:
            raise PermanentError(
                f"{self.made_by} of {self.spec.id} returns {', '.join(rows.columns)} and lacks "
                f"{', '.join(missing)}",
                valid=f"the contract's columns: {', '.join(self.spec.names)}",
                hint=f"correct {self.made_by} or gold.{self.table.name} in the contract",
            )
        columns = [
            F.col(quoted(f.name)).cast(f.type).alias(f.name, metadata={"comment": f.comment})
            for f in self.spec.fields
        ]
        return rows.select(*columns, *more)

    @cached_property
    def _looked_up(self) -> list[DataFrame]:
        return lookups.frames(self.spark, self.usecase, self.table.lookups)

    def tell_missing(self, silver: DataFrame, emit: Emit) -> None:
        """Tells which of these silver rows have a key that a lookup lacks."""
        if self.table.lookups:
            for each in lookups.missing(silver, self.table.lookups, self._looked_up):
                emit("info", f"gold: {self.spec.id}: {each}")

    @property
    def made_by(self) -> str:
        """The function or section of the contract that makes the rows."""
        return self.table.build or f"gold.{self.table.name}.columns"

    @property
    def key(self) -> list[str]:
        """Columns of the table's key, quoted for Spark."""
        return [quoted(name) for name in self.table.key]

    @property
    def columns(self) -> list[str]:
        """Columns of silver, quoted for Spark."""
        return [quoted(name) for name in self.usecase.silver.names]
