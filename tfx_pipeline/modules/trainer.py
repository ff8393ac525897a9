"""TFX Trainer's ``run_fn``: wide and deep on transformed examples, stopped early by eval."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from goldlake_core.contracts.errors import PermanentError
from goldlake_core.contracts.sections import Training
from tfx_pipeline import environment
from tfx_pipeline.heads.base import FittedHead, Wishes
from tfx_pipeline.heads.registry import HEADS
from tfx_pipeline.modules import boards, network, watched
from tfx_pipeline.modules import input_data as data
from tfx_pipeline.modules import saved_model as export
from tfx_pipeline.modules.layout import MISSING_FLAG, OWN, Layout, layout_of
from tfx_pipeline.modules.oversampling import oversampled
from tfx_pipeline.modules.raw_rows import sample_rows, wire_arrays
from tfx_pipeline.modules.run_time import with_parameters
from tfx_pipeline.modules.tensors import ParseSpec
from tfx_pipeline.parts.named import named
from tfx_pipeline.spec import TrainingSpec

STEPS_PER_CALL = 32
"""Steps that TensorFlow does for one call from Python, which costs as much as a step's arithmetic.
The steps, and so the variables, are the same."""


def run_fn(fn_args: Any) -> None:
    """Trains and writes a SavedModel; called by TFX's Trainer.

    Args:
        fn_args: TFX's FnArgs. ``custom_config`` is `TrainingSpec` as JSON (other keys are ignored);
            ``hyperparameters`` are training parameters of this run, or None; TensorBoard logs go to
            ``model_run_dir``, the model to ``serving_model_dir``.
    """
    import tensorflow as tf

    spec = TrainingSpec.from_json(fn_args.custom_config)
    # With the seed, it makes the same rows give the same variables, to the bit, on such a machine.
    tf.config.experimental.enable_op_determinism()
    tf.keras.utils.set_random_seed(spec.training.seed)
    if spec.run_fn is not None:
        named(spec.run_fn, spec.features.model_id, "parts.run_fn")(fn_args)
    else:
        _train(fn_args, spec)
    environment.record(fn_args.serving_model_dir)


def _train(fn_args: Any, spec: TrainingSpec) -> None:
    """Trains goldlake's own network, and writes the SavedModel."""
    given = getattr(fn_args, "hyperparameters", None)
    training = with_parameters(spec.training, given).sized(spec.rows["train"])
    ready = prepared(fn_args, spec, training)
    model = ready.model(training)
    folder = fn_args.model_run_dir
    fit(model, ready.train, ready.evaluate, training, folder, ready.head, shown=ready.shown())
    targets, outputs, weights = watched.predictions(model, ready.evaluate)
    ready.head.settle(targets, outputs)
    boards.write_precision_recall(folder, ready.head, targets, outputs, weights)
    boards.write_embeddings(folder, model, ready.layout, ready.vocabulary)
    columns = spec.features.inputs
    background = None
    if spec.explain is not None:
        wanted = spec.explain
        rows = sample_rows(fn_args.train_files, columns, wanted.background_rows, wanted.seed)
        background = export.Background(wire_arrays(rows, columns), wanted.seed)
    number = HEADS[spec.features.head.kind].number
    export.save_model(
        fn_args.serving_model_dir,
        model,
        ready.transform,
        ready.layout,
        columns,
        ready.parse,
        export.Answers(ready.head, number, ready.labels.exposures),
        background,
    )


@dataclass(frozen=True)
class Prepared:
    """What a model is trained from.

    Attributes:
        spec: The Trainer's part of the contract.
        layout: Description of Transform's outputs.
        parse: Feature spec of the raw columns.
        transform: Keras layer that applies Transform's graph.
        labels: Where the labels are.
        head: The head, which knows the train split's labels.
        train: `data.Arrays`, or a tf.data.Dataset in batches.
        evaluate: Rows for early stopping, in the same form.
        shown: Reads the rows of train whose results are shown by epoch.
        numbers: Width of the float input.
        vocabulary_size: Number of entries of a vocabulary by its name.
        vocabulary: Entries of a vocabulary by its name, in the order of their ids.
    """

    spec: TrainingSpec
    layout: Layout
    parse: ParseSpec
    transform: Any
    labels: data.Labels
    head: FittedHead
    train: Any
    evaluate: Any
    shown: Callable[[], data.Arrays]
    numbers: int
    vocabulary_size: Callable[[str], int]
    vocabulary: boards.Vocabulary

    def model(self, training: Training) -> Any:
        """A new model with these parameters, by the contract's ``build_model`` if it has one."""
        build = network.build
        if self.spec.build_model is not None:
            name = self.spec.features.model_id
            build = named(self.spec.build_model, name, "parts.build_model")
        return build(self.layout, training, self.vocabulary_size, self.numbers, self.head)


