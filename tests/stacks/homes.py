"""What a home holds, read back with the stack that runs now, in a form that can be compared."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from goldlake_core.storage.home import Home
from metadata.store import Artifact, Store
from tests.tfx_pipeline.examples import example_records, parsed

SPLITS = ("train", "eval", "test")


def artifacts(home: Home, kind: str) -> list[Artifact]:
    """Every artifact of a type, oldest first."""
    return Store(home).artifacts_of_type(kind)


def stack(home: Home) -> str:
    """The stack whose TFX made the home's first example artifact, such as ``1.21``."""
    version = str(artifacts(home, "Examples")[0].properties["tfx_version"])
    return ".".join(version.split(".")[:2])


def export_folder(home: Home, usecase: str, model: str) -> Path:
    """Folder of the only export."""
    (folder,) = Path(home.export(usecase, model)).iterdir()
    return folder


def export_files(home: Home, usecase: str, model: str) -> dict[str, bytes]:
    """The CSV parts of the only export, by path."""
    folder = export_folder(home, usecase, model)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.glob("*/*.csv")}


def counted_examples(home: Home, split: str) -> Counter[tuple[Any, ...]]:
    """How often each row is in a split of the first run."""
    uri = artifacts(home, "Examples")[0].uri
    return Counter(tuple(sorted(parsed(record).items())) for record in example_records(uri, split))


def statistics(home: Home, split: str) -> dict[str, Any]:
    """The statistics of a split by feature path, from the first run."""
    import tensorflow_data_validation as tfdv

    uri = artifacts(home, "ExampleStatistics")[0].uri
    found = tfdv.load_stats_binary(f"{uri}/Split-{split}/FeatureStats.pb").datasets[0]
    return {".".join(feature.path.step): feature for feature in found.features}


def vocabularies(home: Home) -> dict[str, bytes]:
    """Transform's vocabulary files of the first run by name."""
    folder = Path(artifacts(home, "TransformGraph")[0].uri, "transform_fn", "assets")
    return {path.name: path.read_bytes() for path in folder.iterdir()}
