"""The stage ``examine``: a binary model answers its test split, and what that shows of it.

Permutation importance is that of L. Breiman, Random forests, Machine Learning 45 (2001), and
partial dependence that of J. Friedman, Annals of Statistics 29 (2001).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from goldlake_core.contracts import registry
from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.sections import Model
from goldlake_core.contracts.wire import inputs_of
from goldlake_core.documents.examining import (
    Dependence,
    Examined,
    ExamineRequest,
    Importance,
    Mistake,
)
from goldlake_core.documents.export import ExportManifest
from goldlake_core.stages import Emit, require_same_contract
from goldlake_core.storage.home import Home
from tfx_pipeline import answered, scores
from tfx_pipeline.exports import open_part, read_manifest
from tfx_pipeline.heads.binary import IS_POSITIVE, PROBABILITY
from tfx_pipeline.scoring import BATCH_ROWS, columns_of
from tfx_pipeline.spec import ColumnSpec

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

MOST_ROWS = 100_000
"""Rows of the test split that are answered; of more, an even sample."""
SHUFFLED_ROWS = 10_000
REPEATS = 3
DEPENDENCES = 4
DEPENDENCE_ROWS, DEPENDENCE_VALUES = 1000, 12
MISTAKES = 10
SEED = 1

Inputs = dict[str, "np.ndarray"]
"""Arrays [n] by input of the signature."""
Ask = Callable[[Inputs], "Mapping[str, np.ndarray]"]


def examine(request: ExamineRequest, emit: Emit) -> Examined:
    """Answers a model's test split and looks at the answers. Writes nothing.

    Args:
        request: The model and its export.
        emit: Takes progress events.

    Raises:
        UsageError: The model is not binary, or its test split has no rows.
        StoreError: The export is not there any more, or was changed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    from serving.loader import load
    from tfx_pipeline.modules.raw_rows import wire_arrays
    from tfx_pipeline.modules.saved_model import SERVING_DEFAULT

    home = Home.at(request.home)
    usecase = registry.load_usecase(request.usecase)
    model = usecase.models[request.model]
    require_same_contract(request, usecase, f"gold.{model.table}", f"model.{model.name}.features")
    if model.head.kind != "binary":
        raise UsageError(
            f"{usecase.name}.{model.name} has the head {model.head.kind}", valid="a binary model"
        )
    manifest, _ = read_manifest(request.export_id, request.manifest_sha256, home)
    emit("progress", "Reading the test split", done=0, total=4)
    frame = _test_rows(home, request.export_id, manifest)
    if not frame.height:
        raise UsageError(f"The test split of {request.export_id} has no rows", valid="rows")
    columns = columns_of(usecase, model)
    names = [column.name for column in columns]
    inputs: Inputs = wire_arrays(frame.select(names).to_dicts(), columns)
    emit("progress", f"Answering {frame.height:,} rows", done=1, total=4)
    with closing(load(home.path(request.folder), is_warm=False)) as loaded:

        def ask(rows: Inputs) -> Mapping[str, np.ndarray]:
            return _batched(lambda batch: loaded.run(SERVING_DEFAULT, batch), rows)

        return _examined(request, manifest, model, columns, frame, inputs, ask, emit)


def _examined(
    request: ExamineRequest,
    manifest: ExportManifest,
    model: Model,
    columns: Sequence[ColumnSpec],
    frame: pl.DataFrame,
    inputs: Inputs,
    ask: Ask,
    emit: Emit,
) -> Examined:
    import numpy as np

    labels = frame[model.label].to_numpy().astype(bool)
    answers = ask(inputs)
    found = answers[PROBABILITY].astype("float64")
    decided = answers.get(IS_POSITIVE)
    is_positive = found >= 0.5 if decided is None else decided.astype(bool)
    # The model answers what it decided and not its threshold; the smallest alarm is all but it.
    threshold = 0.5 if decided is None else float(found[is_positive].min(initial=1.0))
    roc, precision_recall = answered.curves(labels, found)
    emit("progress", "Shuffling each column", done=2, total=4)
    importance = _importance(columns, inputs, labels, ask)
    emit("progress", "Partial dependence", done=3, total=4)
    first = [each.column for each in importance[:DEPENDENCES] if each.drop > 0]
    shown = [column for name in first for column in columns if column.name == name]
    auc = scores.auc(labels.astype("float64"), found)
    precision = scores.average_precision(labels.astype("float64"), found)
    return Examined(
        export_id=request.export_id,
        rows=manifest.rows["test"],
        examined=frame.height,
        positives=int(labels.sum()),
        auc=None if np.isnan(auc) else auc,
        average_precision=None if np.isnan(precision) else precision,
        brier=float(((found - labels) ** 2).mean()),
        chosen=answered.operating_point(labels, is_positive, threshold),
        is_chosen=decided is not None,
        roc=roc,
        precision_recall=precision_recall,
        calibration=answered.calibration(labels, found),
        table=answered.threshold_table(labels, found),
        slices=answered.slices(labels, is_positive, _slice_values(model, frame)),
        importance=importance,
        dependence=tuple(_dependence(column, frame, inputs, ask) for column in shown),
        mistakes=_mistakes(manifest, columns, frame, labels, found, is_positive),
    )


