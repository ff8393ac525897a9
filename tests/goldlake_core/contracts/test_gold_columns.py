"""Gold columns that a contract computes: their windows, their lookups, and what may read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from goldlake_core.contracts.errors import ContractError, ContractErrors
from goldlake_core.contracts.loader import load_contract
from goldlake_core.contracts.sections import GoldTable, UseCase
from goldlake_core.contracts.windows import ALL, Call, calls, looks_ahead, problems, written_out

CONTRACT = """\
name: mill
source: {kind: files, path: "*.csv"}
silver:
  key: [unit, cycle]
  event_time: day
  columns:
    unit: {type: long, nullable: false}
    cycle: {type: long, nullable: false}
    day: {type: date, format: iso, nullable: false}
    heat: double
    outcome: {type: string, known: amended}
gold:
  cycles:
    per: [unit]
    order: [cycle]
    windows: {last5: 5, life: all}
    lookups:
      halls:
        path: halls.csv
        key: [unit]
        columns: {unit: long, hall: string}
    columns:
      mean: {type: double, expr: avg(heat) over last5}
      rise: {type: double, expr: heat - mean}
      total: {type: double, expr: sum(heat) over life}
      left: {type: double, expr: total - heat}
      is_hot: {type: boolean, expr: heat > 5, nullable: false}
      told: {type: string, expr: upper(outcome)}
"""
MODEL = """\
name: is_hot
title: Hot
description: Whether it is hot.
table: cycles
label: is_hot
split: {kind: hash, by: [unit]}
thresholds: {auc: {min: 0.5}}
features:
  mean: {kind: numeric}
