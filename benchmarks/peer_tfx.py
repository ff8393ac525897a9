"""Stock TFX on an export: its own components, LocalDagRunner and DirectRunner.

usage: python -m benchmarks.peer_tfx EXPORT FOLDER [--model USECASE.MODEL]

The rows are those that `prepared` wrote into FOLDER/rows.

CsvExampleGen, StatisticsGen, SchemaGen, ExampleValidator, Transform, Trainer, Evaluator and Pusher
are wired as TFX's own examples wire them. Transform and Trainer run goldlake's modules, so that
both train the same network on the same rows; Evaluator has TFMA's metrics for the same slices. What
stock TFX lacks is left out: the pinned snapshot, the gate, the paired slices, the serving check.

CsvExampleGen infers types from the values, and the modules want the contract's types. So the rows
that it reads have 0 and 1 in place of false and true, and a text column in which every value is a
number has an ``=`` before each value. Nothing else of them changes.

The last line that is printed is a JSON document with the seconds of the process and its metrics.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from goldlake_core.contracts.registry import load_model
from goldlake_core.contracts.sections import SPLITS, Model, UseCase
from goldlake_core.documents import codec
from goldlake_core.documents.export import ExportManifest
from tfx_pipeline.spec import PipelineSpec, pipeline_spec

TEXT = "="
_BOOLEANS = {"true": "1", "false": "0"}


def prepared(export: Path, manifest: ExportManifest, target: Path) -> None:
    """Writes the export's rows so that CsvExampleGen infers the contract's types.

    Args:
        export: Folder of the export.
        manifest: Manifest of that export.
        target: Folder that is made, with the same parts.
    """
    booleans = {c.name for c in manifest.columns if c.type == "boolean"}
    texts = {c.name for c in manifest.columns if c.type == "string"}
    for name in list(texts):
        if not all(map(_is_number, _values(export, manifest, name))):
            texts.remove(name)
    for split in SPLITS:
        for part in manifest.splits[split].parts:
            file = target / part.path
            file.parent.mkdir(parents=True, exist_ok=True)
            with (export / part.path).open(newline="") as source, file.open("w") as out:
                rows = csv.reader(source)
                header = next(rows)
                writer = csv.writer(out, lineterminator="\n")
                writer.writerow(header)
                changes = [(name in booleans, name in texts) for name in header]
                for row in rows:
                    writer.writerow(
                        [
                            _BOOLEANS.get(value, value)
                            if is_boolean
                            else TEXT + value
                            if is_text and value
                            else value
                            for value, (is_boolean, is_text) in zip(row, changes, strict=True)
                        ]
                    )


def _values(export: Path, manifest: ExportManifest, column: str) -> Iterator[str]:
    for split in SPLITS:
        for part in manifest.splits[split].parts:
            with (export / part.path).open(newline="") as source:
                for row in csv.DictReader(source):
                    if row[column]:
                        yield row[column]


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def pipeline(spec: PipelineSpec, rows: Path, folder: Path) -> Any:
    """The stock pipeline.

    Args:
        spec: Features, training and slices of the model.
        rows: Folder that `prepared` wrote.
        folder: Where artifacts, ML Metadata and the pushed model go.
    """
    from tfx import v1 as tfx
    from tfx.proto import example_gen_pb2, pusher_pb2, trainer_pb2, transform_pb2

    example_gen = tfx.components.CsvExampleGen(
        input_base=str(rows),
        input_config=example_gen_pb2.Input(
            splits=[
                example_gen_pb2.Input.Split(name=split, pattern=f"{split}/*.csv")
                for split in SPLITS
            ]
        ),
    )
    examples = example_gen.outputs["examples"]
    statistics_gen = tfx.components.StatisticsGen(examples=examples)
    statistics = statistics_gen.outputs["statistics"]
    schema_gen = tfx.components.SchemaGen(statistics=statistics, infer_feature_shape=True)
    schema = schema_gen.outputs["schema"]
    validator = tfx.components.ExampleValidator(statistics=statistics, schema=schema)
    transform = tfx.components.Transform(
        examples=examples,
        schema=schema,
        preprocessing_fn="tfx_pipeline.modules.preprocessing.preprocessing_fn",
        # The trainer transforms what it reads, so nothing is written twice.
        splits_config=transform_pb2.SplitsConfig(analyze=["train"]),
        materialize=False,
        custom_config=spec.features.to_json(),
    )
    trainer = tfx.components.Trainer(
        examples=examples,
        transform_graph=transform.outputs["transform_graph"],
        schema=schema,
        run_fn="tfx_pipeline.modules.trainer.run_fn",
        train_args=trainer_pb2.TrainArgs(splits=["train"]),
        eval_args=trainer_pb2.EvalArgs(splits=["eval"]),
        custom_config=spec.training.to_json(),
    )
    evaluator = tfx.components.Evaluator(
        examples=examples,
        model=trainer.outputs["model"],
        schema=schema,
        example_splits=["test"],
        eval_config=_eval_config(spec),
    )
    pusher = tfx.components.Pusher(
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        push_destination=pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=str(folder / "pushed"))
        ),
    )
    nodes = [example_gen, statistics_gen, schema_gen, validator, transform, trainer, evaluator]
    return tfx.dsl.Pipeline(
        pipeline_name="stock",
        pipeline_root=str(folder / "artifacts"),
        components=[*nodes, pusher],
        metadata_connection_config=tfx.orchestration.metadata.sqlite_metadata_connection_config(
            str(folder / "metadata.db")
        ),
        # TFX would build a package of itself for each node's workers, which are this process.
        beam_pipeline_args=["--runner=DirectRunner", "--sdk_container_image=none"],
    )


def _eval_config(spec: PipelineSpec) -> Any:
    import tensorflow_model_analysis as tfma

    names = ("AUC", "BinaryAccuracy", "BinaryCrossEntropy", "Calibration", "ExampleCount")
    bound = tfma.MetricThreshold(
        value_threshold=tfma.GenericValueThreshold(lower_bound={"value": 0.75})
    )
    metrics = [
        tfma.MetricConfig(class_name=name, threshold=bound if name == "AUC" else None)
        for name in names
    ]
    slices = [tfma.SlicingSpec(feature_keys=list(columns)) for columns in spec.evaluation.slices]
    model = tfma.ModelSpec(
        signature_name="tf_example",
        label_key=spec.evaluation.label,
        prediction_key="probability",
        model_type="tf_generic",
    )
    return tfma.EvalConfig(
        model_specs=[model],
        slicing_specs=[tfma.SlicingSpec(), *slices],
        metrics_specs=[tfma.MetricsSpec(metrics=metrics)],
    )


def spec_of(usecase: UseCase, model: Model, manifest: ExportManifest) -> PipelineSpec:
    """The parameters of the modules, as in goldlake's own pipeline."""
    return pipeline_spec(
        usecase,
        model,
        manifest,
        export_id="stock",
        manifest_sha256="",
        preprocessing_hash="",
        part_hashes={},
        encoders_hash="",
    )


def metrics(folder: Path) -> dict[str, float]:
    """Metrics of the whole test split by TFMA's name."""
    import tensorflow_model_analysis as tfma

    [evaluation] = folder.glob("artifacts/Evaluator/evaluation/*")
    found = tfma.load_eval_result(str(evaluation)).get_metrics_for_slice(())
    return {name: value["doubleValue"] for name, value in found.items() if "doubleValue" in value}


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs it and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("export", type=Path, help="folder of an export")
    parser.add_argument("folder", type=Path, help="a folder with rows, for everything that is made")
    parser.add_argument("--model", default="chicago_crime.arrest")
    options = parser.parse_args(arguments)
    usecase, model = load_model(options.model)
    file = options.export / "manifest.json"
    manifest = codec.decode(file.read_bytes(), ExportManifest, str(file))
    folder = options.folder.resolve()
    started = time.monotonic()
    from tfx import v1 as tfx

    made = pipeline(spec_of(usecase, model, manifest), folder / "rows", folder)
    tfx.orchestration.LocalDagRunner().run(made)
    seconds = round(time.monotonic() - started, 1)
    print(json.dumps({"seconds": seconds, "metrics": metrics(folder)}))


if __name__ == "__main__":
    main()
