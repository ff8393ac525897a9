"""TFX's Evaluator on models of each head: the numbers are those of the scores themselves."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from goldlake_core.contracts.sections import Threshold
from tests.tfx_pipeline.evaluation.test_evaluation import Evaluated
from tests.tfx_pipeline.heads.test_served import COLUMNS, ROWS, numbers, trained
from tfx_pipeline.evaluation.evaluation import read_evaluation
from tfx_pipeline.heads.registry import HEADS
from tfx_pipeline.spec import ColumnSpec, EvaluationSpec

pytestmark = [pytest.mark.tfx, pytest.mark.long]
LABELS = {"multiclass": "string", "regression": "double", "count": "long"}
BOUNDS = {
    "multiclass": Threshold("accuracy", minimum=0.5, over_baseline=0.2),
    "regression": Threshold("rmse", over_baseline=0.5),
    "count": Threshold("poisson_deviance", over_baseline=1.0),
}


@pytest.mark.parametrize("kind", sorted(LABELS))
def test_exact_numbers_and_the_best_constant(kind: str, tmp_path: Path) -> None:
    import tensorflow as tf

    from serving.loader import load
    from tfx_pipeline.evaluation.serving_check import serialize

    folder = tmp_path / "model" / "Format-Serving"
    _, labels = trained(kind, folder)
    head = HEADS[kind]
    values = [v.decode() if isinstance(v, bytes) else v for v in labels.tolist()]
    columns = numbers()
    rows = [
        dict(zip(columns, map(float, place), strict=True)) | {"y": value}
        for *place, value in zip(*columns.values(), values, strict=True)
    ]
    declared = [*COLUMNS, ColumnSpec("y", LABELS[kind], False)]  # type: ignore[arg-type]
    for split in ("train", "eval", "test"):
        (tmp_path / "examples" / f"Split-{split}").mkdir(parents=True)
        path = str(tmp_path / "examples" / f"Split-{split}" / "part-0.gz")
        with tf.io.TFRecordWriter(path, "GZIP") as file:
            for row in rows:
                file.write(serialize(row, declared))
    bound = BOUNDS[kind]
    spec = EvaluationSpec("shop.y", "y", (bound,), (), kind)  # type: ignore[arg-type]
    data = SimpleNamespace(examples=tmp_path / "examples")
    evaluated = Evaluated(data, tmp_path / "model", tmp_path, baseline=None)  # type: ignore[arg-type]
    is_blessed = evaluated.run(spec, ROWS)
    found = read_evaluation(evaluated.uri, spec)
    with closing(load(str(folder))) as model:
        answers = model.run("serving_default", columns)
    records = [
        head.record(labels[n], {name: value[n] for name, value in answers.items()})
        for n in range(ROWS)
    ]
    arrays = tuple(
        np.array(c, t) for c, t in zip(zip(*records, strict=True), head.kept, strict=True)
    )
    over = f"{bound.metric}_over_baseline"
    for name in (*head.scores, over, "example_count"):
        assert found.metrics[name] == pytest.approx(head.score(name, arrays), rel=1e-4), name
    assert is_blessed == all(each.ok for each in found.thresholds)
    assert {(each.metric, each.ok) for each in found.thresholds} >= {(over, kind != "count")}
