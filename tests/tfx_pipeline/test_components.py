"""What our components write, without running a whole pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from goldlake_core.contracts.column_types import COLUMN_TYPES
from goldlake_core.contracts.errors import StoreError, UsageError
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import DriftLimit
from goldlake_core.documents.export import ExportManifest
from goldlake_core.storage.home import Home
from tests.tfx_pipeline.toy_export import ROWS, TOY, toy_rows, write_export
from tfx_pipeline.exports import read_manifest
from tfx_pipeline.spec import ColumnSpec, PipelineSpec, ValidationSpec, pipeline_spec

if TYPE_CHECKING:
    from tfx_pipeline.components.validation_verdict import Verdict

pytestmark = pytest.mark.tfx
EXPORT = "toy_harbour/overdue/v3"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GOLDLAKE_HOME", str(tmp_path))
    return tmp_path


def _manifest(home: Path) -> ExportManifest:
    return read_manifest(EXPORT, home=Home.at(home))[0]


def _spec(home: Path) -> PipelineSpec:
    usecase = load_usecase(str(TOY))
    return pipeline_spec(
        usecase,
        usecase.models["overdue"],
        _manifest(home),
        export_id=EXPORT,
        manifest_sha256="00",
    )


def _statistics(home: Path) -> dict[str, Any]:
    """TFDV statistics per split, of the same batches that SnapshotExampleGen encodes."""
    import pyarrow as pa
    from tensorflow_data_validation import StatsOptions
    from tensorflow_data_validation.statistics import stats_impl

    from tfx_pipeline.components.snapshot_example_gen import csv_batches, encodable

    statistics = {}
    for split in ("train", "eval", "test"):
        batches = [encodable(b) for b in csv_batches(EXPORT, _manifest(home), split)]
        [batch] = pa.Table.from_batches(batches).combine_chunks().to_batches()
        statistics[split] = stats_impl.generate_statistics_in_memory(batch, StatsOptions())
    return statistics


def _verdict(home: Path, previous: Any = None) -> Verdict:
    from tfx_pipeline.components.curated_schema import curated_schema
    from tfx_pipeline.components.validation_verdict import verdict_document

    return verdict_document(_statistics(home), curated_schema(_spec(home).validation), previous)


def test_zero_empty_and_missing_stay_apart_in_examples(home: Path) -> None:
    import tensorflow as tf

    from tfx_pipeline.components.snapshot_example_gen import (
        csv_batches,
        encodable,
        write_examples,
    )

    rows = toy_rows(6)
    rows[0] |= {"cargo": "", "berth": None, "crew": 0, "pilot": False, "length_m": None}
    rows[1] |= {"cargo": 'a, "b"\nc', "berth": "", "crew": None, "pilot": None, "length_m": 0.0}
    rows[2] |= {"cargo": "null", "berth": "NaN", "crew": -1, "pilot": True, "length_m": -0.5}
    write_export(home, rows, counts={"train": 4, "eval": 1, "test": 1})
    batches = csv_batches(EXPORT, _manifest(home), "train")
    written = write_examples(map(encodable, batches), str(home / "Split-train"), 4)
    assert written == 4
    [file] = (home / "Split-train").iterdir()
    assert file.name == "data_tfrecord-00000-of-00001.gz"
    records = tf.data.TFRecordDataset([str(file)], compression_type="GZIP")
    read = [_plain(tf.train.Example.FromString(r)) for r in records.as_numpy_iterator()]
    wanted = [
        {
            name: None if row[name] is None else _encoded(row[name])
            for name in ("cargo", "berth", "crew", "pilot", "length_m", "overdue", "vessel_type")
        }
        for row in rows[:4]
    ]
    assert [{name: row[name] for name in wanted[0]} for row in read] == [
        {k: pytest.approx(v) if isinstance(v, float) else v for k, v in row.items()}
        for row in wanted
    ]
    assert read[0]["arrived"] == b"2024-01-01T06:00:00.000000Z"


def _encoded(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    return value.encode() if isinstance(value, str) else value


def _plain(example: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for name, feature in example.features.feature.items():
        kind = feature.WhichOneof("kind")
        values = list(getattr(feature, kind).value) if kind else []
        plain[name] = values[0] if values else None
    return plain


def test_every_type_of_the_contract_is_read_from_csv_and_written_as_an_example() -> None:
    import pyarrow as pa

    from tfx_pipeline.components import snapshot_example_gen as gen
    from tfx_pipeline.components.curated_schema import _TYPES

    assert set(gen._READ_TYPES) == set(COLUMN_TYPES)
    for name, names in COLUMN_TYPES.items():
        kind = ColumnSpec(name, name, nullable=True).example_type
        assert (kind, kind in _TYPES) == (names.example, True)
        batch = pa.record_batch([pa.nulls(2, gen._READ_TYPES[name])], [name])
        assert gen.encodable(batch).column(0).type == pa.list_(gen.ARROW_TYPES[kind])


def test_rows_are_spread_over_shards(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow as tf

    from tfx_pipeline.components import snapshot_example_gen as module

    monkeypatch.setattr(module, "SHARD_ROWS", 150)
    monkeypatch.setattr(module, "BLOCK_BYTES", 4096)
    write_export(home)
    batches = list(module.csv_batches(EXPORT, _manifest(home), "train"))
    assert len(batches) > 4
    module.write_examples(map(module.encodable, batches), str(home / "out"), 400)
    counts = {
        file.name: sum(1 for _ in tf.data.TFRecordDataset([str(file)], compression_type="GZIP"))
        for file in sorted((home / "out").iterdir())
    }
    assert counts == {
        "data_tfrecord-00000-of-00003.gz": 150,
        "data_tfrecord-00001-of-00003.gz": 150,
        "data_tfrecord-00002-of-00003.gz": 100,
    }


def test_part_that_is_no_csv_of_the_columns_is_named(home: Path) -> None:
    from tfx_pipeline.components.snapshot_example_gen import csv_batches

    write_export(home)
    part = home / "exports" / EXPORT / "train" / "part-1.csv"
    part.write_text(part.read_text().replace(",TANKER,", ",TANKER,surplus,", 1))
    with pytest.raises(StoreError, match=r"Part 'train/part-1\.csv' .* is not a CSV file"):
        list(csv_batches(EXPORT, _manifest(home), "train"))


def test_curated_schema_says_what_the_contract_says(home: Path) -> None:
    from tensorflow_metadata.proto.v0 import schema_pb2

    from tfx_pipeline.components.curated_schema import curated_schema

    write_export(home)
    schema = curated_schema(_spec(home).validation)
    by_name = {feature.name: feature for feature in schema.feature}
    assert list(by_name) == [c.name for c in _manifest(home).columns]
    assert list(schema.default_environment) == ["TRAINING", "SERVING"]
    kinds = {name: schema_pb2.FeatureType.Name(f.type) for name, f in by_name.items()}
    assert kinds["vessel_type"] == kinds["arrived"] == "BYTES"
    assert kinds["crew"] == kinds["pilot"] == kinds["overdue"] == "INT"
    assert kinds["length_m"] == "FLOAT"
    vessel = by_name["vessel_type"]
    assert list(vessel.string_domain.value) == ["CARGO", "FERRY", "FISHING", "TANKER"]
    assert vessel.distribution_constraints.min_domain_mass == 1.0
    assert vessel.presence.min_fraction == 1.0
    assert [dim.size for dim in vessel.shape.dim] == [1]
    assert round(vessel.skew_comparator.infinity_norm.threshold, 6) == 0.3
    assert round(vessel.drift_comparator.infinity_norm.threshold, 6) == 0.3
    assert (by_name["crew"].int_domain.min, by_name["crew"].int_domain.max) == (0, 5000)
    assert (by_name["overdue"].int_domain.min, by_name["overdue"].int_domain.max) == (0, 1)
    length = by_name["length_m"]
    assert (length.float_domain.min, length.float_domain.max) == (5.0, 400.0)
    assert length.presence.min_fraction == 0.0
    assert length.value_count.max == 1
    absent = {n for n, f in by_name.items() if "SERVING" in f.not_in_environment}
    assert absent == {"call_id", "arrived", "overdue"}


def test_limit_that_a_type_cannot_have_is_refused() -> None:
    from tfx_pipeline.components.curated_schema import curated_schema

    spec = ValidationSpec(
        label="y",
        columns=(ColumnSpec("x", "double", True),),
        features=("x",),
        limits=(DriftLimit("x", "skew", infinity_norm=0.1),),
        min_domain_mass=1.0,
    )
    with pytest.raises(UsageError, match="'x' is an infinity_norm, and its type double"):
        curated_schema(spec)


def test_clean_data_passes_with_measured_distances(home: Path) -> None:
    write_export(home)
    found = _verdict(home)
    assert found.anomalies == ()
    assert found.verdict == "passed"
    [skew] = found.distances
    assert (skew.column, skew.compare, skew.limit) == ("vessel_type", "skew", 0.3)
    assert 0 < skew.value < 0.3


def test_lost_row_fails(home: Path) -> None:
    from tfx_pipeline.components.validation_verdict import check_rows

    write_export(home)
    statistics = _statistics(home)
    check_rows(statistics, ROWS, EXPORT)
    with pytest.raises(StoreError, match=r"Split 'eval' has 90 examples, .* has 91 rows"):
        check_rows(statistics, {**ROWS, "eval": 91}, EXPORT)


def test_value_outside_the_domain_is_refused(home: Path) -> None:
    def smuggle(split: str, row: dict[str, Any]) -> dict[str, Any]:
        is_one = split == "eval" and row["vessel_type"] == "FERRY"
        return {**row, "vessel_type": "SUBMARINE"} if is_one else row

    write_export(home, change=smuggle)
    found = _verdict(home)
    assert found.verdict == "refused"
    [anomaly] = found.anomalies
    assert (anomaly.column, anomaly.split) == ("vessel_type", "eval")
    assert anomaly.kind == "enum_type_unexpected_string_values"
    assert "SUBMARINE" in anomaly.description


def test_shifted_mix_is_skew(home: Path) -> None:
    def shift(split: str, row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "vessel_type": "TANKER"} if split == "test" else row

    write_export(home, change=shift)
    found = _verdict(home)
    assert found.verdict == "refused"
    [anomaly] = found.anomalies
    assert (anomaly.column, anomaly.split, anomaly.kind) == (
        "vessel_type",
        "train",
        "skew",
    )


def test_shift_against_the_promoted_data_is_drift(home: Path) -> None:
    write_export(home)
    before = _statistics(home)["train"]
    assert _verdict(home, before).verdict == "passed"
    rows = [{**row, "vessel_type": "FISHING"} for row in toy_rows()]
    write_export(home, rows)
    found = _verdict(home, before)
    assert found.verdict == "refused"
    assert [(a.column, a.kind) for a in found.anomalies] == [("vessel_type", "drift")]
    assert {d.compare for d in found.distances} == {"drift", "skew"}


def test_missing_where_the_contract_forbids_it_is_refused(home: Path) -> None:
    def drop(split: str, row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "hour": None} if split == "train" and row["weekday"] == 2 else row

    write_export(home, change=drop)
    found = _verdict(home)
    assert {(a.column, a.split) for a in found.anomalies} == {("hour", "train")}
    assert found.verdict == "refused"


def test_findings_of_the_gate_are_part_of_the_verdict(home: Path) -> None:
    write_export(home)
    import tensorflow_data_validation as tfdv
    from tensorflow_metadata.proto.v0 import anomalies_pb2

    from goldlake_core.documents.training import Anomaly
    from tfx_pipeline.components.curated_schema import curated_schema
    from tfx_pipeline.components.validation_verdict import anomalies_message, verdict_document

    found = [
        Anomaly(column="cargo", split="2024-05", kind=kind, severity=severity, description=about)
        for kind, severity, about in (
            ("never_seen", "warning", "never_seen of cargo is 0.2; accepted: a new terminal"),
            ("part_z", "error", "part_z of cargo is 20, usual is 6"),
        )
    ]
    schema, statistics = curated_schema(_spec(home).validation), _statistics(home)
    assert verdict_document(statistics, schema, None, tuple(found[:1])).verdict == "passed"
    verdict = verdict_document(statistics, schema, None, tuple(found))
    assert verdict.verdict == "refused"
    assert verdict.anomalies[-2:] == tuple(found)
    message = anomalies_message(verdict, schema)
    file = home / "anomalies.pbtxt"
    tfdv.write_anomalies_text(message, str(file))
    info = tfdv.load_anomalies_text(str(file)).anomaly_info["cargo"]
    assert info.severity == anomalies_pb2.AnomalyInfo.ERROR
    assert info.short_description == "never_seen in 2024-05, part_z in 2024-05"
    assert [reason.description for reason in info.reason] == [each.description for each in found]
    shown = tfdv.utils.display_util.get_anomalies_dataframe(message)
    assert shown.loc["'cargo'", "Anomaly long description"] == (
        "never_seen of cargo is 0.2; accepted: a new terminal; part_z of cargo is 20, usual is 6"
    )
