"""Restoring beside TensorFlow's own loader: the same answers, the same refusals."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serving import loader, restoring
from serving.errors import StatusError

pytestmark = pytest.mark.tfx


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with variables, and a table that is made from an asset."""
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("restoring")
    words = folder / "words.txt"
    words.write_text("theft\nrobbery\n")
    module = tf.Module()
    module.w = tf.Variable([1.5, 2.5, 100.0])
    module.asset = tf.saved_model.Asset(str(words))
    lines = tf.lookup.TextFileInitializer(
        module.asset,
        tf.string,
        tf.lookup.TextFileIndex.WHOLE_LINE,
        tf.int64,
        tf.lookup.TextFileIndex.LINE_NUMBER,
    )
    module.table = tf.lookup.StaticHashTable(lines, 2)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "kind")])
    def weight(kind: Any) -> Any:
        return {"weight": tf.gather(module.w, module.table.lookup(kind))}

    module.weight = weight
    tf.saved_model.save(module, str(folder / "model"), signatures=weight)
    # What is read has to come from the folder of the model.
    words.unlink()
    return folder / "model"


def _plain(path: Path) -> Path:
    """A model without variables and without anything to initialize, saved by TensorFlow 1's way."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with v1.Session(graph=tf.Graph()) as session, session.graph.as_default():
        x = v1.placeholder(tf.float32, [None], "x")
        v1.saved_model.simple_save(session, str(path), {"x": x}, {"y": x * 2})
    return path


def _variable(path: Path) -> Path:
    """A model with a variable and an operation that initializes, saved by TensorFlow 1's way."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with v1.Session(graph=tf.Graph()) as session, session.graph.as_default():
        x = v1.placeholder(tf.float32, [None], "x")
        b = v1.get_variable("b", initializer=7.0)
        doubled = v1.get_variable("doubled", initializer=0.0, collections=[])
        session.run([b.initializer, doubled.initializer])
        begun = v1.assign(doubled, 2 * b)
        v1.saved_model.simple_save(
            session, str(path), {"x": x}, {"y": x + b + doubled}, legacy_init_op=begun.op
        )
    return path


def _weights(model: loader.SavedModel) -> list[float]:
    kinds = np.array([b"robbery", b"theft", b"arson"], dtype=object)
    found: list[float] = model.run("serving_default", {"kind": kinds})["weight"].tolist()
    return found


def test_variables_and_assets_are_restored_from_the_folder(saved: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(saved, tmp_path / "moved")
    with closing(loader.load(str(moved))) as model:
        assert _weights(model) == [2.5, 1.5, 100.0]


def test_the_graph_is_not_made_of_python_objects(saved: Path) -> None:
    session, meta_graph = restoring.restore(loader.tensorflow(), str(saved))
    assert meta_graph.graph_def.ByteSize() == 0
    assert "serving_default" in meta_graph.signature_def
    session.close()


@pytest.mark.parametrize("make", [_plain, _variable])
def test_what_tensorflow_1_saved_answers_the_same(
    make: Callable[[Path], Path], tmp_path: Path
) -> None:
    import tensorflow as tf

    path = str(make(tmp_path / "1"))
    session, meta_graph = restoring._by_tensorflow(tf, path)
    x = {"x": np.array([1, -2], np.float32)}
    with (
        closing(loader.SavedModel(session, loader._signatures(meta_graph.signature_def))) as own,
        closing(loader.load(path)) as restored,
    ):
        expected = own.run("serving_default", x)["y"].tolist()
        assert expected in ([2.0, -4.0], [22.0, 19.0])
        assert restored.run("serving_default", x)["y"].tolist() == expected


def test_a_model_as_text_goes_through_tensorflows_own_loader(saved: Path, tmp_path: Path) -> None:
    from google.protobuf import text_format
    from tensorflow.core.protobuf import saved_model_pb2

    path = shutil.copytree(saved, tmp_path / "text")
    binary = path / "saved_model.pb"
    message = saved_model_pb2.SavedModel.FromString(binary.read_bytes())
    (path / "saved_model.pbtxt").write_text(text_format.MessageToString(message))
    binary.unlink()
    with closing(loader.load(str(path))) as model:
        assert _weights(model) == [2.5, 1.5, 100.0]


def test_other_tags_are_refused_with_those_that_are_there(saved: Path, tmp_path: Path) -> None:
    from tensorflow.core.protobuf import saved_model_pb2

    path = shutil.copytree(saved, tmp_path / "tags")
    message = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    message.meta_graphs[0].meta_info_def.tags.append("gpu")
    (path / "saved_model.pb").write_bytes(message.SerializeToString())
    with pytest.raises(StatusError) as error:
        loader.load(str(path))
    assert "no graph of this SavedModel has the tags ['serve']; it has" in error.value.text
    assert "'gpu'" in error.value.text


@pytest.mark.parametrize(
    "name",
    ["saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"],
)
def test_a_cut_off_file_is_refused(saved: Path, tmp_path: Path, name: str) -> None:
    path = shutil.copytree(saved, tmp_path / "cut")
    data = (path / name).read_bytes()
    (path / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(StatusError, match="Could not load"):
        loader.load(str(path))


@pytest.mark.parametrize("name", ["variables", "assets", "variables/variables.index"])
def test_a_folder_that_is_half_copied_is_refused(saved: Path, tmp_path: Path, name: str) -> None:
    path = shutil.copytree(saved, tmp_path / "half")
    gone = path / name
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    with pytest.raises(StatusError, match="Could not load"):
        loader.load(str(path))