def prepared(fn_args: Any, spec: TrainingSpec, training: Training) -> Prepared:
    """Reads and transforms the splits; what fits into memory is held there.

    Args:
        fn_args: TFX's FnArgs: Transform's graph, and files of train and eval.
        spec: The Trainer's part of the contract.
        training: Its parameters, sized.

    Raises:
        LabelError: The labels of the train split are not what the head can learn.
        PermanentError: Rows are to be made up, and the split is too large for memory.
    """
    import tensorflow as tf
    import tensorflow_transform as tft

    batch_rows = training.batch_rows
    assert batch_rows is not None, "the number of rows has decided it"
    tf.keras.utils.set_random_seed(training.seed)
    output = tft.TFTransformOutput(fn_args.transform_output)
    layout = layout_of(spec.features.features, has_own=spec.features.preprocessing is not None)
    made = output.transformed_feature_spec()
    wide = [*layout.vectors, *([OWN] if layout.has_own else [])]
    own = sum(made[name].shape[0] for name in wide)
    parse = data.feature_spec(output.raw_feature_spec(), spec.features.inputs)
    transform = output.transform_features_layer()
    labels = data.Labels(
        spec.features.label,
        tf.io.FixedLenFeature([], output.raw_feature_spec()[spec.features.label].dtype),
        spec.features.head.exposure,
    )
    wishes = Wishes(
        spec.decision,
        is_balanced=training.class_weight == "balanced",
        is_oversampled=training.oversample == "smote",
        calibrate=training.calibrate,
    )
    values = data.label_values(fn_args.train_files, parse, labels)
    head = HEADS[spec.features.head.kind].fit(*values, wishes)

    def dataset(patterns: list[str], **options: Any) -> Any:
        return data.transformed(patterns, parse, labels, head, transform, layout, **options)

    def split(patterns: list[str], rows: int, shuffle_seed: int | None, batch_rows: int) -> Any:
        if rows * data.row_bytes(layout, own) <= data.MEMORY_BYTES:
            return data.in_memory(dataset(patterns))
        return dataset(patterns, shuffle_seed=shuffle_seed, batch_rows=batch_rows)

    train = split(fn_args.train_files, spec.rows["train"], training.seed, batch_rows)
    evaluate = split(fn_args.eval_files, spec.rows["eval"], None, watched.PREDICT_ROWS)
    original = train

    def shown() -> data.Arrays:
        if isinstance(original, data.Arrays):
            return watched.sample(original)
        every = watched.one_row_in(spec.rows["train"])
        return data.in_memory(dataset(fn_args.train_files, every=every))

    if wishes.is_oversampled:
        train = _oversampled(train, layout, training.seed)
    numbers = len(layout.floats) + own
    return Prepared(
        spec=spec,
        layout=layout,
        parse=parse,
        transform=transform,
        labels=labels,
        head=head,
        train=train,
        evaluate=evaluate,
        shown=shown,
        numbers=numbers,
        vocabulary_size=output.vocabulary_size_by_name,
        vocabulary=output.vocabulary_by_name,
    )


def _oversampled(train: Any, layout: Layout, seed: int) -> data.Arrays:
    """The train split with made-up rows of the rarer class.

    Raises:
        PermanentError: The split is too large for memory.
    """
    if not isinstance(train, data.Arrays):
        raise PermanentError(
            "oversample: smote needs the train split in memory, and it is too large",
            valid="class_weight: balanced, or fewer rows or features",
        )
    is_number = [not name.endswith(MISSING_FLAG) for name in layout.floats]
    rows, targets = oversampled(train.inputs[0], train.targets, is_number, seed)
    return data.Arrays([rows], targets)


def fit(
    model: Any,
    train: Any,
    evaluate: Any,
    training: Training,
    log_folder: str | None,
    head: FittedHead,
    others: Sequence[Any] = (),
    *,
    shown: data.Arrays | None = None,
) -> Any:
    """Trains in place and keeps the weights of the epoch with the best result on eval.

    Args:
        model: Model that `network.build` returned.
        train: `data.Arrays`, or a tf.data.Dataset in batches.
        evaluate: Rows for early stopping, in the same form as ``train``.
        training: Training parameters of the contract.
        log_folder: Folder for TensorBoard logs, or None.
        head: Says what the loss is, and which result is watched.
        others: Further Keras callbacks.
        shown: Rows of train whose results go into the logs beside those of eval, or None.

    Returns:
        Keras' History; the head's results per epoch are exact, not binned.
    """
    import keras

    model.compile(
        optimizer=keras.optimizers.Adam(training.learning_rate),
        loss=head.loss,
        steps_per_execution=STEPS_PER_CALL,
    )
    callbacks = [
        watched.callback(head, evaluate, shown),
        keras.callbacks.EarlyStopping(
            monitor=head.monitor,
            mode=head.mode,
            patience=training.patience,
            restore_best_weights=True,
        ),
        *others,
    ]
    if log_folder:
        callbacks.append(keras.callbacks.TensorBoard(log_folder, write_graph=False))
        callbacks.append(boards.histograms(log_folder))
    if isinstance(train, data.Arrays):
        source = {
            "x": train.inputs,
            "y": train.targets,
            "sample_weight": train.weights,
            "batch_size": training.batch_rows,
        }
    else:
        source = {"x": train}
    return model.fit(**source, epochs=training.epochs, callbacks=callbacks, verbose=2)
