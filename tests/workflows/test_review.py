"""The trainings that TensorBoard is shown: their names, their links, and the first page."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2

from goldlake.workflows import review
from goldlake_core.storage.home import Home
from tests.metadata.recorded import Recorder

MODEL = "toy.color"


def write_scalar(folder: Path, tag: str) -> None:
    """An event file with one scalar."""
    tensor = tensor_pb2.TensorProto(dtype=1, float_val=[0.5])
    value = summary_pb2.Summary.Value(tag=tag, tensor=tensor)
    event = event_pb2.Event(step=0, summary=summary_pb2.Summary(value=[value]))
    data = event.SerializeToString()
    folder.mkdir(parents=True)
    (folder / "events.out.tfevents.1.here").write_bytes(
        len(data).to_bytes(8, "little") + b"\0" * 4 + data + b"\0" * 4
    )


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Two versions of a model, a training that was refused, and two trials."""
    found = Home.at(tmp_path / "home")
    recorder = Recorder(found)
    for version, run in ((1, 13), (2, 21)):
        made = recorder.run(
            "tfx.components.trainer.component.Trainer",
            {},
            {
                "model": ("Model", {}),
                "model_run": (
                    "ModelRun",
                    {"uri": f"/elsewhere/pipelines/{MODEL}/Trainer/model_run/{run}"},
                ),
            },
        )
        pushed = {"pushed": 1, "version": version, "model": MODEL}
        recorder.run("Pusher", {"model": made["model"]}, {"pushed": ("PushedModel", pushed)})
    pipeline = Path(found.path("pipelines", MODEL))
    for run in (13, 21, 30):
        write_scalar(pipeline / "Trainer" / "model_run" / str(run) / "train", "epoch_loss")
        write_scalar(pipeline / "Trainer" / "model_run" / str(run) / "validation", "epoch_auc")
    for trial in ("trial-001", "trial-002"):
        write_scalar(pipeline / "tune" / "ab12" / trial, "val_auc")
    (pipeline / "tune" / "ab12" / "trial-001.json").write_text("{}")
    return found


def test_runs_are_named_after_versions_and_trials(home: Home) -> None:
    assert list(review.training_runs(home)) == [
        "toy.color@1/train",
        "toy.color@1/eval",
        "toy.color@2/train",
        "toy.color@2/eval",
        "toy.color not pushed, run 30/train",
        "toy.color not pushed, run 30/eval",
        "toy.color tune ab12/trial-001",
        "toy.color tune ab12/trial-002",
    ]


def test_without_ml_metadata_no_run_claims_a_version(home: Home) -> None:
    Path(home.mlmd).unlink()
    assert "toy.color not pushed, run 13/train" in review.training_runs(home)


def test_links_are_made_once_and_those_of_a_new_training_are_added(
    home: Home, tmp_path: Path
) -> None:
    folder = tmp_path / "shown"
    review.link(review.training_runs(home), str(folder))
    review.link(review.training_runs(home), str(folder))
    assert (folder / "toy.color@1" / "eval" / "events.out.tfevents.1.here").is_file()
    new = Path(home.path("pipelines", MODEL, "Trainer", "model_run", "31"))
    shutil.copytree(new.with_name("30"), new)
    review.link(review.training_runs(home), str(folder))
    assert (folder / "toy.color not pushed, run 31" / "train").is_symlink()


def test_tensorboard_reads_the_names_and_the_layout(home: Home, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer
    from tensorboard.plugins.custom_scalar import layout_pb2, metadata

    runs = review.training_runs(home)
    review.link(runs, str(tmp_path / "shown"))
    review.write_layout(runs, str(tmp_path / "shown"))
    read = EventMultiplexer().AddRun(str(tmp_path / "shown" / "layout"), "layout").Reload()
    [event] = read.Tensors("layout", metadata.CONFIG_SUMMARY_TAG)
    layout = layout_pb2.Layout.FromString(event.tensor_proto.string_val[0])
    [category] = layout.category
    assert [(chart.title, list(chart.multiline.tag)) for chart in category.chart] == [
        ("auc", ["^epoch_auc$"]),
        ("loss", ["^epoch_loss$"]),
    ]
