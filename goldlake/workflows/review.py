"""What a reviewer opens: TensorBoard over all trainings of a home.

TensorBoard names a run after its folder below the one that it is started on. So it is started on
a folder of links, made for as long as it runs: ``MODEL@V/train`` is where the pipeline wrote the
events of that version. Links of what is trained meanwhile are added.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

from goldlake.workflows.launch import module_command
from goldlake_core.contracts.errors import PermanentError
from goldlake_core.contracts.ids import ModelId
from goldlake_core.storage.home import Home
from metadata.pushed import PUSHED_MODEL, pushed_model_id
from metadata.store import Store
from metadata.walk import backwards
from tfx_pipeline.event_files import scalars

RUNS_OF_A_TRAINING = {"train": "train", "validation": "eval", "weights": "weights"}
"""Folders that the Trainer writes, and what a reader calls them."""
LOSS = "epoch_loss"
OTHER_SCALARS = ("epoch_learning_rate",)
"""Scalars that the layout leaves to the other pages."""
REFRESH_S = 10.0
_LAYOUT = "layout"


def run_tensorboard(home: Home, port: int, on_start: Callable[[], None]) -> None:
    """Runs TensorBoard on loopback over all training runs, in the foreground.

    Args:
        home: The home whose pipelines are shown.
        port: TCP port; 0 for a free one.
        on_start: Called when there is something to show, before TensorBoard starts.

    Raises:
        PermanentError: Nothing was trained yet, or TensorBoard ended with an error.
    """
    runs = training_runs(home)
    if not runs:
        raise PermanentError(
            f"There are no training runs in {home.root}", hint="goldlake train MODEL"
        )
    with tempfile.TemporaryDirectory(prefix="goldlake-tensorboard-") as folder:
        link(runs, folder)
        write_layout(runs, folder)
        on_start()
        options = ["--logdir", folder, "--port", str(port), "--host", "127.0.0.1"]
        ended = threading.Event()

        def follow() -> None:
            while not ended.wait(REFRESH_S):
                link(training_runs(home), folder)

        follower = threading.Thread(target=follow, daemon=True)
        follower.start()
        try:
            status = subprocess.call(
                module_command("tensorboard.main", *options),
                env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""},
            )
        finally:
            ended.set()
            follower.join()
    if status not in (0, -2, 130):
        raise PermanentError(f"TensorBoard ended with exit status {status}")


def training_runs(home: Home) -> dict[str, str]:
    """Folders with event files by the name of their run, such as ``shop.late@3/eval``. Read-only.

    A training that was not pushed is ``MODEL not pushed, run N/…``, a trial ``MODEL tune
    SEARCH/trial-001``.

    Args:
        home: The home whose pipelines are read.
    """
    found: dict[str, str] = {}
    pushed = _pushed(home)
    base = Path(home.path("pipelines"))
    for folder in sorted(base.glob("*/Trainer/model_run/*")):
        model = folder.parts[-4]
        names = pushed.get(_tail(folder), [f"{model} not pushed, run {folder.name}"])
        for part, called in RUNS_OF_A_TRAINING.items():
            if (folder / part).is_dir():
                found.update({f"{name}/{called}": str(folder / part) for name in names})
    for folder in sorted(base.glob("*/tune/*/trial-*")):
        if folder.is_dir():
            name = f"{folder.parts[-4]} tune {folder.parent.name}/{folder.name}"
            found[name] = str(folder)
    return found


def link(runs: Mapping[str, str], folder: str) -> None:
    """Makes the links that are not there yet. Idempotent.

    Args:
        runs: Folders by the name of their run.
        folder: Folder that TensorBoard is started on.
    """
    for name, target in runs.items():
        path = os.path.join(folder, name)
        if not os.path.lexists(path):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.symlink(os.path.abspath(target), path, target_is_directory=True)


def write_layout(runs: Mapping[str, str], folder: str) -> None:
    """Writes the page "Custom scalars": per scalar of an epoch a chart of train and eval.

    Args:
        runs: Folders by the name of their run.
        folder: Folder that TensorBoard is started on.
    """
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.compat.proto.tensor_pb2 import TensorProto
    from tensorboard.plugins.custom_scalar import layout_pb2, metadata
    from tensorboard.summary.writer.record_writer import RecordWriter

    tags = {tag for each in runs.values() for tag in scalars(each) if tag.startswith("epoch_")}
    shown = sorted(tags - {*OTHER_SCALARS}, key=lambda tag: (tag == LOSS, tag))
    layout = layout_pb2.Layout()
    category = layout.category.add(title="Does it learn? Train and eval by epoch")
    for tag in shown:
        chart = category.chart.add(title=tag.removeprefix("epoch_").replace("_", " "))
        chart.multiline.tag.append(f"^{tag}$")
    tensor = TensorProto(dtype="DT_STRING", string_val=[layout.SerializeToString()])
    value = Summary.Value(
        tag=metadata.CONFIG_SUMMARY_TAG,
        metadata=metadata.create_summary_metadata(),
        tensor=tensor,
    )
    path = Path(folder, _LAYOUT, "events.out.tfevents.0.layout")
    path.parent.mkdir()
    # TensorBoard's EventFileWriter would import TensorFlow, which takes ten seconds.
    with closing(RecordWriter(path.open("wb"))) as writer:
        for event in (Event(file_version="brain.Event:2"), Event(summary=Summary(value=[value]))):
            writer.write(event.SerializeToString())


def _pushed(home: Home) -> dict[str, list[str]]:
    """Names of the versions that a run's folder led to, by the end of its path."""
    if not os.path.exists(home.mlmd):
        return {}
    store = Store(home)
    found: dict[str, dict[str, ModelId]] = {}
    for artifact in store.artifacts_of_type(PUSHED_MODEL):
        version = pushed_model_id(artifact)
        if version is None:
            continue
        graph = backwards(store, [artifact])
        # The Trainer's other output is the run; only the model itself leads to the pushed one.
        made = {event.artifact for event in graph.events if event.is_output}
        for each in store.artifacts(made).values():
            if each.type == "ModelRun":
                found.setdefault(_tail(Path(each.uri)), {})[str(version)] = version
    return {tail: list(names) for tail, names in found.items()}


def _tail(folder: Path) -> str:
    """The part of a run's path that is the same in every copy of a home."""
    return "/".join(folder.parts[-4:])
