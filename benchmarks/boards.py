"""What TensorBoard's logs cost a training: CPU seconds and bytes of each part of them.

usage: python -m benchmarks.boards [--home HOME] [--model USECASE.MODEL] [--times N]

Trains on the transformed examples of the newest training of a home, such as the real year's, in
this process: once to warm up, then N times with nothing written and with one part each. Trainings
have the same epochs and weights. Printed are medians of CPU seconds, user and system.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.measured_at import commit, machine
from goldlake.workflows import relocate
from goldlake_core.storage.home import Home
from metadata.store import Store
from tfx_pipeline.spec import TrainingSpec

TRAINER = "tfx.components.trainer.component.Trainer"
MODEL = "chicago_crime.arrest"


def inputs_of_newest(home: Home, model: str) -> tuple[TrainingSpec, SimpleNamespace]:
    """The Trainer's part of the contract, and TFX's FnArgs, of the newest training in a home.

    Args:
        home: A home whose pipelines are still there.
        model: Such as ``city_bikes.is_late``.

    Raises:
        SystemExit: Nothing was trained.
    """
    store = Store(home)
    folder = f"/pipelines/{model}/"
    for execution in reversed(store.executions_of_type(TRAINER)):
        events = [e for e in store.events_of_executions([execution.id]) if not e.is_output]
        found = {a.type: a for a in store.artifacts(e.artifact for e in events).values()}
        if execution.state != "COMPLETE" or folder not in found["Examples"].uri:
            continue
        examples, graph = found["Examples"].uri, found["TransformGraph"].uri
        arguments = SimpleNamespace(
            train_files=[os.path.join(examples, "Split-train", "*")],
            eval_files=[os.path.join(examples, "Split-eval", "*")],
            transform_output=graph,
        )
        config = json.loads(str(execution.properties["custom_config"]))
        return TrainingSpec.from_json(config), arguments
    raise SystemExit(f"Nothing was trained in {home.root}. Run: goldlake train {model}")


class Bench:
    """Trains the same model again and again.

    Args:
        home: A home whose pipelines are still there.
        model: The model's name.
    """

    def __init__(self, home: Home, model: str) -> None:
        import tensorflow as tf

        from tfx_pipeline.modules import trainer

        spec, arguments = inputs_of_newest(home, model)
        tf.config.experimental.enable_op_determinism()
        self.training = spec.training.sized(spec.rows["train"])
        self.rows = spec.rows
        self.ready = trainer.prepared(arguments, spec, self.training)
        self.epochs = 0
        self._weights: list[np.ndarray] | None = None

    def trained(self, callbacks: Sequence[Any] = (), *, has_train: bool = False) -> Any:
        """A trained model.

        Raises:
            SystemExit: Its weights are not those of the training before, bit by bit.
        """
        import tensorflow as tf

        from tfx_pipeline.modules import trainer

        ready = self.ready
        tf.keras.utils.set_random_seed(self.training.seed)
        model = ready.model(self.training)
        shown = ready.shown() if has_train else None
        history = trainer.fit(
            model,
            ready.train,
            ready.evaluate,
            self.training,
            None,
            ready.head,
            callbacks,
            shown=shown,
        )
        self.epochs = len(history.epoch)
        weights = [np.asarray(each) for each in model.get_weights()]
        before = self._weights or weights
        if not all(np.array_equal(a, b) for a, b in zip(before, weights, strict=True)):
            raise SystemExit("What is written for TensorBoard changed the model")
        self._weights = weights
        return model


def parts_of(bench: Bench, folder: str) -> dict[str, Callable[[], object]]:
    """A training with nothing written, and with each part of the logs, by what it is called."""
    import keras

    from tfx_pipeline.modules import boards, watched

    ready = bench.ready

    def with_curves() -> None:
        model = bench.trained()
        found = watched.predictions(model, ready.evaluate)
        boards.write_precision_recall(folder, ready.head, *found)

    def with_embeddings() -> None:
        boards.write_embeddings(folder, bench.trained(), ready.layout, ready.vocabulary)

    return {
        "nothing": bench.trained,
        "scalars of eval and the loss of train": lambda: bench.trained(
            [keras.callbacks.TensorBoard(folder, write_graph=False)]
        ),
        "every metric of train": lambda: bench.trained(has_train=True),
        "histograms of all weights": lambda: bench.trained([boards.histograms(folder)]),
        "precision-recall curves of eval": with_curves,
        "embeddings with their names": with_embeddings,
    }


def measured(training: Callable[[], object], folder: str) -> tuple[float, int]:
    """CPU seconds of a training, and the bytes that it added to a folder."""
    before, began = _bytes(folder), time.process_time()
    training()
    return time.process_time() - began, _bytes(folder) - before


def _bytes(folder: str) -> int:
    return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())


def main() -> None:
    """Measures and prints a table, Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", default="var/demo", help="a home with a training")
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--times", type=int, default=3, help="trainings of each part")
    options = parser.parse_args()
    home = Home.at(options.home)
    relocate.settle(home)
    bench = Bench(home, options.model)
    bench.trained()
    found: dict[str, list[tuple[float, int]]] = {}
    for _ in range(options.times):
        with tempfile.TemporaryDirectory() as folder:
            for name, training in parts_of(bench, folder).items():
                found.setdefault(name, []).append(measured(training, folder))
    alone = statistics.median(seconds for seconds, _ in found["nothing"])
    print(
        f"{options.model}, {bench.rows['train']:,} rows of train, {bench.rows['eval']:,} of eval, "
        f"{bench.epochs} epochs, at commit {commit()} on {machine()}; median of {options.times}\n\n"
        "| written | CPU seconds | more than nothing | bytes |\n| --- | --- | --- | --- |"
    )
    for name, values in found.items():
        seconds = statistics.median(seconds for seconds, _ in values)
        size = statistics.median(size for _, size in values)
        more = f"{seconds - alone:+.2f} s, {seconds / alone - 1:+.0%}"
        print(f"| {name} | {seconds:.2f} | {more} | {size:,.0f} |")


if __name__ == "__main__":
    main()
