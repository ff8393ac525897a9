"""What a model's answers show, for a model whose answers are known: it reads the hour alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest

from goldlake_core.contracts.errors import PermanentError
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import Model
from goldlake_core.documents.examining import BinaryAnswers, Examined, ExamineRequest
from goldlake_core.documents.export import ExportedColumn, ExportManifest, Part, SplitParts
from goldlake_core.storage.home import Home
from tfx_pipeline import examine
from tfx_pipeline.modules.raw_rows import wire_arrays
from tfx_pipeline.scoring import columns_of

ROWS = 2000
USECASE = load_usecase("chicago_crime")
MODEL = USECASE.models["arrest"]
COLUMNS = columns_of(USECASE, MODEL)


@pytest.fixture(scope="module")
def frame() -> pl.DataFrame:
    random = np.random.default_rng(5)
    hours = random.integers(0, 24, ROWS)
    values: dict[str, object] = {
        column.name: {"string": "x", "boolean": False, "double": 41.0}.get(column.type, 1)
        for column in COLUMNS
    }
    frame = pl.DataFrame({name: [value] * ROWS for name, value in values.items()})
    return frame.with_columns(
        pl.Series("id", range(ROWS)),
        pl.Series("hour", hours),
        pl.Series("community_area", [None if n % 2 else n % 77 + 1 for n in range(ROWS)]),
        pl.Series("district", [None if n % 4 == 0 else "001" for n in range(ROWS)]),
        pl.Series(MODEL.label, random.random(ROWS) < hours / 24),
    )


def manifest(rows: int, **more: object) -> ExportManifest:
    """A manifest with what is read here; the rest is None."""
    known: dict[str, object] = {
        "usecase": "chicago_crime",
        "model": "arrest",
        "key": ("id",),
        "label": MODEL.label,
        "rows": {"train": 0, "eval": 0, "test": rows},
        **more,
    }
    made = ExportManifest.__struct_fields__
    return ExportManifest(**{name: known.get(name) for name in made})  # type: ignore[arg-type]


def run(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {"probability": (inputs["hour"] / 24).astype("float32")}


@pytest.fixture(scope="module")
def found(frame: pl.DataFrame) -> Examined:
    return looked_at(frame, run)


def looked_at(frame: pl.DataFrame, model: examine.Run, contract: Model = MODEL) -> Examined:
    names = [column.name for column in COLUMNS]
    request = ExamineRequest(
        usecase="chicago_crime",
        home="",
        run_id="r",
        contract={},
        model="arrest",
        folder="",
        export_id="e",
        manifest_sha256="",
    )
    inputs = wire_arrays(frame.select(names).to_dicts(), COLUMNS)

    def emit(kind: str, message: str, **more: object) -> None:
        """Tells nobody."""

    return examine._examined(request, manifest(ROWS), contract, COLUMNS, frame, inputs, model, emit)


def answers_of(found: Examined) -> BinaryAnswers:
    assert isinstance(found.answers, BinaryAnswers)
    return found.answers


def test_only_what_the_model_reads_matters(found: Examined) -> None:
    first, *others = found.importance
    assert first.column == "hour"
    assert found.importance_by == "auc"
    answers = answers_of(found)
    assert answers.auc is not None
    # Without its one column the model guesses.
    assert first.drop == pytest.approx(answers.auc - 0.5, abs=0.03)
    assert [each.drop for each in others] == [0.0] * (len(COLUMNS) - 1)


def test_dependence_is_what_the_model_answers(found: Examined) -> None:
    (curve,) = found.dependence
    assert (curve.column, curve.is_number) == ("hour", True)
    assert found.followed == ("probability",)
    for text, (mean,) in curve.points:
        assert mean == pytest.approx(int(text) / 24, abs=1e-6)


def test_the_operating_point_is_a_half_where_the_contract_chooses_none(found: Examined) -> None:
    answers = answers_of(found)
    assert (answers.is_chosen, answers.chosen.threshold) == (False, 0.5)
    point = answers.chosen
    total = point.true_positives + point.false_positives
    assert total + point.false_negatives + point.true_negatives == found.examined == ROWS


def test_a_missing_value_is_a_slice(found: Examined) -> None:
    values = {
        each.value: each.rows for each in answers_of(found).slices if each.column == "district"
    }
    assert values == {"(missing)": ROWS // 4, "001": ROWS - ROWS // 4}


def test_mistakes_are_wrong_and_the_surest_comes_first(found: Examined) -> None:
    assert len(found.mistakes) == examine.MISTAKES
    apart = [abs((each.probability or 0.0) - bool(each.label)) for each in found.mistakes]
    assert apart == sorted(apart, reverse=True)
    assert min(apart) >= 0.5
    assert list(found.mistakes[0].row)[0] == "id"


def test_slices_by_a_column_that_the_export_lacks_are_left_out(
    frame: pl.DataFrame, found: Examined
) -> None:
    newer = msgspec.structs.replace(MODEL, slices=(("a_new_column",), *MODEL.slices))
    assert answers_of(looked_at(frame, run, newer)).slices == answers_of(found).slices


def test_a_model_of_another_head_is_refused(frame: pl.DataFrame) -> None:
    def other(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {"value": np.zeros(len(inputs["hour"]))}

    wanted = "does not answer as the head binary: there is no output 'probability'"
    with pytest.raises(PermanentError, match=wanted):
        looked_at(frame, other)


def test_a_large_split_is_sampled_evenly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home.at(tmp_path)
    part = tmp_path / "exports" / "e" / "test" / "part.csv"
    part.parent.mkdir(parents=True)
    part.write_text("id,hour,note\n" + "".join(f"{n},{n},\n" for n in range(10)))
    columns = tuple(
        ExportedColumn(name=name, type=kind, nullable=True)
        for name, kind in (("id", "long"), ("hour", "long"), ("note", "string"))
    )
    parts = (Part(path="test/part.csv", rows=10, bytes=1, sha256=""),)
    splits = {"test": SplitParts(rows=10, parts=parts)}
    export = manifest(10, columns=columns, splits=splits)
    monkeypatch.setattr(examine, "MOST_ROWS", 4)
    frame = examine._test_rows(home, "e", export)
    assert frame["id"].to_list() == [0, 3, 6, 9]
    assert frame["note"].to_list() == [None] * 4
