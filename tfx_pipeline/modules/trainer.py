"""TFX Trainer's ``run_fn``: wide and deep on transformed examples, stopped early on eval AUC."""

from __future__ import annotations

from typing import Any

from tfx_pipeline.modules import input_data as data
from tfx_pipeline.modules import network
from tfx_pipeline.modules import saved_model as export
from tfx_pipeline.modules.layout import OWN, layout_of
from tfx_pipeline.modules.raw_rows import sample_rows, wire_arrays
from tfx_pipeline.scores import auc, binary_crossentropy
from tfx_pipeline.spec import TrainingSpec

PREDICT_ROWS = 16_384


def run_fn(fn_args: Any) -> None:
    """Trains and writes a SavedModel; called by TFX's Trainer.

    Args:
        fn_args: TFX's FnArgs. ``custom_config`` is `TrainingSpec` as JSON (other keys are ignored);
            TensorBoard logs go to ``model_run_dir``, the model to ``serving_model_dir``.
    """
    import tensorflow as tf
    import tensorflow_transform as tft

    spec = TrainingSpec.from_json(fn_args.custom_config)
    training = spec.training
    tf.keras.utils.set_random_seed(training.seed)
    output = tft.TFTransformOutput(fn_args.transform_output)
    layout = layout_of(spec.features.features, has_own=spec.features.preprocessing is not None)
    own = output.transformed_feature_spec()[OWN].shape[0] if layout.has_own else 0
    parse = data.feature_spec(output.raw_feature_spec(), spec.features.inputs)
    transform = output.transform_features_layer()

    def split(patterns: list[str], rows: int, shuffle_seed: int | None, batch_rows: int) -> Any:
        def dataset(**options: Any) -> Any:
            return data.transformed(
                patterns, parse, spec.features.label, transform, layout, **options
            )

        if rows * data.row_bytes(layout, own) <= data.MEMORY_BYTES:
            return data.in_memory(dataset())
        return dataset(shuffle_seed=shuffle_seed, batch_rows=batch_rows)

    train = split(fn_args.train_files, spec.rows["train"], training.seed, training.batch_rows)
    evaluate = split(fn_args.eval_files, spec.rows["eval"], None, PREDICT_ROWS)
    model = network.build(
        layout, training, output.vocabulary_size_by_name, len(layout.floats) + own
    )
    fit(model, train, evaluate, training, fn_args.model_run_dir)
    columns = spec.features.inputs
    background = None
    if spec.explain is not None:
        wanted = spec.explain
        rows = sample_rows(fn_args.train_files, columns, wanted.background_rows, wanted.seed)
        background = export.Background(wire_arrays(rows, columns), wanted.seed)
    export.save_model(
        fn_args.serving_model_dir, model, transform, layout, columns, parse, background
    )


def fit(model: Any, train: Any, evaluate: Any, training: Any, log_folder: str | None) -> Any:
    """Trains in place and keeps the weights of the epoch with the best eval AUC.

    Args:
        model: Model that `network.build` returned.
        train: `data.Arrays`, or a tf.data.Dataset in batches.
        evaluate: Rows for early stopping, in the same form as ``train``.
        training: Training parameters of the contract.
        log_folder: Folder for TensorBoard logs, or None.

    Returns:
        Keras' History; ``val_auc`` and ``val_loss`` per epoch are exact, not binned.
    """
    import keras

    model.compile(
        optimizer=keras.optimizers.Adam(training.learning_rate),
        loss="binary_crossentropy",
    )
    callbacks = [
        _eval_auc(evaluate),
        keras.callbacks.EarlyStopping(
            monitor="val_auc",
            mode="max",
            patience=training.patience,
            restore_best_weights=True,
        ),
    ]
    if log_folder:
        callbacks.append(keras.callbacks.TensorBoard(log_folder, write_graph=False))
    if isinstance(train, data.Arrays):
        source = {"x": train.inputs, "y": train.labels, "batch_size": training.batch_rows}
    else:
        source = {"x": train}
    return model.fit(**source, epochs=training.epochs, callbacks=callbacks, verbose=2)


def predictions(model: Any, split: Any) -> tuple[Any, Any]:
    """Labels and probabilities of a split, float32 [n] each."""
    import numpy as np

    if isinstance(split, data.Arrays):
        batches = [
            (
                [part[start : start + PREDICT_ROWS] for part in split.inputs],
                split.labels[start : start + PREDICT_ROWS],
            )
            for start in range(0, len(split.labels), PREDICT_ROWS)
        ]
    else:
        batches = split
    labels: list[np.ndarray] = []
    answers: list[np.ndarray] = []
    for inputs, label in batches:
        labels.append(np.reshape(label, -1))
        answers.append(np.reshape(model.predict_on_batch(list(inputs)), -1))
    return np.concatenate(labels), np.concatenate(answers)


def _eval_auc(split: Any) -> Any:
    """Callback that puts the exact ``val_auc`` and ``val_loss`` into the epoch's logs."""
    import keras

    class EvalAuc(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            labels, scores = predictions(self.model, split)
            if logs is not None:
                logs["val_auc"] = auc(labels, scores)
                logs["val_loss"] = binary_crossentropy(labels, scores)

    return EvalAuc()
