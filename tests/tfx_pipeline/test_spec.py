"""The parts a contract is cut into, and what changes which."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from goldlake_core.contracts.errors import PermanentError
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents import codec
from goldlake_core.documents.export import ExportedColumn, ExportManifest, SplitParts
from goldlake_core.storage.home import Home
from goldlake_core.storage.model_versions import RECIPE_FILE
from tests.tfx_pipeline.toy_export import BOUNDARIES, TOY
from tfx_pipeline.baseline import fingerprint, not_compared
from tfx_pipeline.recipe import recipe_of
from tfx_pipeline.spec import (
    ColumnSpec,
    EvaluationSpec,
    FeatureSpec,
    Head,
    PipelineSpec,
    TrainingSpec,
    ValidationSpec,
    pipeline_spec,
)


@pytest.fixture(scope="module")
def usecase() -> UseCase:
    return load_usecase(str(TOY))


def _manifest(usecase: UseCase, **changes: Any) -> ExportManifest:
    model = usecase.models["overdue"]
    table = usecase.gold[model.table]
    names = ("call_id", "arrived", *model.feature_columns, "overdue")
    columns = [table.column(name) for name in names]
    made = ExportManifest(
        usecase=usecase.name,
        model=model.name,
        table=f"{usecase.name}.gold.{table.name}",
        table_uuid="9d9e8a58-0000-4000-8000-000000000001",
        version=3,
        content_hash="00",
        as_of="2025-01-01T00:00:00.000000Z",
        event_end="2024-12-01T00:00:00.000000Z",
        maturity_days=model.maturity_days,
        boundaries=BOUNDARIES,
        columns=tuple(
            ExportedColumn(name=c.name, type=c.type, nullable=c.nullable) for c in columns
        ),
        label=model.label,
        event_time=model.event_time,
        key=table.key,
        rows={},
        splits={
            split: SplitParts(rows=rows, parts=())
            for split, rows in {"train": 4, "eval": 2, "test": 1}.items()
        },
        sections={},
    )
    return msgspec.structs.replace(made, **changes)


def _spec(usecase: UseCase, **changes: Any) -> PipelineSpec:
    return pipeline_spec(
        usecase,
        usecase.models["overdue"],
        _manifest(usecase, **changes),
        export_id="toy_harbour/overdue/v3",
        manifest_sha256="00",
    )


def _edited(usecase: UseCase, **changes: Any) -> UseCase:
    model = replace(usecase.models["overdue"], **changes)
    return replace(usecase, models={"overdue": model})


def test_parts_survive_json(usecase: UseCase) -> None:
    spec = _spec(usecase)
    parts = {
        FeatureSpec: spec.features,
        TrainingSpec: spec.training,
        EvaluationSpec: spec.evaluation,
        ValidationSpec: spec.validation,
    }
    for kind, part in parts.items():
        text = json.dumps(part.to_json())
        assert kind.from_json(json.loads(text)) == part


def test_inputs_carry_wire_and_type_but_no_domain(usecase: UseCase) -> None:
    features = _spec(usecase).features
    assert features.model_id == "toy_harbour.overdue"
    crew = features.input("crew")
    assert (crew.type, crew.example_type, crew.nullable) == ("long", "int64", True)
    assert crew.wire_null is not None
    assert (crew.wire_null.kind, crew.wire_null.token) == ("flag", "has_crew")
    assert features.input("pilot").example_type == "int64"
    assert features.input("vessel_type").domain is None
    validated = {column.name: column for column in _spec(usecase).validation.columns}
    assert validated["vessel_type"].domain == ("CARGO", "FERRY", "FISHING", "TANKER")
    assert validated["length_m"].range == (5, 400)


def test_edited_threshold_changes_evaluation_only(usecase: UseCase) -> None:
    thresholds = usecase.models["overdue"].thresholds
    edited = _edited(usecase, thresholds=(replace(thresholds[0], minimum=0.61), *thresholds[1:]))
    before, after = _spec(usecase).to_json(), _spec(edited).to_json()
    assert [key for key in before if before[key] != after[key]] == ["evaluation"]


def test_edited_comment_changes_nothing(usecase: UseCase) -> None:
    table = usecase.gold["call_features"]
    columns = tuple(replace(c, comment="Another text.") for c in table.columns)
    gold = {**usecase.gold, table.name: replace(table, columns=columns)}
    edited = replace(usecase, gold=gold)
    assert _spec(edited) == _spec(usecase)


def test_export_without_a_needed_column_is_refused(usecase: UseCase) -> None:
    columns = tuple(c for c in _manifest(usecase).columns if c.name != "crew")
    with pytest.raises(PermanentError) as caught:
        _spec(usecase, columns=columns)
    assert "has no column 'crew', which toy_harbour.overdue needs" in caught.value.message
    assert caught.value.hint == "goldlake export toy_harbour.overdue"


def test_export_with_another_type_is_refused(usecase: UseCase) -> None:
    columns = tuple(
        msgspec.structs.replace(c, type="double") if c.name == "crew" else c
        for c in _manifest(usecase).columns
    )
    with pytest.raises(PermanentError, match=r"'crew' .* is double, .* the contract says long"):
        _spec(usecase, columns=columns)


@pytest.fixture
def served(usecase: UseCase, tmp_path: Path) -> Home:
    """A home in which version 1 was made by the contract as it is."""
    file = tmp_path / "models" / "toy_harbour.overdue" / "1" / RECIPE_FILE
    file.parent.mkdir(parents=True)
    file.write_bytes(codec.encode(recipe_of(_spec(usecase))))
    return Home.at(tmp_path)


def _candidate(usecase: UseCase, **changes: Any) -> PipelineSpec:
    return replace(_spec(usecase), baseline_version=1, **changes)


def test_what_serves_is_asked_where_the_export_has_all_that_it_reads(
    usecase: UseCase, served: Home
) -> None:
    assert not_compared(served, _candidate(usecase)) == ""
    more = ColumnSpec(name="tide", type="double", nullable=True)
    spec = _candidate(usecase, columns=(*_spec(usecase).columns, more))
    assert not_compared(served, spec) == ""
    assert spec.compared_version == 1
    assert not_compared(served, _spec(usecase)) == "", "nothing serves"
    unknown = replace(spec, baseline_version=7)
    assert not_compared(served, unknown) == "", "it is not known what it reads"


def test_what_serves_is_not_asked_without_a_column_that_it_reads(
    usecase: UseCase, served: Home
) -> None:
    columns = {column.name: column for column in _spec(usecase).columns}
    del columns["crew"]
    columns["length_m"] = replace(columns["length_m"], type="long")
    columns["cargo"] = replace(columns["cargo"], nullable=True)
    found = not_compared(served, _candidate(usecase, columns=tuple(columns.values())))
    assert found == (
        "it reads length_m as double, which is long in the export; crew, which the export does not "
        "have; cargo in each row, which may be missing in the export"
    )


def test_another_question_is_not_compared(usecase: UseCase, served: Home) -> None:
    features = replace(_spec(usecase).features, label="delay", head=Head("regression"))
    assert not_compared(served, _candidate(usecase, features=features)) == (
        "it answers another question: overdue with the head binary, not delay with regression"
    )


def test_what_it_is_compared_with_is_no_part_of_what_a_model_is_made_from(usecase: UseCase) -> None:
    spec = _candidate(usecase, not_compared="it reads crew, which the export does not have")
    assert spec.compared_version is None
    assert fingerprint(spec) == fingerprint(_spec(usecase))
    assert recipe_of(spec) == recipe_of(_spec(usecase))
