"""The pipeline's nodes from Trainer to Pusher; wiring only. Imports TFX inside its functions.

The hash of the code that a node runs is one of its parameters, so that edited code is not served
from TFX's cache.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from goldlake_core.documents import codec
from tfx_pipeline.codehash import code_hash
from tfx_pipeline.spec import PipelineSpec, SearchSpec

_TRAINER = "tfx_pipeline.modules.trainer"
RUN_FN = f"{_TRAINER}.run_fn"
_TUNER = "tfx_pipeline.modules.tuner"
TUNER_FN = f"{_TUNER}.tuner_fn"
EVALUATED_SPLIT = "test"

_COMPONENTS = "tfx_pipeline.components.model"
_EVALUATOR = "tfx_pipeline.components.evaluator"
_PARAMETERS = "tfx_pipeline.components.training_parameters"


def model_nodes(
    spec: PipelineSpec,
    *,
    examples: Any,
    schema: Any,
    transform_graph: Any,
    verdict: Any,
    stop: Any,
    run_time: Mapping[str, Any] = MappingProxyType({}),
) -> list[Any]:
    """All nodes after Transform: Trainer, ServingModel, Evaluator, Blessing, ServingCheck, Pusher.

    ServingModel is included only if a version serves already, TrainingParameters only if there are
    run-time parameters.

    Args:
        spec: The model and the export to train it on.
        examples: Channel of tf.Example with the splits train, eval and test.
        schema: Channel of the curated schema.
        transform_graph: Channel of Transform's graph.
        verdict: Channel of the validation gate's verdict.
        stop: The node that ends a run whose data was refused; nothing here runs before it.
        run_time: TFX's RuntimeParameter by key of ``training``.
    """
    nodes: list[Any] = []
    hyperparameters, baseline = None, None
    if run_time:
        from tfx_pipeline.components.training_parameters import training_parameters

        given = training_parameters(run_time, code_hash(_PARAMETERS))
        nodes.append(given)
        hyperparameters = given.outputs["hyperparameters"]
    train = trainer(spec, examples, transform_graph, schema, verdict, hyperparameters)
    candidate = train.outputs["model"]
    nodes.append(train)
    if spec.compared_version is not None:
        serving = serving_model(spec, spec.compared_version)
        serving.add_upstream_node(stop)
        nodes.append(serving)
        baseline = serving.outputs["model"]
    evaluate = evaluator(spec, examples, candidate, schema, baseline)
    bless = blessing(spec, examples, candidate, evaluate, baseline)
    check = serving_check(spec, candidate, examples)
    push = pusher(
        spec,
        candidate,
        evaluate.outputs["evaluation"],
        bless.outputs["blessing"],
        check.outputs["blessing"],
        run_time,
    )
    return [*nodes, evaluate, bless, check, push]


def trainer(
    spec: PipelineSpec,
    examples: Any,
    transform_graph: Any,
    schema: Any,
    verdict: Any,
    hyperparameters: Any | None = None,
) -> Any:
    """TFX's Trainer; outputs ``model`` and ``model_run`` (TensorBoard logs).

    The verdict on the data is an input that the executor does not read: so it is an ancestor of
    the model in ML Metadata.

    Args:
        spec: The model and the export to train it on.
        examples: Channel of tf.Example with the splits train and eval.
        transform_graph: Channel of Transform's graph.
        schema: Channel of the curated schema.
        verdict: Channel of the validation gate's verdict.
        hyperparameters: Channel of the run's own training parameters, or None.
    """
    from tfx.components.trainer.component import Trainer
    from tfx.proto import trainer_pb2
    from tfx.types.component_spec import ChannelParameter

    node = Trainer(
        examples=examples,
        transform_graph=transform_graph,
        schema=schema,
        hyperparameters=hyperparameters,
        run_fn=RUN_FN,
        train_args=trainer_pb2.TrainArgs(splits=["train"]),
        eval_args=trainer_pb2.EvalArgs(splits=["eval"]),
        custom_config={
            **spec.training.to_json(),
            "code_hash": code_hash(_TRAINER),
        },
    )
    # TFX's Trainer makes its specification itself, so the input is added to it afterwards.
    node.spec.INPUTS = {**node.spec.INPUTS, "verdict": ChannelParameter(type=verdict.type)}
    node.spec.inputs["verdict"] = verdict
    return node


def tuner(
    spec: PipelineSpec, search: SearchSpec, examples: Any, transform_graph: Any, schema: Any
) -> Any:
    """TFX's Tuner; outputs ``best_hyperparameters`` and ``tuner_results``.

    Args:
        spec: The model and the export to train it on.
        search: Number of trials, seed and folder.
        examples: Channel of tf.Example with the splits train and eval.
        transform_graph: Channel of Transform's graph.
        schema: Channel of the curated schema.
    """
    from tfx.components.tuner.component import Tuner
    from tfx.proto import trainer_pb2

    return Tuner(
        examples=examples,
        transform_graph=transform_graph,
        schema=schema,
        tuner_fn=TUNER_FN,
        train_args=trainer_pb2.TrainArgs(splits=["train"]),
        eval_args=trainer_pb2.EvalArgs(splits=["eval"]),
        custom_config={
            **spec.training.to_json(),
            **search.to_json(),
            "code_hash": code_hash(_TUNER),
        },
    )


def serving_model(spec: PipelineSpec, baseline_version: int) -> Any:
    """The version that serves now; output ``model``.

    Args:
        spec: The model and the export to train it on.
        baseline_version: Version in the home's ``models/USECASE.MODEL/``.
    """
    from tfx_pipeline.components.model import ServingModel

    return ServingModel(
        usecase=spec.usecase,
        model_name=spec.model,
        version=baseline_version,
        code_hash=code_hash(_COMPONENTS),
    )


def evaluator(
    spec: PipelineSpec, examples: Any, model: Any, schema: Any, baseline_model: Any | None = None
) -> Any:
    """TFX's Evaluator on the test split; outputs ``evaluation`` and ``blessing``, TFMA's verdict.

    Args:
        spec: The model and the export to train it on.
        examples: Channel of tf.Example with the split test.
        model: Channel of the candidate.
        schema: Channel of the curated schema.
        baseline_model: Channel of what serves now, or None.
    """
    from tfx.components.evaluator.component import Evaluator
    from tfx.dsl.components.base.executor_spec import BeamExecutorSpec

    from tfx_pipeline.components.base import add_to_cache_key
    from tfx_pipeline.components.evaluator import Executor
    from tfx_pipeline.evaluation.evaluation import METRICS_MODULE, eval_config
    from tfx_pipeline.parts.named import named

    config = eval_config(
        spec.evaluation,
        rows=spec.rows[EVALUATED_SPLIT],
        has_baseline=baseline_model is not None,
    )
    if spec.evaluation.eval_config is not None:
        own = named(spec.evaluation.eval_config, spec.model_id, "parts.eval_config")
        config = own(config)
    node = Evaluator(
        examples=examples,
        model=model,
        baseline_model=baseline_model,
        schema=schema,
        example_splits=[EVALUATED_SPLIT],
        eval_config=config,
    )
    # TFX's constructor has no argument for the executor.
    node.executor_spec = BeamExecutorSpec(Executor)
    code = code_hash(_EVALUATOR, METRICS_MODULE)
    add_to_cache_key(node, code + spec.evaluation.part_hash)
    return node


def blessing(
    spec: PipelineSpec, examples: Any, model: Any, evaluator: Any, baseline_model: Any | None = None
) -> Any:
    """Judges bounds and slices; output ``blessing`` (ModelBlessing, with ``evaluation.json``).

    Args:
        spec: The model and the export to train it on.
        examples: Channel of tf.Example with the split test.
        model: Channel of the candidate.
        evaluator: The Evaluator, whose own verdict is an input.
        baseline_model: Channel of what serves now, or None.
    """
    from tfx_pipeline.components.blessing import Blessing

    return Blessing(
        model=model,
        baseline_model=baseline_model,
        examples=examples,
        evaluation=evaluator.outputs["evaluation"],
        verdict=evaluator.outputs["blessing"],
        spec=json.dumps(spec.evaluation.to_json(), sort_keys=True),
        rows=spec.rows[EVALUATED_SPLIT],
        not_compared=spec.not_compared and f"@{spec.baseline_version}: {spec.not_compared}",
        code_hash=code_hash("tfx_pipeline.components.blessing"),
    )


def serving_check(spec: PipelineSpec, model: Any, examples: Any) -> Any:
    """Checks that the candidate can be served; output ``blessing`` (InfraBlessing).

    Args:
        spec: The model and the export to train it on.
        model: Channel of the candidate.
        examples: Channel of tf.Example with the split test.
    """
    from tfx_pipeline.components.model import ServingCheck

    return ServingCheck(
        model=model,
        examples=examples,
        features=json.dumps(spec.features.to_json(), sort_keys=True),
        bounds=json.dumps(spec.serving.to_json(), sort_keys=True),
        code_hash=code_hash(_COMPONENTS),
    )


def pusher(
    spec: PipelineSpec,
    model: Any,
    evaluation: Any,
    blessing: Any,
    infra_blessing: Any,
    run_time: Iterable[str] = (),
) -> Any:
    """Pushes a blessed model; output ``pushed_model`` (int properties ``pushed``, ``version``).

    Args:
        spec: The model and the export to train it on.
        model: Channel of the candidate.
        evaluation: The Evaluator's channel ``evaluation``.
        blessing: The channel ``blessing`` of `Blessing`.
        infra_blessing: The serving check's channel ``blessing``.
        run_time: Keys of ``training`` that each run may be given another value for.
    """
    from tfx_pipeline.baseline import fingerprint
    from tfx_pipeline.components.model import Pusher
    from tfx_pipeline.recipe import recipe_of

    return Pusher(
        model=model,
        evaluation=evaluation,
        model_blessing=blessing,
        infra_blessing=infra_blessing,
        usecase=spec.usecase,
        model_name=spec.model,
        export_id=spec.export_id,
        manifest_sha256=spec.manifest_sha256,
        fingerprint=fingerprint(spec, run_time),
        recipe=json.dumps(codec.plain(recipe_of(spec)), sort_keys=True),
        baseline_version=spec.baseline_version or 0,
        code_hash=code_hash(_COMPONENTS),
    )
