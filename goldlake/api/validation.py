"""What the validation gate last decided about the data of a model, with TFDV's own files."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from goldlake.api.markup import shown
from goldlake.workflows.validations import ValidationView
from goldlake_core.instants import of_text
from goldlake_core.storage.home import Home

if TYPE_CHECKING:
    import pyarrow as pa


class Validation:
    """A verdict of the pipeline's gate, and the files that it was made from.

    `Home.validation` makes it. TFDV reads the files: ``tfdv.load_stats_binary(statistics["test"])``
    and ``tfdv.load_schema_text(schema)``.

    Attributes:
        model: The model, such as ``city_bikes.is_late``.
        verdict: The word ``passed`` or ``refused``.
        table: The gold table and its version, such as ``city_bikes.gold.trips@3``.
        rows: Number of rows by split.
        statistics: File of TFDV's statistics by split.
        schema: File of the curated schema.
        folder: Folder of the verdict's document.
    """

    def __init__(self, home: Home, found: ValidationView) -> None:
        self._home = home
        self._found = found
        self.model = found.model
        self.verdict = found.verdict
        self.table = f"{found.table}@{found.table_version}"
        self.rows: Mapping[str, int] = found.rows
        self.statistics: Mapping[str, str] = found.statistics
        self.schema = found.schema
        self.folder = found.folder

    @property
    def decided_at(self) -> datetime:
        """Instant of the verdict, in UTC."""
        return of_text(self._found.decided_at)

    @property
    def as_of(self) -> datetime:
        """Newest change at the source that the rows hold, in UTC."""
        return of_text(self._found.as_of)

    @property
    def columns_apart(self) -> tuple[str, ...]:
        """Columns that say which row it is and when it happened: no statistics are judged."""
        from tfx_pipeline.exports import read_manifest

        manifest, _ = read_manifest(self._found.export_id, self._found.manifest_sha256, self._home)
        return tuple(filter(None, (*manifest.key, manifest.event_time)))

    def examples(self, split: str) -> pa.Table:
        """The rows of a split as the pipeline read them: texts, whole numbers, numbers, booleans.

        Loads TensorFlow and TFX.

        Args:
            split: One of ``train``, ``eval`` and ``test``.

        Raises:
            UsageError: There is no such split.
            StoreError: The export is gone, or was changed.
        """
        import pyarrow as pa

        from goldlake_core.contracts.errors import UsageError
        from goldlake_core.contracts.names import nearest
        from tfx_pipeline.components.snapshot_example_gen import csv_batches
        from tfx_pipeline.exports import read_manifest

        if split not in self.rows:
            raise UsageError(f"There is no split {split!r}", valid=nearest(split, self.rows))
        found = self._found
        manifest, _ = read_manifest(found.export_id, found.manifest_sha256, self._home)
        batches = csv_batches(found.export_id, manifest, split, home=self._home)
        return pa.Table.from_batches(list(batches))

    def __repr__(self) -> str:
        return f"Validation({self.model!r}, {self.table}: {self.verdict})"

    def _repr_html_(self) -> str:
        splits = [f"{count:,}" for count in self.rows.values()]
        decided = f"{self.decided_at:%Y-%m-%d %H:%M}"
        head = ("table", "as of", *self.rows, "verdict", "decided")
        row = (self.table, f"{self.as_of:%Y-%m-%d %H:%M}", *splits, self.verdict, decided)
        return str(shown(f"Data of {self.model} as the gate saw it", head, [row], (2, 3, 4)))
