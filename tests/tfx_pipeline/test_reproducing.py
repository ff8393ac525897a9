"""A model made twice is equal to the bit; what differs is named, with how much and why."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from goldlake_core.contracts.errors import StoreError
from goldlake_core.documents.reproducing import Environment, Recipe
from goldlake_core.storage.home import Home
from tests.tfx_pipeline import toy
from tests.tfx_pipeline.conftest import Toy
from tfx_pipeline import environment, reproducing
from tfx_pipeline.recipe import STEPS, changed_code, read_recipe

HERE = Environment(
    python="3.10.13",
    packages={"tensorflow": "2.16.2", "numpy": "1.26.4"},
    machine="x86_64",
    cpu="A processor",
    instructions=("avx2", "fma"),
    intra_op_threads=2,
    inter_op_threads=2,
)


@pytest.mark.tfx
def test_rows_in_another_order_for_transform_make_an_equal_model(
    toy_data: Toy, toy_model: Path, tmp_path: Path
) -> None:
    from tfx_pipeline.modules.trainer import run_fn

    shuffled = [*toy_data.rows["train"]]
    random.Random(5).shuffle(shuffled)
    toy.write_split(tmp_path / "examples", "train", shuffled)
    toy.analyze(tmp_path / "examples", tmp_path / "graph")
    run_fn(toy_data.fn_args(tmp_path / "again", transform_output=str(tmp_path / "graph")))

    first, second = toy_model / "Format-Serving", tmp_path / "again" / "Format-Serving"
    variables = list(reproducing.compared_variables(str(first), str(second)))
    assert [each.name for each in variables if each.differing] == []
    assert {"deep/kernel", "hidden_1/bias", "wide/embeddings"} <= {each.name for each in variables}
    assert list(reproducing.differing_assets(str(first), str(second))) == []
    examples = str(toy_data.examples / "Split-test")
    assert reproducing.compared_outputs(str(first), str(second), examples) == (800, ())
    made_on = environment.environment()
    written = (second / environment.FILE).read_bytes()
    assert str(made_on.intra_op_threads).encode() in written
    assert made_on.packages["tensorflow"].encode() in written


@pytest.mark.tfx
def test_one_number_and_one_word_that_differ_are_found(
    toy_data: Toy, toy_model: Path, tmp_path: Path
) -> None:
    import tensorflow as tf

    first = str(toy_model / "Format-Serving")
    second = str(tmp_path / "changed")
    loaded = tf.saved_model.load(first)
    names = {variable.name: variable for variable in loaded.model_variables}
    bias = next(variable for name, variable in names.items() if "hidden_1/bias" in name)
    bias.assign(bias + tf.one_hot(3, bias.shape[0]) * 0.25)
    tf.saved_model.save(loaded, second, signatures=dict(loaded.signatures))

    found = [v for v in reproducing.compared_variables(first, second) if v.differing]
    assert [(v.numbers, v.differing) for v in found] == [(16, 1)]
    assert found[0].largest == pytest.approx(0.25)
    assert "hidden_1/bias" in found[0].name
    rows, outputs = reproducing.compared_outputs(
        first, second, str(toy_data.examples / "Split-test")
    )
    assert [(each.step, each.output) for each in outputs] == [("answers", "probability")]
    assert 0 < outputs[0].differing <= rows

    words = tmp_path / "words"
    shutil.copytree(first, words)
    vocabulary = next(file for file in (words / "assets").iterdir() if "vehicle" in file.name)
    vocabulary.write_text("van\nbike\n")
    assert list(reproducing.differing_assets(first, str(words))) == [vocabulary.name]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([1.0, 2.0], [1.0, 2.0], (0, 0.0)),
        ([1.0, 2.0], [1.0, 2.5], (1, 0.5)),
        # Equal as numbers, and not to the bit.
        ([0.0], [-0.0], (1, 0.0)),
        ([float("nan")], [float("nan")], (0, 0.0)),
        ([1.0], [1.0, 2.0], (2, None)),
        ([1.0, 2.0], None, (2, None)),
        (None, [1.0], (1, None)),
    ],
)
def test_values_are_compared_by_their_bits(first: Any, second: Any, expected: Any) -> None:
    arrays = [None if each is None else np.array(each, np.float32) for each in (first, second)]
    assert reproducing.differences(*arrays) == expected


def test_numbers_of_another_type_and_other_texts_differ() -> None:
    floats = np.ones(3, np.float32)
    assert reproducing.differences(floats, floats.astype(np.float64)) == (3, None)
    texts = np.array([b"a", b"b"], object)
    assert reproducing.differences(texts, texts) == (0, 0.0)
    assert reproducing.differences(texts, texts[::-1]) == (2, None)


def test_every_difference_of_two_environments_is_a_sentence() -> None:
    assert environment.differences(HERE, HERE) == []
    other = replace(
        HERE,
        packages={"tensorflow": "2.21.0", "numpy": "1.26.4"},
        cpu="Another",
        intra_op_threads=8,
    )
    assert environment.differences(HERE, other) == [
        "tensorflow was 2.16.2, and is 2.21.0",
        "the processor was A processor (x86_64), and is Another (x86_64)",
        "the number of threads of an operation was 2, and is 8",
    ]


def test_a_version_without_a_recipe_or_with_a_damaged_one_cannot_be_made_again(
    tmp_path: Path,
) -> None:
    home = Home.at(tmp_path)
    folder = tmp_path / "models" / "bikes.late" / "3"
    folder.mkdir(parents=True)
    with pytest.raises(StoreError) as caught:
        read_recipe(home, "bikes", "late", 3)
    assert caught.value.message == (
        "bikes.late@3 has no assets.extra/recipe.json: an earlier goldlake pushed it, or another "
        "program put it there. Valid: a version that this goldlake pushed. "
        "Next: goldlake train bikes.late"
    )
    (folder / "assets.extra").mkdir()
    (folder / "assets.extra" / "recipe.json").write_text('{"spec": {}, "code": {}}')
    with pytest.raises(StoreError, match="does not describe a pipeline of this goldlake"):
        read_recipe(home, "bikes", "late", 3)
    with pytest.raises(StoreError, match="has no variables to compare"):
        list(reproducing.compared_variables(str(folder), str(folder)))


def test_another_version_of_tfx_is_no_change_of_code() -> None:
    from tfx_pipeline.codehash import code_hash

    recipe = Recipe(spec={}, code={step: code_hash(of, tfx="1.2.3") for step, of in STEPS.items()})
    assert changed_code(recipe, "1.2.3") == []
    assert changed_code(recipe) == [f"the code of {step} changed since" for step in STEPS]
