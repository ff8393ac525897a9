"""The parameters of the pipeline that made a model: it can be made again without its contract."""

from __future__ import annotations

import posixpath

import msgspec

from goldlake_core.contracts.errors import StoreError
from goldlake_core.documents import codec
from goldlake_core.documents.reproducing import Recipe
from goldlake_core.storage.home import Home
from goldlake_core.storage.model_versions import RECIPE_FILE
from tfx_pipeline.codehash import code_hash
from tfx_pipeline.spec import PipelineSpec

STEPS = {
    "the hand-off": "tfx_pipeline.components.snapshot_example_gen",
    "Transform": "tfx_pipeline.modules.preprocessing",
    "the Trainer": "tfx_pipeline.modules.trainer",
}
"""Entry module of each step that shapes a model's numbers."""


def recipe_of(spec: PipelineSpec) -> Recipe:
    """The recipe of a pipeline run. What a candidate is compared with is not part of it."""
    code = {step: code_hash(name) for step, name in STEPS.items()}
    return Recipe(spec=spec.alone().to_json(), code=code)


def read_recipe(home: Home, usecase: str, model: str, version: int) -> tuple[Recipe, PipelineSpec]:
    """The recipe of a pushed version.

    Raises:
        StoreError: An earlier goldlake pushed it, or its recipe is damaged.
    """
    file = posixpath.join(home.model(usecase, model, str(version)), RECIPE_FILE)
    name = f"{usecase}.{model}"
    try:
        data = home.fs.cat_file(file)
    except FileNotFoundError as error:
        raise StoreError(
            f"{name}@{version} has no {RECIPE_FILE}: an earlier goldlake pushed it, or another "
            "program put it there",
            valid="a version that this goldlake pushed",
            hint=f"goldlake train {name}",
        ) from error
    recipe = codec.decode(data, Recipe, file)
    try:
        return recipe, PipelineSpec.from_json(recipe.spec)
    except msgspec.ValidationError as error:
        raise StoreError(
            f"{file} does not describe a pipeline of this goldlake: {error}",
            hint=f"goldlake train {name}",
        ) from error


def changed_code(recipe: Recipe, tfx: str | None = None) -> list[str]:
    """Steps whose code differs from what it was, one sentence each. Read-only.

    Args:
        recipe: What made the model.
        tfx: Version of TFX that made it, which is in the digests; None for the one of now. The
            code itself does not change with it.
    """
    return [
        f"the code of {step} changed since"
        for step, name in STEPS.items()
        if recipe.code.get(step) != code_hash(name, tfx=tfx)
    ]
