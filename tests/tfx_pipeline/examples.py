"""An Examples artifact, read back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any


def example_records(uri: str, split: str) -> Iterator[bytes]:
    """The serialized tf.Examples of a split."""
    import tensorflow as tf

    files = [str(file) for file in sorted(Path(uri, f"Split-{split}").iterdir())]
    yield from tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator()


def parsed(record: bytes) -> dict[str, tuple[Any, ...]]:
    """An example's values by feature; a missing feature is absent."""
    import tensorflow as tf

    example = tf.train.Example.FromString(record)
    return {
        name: tuple(getattr(feature, feature.WhichOneof("kind")).value)
        for name, feature in example.features.feature.items()
        if feature.WhichOneof("kind")
    }
