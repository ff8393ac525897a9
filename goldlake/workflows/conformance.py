"""Whether a server answers as TensorFlow Serving does: the models to ask, and the comparison."""

from __future__ import annotations

import subprocess
from pathlib import Path

from goldlake.workflows.launch import module_command
from goldlake_core.contracts.errors import GoldlakeError, UsageError
from goldlake_core.documents.conformance import ConformanceModels
from goldlake_core.storage.files import writing
from serving.conformance import MODELS, WRITE_MODELS, compare

__all__ = ["MODELS", "WRITE_MODELS", "ModelsNotWritten", "compare", "write_models"]


class ModelsNotWritten(GoldlakeError):
    """The process that writes the models failed."""


def write_models(folder: str) -> ConformanceModels:
    """Writes the models that the cases ask, and a ``models.config`` for them.

    Args:
        folder: A folder that does not exist or is empty.

    Raises:
        UsageError: The folder holds something.
        StoreError: The folder cannot be made.
        ModelsNotWritten: TensorFlow could not write them.
    """
    place = Path(folder).absolute()
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise UsageError(f"{place} holds something", valid="a folder that is empty or not there")
    with writing(str(place)):
        place.mkdir(parents=True, exist_ok=True)
    command = module_command("tfx_pipeline.conformance_models", str(place))
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    config = place / "models.config"
    if done.returncode or not config.exists():
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise ModelsNotWritten(
            f"The models were not written: exit status {done.returncode}, {last}",
            hint=f"rm -r {place}, then once more",
        )
    return ConformanceModels(folder=str(place), models_config=str(config))
