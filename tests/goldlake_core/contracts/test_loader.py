"""Values of a loaded use case, and files that are in the way."""

from __future__ import annotations

import pickle
from datetime import date

import pytest
import yaml
from msgspec.structs import replace

from goldlake_core.contracts.loader import load_contract
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import (
    Check,
    Column,
    DriftLimit,
    Feature,
    Silver,
    Source,
    Split,
    Threshold,
    Training,
    UseCase,
    WireNull,
)
from tests.goldlake_core.contracts.conftest import TOY, Copy


def test_source(harbour: UseCase) -> None:
    assert harbour.source == Source(
        kind="socrata",
        address="http://127.0.0.1",
        dataset="harb-cal1",
        page_rows=200,
        time_field="arrived",
        generator="generate.rows",
        options={},
    )
    assert harbour.folder == TOY


def test_every_plain_key_of_silver_is_read(toy: Copy) -> None:
    plain = {"table": "moorings", "comment": "Ships.", "most_rejected": 0.5}
    plain |= {"period": "week", "gate": 2.5}
    others = {"key", "version", "event_time", "columns", "checks"}
    assert set(Silver.__struct_fields__) == set(plain) | others
    text = (toy.folder / "contract.yaml").read_text(encoding="utf-8")
    given = yaml.safe_load(text)["silver"]
    for key, value in plain.items():
        if key in given:
            toy.edit("contract.yaml", f"  {key}: {given[key]}\n", f"  {key}: {value}\n")
        else:
            toy.edit("contract.yaml", "silver:\n", f"silver:\n  {key}: {value}\n")
    silver = toy.load().silver
    assert {key: getattr(silver, key) for key in plain} == plain


def test_silver(harbour: UseCase) -> None:
    silver = harbour.silver
    assert (silver.table, silver.key, silver.version) == ("calls", ("call_id",), "changed")
    assert silver.event_time == "arrived"
    assert silver.column("arrived") == Column(
        name="arrived",
        type="timestamp",
        comment="When the ship moored.",
        field="arrived",
        nullable=False,
        format="yyyy-MM-dd'T'HH:mm:ss.SSS",
        time_zone="Europe/Copenhagen",
    )
    assert silver.column("berth") == Column(
        name="berth",
        type="string",
        comment="Berth; missing where the ship stayed at anchor.",
        field="berth",
        pad=2,
        pattern="[0-9]{2}",
        wire_null=WireNull("text", "(none)"),
    )
    assert silver.column("longitude").range == (8.0, 15.5)
    assert silver.column("longitude").null_values == ("0",)
    assert silver.column("vessel_type").replace == {"TANK SHIP": "TANKER"}
    assert silver.checks[1] == Check(
        "changed_after_arrival",
        "changed >= arrived",
        "A record cannot have been changed before the ship came.",
    )
    with pytest.raises(KeyError):
        silver.column("draught")


def test_gold_keeps_silvers_declarations_and_its_key_is_never_null(harbour: UseCase) -> None:
    calls, days = harbour.gold["call_features"], harbour.gold["berth_day"]
    assert calls.names[-3:] == ("overdue", "hour", "weekday")
    assert calls.column("berth") == harbour.silver.column("berth")
    assert days.names == ("berth", "day", "calls", "overdue_calls", "mean_length_m")
    kept = replace(harbour.silver.column("berth"), nullable=False, wire_null=None)
    assert days.column("berth") == kept
    assert days.column("calls").range == (0, None)
    assert days.column("calls").field == ""


def test_model(harbour: UseCase) -> None:
    model = harbour.models["overdue"]
    assert model.split == Split("relative", eval_days=30, test_days=45)
    assert model.features[0] == Feature(
        "vessel_type",
        "categorical",
        ("vessel_type",),
        {"embedding": 4, "min_count": 1, "oov_buckets": 1},
    )
    assert model.features[7] == Feature(
        "anchorage", "position", ("latitude", "longitude"), {"cells": 4, "embedding": 2}
    )
    assert {f.kind for f in model.features} == {
        "categorical", "numeric", "cyclic", "position", "crossed", "text",
    }  # fmt: skip
    assert model.training == Training(
        hidden_units=(16,),
        dropout=0.0,
        learning_rate=0.01,
        l2=0.0,
        batch_rows=64,
        epochs=6,
        patience=None,
        seed=3,
    )
    assert model.thresholds == (
        Threshold("auc", minimum=0.6, max_drop=0.1),
        Threshold("binary_accuracy", minimum=0.5),
    )
    assert model.slices == (("vessel_type",),)
    assert model.limits[1] == DriftLimit("vessel_type", "drift", infinity_norm=0.3)
    assert model.examples[1] == {
        "vessel_type": "FERRY", "cargo": "", "crew": 0, "hour": 9, "weekday": 2,
    }  # fmt: skip


