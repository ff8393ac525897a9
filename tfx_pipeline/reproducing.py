"""The stage ``reproduce``: a pushed model made again from its recipe, and compared by value.

Equal files cannot be asked for: TensorFlow writes other names into each ``saved_model.pb``. What is
compared is what the files hold: all variables, the files of words, and what both models answer.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

from goldlake_core.contracts import registry
from goldlake_core.contracts.errors import GoldlakeError, StoreError
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents import codec
from goldlake_core.documents.reproducing import (
    Environment,
    Reproduced,
    ReproduceRequest,
    StepCompared,
    VariableCompared,
)
from goldlake_core.stages import Emit
from goldlake_core.storage.home import Home
from tfx_pipeline import environment
from tfx_pipeline.exports import read_manifest, verify_parts
from tfx_pipeline.parts.named import encoders_hash, part_hashes
from tfx_pipeline.recipe import changed_code, read_recipe
from tfx_pipeline.spec import PipelineSpec

if TYPE_CHECKING:
    import numpy as np

COMPARED_SPLIT = "test"
_VARIABLES = "variables/variables"
_SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"
_OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"


def reproduce(request: ReproduceRequest, emit: Emit) -> Reproduced:
    """Makes a pushed version again in another home, and compares the two.

    Nothing of the first home changes. In the other one nothing may have been made from this export,
    or TFX's cache would answer.

    Args:
        request: The version, and the home in which it is made.
        emit: Takes progress events.

    Raises:
        DataRefused: The validation gate stopped the run.
        StoreError: The version has no recipe, or a part of the export differs.
    """
    from tfx_pipeline.stages import raise_refusal, run_pipeline, set_environment

    home, place = Home.at(request.home), Home.at(request.place)
    usecase = registry.load_usecase(request.usecase)
    folder = home.model(usecase.name, request.model, str(request.model_version))
    recipe, spec = read_recipe(home, usecase.name, request.model, request.model_version)
    then = _environment_of(home, folder)
    set_environment(place, usecase)
    if then is not None:
        _use_threads(then)
    manifest, sha256 = read_manifest(request.export_id, request.manifest_sha256, place)
    verify_parts(request.export_id, manifest, place)
    tfx = then.packages.get("tfx") if then is not None else None
    causes = [*changed_code(recipe, tfx), *_changed_functions(spec, usecase, request.model)]
    spec = _moved(spec, request.export_id, sha256)
    emit("progress", "Starting TensorFlow and TFX", done=0, total=1)
    nodes, refused = run_pipeline(
        place,
        spec,
        request,
        lambda name, number, total: emit("progress", name, done=number - 1, total=total),
        last="Trainer",
    )
    raise_refusal(spec, nodes, refused)
    made = os.path.join(nodes["Trainer"].outputs["model"][0], "Format-Serving")
    hand_off = nodes.get("SnapshotExampleGen") or nodes["ContractTypes"]
    examples = next(iter(hand_off.outputs.values()))[0]
    emit("progress", "Comparing", done=0, total=1)
    now = environment.environment()
    if then is not None:
        causes += environment.differences(then, now)
    variables = tuple(compared_variables(folder, made))
    assets = tuple(differing_assets(folder, made))
    rows, outputs = compared_outputs(
        folder, made, os.path.join(examples, f"Split-{COMPARED_SPLIT}")
    )
    is_equal = not assets and not outputs and not any(each.differing for each in variables)
    return Reproduced(
        is_equal=is_equal,
        variables=variables,
        outputs=outputs,
        rows=rows,
        assets=assets,
        causes=tuple(causes),
        environment=now,
        model_uri=made,
    )


def _environment_of(home: Home, folder: str) -> Environment | None:
    file = f"{folder}/{environment.FILE}"
    with suppress(FileNotFoundError):
        return codec.decode(home.fs.cat_file(file), Environment, file)
    return None


def _use_threads(then: Environment) -> None:
    """The number of threads decides how sums are cut, so the same number is used again."""
    import tensorflow as tf

    # A process that computed something before cannot change it; then it is among the causes.
    with suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(then.intra_op_threads)
        tf.config.threading.set_inter_op_parallelism_threads(then.inter_op_threads)


def _moved(spec: PipelineSpec, export_id: str, sha256: str) -> PipelineSpec:
    """A recipe for the same rows in an export of another home."""
    import msgspec

    return msgspec.structs.replace(spec, export_id=export_id, manifest_sha256=sha256)


def _changed_functions(spec: PipelineSpec, usecase: UseCase, name: str) -> Iterator[str]:
    """Functions and files of the use case that are not what they were, one sentence each."""
    from goldlake_core.contracts import functions_hash

    model = usecase.models.get(name)
    if model is None:
        yield f"{usecase.name} has no model {name!r} any more"
        return
    with suppress(GoldlakeError):
        own = spec.features.preprocessing
        parts = part_hashes(usecase, model)
        pairs = {
            "preprocessing": (
                spec.features.preprocessing_hash,
                functions_hash(usecase, own) if own else "",
            ),
            "parts.preprocessing_fn": (
                spec.features.part_hash,
                parts.get("preprocessing_fn", ""),
            ),
            "parts.build_model and parts.run_fn": (
                spec.training.part_hash,
                "".join(parts.get(key, "") for key in ("build_model", "run_fn")),
            ),
            "encoders": (spec.features.encoders_hash, encoders_hash(usecase, model)),
        }
        for what, (then, now) in pairs.items():
            if then != now:
                yield f"the code or the files of {what} of {usecase.name}.{name} changed since"


def compared_variables(first: str, second: str) -> Iterator[VariableCompared]:
    """Compares all variables of two SavedModels by value. Read-only.

    Args:
        first: Folder of the first.
        second: Folder of the second.

    Raises:
        StoreError: A model has no file of variables.
    """
    before, after = _variables(first), _variables(second)
    names = _names(first)
    for key in sorted(before.keys() | after.keys()):
        differing, largest = differences(before.get(key), after.get(key))
        there = before[key] if key in before else after[key]
        yield VariableCompared(
            name=names.get(key, key),
            numbers=int(there.size),
            differing=differing,
            largest=largest,
        )


def differences(first: np.ndarray | None, second: np.ndarray | None) -> tuple[int, float | None]:
    """How many elements differ in any bit, and the largest difference. Pure.

    Args:
        first: Some values, or None.
        second: Other values, or None.

    Returns:
        The largest difference is null where there is none to be had: one of the two is missing, has
        another shape or type, or holds texts that differ.
    """
    import numpy as np

    if first is None or second is None:
        there = second if first is None else first
        return (0 if there is None else max(1, int(there.size))), None
    if first.shape != second.shape or first.dtype != second.dtype:
        return max(1, int(first.size), int(second.size)), None
    if first.dtype.kind in "OSU":
        count = int((first != second).sum())
        return count, None if count else 0.0
    width = f"u{first.dtype.itemsize}"
    is_other = np.ascontiguousarray(first).view(width) != np.ascontiguousarray(second).view(width)
    count = int(is_other.sum())
    if not count:
        return 0, 0.0
    apart = np.abs(first.astype("float64") - second.astype("float64"))
    return count, float(np.nanmax(apart)) if np.isfinite(apart).any() else None


def differing_assets(first: str, second: str) -> Iterator[str]:
    """Files of words that are not equal, or that one of two SavedModels lacks. Read-only."""
    before, after = _assets(first), _assets(second)
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            yield name


def compared_outputs(
    first: str, second: str, examples: str
) -> tuple[int, tuple[StepCompared, ...]]:
    """Outputs in which two SavedModels differ for the same rows. Read-only.

    Args:
        first: Folder of the first.
        second: Folder of the second.
        examples: Folder of tf.Example files.

    Returns:
        The number of rows, and the outputs that differ; Transform's come first.
    """
    import numpy as np

    from serving.loader import load
    from tfx_pipeline.evaluation.examples import serialized_batches
    from tfx_pipeline.modules.saved_model import TF_EXAMPLE, TRANSFORM_FEATURES

    asked = np.array(next(serialized_batches([os.path.join(examples, "*")])), object)
    found: list[StepCompared] = []
    with closing(load(first, is_warm=False)) as one, closing(load(second, is_warm=False)) as other:
        for step, signature in {"transform": TRANSFORM_FEATURES, "answers": TF_EXAMPLE}.items():
            answers = [model.run(signature, {"examples": asked}) for model in (one, other)]
            found += _differing(step, *answers)
    return len(asked), tuple(found)


def _differing(
    step: str, first: Mapping[str, np.ndarray], second: Mapping[str, np.ndarray]
) -> Iterator[StepCompared]:
    for name in sorted(first.keys() | second.keys()):
        differing, largest = differences(first.get(name), second.get(name))
        if differing:
            yield StepCompared(step=step, output=name, differing=differing, largest=largest)


def _variables(folder: str) -> dict[str, np.ndarray]:
    import numpy as np
    import tensorflow as tf

    if not os.path.isfile(os.path.join(folder, f"{_VARIABLES}.index")):
        raise StoreError(
            f"The model in {folder} has no variables to compare: {_VARIABLES}.index is missing",
            hint="goldlake doctor --deep",
        )
    reader = tf.train.load_checkpoint(os.path.join(folder, _VARIABLES))
    names = [name for name in reader.get_variable_to_shape_map() if name != _OBJECT_GRAPH]
    return {name: np.asarray(reader.get_tensor(name)) for name in names}


def _names(folder: str) -> dict[str, str]:
    """What Keras calls each variable, by its name in the checkpoint."""
    from tensorflow.core.protobuf import saved_model_pb2

    with open(os.path.join(folder, "saved_model.pb"), "rb") as file:
        model = saved_model_pb2.SavedModel.FromString(file.read())
    objects = model.meta_graphs[0].object_graph_def.nodes
    found: dict[str, str] = {}
    for child in objects[0].children if objects else ():
        for part in objects[child.node_id].children:
            name = _variable_name(objects[part.node_id])
            if name:
                found[f"{child.local_name}/{part.local_name}{_SUFFIX}"] = name
    return found


def _variable_name(node: Any) -> str:
    return str(node.variable.name) if node.WhichOneof("kind") == "variable" else ""


def _assets(folder: str) -> dict[str, str]:
    found: dict[str, str] = {}
    root = os.path.join(folder, "assets")
    for name in sorted(os.listdir(root)) if os.path.isdir(root) else ():
        with open(os.path.join(root, name), "rb") as file:
            found[name] = hashlib.sha256(file.read()).hexdigest()
    return found
