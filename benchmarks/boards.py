"""What TensorBoard's histograms, and the metrics of train, cost a training.

usage: python -m benchmarks.boards [--rows N] [--epochs N] [--pairs N]

Trains the network of a shipped model on random rows, as the Trainer does: with TensorBoard's
scalars alone, with the histograms of weights, and with the metrics of train. The three are measured
in turn, in an order that alternates, and compared within each turn. Seconds are those of the
process, user and system, so that other work on the machine does not count as theirs.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

from benchmarks.measured_at import commit, machine
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import Training

USECASE, MODEL = "chicago_crime", "arrest"
VOCABULARY = 300
"""Entries of each vocabulary."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--pairs", type=int, default=6)
    asked = parser.parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

    import keras

    from tfx_pipeline.heads.binary import FittedBinary
    from tfx_pipeline.modules import boards, network, trainer
    from tfx_pipeline.modules.layout import layout_of

    contract = load_usecase(USECASE).models[MODEL]
    training = contract.training.sized(asked.rows)
    training = _with_epochs(training, asked.epochs)
    layout = layout_of(contract.features)
    head = FittedBinary()
    train, evaluate = _rows(layout, asked.rows), _rows(layout, asked.rows // 5)

    def histograms(folder: str) -> list[Any]:
        return [keras.callbacks.TensorBoard(folder, write_graph=False), boards.histograms(folder)]

    def metrics(folder: str) -> list[Any]:
        watch = trainer.train_metrics(train, head)
        return [watch, keras.callbacks.TensorBoard(folder, write_graph=False)]

    kinds: dict[str, Callable[[str], list[Any]]] = {
        "scalars": lambda folder: [keras.callbacks.TensorBoard(folder, write_graph=False)],
        "histograms": histograms,
        "metrics of train": metrics,
    }

    def spent(kind: str) -> float:
        keras.utils.set_random_seed(1)
        model = network.build(layout, training, lambda _: VOCABULARY, len(layout.floats), head)
        with tempfile.TemporaryDirectory() as folder:
            before = time.process_time()
            trainer.fit(model, train, evaluate, training, None, head, kinds[kind](folder))
            return time.process_time() - before

    for kind in kinds:
        spent(kind)  # the first of each traces and allocates
    turns = []
    for turn in range(asked.pairs):
        order = list(kinds) if turn % 2 == 0 else list(reversed(kinds))
        turns.append({kind: spent(kind) for kind in order})
    steps = -(-asked.rows // (training.batch_rows or 1))
    print(f"commit {commit()}, {machine()}, {asked.pairs} turns of {asked.epochs} epochs")
    print(f"{asked.rows:,} rows, {steps:,} steps an epoch")
    whole = median(turn["scalars"] for turn in turns) / asked.epochs
    print(f"scalars alone: {whole:.3f} CPU s an epoch, {1e6 * whole / steps:.0f} us a step")
    for kind in list(kinds)[1:]:
        extra = sorted((turn[kind] - turn["scalars"]) / asked.epochs for turn in turns)
        middle = median(extra)
        print(
            f"{kind}: {1e3 * middle:+.1f} CPU ms an epoch ({1e3 * extra[0]:+.1f} to "
            f"{1e3 * extra[-1]:+.1f}), {1e6 * middle / steps:+.1f} us a step, "
            f"{100 * middle / whole:+.1f} %"
        )


def _with_epochs(training: Training, epochs: int) -> Training:
    from msgspec.structs import replace

    return replace(training, epochs=epochs, patience=epochs)


def _rows(layout: Any, rows: int) -> Any:
    """Random rows in the layout of Transform's outputs; a label follows the first number."""
    import numpy as np

    from tfx_pipeline.modules.input_data import Arrays

    random = np.random.default_rng(0)
    sizes = [output.size(lambda _: VOCABULARY) for output in layout.ids]
    numbers = random.normal(size=(rows, len(layout.floats))).astype("float32")
    inputs = [np.stack([random.integers(0, n, rows, "int32") for n in sizes], 1)] if sizes else []
    inputs += [numbers] if layout.floats else []
    inputs += [
        random.integers(0, output.size(lambda _: VOCABULARY), (rows, output.width), "int32")
        for output in layout.words
    ]
    score = numbers[:, 0] if layout.floats else random.normal(size=rows)
    return Arrays(inputs, (score + random.normal(size=rows) > 1).astype("float32"))


if __name__ == "__main__":
    main()
