"""The layout of a home: the folder (or fsspec URL) that holds everything goldlake keeps.

The paths, relative to the root::

    landing/USECASE/DATASET/pages/*.jsonl.gz      raw pages, as the API sent them
    landing/USECASE/DATASET/manifest/*.json       one document per landed page
    landing/USECASE/DATASET/cursor.json           a cache: what the last whole polls found
    landing/USECASE/DATASET/aside/                pages and lines that nothing vouches for any more
    landing/USECASE/identity.json                 the source this store belongs to
    generated/USECASE/SEED-ROWS-CODE/             files of generated rows, of a demo
    landing/USECASE/erasures.json                 keys whose records were erased, as digests
    landing/USECASE/lock                          held by the one process that writes
    tables/USECASE/LAYER/NAME                     Delta tables (bronze, silver, gold)
    tables/USECASE/audit/runs                     Delta table of the runs
    tables/USECASE/epochs.json                    which epoch of silver answers
    clusters/USECASE/TABLE.CLUSTER/SET/*.json     what clusters of gold tables were fitted to
    exports/USECASE/MODEL/EXPORT/                 manifest.json, SPLIT/part-*.csv
    pipelines/USECASE.MODEL/                      TFX pipeline root
    models/USECASE.MODEL/VERSION/                 TF Serving layout
    models/models.config                          what is served (TF Serving's text format)
    models/models.config.lock                     held by the process that changes it
    models/servers/                               servers that follow models.config now
    models/promotions/                            promotions that are not finished
    gate/USECASE/LAYER.TABLE/                     counts, verdicts and acceptances of the gate
    requests/USECASE.MODEL/*.jsonl                requests that the embedded server answered
    metadata/mlmd.sqlite                          ML Metadata
    metadata/mlflow.lock                          held by the process that copies to MLflow
    examined/USECASE.MODEL/VERSION.json           what a model's answers to its test split show
    reports/NAME.html                             reports that the web app asked for
    jobs/                                         the queue of the web app
    runs/RUN/                                     stage documents of one run
    logs/RUN/STAGE.log                            full logs
    copy.lock                                     held by who copies the home or erases from it
    backup.json                                   in a copy: what it holds
"""

from __future__ import annotations

import os
import posixpath
from dataclasses import dataclass
from pathlib import Path

import fsspec

from goldlake_core.contracts.errors import PermanentError

DEFAULT_HOME = "var"
DEMO_HOME = "var/demo"


@dataclass(frozen=True)
class Home:
    """Paths inside one home. Pure: makes no folder, reads nothing.

    Attributes:
        root: Absolute path or URL without a trailing slash.
    """

    root: str

    @classmethod
    def at(cls, location: str | os.PathLike[str] | None = None) -> Home:
        """The home at ``location``; else at GOLDLAKE_HOME; else ``./var``.

        Args:
            location: A folder or any fsspec URL.
        """
        text = os.fspath(location or os.environ.get("GOLDLAKE_HOME") or DEFAULT_HOME)
        if "://" in text and not text.startswith("file://"):
            return cls(text.rstrip("/"))
        return cls(str(Path(text.removeprefix("file://")).expanduser().resolve()))

    @property
    def is_local(self) -> bool:
        """Whether the home is a folder of this machine."""
        return "://" not in self.root

    @property
    def fs(self) -> fsspec.AbstractFileSystem:
        """The fsspec file system that holds the home."""
        return fsspec.core.url_to_fs(self.root)[0]

    def path(self, *parts: str) -> str:
        """A path inside the home.

        Raises:
            PermanentError: A part would lead out of the home.
        """
        for part in parts:
            if part.startswith(("/", "~")) or "\\" in part or ".." in part.split("/"):
                raise PermanentError(
                    f"The path part {part!r} leads out of the home {self.root}",
                    valid="a relative path without '..'",
                )
        return posixpath.join(self.root, *parts)

    def table(self, usecase: str, layer: str, name: str) -> str:
        """Location of a Delta table."""
        return self.path("tables", usecase, layer, name)

    def landing(self, usecase: str, *parts: str) -> str:
        """A path in a use case's landing zone."""
        return self.path("landing", usecase, *parts)

    def export(self, usecase: str, model: str, *parts: str) -> str:
        """A path among a model's exports."""
        return self.path("exports", usecase, model, *parts)

    def pipeline(self, usecase: str, model: str) -> str:
        """TFX pipeline root of a model."""
        return self.path("pipelines", f"{usecase}.{model}")

    def model(self, usecase: str, model: str, *parts: str) -> str:
        """A path in a served model's base folder."""
        return self.path("models", f"{usecase}.{model}", *parts)

    @property
    def models_config(self) -> str:
        """The one truth about what is served."""
        return self.path("models", "models.config")

    @property
    def mlmd(self) -> str:
        """SQLite file of ML Metadata."""
        return self.path("metadata", "mlmd.sqlite")

    def run(self, run_id: str, *parts: str) -> str:
        """A path in a run's folder of stage documents."""
        return self.path("runs", run_id, *parts)

    def logs(self, run_id: str, *parts: str) -> str:
        """A path in a run's log folder."""
        return self.path("logs", run_id, *parts)