"""


def load(tmp_path: Path, contract: str = CONTRACT, model: str = "") -> UseCase:
    folder = tmp_path / "mill"
    (folder / "models").mkdir(parents=True, exist_ok=True)
    (folder / "contract.yaml").write_text(contract, encoding="utf-8")
    if model:
        (folder / "models" / "is_hot.yaml").write_text(model, encoding="utf-8")
    return load_contract(folder)


def refused(tmp_path: Path, contract: str = CONTRACT, model: str = "") -> list[str]:
    with pytest.raises(ContractError) as caught:
        load(tmp_path, contract, model)
    error = caught.value
    errors = error.errors if isinstance(error, ContractErrors) else (error,)
    return [f"{each.key}: {each.reason}. Valid: {each.valid}" for each in errors]


def edited(*pairs: tuple[str, str], text: str = CONTRACT) -> str:
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new, 1)
    return text


def test_a_table_of_computed_columns_is_short(tmp_path: Path) -> None:
    table = load(tmp_path).gold["cycles"]
    assert (table.mode, table.build, table.key) == ("rows", "", ("unit", "cycle"))
    assert table.names[:6] == ("unit", "cycle", "day", "heat", "outcome", "hall")
    assert table.names[6:] == ("mean", "rise", "total", "left", "is_hot", "told")
    assert (table.per, table.reach, table.windows) == (
        ("unit",),
        ("unit",),
        {"last5": 5, "life": ALL},
    )
    assert table.lookups[0].key == ("unit",)


def test_what_a_function_makes_stays_as_it_was() -> None:
    table = GoldTable(name="t", build="tables.t", key=("id",))
    assert (table.per, table.lookups, table.windows) == ((), (), {})


WRONG = {
    "window": (
        ("over last5", "over last6"),
        "gold.cycles.columns.mean.expr: there is no window 'last6'. Valid: last5 (nearest); "
        "all: last5, life",
    ),
    "written out": (
        ("over last5", "over (order by cycle)"),
        "gold.cycles.columns.mean.expr: the window is written out, so goldlake does not know which "
        "rows it has. Valid: over NAME, with NAME: rows in windows, and per and order",
    ),
    "lead": (
        ("avg(heat) over last5", "lead(heat) over last5"),
        "gold.cycles.columns.mean.expr: lead depends on later rows. Valid: an aggregate, lag or "
        "row_number",
    ),
    "lag ahead": (
        ("avg(heat) over last5", '"lag(heat, -1) over last5"'),
        "gold.cycles.columns.mean.expr: lag(heat, -1) may look ahead. Valid: lag(x) or lag(x, N) "
        "with a whole number N",
    ),
    "rank": (
        ("avg(heat) over last5", "rank() over last5"),
        "gold.cycles.columns.mean.expr: rank is row_number here: no two rows are equal. Valid: "
        "row_number",
    ),
    "no unit": (
        ("    per: [unit]\n", ""),
        "gold.cycles.order: there is order and windows, and no per. Valid: per, order and windows "
        "together, or order and windows by time",
    ),
    "length of time": (
        ("last5: 5", "last5: 5q"),
        "gold.cycles.windows.last5: '5q' is not a window. Valid: a number of rows, a length such "
        "as 28d, or all",
    ),
    "length by number": (
        ("last5: 5", "last5: 28d"),
        "gold.cycles.order: a window is a length of time, and 'cycle' has type long. Valid: a "
        "timestamp or date first",
    ),
    "length": (
        ("last5: 5", "last5: 0"),
        "gold.cycles.windows.last5: 0 is out of bounds. Valid: 1 to 100,000, or all",
    ),
    "no expr": (
        ("type: string, expr: upper(outcome)", "type: string"),
        "gold.cycles.columns.told: nothing says how 'told' is made. Valid: expr, or a build",
    ),
    "two statements": (
        ("upper(outcome)", "'upper(outcome) -- x'"),
        "gold.cycles.columns.told.expr: the expression holds a ';' or an SQL comment. Valid: one "
        "Spark SQL expression",
    ),
    "lookup of no column": (
        (
            "key: [unit]\n        columns: {unit: long, hall",
            "key: [hut]\n        columns: {hut: long, hall",
        ),
        "gold.cycles.lookups.halls.key: silver has no column 'hut'. Valid: unit (nearest); all: "
        "unit, cycle, day, heat, outcome",
    ),
    "lookup of another type": (
        ("{unit: long, hall", "{unit: string, hall"),
        "gold.cycles.lookups.halls.columns.unit: 'unit' has type string, and in silver long. "
        "Valid: type: long",
    ),
    "lookup elsewhere": (
        ("path: halls.csv", "path: https://example.org/halls.csv"),
        "gold.cycles.lookups.halls.path: a lookup is a file of this machine. Valid: a path; copy "
        "the file there",
    ),
    "lookup by nothing": (
        ("key: [unit]\n        columns: {unit: long, hall", "columns: {unit: long, hall"),
        "gold.cycles.lookups.halls: the key 'key' is missing. Valid: key, or at and of",
    ),
    "lookup by half a time": (
        (
            "key: [unit]\n        columns: {unit: long, hall",
            "at: unit\n        columns: {unit: long, hall",
        ),
        "gold.cycles.lookups.halls.at: there is at and no of. Valid: at: a time of the file, of: a "
        "time of silver",
    ),
    "lookup by no time": (
        (
            "key: [unit]\n        columns: {unit: long, hall",
            "at: unit\n        of: day\n        columns: {unit: long, hall",
        ),
        "gold.cycles.lookups.halls.at: the column 'unit' has type long. Valid: timestamp or date",
    ),
    "aggregate": (
        ("    per: [unit]", "    mode: aggregate\n    per: [unit]"),
        "gold.cycles: the key 'build' is missing. Valid: build with mode: aggregate",
    ),
    "both": (
        ("    per: [unit]", "    build: tables.cycles\n    per: [unit]"),
        "gold.cycles.per: per is for computed columns, and a function makes the rows. Valid: "
        "reach, which says at which rows the function looks",
    ),
    "known": (
        ("known: amended", "known: later"),
        "silver.columns.outcome.known: unknown value 'later'. Valid: at_event, at_report, amended",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_hold_is_refused(tmp_path: Path, case: str) -> None:
    edit, expected = WRONG[case]
    assert expected in refused(tmp_path, edited(edit))


FEATURES = {
    "total": "'total' is made of later rows of its unit",
    "left": "'left' is made of later rows of its unit",
    "outcome": "'outcome' is amended after the event",
    "told": "'told', made of outcome, is amended after the event",
}


@pytest.mark.parametrize("column", FEATURES)
def test_a_feature_is_known_at_the_event(tmp_path: Path, column: str) -> None:
    kind = "categorical" if column in ("outcome", "told") else "numeric"
    model = edited(("mean: {kind: numeric}", f"{column}: {{kind: {kind}}}"), text=MODEL)
    (error,) = refused(tmp_path, model=model)
    place, _, reason = error.partition(": ")
    assert place == f"features.{column}"
    assert reason == f"{FEATURES[column]}. Valid: columns known before the outcome"


def test_features_do_not_tell_the_label(tmp_path: Path) -> None:
    assert load(tmp_path, model=MODEL).models["is_hot"].label == "is_hot"
    model = MODEL + "  heat: {kind: numeric}\n"
    (error,) = refused(tmp_path, model=model)
    assert "the features read heat, of which the label 'is_hot' is computed" in error
    contract = edited(
        (
            "told: {type: string, expr: upper(outcome)",
            "share: {type: double, expr: mean(is_hot) over last5",
        )
    )
    (error,) = refused(tmp_path, contract, edited(("mean: {", "share: {"), text=MODEL))
    assert "'share' is made of the label 'is_hot'" in error


def test_windows_are_written_out_where_a_literal_only_looks_like_one() -> None:
    lengths = {"last5": 5, "life": ALL}
    first, second = "max(x) filter (where y > 0) over life", "lag(x, 2) ignore nulls over last5"
    expr = f"concat({first} - {second}, ' over life')"
    assert [(c.function, c.window) for c in calls(expr)] == [("max", "life"), ("lag", "last5")]
    sql = written_out(expr, lengths, ["`unit`"], ["`cycle`", "`id`"])
    unit = "partition by `unit` order by `cycle`, `id`"
    assert sql == (
        f"concat(max(x) filter (where y > 0) over ({unit} rows between unbounded preceding and "
        f"unbounded following) - lag(x, 2) ignore nulls over ({unit}), ' over life')"
    )
    assert written_out("sum(x) over last5", lengths, ["`unit`"], ["`cycle`"]).endswith(
        "rows between 4 preceding and current row)"
    )


def test_what_looks_ahead() -> None:
    lengths = {"last5": 5, "life": ALL}
    assert looks_ahead("max(x) over life", lengths)
    assert not looks_ahead("max(x) over last5 + lag(x) over life + row_number() over life", lengths)
    assert not looks_ahead("if(y = 'max(x) over life', 1, 2)", lengths)
    assert list(calls("x over life"))[0] == Call("", "", "life", 2, (2, 11))
    assert list(problems("x over life", lengths)) == [
        ("no function comes before over life", "such as avg(x) over last5")
    ]
    assert list(problems("lag(f(x, 1)) over life", lengths)) == []


RECENT = edited(
    (
        "    order: [cycle]\n    windows: {last5: 5, life: all}",
        "    order: [day]\n    windows: {w: 28d, v: 7d}",
    ),
    ("avg(heat) over last5", "avg(heat) over w"),
    ("sum(heat) over life", "sum(heat) over v"),
)
BY_DAY = edited(
    (
        "split: {kind: hash, by: [unit]}",
        "event_time: day\nsplit: {kind: relative, eval_days: 7, test_days: 7}",
    ),
    text=MODEL,
)


def test_windows_by_time_are_made_again_as_far_as_they_see(tmp_path: Path) -> None:
    table = load(tmp_path / "unit", RECENT).gold["cycles"]
    assert (table.windows, table.reach) == ({"w": "28d", "v": "7d"}, ("unit",))
    assert (table.reach_order, table.reach_before, table.reach_after) == ("day", "28d", "0")
    whole = load(tmp_path / "whole", edited(("    per: [unit]\n", ""), text=RECENT))
    assert (whole.gold["cycles"].reach, whole.gold["cycles"].reach_order) == ((), "day")
    # A window of a number of rows needs the whole unit.
    mixed = load(tmp_path / "mixed", edited(("v: 7d", "v: 7"), text=RECENT)).gold["cycles"]
    assert (mixed.reach, mixed.reach_order, mixed.reach_before) == (("unit",), None, "0")
    assert written_out("sum(x) over w", {"w": "1d"}, [], ["`at`", "`id`"]) == (
        "sum(x) over (order by unix_micros(cast(`at` as timestamp)) range between 86399999999 "
        "preceding and current row)"
    )
    lag = edited(("avg(heat) over w", '"lag(heat, 1) over w"'), text=RECENT)
    assert refused(tmp_path / "lag", lag) == [
        "gold.cycles.columns.mean.expr: lag counts rows, and w is a length of time. Valid: a "
        "window of a number of rows"
    ]
    unknown = edited(
        ("day: {type: date, format: iso, nullable: false}", "day: {type: date, format: iso}"),
        ("  event_time: day\n", ""),
        text=RECENT,
    )
    assert refused(tmp_path / "null", unknown) == [
        "gold.cycles.order: a window is a length of time, and 'day' is nullable. Valid: a column "
        "with nullable: false first"
    ]
    twice = edited(("    order: [day]", "    order: [day]\n    reach_order: day"), text=RECENT)
    assert refused(tmp_path / "twice", twice) == [
        "gold.cycles.reach_order: the order is said by per as well. Valid: reach with build, or "
        "per with windows"
    ]


def test_a_split_by_time_goes_with_windows_by_the_same_time(tmp_path: Path) -> None:
    assert load(tmp_path / "time", RECENT, BY_DAY).models["is_hot"].split.kind == "relative"
    whole = edited(("    per: [unit]\n", ""), text=RECENT)
    assert load(tmp_path / "whole", whole, BY_DAY).models["is_hot"].event_time == "day"
    assert refused(tmp_path / "hash", whole, MODEL) == [
        "split: the split can tear apart the rows of the table, which are made of each other. "
        "Valid: kind: relative or fixed with event_time: day, or kind: column"
    ]
    # Windows of a number of rows number them: a unit stays in one split.
    assert refused(tmp_path / "rows", CONTRACT, BY_DAY) == [
        "split: the split can tear apart the rows of one (unit), which are made of each other. "
        "Valid: kind: hash with by: [unit], or kind: column"
    ]


STRETCH = edited(
    ("    per: [unit]\n    order: [cycle]\n", "    per: [hundred]\n    order: [cycle]\n"),
    (
        "    columns:\n      mean",
        "    columns:\n      hundred: {type: long, expr: cycle div 100}\n      mean",
    ),
)


def test_a_unit_may_be_a_stretch_of_an_order(tmp_path: Path) -> None:
    case = load(tmp_path / "time", STRETCH, BY_DAY)
    assert case.gold["cycles"].reach == ("hundred",)
    assert case.models["is_hot"].split.kind == "relative"
    ahead = edited(("label: is_hot", "label: left"), text=BY_DAY)
    torn = (
        "split: the split can tear apart the rows of one (hundred), which are made of each other. "
        "Valid: kind: hash with by: [hundred], or kind: column"
    )
    assert torn in refused(tmp_path / "ahead", STRETCH, ahead)
    by_key = edited(("by: [unit]", "by: [day]"), text=MODEL)
    assert refused(tmp_path / "hash", STRETCH, by_key) == [
        "split: the split can tear apart the rows of one (hundred), which are made of each other. "
        "Valid: kind: hash with by: [hundred], kind: relative or fixed with event_time: COLUMN, or "
        "kind: column"
    ]
    other = edited(("expr: cycle div 100", "expr: unit div 100"), text=STRETCH)
    assert torn in refused(tmp_path / "group", other, BY_DAY)


@pytest.mark.parametrize(
    ("expr", "of"),
    [("mean + 1", "mean"), ("length(hall)", "hall"), ("count(heat) over last5", "windows")],
)
def test_a_unit_is_made_of_the_silver_row(tmp_path: Path, expr: str, of: str) -> None:
    wrong = edited(("expr: cycle div 100", f"expr: {expr}"), text=STRETCH)
    assert refused(tmp_path, wrong) == [
        f"gold.cycles.per: 'hundred' is made of {of}. Valid: a column that is made of silver "
        "columns only"
    ]


def test_what_orders_windows_is_read_by_them(tmp_path: Path) -> None:
    contract = edited(("order: [cycle]", "order: [outcome]"))
    assert refused(tmp_path / "amended", contract, MODEL) == [
        "features.mean: 'mean', made of outcome, is amended after the event. Valid: columns known "
        "before the outcome"
    ]


def test_what_is_made_of_the_version_is_amended(tmp_path: Path) -> None:
    contract = edited(
        ("  event_time: day\n", "  event_time: day\n  version: changed\n"),
        (
            "    heat: double\n",
            "    heat: double\n    changed: {type: date, format: iso, nullable: false}\n",
        ),
        ("heat - mean", '"datediff(changed, day)"'),
    )
    model = edited(("mean: {kind: numeric}", "rise: {kind: numeric}"), text=MODEL)
    assert refused(tmp_path, contract, model) == [
        "features.rise: 'rise', made of changed, is amended after the event. Valid: columns known "
        "before the outcome"
    ]


CLUSTERED = edited(
    ("    windows: {last5: 5, life: all}\n", ""),
    ("    per: [unit]\n    order: [cycle]\n", ""),
    ("avg(heat) over last5", "heat * 2"),
    ("sum(heat) over life", "heat * 3"),
    (
        "    columns:\n      mean",
        "    clusters:\n      group: {columns: [heat, mean], k: 4, wire_null: {flag: has_group}}\n"
        "    columns:\n      mean",
    ),
)


def test_a_cluster_is_a_category_of_the_table(tmp_path: Path) -> None:
    by_group = edited(("  mean: {kind: numeric}", "  group: {kind: categorical}"), text=BY_DAY)
    case = load(tmp_path, CLUSTERED, by_group)
    table = case.gold["cycles"]
    (cluster,) = table.clusters
    assert (cluster.time, cluster.every, cluster.rows) == ("day", "90d", 20_000)
    column = table.column("group")
    assert (column.type, column.nullable, column.range) == ("long", True, (0, 3))
    assert column.comment == "Cluster of heat, mean."
    assert table.names[-1] == "group"
    assert case.models["is_hot"].feature_columns == ("group",)


WRONG_CLUSTERS = {
    "text": (
        ("columns: [heat, mean]", "columns: [heat, outcome]"),
        "gold.cycles.clusters.group.columns: the column 'outcome' has type string. Valid: columns "
        "of numbers",
    ),
    "unknown": (
        ("columns: [heat, mean]", "columns: [heet]"),
        "gold.cycles.clusters.group.columns[0]: there is no column 'heet'. Valid: heat (nearest); "
        "all: unit, cycle, day, heat, outcome, hall, mean, rise, total, left, is_hot, told",
    ),
    "k": (("k: 4", "k: 1"), "gold.cycles.clusters.group.k: 1 is out of bounds. Valid: 2 to 256"),
    "every": (
        ("k: 4", "k: 4, every: 1h"),
        "gold.cycles.clusters.group.every: an interval is shorter than a day. Valid: 1d or more",
    ),
    "no time": (
        ("  event_time: day\n", ""),
        "gold.cycles.clusters.group: the rows have no time: silver has no event_time. Valid: time: "
        "a timestamp or date column of the table",
    ),
    "other time": (
        ("k: 4", "k: 4, time: cycle"),
        "gold.cycles.clusters.group.time: the time 'cycle' has type long. Valid: timestamp or date",
    ),
    "nullable time": (
        ("day: {type: date, format: iso, nullable: false}", "day: {type: date, format: iso}"),
        "silver.event_time: the column 'day' is nullable",
    ),
    "not kept": (
        (
            "  cycles:\n    lookups",
            "  cycles:\n    keep: [unit, cycle, heat, outcome]\n    lookups",
        ),
        "gold.cycles.clusters.group: the rows have no time: the table lacks 'day'. Valid: time: a "
        "timestamp or date column of the table",
    ),
    "name": (
        ("      group: {", "      heat: {"),
        "gold.cycles.clusters.heat: the table has the column 'heat'. Valid: another name",
    ),
}


@pytest.mark.parametrize("case", WRONG_CLUSTERS)
def test_clusters_that_do_not_hold_are_refused(tmp_path: Path, case: str) -> None:
    change, expected = WRONG_CLUSTERS[case]
    assert refused(tmp_path, edited(change, text=CLUSTERED))[0].startswith(expected)


def test_what_is_fitted_on_earlier_rows_is_split_by_their_time(tmp_path: Path) -> None:
    by_group = edited(("  mean: {kind: numeric}", "  group: {kind: categorical}"), text=MODEL)
    assert refused(tmp_path / "hash", CLUSTERED, by_group) == [
        "split: 'group' is fitted on all rows before an instant of 'day', and this split puts some "
        "of them into eval and test. Valid: event_time: day with split kind relative or fixed"
    ]
    amended = edited(
        ("    heat: double", "    heat: {type: double, known: amended}"), text=CLUSTERED
    )
    timed = edited(("  mean: {kind: numeric}", "  group: {kind: categorical}"), text=BY_DAY)
    assert refused(tmp_path / "amended", amended, timed) == [
        "features.group: 'group', made of heat, is amended after the event. Valid: columns known "
        "before the outcome"
    ]


def test_the_time_of_a_cluster_is_never_missing(tmp_path: Path) -> None:
    contract = edited(
        ("day: {type: date, format: iso, nullable: false}", "day: {type: date, format: iso}"),
        ("  event_time: day\n", ""),
        ("k: 4", "k: 4, time: day"),
        text=CLUSTERED,
    )
    assert refused(tmp_path, contract) == [
        "gold.cycles.clusters.group.time: the time 'day' is nullable. Valid: a column with "
        "nullable: false"
    ]
