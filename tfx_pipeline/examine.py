"""The stage ``examine``: a model answers its test split, and what that shows of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from goldlake_core.contracts import registry
from goldlake_core.contracts.errors import PermanentError, UsageError
from goldlake_core.contracts.sections import Model
from goldlake_core.documents.examining import Examined, ExamineRequest, Mistake
from goldlake_core.documents.export import ExportManifest
from goldlake_core.stages import Emit, require_same_contract
from goldlake_core.storage.home import Home
from tfx_pipeline.examining import shuffling
from tfx_pipeline.examining.look import Answered, Ask, Error, Look
from tfx_pipeline.examining.registry import look_at
from tfx_pipeline.examining.shuffling import Inputs
from tfx_pipeline.exports import open_part, read_manifest
from tfx_pipeline.scoring import BATCH_ROWS, columns_of
from tfx_pipeline.spec import ColumnSpec

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

MOST_ROWS = 100_000
"""Rows of the test split that are answered; of more, an even sample."""
DEPENDENCES = 4
MISTAKES = 10

Run = Callable[[Mapping[str, "np.ndarray"]], "Mapping[str, np.ndarray]"]
"""The outputs of ``serving_default`` for a batch of inputs."""


def examine(request: ExamineRequest, emit: Emit) -> Examined:
    """Answers a model's test split and looks at the answers. Writes nothing.

    Args:
        request: The model and its export.
        emit: Takes progress events.

    Raises:
        UsageError: Its test split has no rows, or not the label that the contract has now.
        PermanentError: The model does not answer as the contract's head does.
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
    manifest, _ = read_manifest(request.export_id, request.manifest_sha256, home)
    emit("progress", "Reading the test split", done=0, total=4)
    frame = _test_rows(home, request.export_id, manifest)
    if not frame.height:
        raise UsageError(f"The test split of {request.export_id} has no rows", valid="rows")
    if model.label not in frame.columns:
        raise UsageError(
            f"{request.export_id} has no column {model.label!r}, which is the label now",
            valid=", ".join(frame.columns),
            hint=f"goldlake train {usecase.name}.{model.name}",
        )
    columns = columns_of(usecase, model)
    names = [column.name for column in columns]
    inputs: Inputs = wire_arrays(frame.select(names).to_dicts(), columns)
    emit("progress", f"Answering {frame.height:,} rows", done=1, total=4)
    with closing(load(home.path(request.folder), is_warm=False)) as loaded:

        def run(batch: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
            return loaded.run(SERVING_DEFAULT, batch)

        return _examined(request, manifest, model, columns, frame, inputs, run, emit)


def _examined(
    request: ExamineRequest,
    manifest: ExportManifest,
    model: Model,
    columns: Sequence[ColumnSpec],
    frame: pl.DataFrame,
    inputs: Inputs,
    run: Run,
    emit: Emit,
) -> Examined:
    look = look_at(model.head.kind)
    ask = _asking(run, look)
    labels = look.labels(frame[model.label].to_list())
    answered = ask(inputs, labels)
    lacking = sorted({name for names in model.slices for name in names} - set(frame.columns))
    if lacking:
        message = f"The export has no {', '.join(lacking)}, so that slices by it are left out"
        emit("info", message)
    answers = look.answers(labels, answered, _slice_values(model, frame))
    emit("progress", "Shuffling each column", done=2, total=4)
    # A count is in proportion to its exposure by definition, which is not what the model learned.
    learned = [column for column in columns if column.name != model.head.exposure]
    importance = shuffling.importance(learned, inputs, labels, look, ask)
    emit("progress", "Partial dependence", done=3, total=4)
    first = [each.column for each in importance[:DEPENDENCES] if each.drop > 0]
    shown = [column for name in first for column in learned if column.name == name]
    return Examined(
        export_id=request.export_id,
        rows=manifest.rows["test"],
        examined=frame.height,
        answers=answers,
        importance_by=look.importance_by,
        importance=importance,
        followed=look.followed(answered),
        dependence=tuple(
            shuffling.dependence(column, frame, inputs, look, ask) for column in shown
        ),
        mistakes=_mistakes(manifest, columns, frame, look.errors(labels, answered, MISTAKES)),
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


def _asking(run: Run, look: Look) -> Ask:
    """Answers in batches, of which only what the look keeps is held."""
    import numpy as np

    def ask(rows: Mapping[str, np.ndarray], labels: np.ndarray | None) -> Answered:
        count = len(next(iter(rows.values())))
        parts = []
        for start in range(0, count, BATCH_ROWS):
            place = slice(start, min(start + BATCH_ROWS, count))
            outputs = run({name: values[place] for name, values in rows.items()})
            if problems := look.head.problems(outputs, place.stop - start):
                raise PermanentError(
                    f"The model does not answer as the head {look.head.kind}: {problems[0]}",
                    valid="a model that was trained with this head",
                    hint="goldlake train MODEL",
                )
            parts.append(look.kept(outputs, None if labels is None else labels[place]))
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    return ask


def _slice_values(model: Model, frame: pl.DataFrame) -> dict[tuple[str, ...], list[str]]:
    values = {}
    for columns in model.slices:
        if not set(columns) <= set(frame.columns):
            continue
        parts = [frame[name].cast(str).fill_null("(missing)").to_list() for name in columns]
        values[tuple(columns)] = [" × ".join(texts) for texts in zip(*parts, strict=True)]
    return values


def _mistakes(
    manifest: ExportManifest,
    columns: Sequence[ColumnSpec],
    frame: pl.DataFrame,
    errors: Sequence[Error],
) -> tuple[Mistake, ...]:
    names = list(dict.fromkeys([*manifest.key, *(column.name for column in columns)]))
    rows = frame[[each.row for each in errors]].select(names).to_dicts()
    return tuple(
        Mistake(
            answered=each.answered,
            label=each.label,
            probability=each.probability,
            row={name: None if value is None else str(value) for name, value in row.items()},
        )
        for each, row in zip(errors, rows, strict=True)
    )