def test_every_way_of_a_null_is_there(harbour: UseCase) -> None:
    ways = {(c.type, c.wire_null.kind) for c in harbour.silver.columns if c.wire_null}
    assert ways == {("string", "text"), ("double", "nan"), ("long", "flag"), ("boolean", "flag")}


def test_fixed_split_and_fewest_keys(toy: Copy) -> None:
    toy.edit(
        "models/overdue.yaml",
        "{kind: relative, test_days: 45, eval_days: 30}",
        '{kind: fixed, eval_from: 2024-08-01, test_from: "2024-09-01", until: 2024-10-01}',
    )
    path = toy.folder / "models/overdue.yaml"
    head = path.read_text(encoding="utf-8").split("training:")[0]
    path.write_text(head + "thresholds: {auc: {max: 1}}\n", encoding="utf-8")
    model = toy.load().models["overdue"]
    assert model.split == Split(
        "fixed", 0, 0, None, date(2024, 8, 1), date(2024, 9, 1), date(2024, 10, 1)
    )
    assert model.training == Training()
    assert model.thresholds == (Threshold("auc", maximum=1.0),)
    assert (model.slices, model.limits, model.examples) == ((), (), ())
    assert model.handoff == "snapshot_example_gen"


def test_options_of_the_source_are_free(toy: Copy) -> None:
    toy.edit("contract.yaml", "  page_rows: 200", "  options: {paths: [a, b], deep: {x: 1}}")
    source = toy.load().source
    assert source.options == {"paths": ["a", "b"], "deep": {"x": 1}}
    assert source.page_rows == 10_000


def test_a_use_case_without_models(toy: Copy) -> None:
    (toy.folder / "models/overdue.yaml").unlink()
    assert toy.load().models == {}
    (toy.folder / "models").rmdir()
    assert toy.load().models == {}


def test_a_model_with_the_other_ending_is_not_overlooked(toy: Copy) -> None:
    (toy.folder / "models/overdue.yaml").rename(toy.folder / "models/overdue.yml")
    assert str(toy.error()) == (
        f"{toy.folder}/models/overdue.yml: this model contract would be overlooked. "
        "Valid: the ending .yaml. Next: rename it to overdue.yaml"
    )


def test_a_nullable_feature_has_a_way_to_travel(toy: Copy, harbour: UseCase) -> None:
    toy.edit("contract.yaml", "      wire_null: {flag: has_crew}\n", "")
    toy.edit("contract.yaml", '      wire_null: {text: "(none)"}\n', "")
    toy.edit("contract.yaml", "unit: metre, wire_null: nan,", "unit: metre,")
    usecase = toy.load()
    table = usecase.gold["call_features"]
    assert table.column("crew").wire_null == WireNull("flag", "has_crew")
    # What has a pattern could not be the reserved text either way; a flag is always possible.
    assert table.column("berth").wire_null == WireNull("flag", "has_berth")
    assert table.column("length_m").wire_null == WireNull("nan")
    assert usecase.silver.column("crew").wire_null is None  # hashes of silver stay
    unread = usecase.gold["berth_day"]
    assert unread.column("mean_length_m").wire_null is None


def test_a_default_presence_flag_that_is_taken_is_refused(toy: Copy) -> None:
    toy.edit("contract.yaml", "      wire_null: {flag: has_crew}\n", "")
    toy.edit("contract.yaml", "    crew:", "    has_crew: boolean\n    crew:")
    toy.edit("contract.yaml", "length_m, crew, pilot", "length_m, has_crew, crew, pilot")
    error = toy.error()
    assert error.line == toy.line_of("models/overdue.yaml", "  crew:")
    assert "the presence flag 'has_crew' of 'crew' is taken by 'has_crew'" in str(error)


def test_use_cases_are_frozen_and_travel_between_processes(harbour: UseCase) -> None:
    with pytest.raises(AttributeError, match="immutable"):
        harbour.name = "other"  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(harbour)) == harbour


def test_the_shipped_use_cases_hold() -> None:
    usecase = load_usecase("chicago_crime")
    assert usecase.gold["area_day"].column("community_area").nullable is False
    assert usecase.models["arrest"].label == "arrest"
    assert load_contract(str(usecase.folder)) == usecase


def test_an_export_has_key_event_time_label_and_features_in_table_order(harbour: UseCase) -> None:
    table, model = harbour.gold["call_features"], harbour.models["overdue"]
    assert ",".join(column.name for column in model.export_columns(table)) == (
        "call_id,arrived,vessel_type,cargo,berth,length_m,crew,pilot,latitude,longitude,overdue,"
        "hour,weekday"
    )
