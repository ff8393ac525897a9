"""Every way in which models/NAME.yaml can be wrong, with the whole text of its error."""

from __future__ import annotations

import pytest

from tests.goldlake_core.contracts.conftest import Copy

FILE = "models/overdue.yaml"
# What is replaced, by what, a mark on the line at fault, and the error behind file and line.
CASES = {
    "name_not_the_files": (
        "name: overdue",
        "name: late",
        "name: late",
        "name: the model is called 'late' and its file overdue.yaml. Valid: the same "
        "name for both. Next: rename the file to late.yaml or change this key",
    ),
    "table_unknown": (
        "table: call_features",
        "table: call_feature",
        "table:",
        "table: there is no gold table 'call_feature'. Valid: call_features (nearest); "
        "all: call_features, berth_day.",
    ),
    "table_aggregate": (
        "table: call_features",
        "table: berth_day",
        "table:",
        "table: the gold table 'berth_day' has mode aggregate. Valid: a table of mode "
        "rows: call_features.",
    ),
    "label_unknown": (
        "label: overdue",
        "label: overdu",
        "label:",
        "label: there is no column 'overdu'. Valid: overdue (nearest); all: call_id, "
        "arrived, vessel_type, cargo, berth, length_m, crew, pilot, latitude, "
        "longitude, overdue, hour, weekday.",
    ),
    "label_of_a_time": (
        "label: overdue",
        "label: arrived",
        "label:",
        "label: no model predicts the column 'arrived' of type timestamp. Valid: a column of type "
        "boolean, double, long, string.",
    ),
    "head_kind": (
        "label: overdue",
        "label: overdue\nhead: logistic",
        "head:",
        "head.kind: unknown value 'logistic'. Valid: binary, multiclass, regression, count.",
    ),
    "head_of_label": (
        "label: overdue",
        "label: overdue\nhead: regression",
        "head:",
        "head.kind: the head regression cannot predict the column 'overdue' of type boolean. "
        "Valid: binary.",
    ),
    "head_exposure_of_binary": (
        "label: overdue",
        "label: overdue\nhead: {kind: binary, exposure: hour}",
        "head:",
        "head.exposure: unknown key 'exposure'. Valid: kind.",
    ),
    "metric_of_another_head": (
        "  auc: {min: 0.6, max_drop: 0.1}",
        "  rmse: {max: 10}",
        "rmse",
        "thresholds.rmse: models with the head binary have no metric 'rmse'. Valid: auc, "
        "auc_precision_recall, binary_accuracy, precision, recall, binary_crossentropy, "
        "calibration, cost_per_1000.",
    ),
    "over_baseline_of_recall": (
        "  auc: {min: 0.6, max_drop: 0.1}",
        "  recall: {over_baseline: 0.1}",
        "recall",
        "thresholds.recall.over_baseline: a constant answer has no recall to be better than. "
        "Valid: min and max.",
    ),
    "split_by_time_without_time": (
        "event_time: arrived\nmaturity_days: 14",
        "",
        "split:",
        "split: a relative split divides by event time, and the model has none. Valid: kind: hash "
        "or kind: column, or the key event_time.",
    ),
    "split_shares": (
        "split: {kind: relative, test_days: 45, eval_days: 30}",
        "split: {kind: hash, eval: 0.5, test: 0.5}",
        "split:",
        "split: eval and test leave a share of 0.00 to train. Valid: eval and test with at most "
        "0.9 together.",
    ),
    "split_column_type": (
        "split: {kind: relative, test_days: 45, eval_days: 30}",
        "split: {kind: column, column: hour}",
        "split:",
        "split.column: the column 'hour' has type long. Valid: string.",
    ),
    "event_time_type": (
        "event_time: arrived",
        "event_time: hour",
        "event_time:",
        "event_time: the column 'hour' has type long. Valid: timestamp or date.",
    ),
    "maturity": (
        "maturity_days: 14",
        "maturity_days: -1",
        "maturity_days:",
        "maturity_days: -1 is out of bounds. Valid: 0 to 36500.",
    ),
    "split_kind": (
        "split: {kind: relative, test_days: 45, eval_days: 30}",
        "split: {kind: relativ}",
        "split:",
        "split.kind: unknown value 'relativ'. Valid: relative (nearest); all: relative, fixed, "
        "hash, column.",
    ),
    "split_no_kind": (
        "split: {kind: relative, test_days: 45, eval_days: 30}",
        "split: {test_days: 45}",
        "split:",
        "split: the key 'kind' is missing. Valid: kind: relative or kind: fixed "
        "or kind: hash or kind: column.",
    ),
    "split_mixed": (
        "split: {kind: relative, test_days: 45, eval_days: 30}",
        "split: {kind: relative, test_days: 45, eval_days: 30, until: 2024-01-01}",
        "split:",
        "split.until: unknown key 'until'. Valid: kind, eval_days, test_days, train_days, "
        "gap_days.",
    ),
    "split_missing": (
        "split: {kind: relative, test_days: 45, eval_days: 30}",
        "split: {kind: fixed, until: 2024-01-01}",
        "split:",
        "split: the keys 'eval_from', 'test_from' are missing. Valid: required here: kind, "
        "eval_from, test_from, until.",
    ),
    "split_order": (
        "split: {kind: relative, test_days: 45, eval_days: 30}",
        "split: {kind: fixed, eval_from: 2024-02-01, test_from: 2024-01-01, until: 2024-03-01}",
        "split:",
        "split.test_from: 2024-01-01 is not after eval_from, 2024-02-01. Valid: "
        "eval_from < test_from < until.",
    ),
    "split_gap": (
        "split: {kind: relative, test_days: 45, eval_days: 30}",
        "split: {kind: fixed, eval_from: 2024-02-01, test_from: 2024-03-01, until: 2024-04-01, "
        "gap_days: 29}",
        "split:",
        "split.gap_days: a gap of 29 days before test_from leaves nothing of eval, which begins "
        "29 days before it. Valid: 0 to 28.",
    ),
    "split_gap_by_hash": (
        "split: {kind: relative, test_days: 45, eval_days: 30}",
        "split: {kind: hash, gap_days: 7}",
        "split:",
        "split.gap_days: unknown key 'gap_days'. Valid: kind, by, eval, test.",
    ),
    "split_day": (
        "split: {kind: relative, test_days: 45, eval_days: 30}",
        "split: {kind: fixed, eval_from: 2024-02-30, test_from: 2024-01-01, until: 2024-03-01}",
        "split:",
        "split.eval_from: expected a day, got 2024-02-30. Valid: YYYY-MM-DD.",
    ),
    "feature_kind": (
        "  length_m: {kind: numeric, buckets: 4}",
        "  length_m: {kind: number, buckets: 4}",
        "length_m:",
        "features.length_m.kind: unknown value 'number'. Valid: numeric (nearest); "
        "all: categorical, numeric, cyclic, position, crossed, text.",
    ),
    "feature_no_kind": (
        "  length_m: {kind: numeric, buckets: 4}",
        "  length_m: {buckets: 4}",
        "length_m:",
        "features.length_m: the key 'kind' is missing. Valid: kind: categorical or kind: numeric "
        "or kind: cyclic or kind: position or kind: crossed or kind: text.",
    ),
    "feature_param": (
        "  length_m: {kind: numeric, buckets: 4}",
        "  length_m: {kind: numeric, bucket: 4}",
        "length_m:",
        "features.length_m.bucket: unknown key 'bucket'. Valid: buckets (nearest); "
        "all: kind, columns, buckets, scale.",
    ),
    "feature_param_of_other_kind": (
        "  length_m: {kind: numeric, buckets: 4}",
        "  length_m: {kind: numeric, embedding: 4}",
        "length_m:",
        "features.length_m.embedding: unknown key 'embedding'. Valid: kind, columns, buckets, "
        "scale.",
    ),
    "feature_param_required": (
        "  hour: {kind: cyclic, period: 24}",
        "  hour: {kind: cyclic}",
        "  hour:",
        "features.hour: the key 'period' is missing. Valid: required here: kind, period.",
    ),
    "feature_param_bounds": (
        "  hour: {kind: cyclic, period: 24}",
        "  hour: {kind: cyclic, period: 1}",
        "  hour:",
        "features.hour.period: 1 is out of bounds. Valid: 2 to 1000000.",
    ),
    "feature_column_unknown": (
        "  length_m: {kind: numeric, buckets: 4}",
        "  lenght_m: {kind: numeric, buckets: 4}",
        "lenght_m:",
        "features.lenght_m: there is no column 'lenght_m' in call_features. Valid: "
        "length_m (nearest); all: call_id, arrived, vessel_type, cargo, berth, "
        "length_m, crew, pilot, latitude, longitude, overdue, hour, weekday. Next: "
        "write columns: [COLUMN] where the feature has another name than its column",
    ),
    "feature_columns_unknown": (
        "columns: [vessel_type, berth], buckets",
        "columns: [vesel_type, berth], buckets",
        "vesel_type",
        "features.type_x_berth.columns[0]: there is no column 'vesel_type'. Valid: "
        "vessel_type (nearest); all: call_id, arrived, vessel_type, cargo, berth, "
        "length_m, crew, pilot, latitude, longitude, overdue, hour, weekday.",
    ),
    "feature_type": (
        "  length_m: {kind: numeric, buckets: 4}",
        "  cargo: {kind: numeric}",
        "  cargo:",
        "features.cargo: a numeric feature cannot read the column 'cargo' of type "
        "string. Valid: a column of type double or long.",
    ),
    "feature_cyclic_double": (
        "  hour: {kind: cyclic, period: 24}",
        "  length_m2: {kind: cyclic, period: 24, columns: [length_m]}",
        "length_m2",
        "features.length_m2.columns: a cyclic feature cannot read the column "
        "'length_m' of type double. Valid: a column of type long.",
    ),
    "feature_label": (
        "  hour: {kind: cyclic, period: 24}",
        "  overdue: {kind: categorical}",
        "  overdue:",
        "features.overdue: the feature reads the label 'overdue'. Valid: columns known "
        "before the outcome.",
    ),
    "feature_event_time": (
        "  hour: {kind: cyclic, period: 24}",
        "  arrived: {kind: categorical}",
        "  arrived:",
        "features.arrived: a categorical feature cannot read the column 'arrived' of "
        "type timestamp. Valid: a column of type string or long or boolean.",
    ),
    "position_width": (
        "columns: [latitude, longitude], cells",
        "columns: [latitude], cells",
        "columns: [latitude]",
        "features.anchorage.columns: a position feature reads 2 columns, got 1. Valid: "
        "2 of: call_id, arrived, vessel_type, cargo, berth, length_m, crew, pilot, "
        "latitude, longitude, overdue, hour, weekday.",
    ),
    "crossed_width": (
        "columns: [vessel_type, berth], buckets",
        "columns: [vessel_type], buckets",
        "columns: [vessel_type]",
        "features.type_x_berth.columns: a crossed feature reads 2 to 3 columns, got 1. "
        "Valid: 2 to 3 of: call_id, arrived, vessel_type, cargo, berth, length_m, "
        "crew, pilot, latitude, longitude, overdue, hour, weekday.",
    ),
    "crossed_unread": (
        "columns: [vessel_type, berth], buckets",
        "columns: [vessel_type, cargo], buckets",
        "type_x_berth",
        "features.type_x_berth: 'cargo' is crossed and no categorical or cyclic "
        "feature reads it. Valid: berth, hour, pilot, vessel_type, weekday.",
    ),
    "crossed_numeric": (
        "columns: [vessel_type, berth], buckets",
        "columns: [vessel_type, length_m], buckets",
        "type_x_berth",
        "features.type_x_berth.columns: a crossed feature cannot read the column "
        "'length_m' of type double. Valid: a column of type string or long or boolean.",
    ),
    "feature_is_flag": (
        "  anchorage:",
        "  has_crew:",
        "  has_crew:",
        "features.has_crew: the feature is called like the presence flag of 'crew'. "
        "Valid: another name.",
    ),
    "feature_name": (
        "  anchorage:",
        "  Anchorage:",
        "  Anchorage:",
        "features.Anchorage: 'Anchorage' is not a name. Valid: a lower-case letter, "
        "then lower-case letters, digits or _ (at most 64).",
    ),
    "rate_zero": (
        "  learning_rate: 0.01",
        "  learning_rate: 0",
        "learning_rate",
        "training.learning_rate: 0.0 is out of bounds. Valid: above 0.",
    ),
    "dropout": (
        "  dropout: 0.0",
        "  dropout: 1.5",
        "dropout",
        "training.dropout: 1.5 is out of bounds. Valid: 0 to 0.95.",
    ),
    "units": (
        "  hidden_units: [16]",
        "  hidden_units: [0]",
        "hidden_units",
        "training.hidden_units[0]: 0 is out of bounds. Valid: 1 to 8192.",
    ),
    "training_key": (
        "  epochs: 6",
        "  epoch: 6",
        "epoch: 6",
        "training.epoch: unknown key 'epoch'. Valid: epochs (nearest); all: "
        "hidden_units, dropout, learning_rate, l2, batch_rows, epochs, patience, seed, "
        "class_weight, oversample, calibrate.",
    ),
    "record_key": (
        "table: call_features",
        "table: call_features\nserving: {record_key: Content-Type}",
        "serving:",
        "serving.record_key: 'Content-Type' cannot carry a record key. Valid: a header such as "
        "x-record-key: lower-case letters, digits and '-'.",
    ),
    "record_key_taken": (
        "table: call_features",
        "table: call_features\nserving: {record_key: authorization}",
        "serving:",
        "serving.record_key: 'authorization' cannot carry a record key. Valid: a header such as "
        "x-record-key: lower-case letters, digits and '-'.",
    ),
    "log_sample": (
        "table: call_features",
        "table: call_features\nserving: {request_log: {sample: 0}}",
        "serving:",
        "serving.request_log.sample: 0.0 is out of bounds. Valid: above 0, to 1.",
    ),
    "log_redacts": (
        "table: call_features",
        "table: call_features\nserving: {request_log: {redact: [latitud]}}",
        "serving:",
        "serving.request_log.redact[0]: there is no column 'latitud'. Valid: latitude (nearest); "
        "all: vessel_type, berth, pilot, length_m, crew, hour, weekday, latitude, longitude, "
        "cargo.",
    ),
    "log_age": (
        "table: call_features",
        "table: call_features\nserving: {request_log: {file_age: soon}}",
        "serving:",
        "serving.request_log.file_age: 'soon' is not a length of time. Valid: 0, or a number with "
        "s, m, h, d or w, such as 12h.",
    ),
    "explain_rows": (
        "table: call_features",
        "table: call_features\nserving: {explain: {background_rows: 0}}",
        "serving:",
        "serving.explain.background_rows: 0 is out of bounds. Valid: 1 to 1000.",
    ),
    "serving_key": (
        "table: call_features",
        "table: call_features\nserving: {shadow: 1}",
        "serving:",
        "serving.shadow: unknown key 'shadow'. Valid: shadow_sample (nearest); all: request_log, "
        "record_key, shadow_sample, explain, most_megabytes, most_milliseconds.",
    ),
    "metric": (
        "  auc: {min: 0.6, max_drop: 0.1}",
        "  acu: {min: 0.6}",
        "acu",
        "thresholds.acu: unknown metric 'acu'. Valid: auc (nearest); all: auc, "
        "auc_precision_recall, binary_accuracy, precision, recall, "
        "binary_crossentropy, calibration, cost_per_1000.",
    ),
    "threshold_empty": (
        "  auc: {min: 0.6, max_drop: 0.1}",
        "  auc: {}",
        "auc",
        "thresholds.auc: the threshold has no bound. Valid: min, max, max_drop or over_baseline.",
    ),
    "threshold_range": (
        "  auc: {min: 0.6, max_drop: 0.1}",
        "  auc: {min: 60}",
        "auc",
        "thresholds.auc.min: 60.0 is out of bounds. Valid: 0 to 1.",
    ),
    "threshold_upside_down": (
        "  auc: {min: 0.6, max_drop: 0.1}",
        "  auc: {min: 0.6, max: 0.5}",
        "auc",
        "thresholds.auc: min 0.6 is above max 0.5. Valid: min <= max.",
    ),
    "threshold_drop": (
        "  auc: {min: 0.6, max_drop: 0.1}",
        "  calibration: {max_drop: 0.1}",
        "calibration",
        "thresholds.calibration.max_drop: calibration is best in the middle, so it has "
        "no drop. Valid: min and max.",
    ),
    "thresholds_empty": (
        "thresholds:\n  auc: {min: 0.6, max_drop: 0.1}\n  binary_accuracy: {min: 0.5}",
        "thresholds: {}",
        "thresholds",
        "thresholds: there is no threshold, so every candidate would be blessed. "
        "Valid: at least one metric, such as auc: {min: 0.7}.",
    ),
    "slice_column": (
        "  - [vessel_type]",
        "  - [overdue]",
        "- [overdue]",
        "slices[0][0]: there is no column 'overdue'. Valid: vessel_type, berth, pilot, "
        "length_m, crew, hour, weekday, latitude, longitude, cargo.",
    ),
    "slice_empty": (
        "  - [vessel_type]",
        "  - []",
        "- []",
        "slices[0]: 0 columns are listed. Valid: at least 1 of: vessel_type, berth, "
        "pilot, length_m, crew, hour, weekday, latitude, longitude, cargo.",
    ),
    "limit_column": (
        "column: vessel_type, compare: skew",
        "column: vessel, compare: skew",
        "column: vessel,",
        "limits[0].column: there is no column 'vessel'. Valid: vessel_type (nearest); "
        "all: vessel_type, berth, pilot, length_m, crew, hour, weekday, latitude, "
        "longitude, cargo.",
    ),
    "limit_compare": (
        "compare: skew",
        "compare: skewed",
        "skewed",
        "limits[0].compare: unknown value 'skewed'. Valid: skew (nearest); all: drift, skew.",
    ),
    "limit_twice": (
        "  - {column: vessel_type, compare: drift, infinity_norm: 0.3}",
        "  - {column: vessel_type, compare: skew, jensen_shannon: 0.3}  # here",
        "# here",
        "limits[1]: 'vessel_type' has two skew limits. Valid: one of each.",
    ),
    "limit_empty": (
        "compare: skew, infinity_norm: 0.3",
        "compare: skew",
        "compare: skew",
        "limits[0]: the limit has no distance. Valid: infinity_norm or jensen_shannon.",
    ),
    "limit_zero": (
        "compare: skew, infinity_norm: 0.3",
        "compare: skew, infinity_norm: 0",
        "infinity_norm: 0}",
        "limits[0].infinity_norm: 0.0 is out of bounds. Valid: above 0, to 1.",
    ),
    "limit_numeric": (
        "column: vessel_type, compare: skew, infinity_norm: 0.3",
        "column: length_m, compare: skew, infinity_norm: 0.3",
        "column: length_m",
        "limits[0].infinity_norm: infinity_norm compares texts, and 'length_m' has type "
        "double. Valid: jensen_shannon.",
    ),
    "example_unknown": (
        "vessel_type: TANKER, cargo",
        "vesel_type: TANKER, cargo",
        "vesel_type",
        "examples[0].vesel_type: the model has no such input. Valid: vessel_type "
        "(nearest); all: vessel_type, berth, pilot, length_m, crew, hour, weekday, "
        "latitude, longitude, cargo, knows_pilot, has_crew.",
    ),
    "example_missing": (
        '{vessel_type: FERRY, cargo: "", crew: 0,',
        "{vessel_type: FERRY, crew: 0,",
        "FERRY",
        "examples[1]: cargo: the value is missing and the column is not nullable "
        "(string). Valid: a string value.",
    ),
    "example_type": (
        "hour: 9, weekday: 2",
        "hour: 9.5, weekday: 2",
        "hour: 9.5",
        "examples[1].hour: expected long, got 9.5. Valid: a whole number of 64 bits.",
    ),
    "example_code": (
        'berth: "03"',
        "berth: 3",
        "berth: 3",
        "examples[0].berth: expected string, got 3. Valid: a text in quotes.",
    ),
    "example_code_zero": (
        'berth: "03"',
        "berth: 03",
        "berth: 03",
        "examples[0].berth: expected text, got 03, which YAML may read as something "
        'else. Valid: the same in quotes: "03".',
    ),
    "preprocessing": (
        "examples:",
        "preprocessing: features\nexamples:",
        "preprocessing",
        "preprocessing: 'features' does not name a function of the use-case folder. Valid: "
        "module.function, such as tables.rows for the function rows in tables.py.",
    ),
    "min_domain_mass": (
        "examples:",
        "min_domain_mass: 2\nexamples:",
        "min_domain_mass",
        "min_domain_mass: 2.0 is out of bounds. Valid: 0 to 1.",
    ),
    "handoff": (
        "examples:",
        "handoff: csv\nexamples:",
        "handoff",
        "handoff: unknown value 'csv'. Valid: snapshot_example_gen, csv_example_gen.",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_model_is_refused(toy: Copy, case: str) -> None:
    old, new, mark, expected = CASES[case]
    toy.edit(FILE, old, new)
    error = toy.error()
    assert error.file == str(toy.folder / FILE)
    assert error.line == toy.line_of(FILE, mark)
    assert str(error) == f"{error.file}:{error.line}: {expected}"
