"""What the Trainer writes for TensorBoard besides Keras' scalars per epoch.

``weights`` has histograms of the weights and the embedding projector's files, ``validation`` the
precision-recall curves on eval. Nothing here changes the model, its seeds or its training.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from tfx_pipeline.heads.base import FittedHead
from tfx_pipeline.heads.binary import FittedBinary
from tfx_pipeline.heads.multiclass import FittedMulticlass
from tfx_pipeline.modules.layout import IdOutput, Layout

if TYPE_CHECKING:
    import numpy as np

WEIGHTS, EVAL = "weights", "validation"
"""Folders in the run's folder; Keras' callback names the second one."""
MOST_CLASSES = 20
"""Classes that have a curve, the most frequent ones."""
MOST_POINTS = 10_000
"""Rows of a table of embeddings that the projector gets: more do not move smoothly."""

Vocabulary = Callable[[str], Sequence[bytes]]
"""The entries of a vocabulary by its name, in the order of their ids."""


def histograms(folder: str) -> Any:
    """A Keras callback that writes the distribution of every weight after each epoch.

    Keras' own names weights by ``kernel`` and ``bias`` alone, so that those of all layers meet in
    one chart.

    Args:
        folder: Folder of the run.
    """
    import keras
    import tensorflow as tf

    class Histograms(keras.callbacks.Callback):
        def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
            self._writer = tf.summary.create_file_writer(os.path.join(folder, WEIGHTS))

        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            with self._writer.as_default(step=epoch):
                for layer in self.model.layers:
                    for weight in layer.trainable_weights:
                        tf.summary.histogram(f"{layer.name}/{weight.name}", weight)

        def on_train_end(self, logs: dict[str, float] | None = None) -> None:
            self._writer.close()

    return Histograms()


def write_precision_recall(
    folder: str,
    head: FittedHead,
    targets: np.ndarray,
    outputs: np.ndarray,
    weights: np.ndarray | None,
) -> None:
    """Writes the precision-recall curve on eval of the model that is kept, one per class.

    A head without probabilities of classes has none, and nothing is written.

    Args:
        folder: Folder of the run.
        head: Says what the outputs are.
        targets: As the head makes them, [n].
        outputs: The network's outputs, float32 [n, units].
        weights: Of rows, [n], or None.
    """
    curves = list(_curves(head, targets, outputs))
    if not curves:
        return
    import tensorflow as tf
    from tensorboard.plugins.pr_curve import summary

    with tf.summary.create_file_writer(os.path.join(folder, EVAL)).as_default():
        for name, is_of_class, share in curves:
            curve = summary.pb(name, is_of_class, share, weights=weights)
            tf.summary.experimental.write_raw_pb(curve.SerializeToString(), step=0)


def _curves(
    head: FittedHead, targets: np.ndarray, outputs: np.ndarray
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Name, whether rows are of the class, and its probability."""
    if isinstance(head, FittedBinary):
        yield "precision_recall", targets > 0.5, outputs[:, 0]
    elif isinstance(head, FittedMulticlass):
        for number, name in enumerate(head.classes[:MOST_CLASSES]):
            label = f"precision_recall/{_line(name)}"
            yield label, targets == number, outputs[:, number]


@dataclass(frozen=True)
class Embedded:
    """The embeddings of one feature.

    Attributes:
        name: Name of Transform's output.
        labels: Name of each id.
        vectors: Its embedding, float32 [ids, width].
    """

    name: str
    labels: list[str]
    vectors: np.ndarray


def write_embeddings(folder: str, model: Any, layout: Layout, vocabulary: Vocabulary) -> None:
    """Writes the embeddings of features that have a vocabulary, with its entries as names.

    Args:
        folder: Folder of the run.
        model: What `network.build` returned, trained. Of another model with other layers nothing
            is written.
        layout: Description of its inputs.
        vocabulary: The entries of a vocabulary by its name.
    """
    found = list(_embedded(model, layout, vocabulary))
    if not found:
        return
    import tensorflow as tf
    from google.protobuf import text_format
    from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

    def write(name: str, lines: Iterable[str]) -> None:
        with tf.io.gfile.GFile(os.path.join(folder, WEIGHTS, name), "w") as file:
            file.write("".join(f"{line}\n" for line in lines))

    tf.io.gfile.makedirs(os.path.join(folder, WEIGHTS))
    config = ProjectorConfig()
    for each in found:
        entry = config.embeddings.add(tensor_name=each.name)
        entry.tensor_path, entry.metadata_path = f"{each.name}.tsv", f"{each.name}.names.tsv"
        rows = each.vectors[:MOST_POINTS]
        write(entry.tensor_path, ("\t".join(f"{x:.6g}" for x in row) for row in rows))
        write(entry.metadata_path, each.labels[:MOST_POINTS])
    write("projector_config.pbtxt", [text_format.MessageToString(config)])


def _embedded(model: Any, layout: Layout, vocabulary: Vocabulary) -> Iterator[Embedded]:
    tables = {layer.name: layer for layer in model.layers}

    def named(output: IdOutput) -> list[str]:
        return _labels(output, vocabulary(output.vocabulary))

    def size(output: IdOutput) -> int:
        return output.size(lambda name: len(vocabulary(name)))

    for width in sorted({output.embedding for output in layout.ids if output.embedding}):
        outputs = [output for output in layout.ids if output.embedding == width]
        ends = list(accumulate(map(size, outputs)))
        vectors = _vectors(tables.get(f"embedding_{width}"), ends[-1], width)
        if vectors is None:
            continue
        for output, start, end in zip(outputs, [0, *ends], ends, strict=False):
            if output.vocabulary:
                yield Embedded(output.name, named(output), vectors[start:end])
    for output in layout.words:
        vectors = _vectors(tables.get(f"{output.name}_embedding"), size(output), output.embedding)
        if vectors is not None:
            yield Embedded(output.name, named(output), vectors)


def _vectors(layer: Any, ids: int, width: int) -> np.ndarray | None:
    """A layer's table, if it is the one that these ids have."""
    weights = layer.get_weights() if layer is not None else []
    is_table = len(weights) == 1 and weights[0].shape == (ids, width)
    return weights[0] if is_table else None


def _labels(output: IdOutput, entries: Sequence[bytes]) -> list[str]:
    """The name of each id of an output; `layout` has their order."""
    first = ["(padding)", "(missing)"] if output.width > 1 else ["(missing)", "(empty)"]
    named = [*first, *map(_line, entries)]
    rest = output.size(lambda _: len(entries)) - len(named)
    return [*named, *(f"(other {number})" for number in range(1, rest + 1))]


def _line(text: bytes) -> str:
    """A text on one line of a TSV file; an empty one would end the file early."""
    return " ".join(text.decode(errors="replace").split()) or "(blank)"