def _test_rows(home: Home, export_id: str, manifest: ExportManifest) -> pl.DataFrame:
    """Rows of the test split, or an even sample of them, in the order of the export."""
    import polars as pl

    types = {"long": pl.Int64, "double": pl.Float64, "boolean": pl.Boolean}
    schema = {each.name: types.get(each.type, pl.String) for each in manifest.columns}
    every = -(-manifest.rows["test"] // MOST_ROWS) or 1
    frames = [pl.DataFrame(schema=schema)]
    for part in manifest.splits["test"].parts:
        with open_part(export_id, part, home) as file:
            read = pl.read_csv(file.read(), schema_overrides=schema, infer_schema=False)
        frames.append(read.select(list(schema)).gather_every(every))
    return pl.concat(frames)


def _batched(run: Callable[[Inputs], Mapping[str, np.ndarray]], rows: Inputs) -> Inputs:
    import numpy as np

    count = len(next(iter(rows.values())))
    parts = [
        run({name: values[start : start + BATCH_ROWS] for name, values in rows.items()})
        for start in range(0, count, BATCH_ROWS)
    ]
    return {
        name: np.concatenate([np.asarray(part[name]).reshape(-1) for part in parts])
        for name in (PROBABILITY, IS_POSITIVE)
        if name in parts[0]
    }


def _inputs_of_column(column: ColumnSpec) -> list[str]:
    """The column itself and its presence flag, where it has one."""
    return [each.name for each in inputs_of([column])]


def _importance(
    columns: Sequence[ColumnSpec], inputs: Inputs, labels: np.ndarray, ask: Ask
) -> tuple[Importance, ...]:
    import numpy as np

    random = np.random.default_rng(SEED)
    rows = np.sort(random.permutation(len(labels))[:SHUFFLED_ROWS])
    some = {name: values[rows] for name, values in inputs.items()}
    truth = labels[rows].astype("float64")
    if len(set(truth.tolist())) < 2:
        return ()
    whole = scores.auc(truth, ask(some)[PROBABILITY])
    found = []
    for column in columns:
        drops = []
        for _ in range(REPEATS):
            order = random.permutation(len(rows))
            shuffled = {name: some[name][order] for name in _inputs_of_column(column)}
            drops.append(whole - scores.auc(truth, ask({**some, **shuffled})[PROBABILITY]))
        drop, spread = sum(drops) / REPEATS, max(drops) - min(drops)
        found.append(Importance(column=column.name, drop=drop, spread=spread))
    return tuple(sorted(found, key=lambda each: -each.drop))


def _dependence(column: ColumnSpec, frame: pl.DataFrame, inputs: Inputs, ask: Ask) -> Dependence:
    import numpy as np
    import polars as pl

    known = frame[column.name].drop_nulls()
    is_number = column.type in ("long", "double") and known.n_unique() > 2
    if is_number:
        shares = np.linspace(0.02, 0.98, DEPENDENCE_VALUES)
        values = sorted({known.quantile(q, interpolation="nearest") for q in shares.tolist()})
    else:
        counts = known.value_counts(sort=True).head(DEPENDENCE_VALUES)
        values = counts[column.name].to_list()
    every = np.linspace(0, frame.height - 1, min(DEPENDENCE_ROWS, frame.height)).astype(int)
    some = {name: each[every] for name, each in inputs.items()}
    points = []
    for value in values:
        # A row that has the value says how it travels, with its presence flag.
        place = int(frame.select((pl.col(column.name) == value).arg_max()).item())
        same = {
            n: np.repeat(inputs[n][place : place + 1], len(every))
            for n in _inputs_of_column(column)
        }
        mean = float(ask({**some, **same})[PROBABILITY].mean(dtype="float64"))
        text = f"{value:g}" if isinstance(value, float) else str(value)
        points.append((text, mean))
    if not is_number:
        points.sort(key=lambda point: -point[1])
    return Dependence(column=column.name, is_number=is_number, points=tuple(points))


def _slice_values(model: Model, frame: pl.DataFrame) -> dict[tuple[str, ...], list[str]]:
    values = {}
    for columns in model.slices:
        parts = [frame[name].cast(str).fill_null("(missing)").to_list() for name in columns]
        values[tuple(columns)] = [" × ".join(texts) for texts in zip(*parts, strict=True)]
    return values


def _mistakes(
    manifest: ExportManifest,
    columns: Sequence[ColumnSpec],
    frame: pl.DataFrame,
    labels: np.ndarray,
    found: np.ndarray,
    is_positive: np.ndarray,
) -> tuple[Mistake, ...]:
    import numpy as np

    wrong = np.flatnonzero(labels != is_positive)
    sure = wrong[np.argsort(-np.abs(found[wrong] - labels[wrong]), kind="stable")][:MISTAKES]
    names = list(dict.fromkeys([*manifest.key, *(column.name for column in columns)]))
    rows = frame[sure.tolist()].select(names).to_dicts()
    return tuple(
        Mistake(
            probability=float(found[place]),
            label=bool(labels[place]),
            row={name: None if value is None else str(value) for name, value in row.items()},
        )
        for place, row in zip(sure.tolist(), rows, strict=True)
    )
