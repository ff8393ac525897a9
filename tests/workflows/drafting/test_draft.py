"""`goldlake init`: what files are taken for, and that the contract holds right after it."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from goldlake.cli.main import main
from goldlake.workflows.check import check_usecase
from goldlake.workflows.drafting import draft as drafting
from goldlake.workflows.drafting.draft import Drafted, draft
from goldlake.workflows.run import default_source
from goldlake_core.contracts.errors import GoldlakeError, UsageError
from goldlake_core.contracts.field_names import column_names
from goldlake_core.contracts.loader import load_contract
from goldlake_core.contracts.sections import Split
from tests.workflows.drafting.odd_files import NOT_TABLES, ODD_FILES, Odd

CHURN = "customerID,Joined,Contract,Tenure,Monthly Charges (£),Churn\n" + "".join(
    f"c{n:04},{n % 28 + 1:02}/{n % 12 + 1:02}/2020,{'AB'[n % 2]},{n % 72},{n % 90}.5,"
    f"{'Yes' if n % 3 else 'No'}\n"
    for n in range(400)
)


def drafted(folder: Path, where: str, label: str | None = None) -> tuple[Drafted, dict[str, Any]]:
    """A draft and its contract; the contract holds, and rejects no record of the sample."""
    found = draft(str(folder / "drafted"), where, label)
    report = check_usecase(str(folder / "drafted"), has_data=True)
    assert [finding.message for finding in report.findings if finding.severity == "error"] == []
    assert report.trial is not None
    assert set(report.trial.reasons) <= {"json.invalid"}
    text = (folder / "drafted" / "contract.yaml").read_text(encoding="utf-8")
    return found, yaml.safe_load(text)


def column(contract: dict[str, Any], name: str) -> dict[str, Any]:
    declared = contract["silver"]["columns"][name]
    return {"type": declared} if isinstance(declared, str) else declared


@pytest.mark.parametrize("odd", ODD_FILES, ids=lambda odd: odd.name)
def test_odd_files_are_taken_for_what_they_are(tmp_path: Path, odd: Odd) -> None:
    (tmp_path / odd.name).write_bytes(odd.content)
    found, contract = drafted(tmp_path, str(tmp_path / odd.name))
    assert contract["source"].get("format", {}) == odd.format
    key = contract["silver"]["key"]
    assert (key if key != "content" else []) == list(odd.key)
    for name, wanted in odd.columns.items():
        declared = column(contract, name)
        assert {each: declared.get(each) for each in wanted} == wanted, name
    told = [line.text for line in found.told]
    for part in odd.told:
        assert any(part in text for text in told), told


@pytest.mark.parametrize("name", NOT_TABLES)
def test_what_is_not_a_table_is_refused_and_nothing_is_written(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(NOT_TABLES[name])
    with pytest.raises(GoldlakeError) as caught:
        draft(str(tmp_path / "drafted"), str(tmp_path / name))
    assert not (tmp_path / "drafted").exists()
    if name == "header_only.csv":
        assert "There is no record in" in caught.value.message


REAL = {
    "chicago/crimes_2016.csv.gz": ("Arrest", ["id"]),
    "chicago/crimes_2015_export_truncated.csv.gz": ("Arrest", ["id"]),
    "chicago/crimes_2001_q1_no_ids.csv.gz": ("Arrest", ["case_number", "date"]),
    "chicago/crimes_2012_api_rows_no_ids.csv.gz": ("arrest", []),
    "chicago/iucr_codes.csv": (None, ["iucr"]),
    "chicago/police_district_stations.csv": (None, ["district"]),
    "uk_police/2024-01-city-of-london-street.csv.gz": (None, []),
    "uk_police/*-city-of-london-street.csv.gz": (None, []),
    "uk_police/api_crimes_leicester_2023-01.json.gz": (None, ["id"]),
    "uk_police/case-history.json": (None, ["category_code"]),
    "germany_pks/pks_2020_kreise.csv.gz": (None, ["schluessel", "gemeindeschluessel"]),
    "germany_pks/pks_national_series_to_2016.csv.gz": (None, ["schluesse", "jahr"]),
    "cmapss/train_FD001.txt.gz": (None, ["column_1", "column_2"]),
    "cmapss/test_FD001.txt.gz": (None, ["column_1", "column_2"]),
    "cmapss/RUL_FD001.txt.gz": (None, []),
    "geo/chicago_community_areas.geojson.gz": (None, ["properties_community"]),
    "geo/chicago_police_districts_2012.geojson.gz": (None, []),
}


@pytest.mark.parametrize("place", REAL)
def test_real_data_are_taken_for_what_they_are(tmp_path: Path, test_data: Path, place: str) -> None:
    label, key = REAL[place]
    begun = time.process_time()
    found, contract = drafted(tmp_path, str(test_data / place), label)
    assert time.process_time() - begun < 10  # init and check together, for 20,000 rows
    assert (contract["silver"]["key"] if key else []) == key
    assert (tmp_path / "drafted" / "models").exists() == (label is not None)
    assert len(found.told) <= 12


def test_real_data_keep_what_is_odd_about_them(tmp_path: Path, test_data: Path) -> None:
    _, pks = drafted(tmp_path / "a", str(test_data / "germany_pks/pks_2020_kreise.csv.gz"))
    assert pks["source"]["format"] == {
        "delimiter": ";",
        "encoding": "cp1252",
        "skip_lines": 1,
        "thousands": ",",
    }
    assert column(pks, "anzahl_erfasste_faelle")["type"] == "long"
    _, engines = drafted(tmp_path / "b", str(test_data / "cmapss/train_FD001.txt.gz"))
    assert sorted(column(engines, "column_15")["null_values"]) == ["'N/A'", "NAN", "None"]
    _, police = drafted(tmp_path / "c", str(test_data / "uk_police/2024-*.csv.gz"))
    assert column(police, "month")["format"] == "yyyy-MM"
    chicago, _ = drafted(tmp_path / "d", str(test_data / "chicago/crimes_2001_q1_no_ids.csv.gz"))
    left = [line.text for line in chicago.told if line.what == "left out"]
    assert left == ["ID, District, Community Area, Updated On: without a value"]


def test_the_new_users_hour_begins_without_an_edit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("churn.csv").write_text(CHURN, encoding="utf-8")
    result = CliRunner().invoke(main, ["init", "churn", "--from", "churn.csv", "--label", "Churn"])
    assert result.output == (
        "churn: 400 records of churn.csv\n"
        '  ✓ layout    CSV, encoding utf-8, delimiter ","\n'
        "  ✓ key       customer_id\n"
        "  ? time      joined is when it happened\n"
        "  ✓ columns   6: 2 string, 1 date, 1 long, 1 double, 1 boolean\n"
        "  ? label     churn (binary), by 3 features\n"
        "  ? split     by time: test 72 days, eval 39 before, train 70% of the rows\n"
        "Wrote churn/contract.yaml and churn/models/churn.yaml\n"
        "Next: goldlake check churn, then goldlake run churn\n"
    )
    checked = CliRunner().invoke(main, ["check", "churn", "--data"])
    assert checked.output == (
        "churn: no errors; 6 columns, 1 gold table, 1 model checked\n"
        "✓ 0 of 400 records would be rejected\n"
        "  label of churn: true 266, false 134\n"
    )
    usecase = load_contract(tmp_path / "churn")
    assert usecase.source.path == "../churn.csv"
    assert usecase.models["churn"].feature_columns == ("contract", "tenure", "monthly_charges")
    assert usecase.models["churn"].split.kind == "relative"
    assert usecase.models["churn"].examples == (
        {"contract": "A", "tenure": 0, "monthly_charges": 0.5},
        {"contract": "B", "tenure": 1, "monthly_charges": 1.5},
    )
    assert default_source("churn") == "live"
    again = CliRunner().invoke(main, ["init", "churn", "--from", "churn.csv", "--json"])
    assert again.exit_code == 2
    assert "already, and a draft is never written over a file" in again.output


def test_a_draft_that_was_cut_off_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "churn.csv").write_text(CHURN, encoding="utf-8")
    folder, where = tmp_path / "churn", str(tmp_path / "churn.csv")

    class Killed(BaseException):
        pass

    link = os.link

    def dying(source: Path, target: Path) -> None:
        if target.name == "contract.yaml":
            raise Killed
        link(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(drafting.os, "link", dying)
        with pytest.raises(Killed):
            draft(str(folder), where, "Churn")
    assert [path.name for path in folder.rglob("*") if path.is_file()] == ["churn.yaml"]
    draft(str(folder), where, "Churn")
    assert load_contract(folder).models["churn"].label == "churn"


def test_a_model_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "churn.csv").write_text(CHURN, encoding="utf-8")
    mine = tmp_path / "churn" / "models" / "churn.yaml"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="already, and a draft is never written over a file"):
        draft(str(tmp_path / "churn"), str(tmp_path / "churn.csv"), "Churn")
    assert mine.read_text(encoding="utf-8") == "mine"
    assert not (tmp_path / "churn" / "contract.yaml").exists()


@pytest.mark.parametrize(
    ("label", "head", "metric"),
    [
        ("Contract", "multiclass", "crossentropy"),
        ("Tenure", "regression", "rmse"),
        ("Monthly Charges (£)", "regression", "rmse"),
        ("Churn", "binary", "auc"),
    ],
)
def test_each_type_of_label_has_its_head(
    tmp_path: Path, label: str, head: str, metric: str
) -> None:
    (tmp_path / "churn.csv").write_text(CHURN, encoding="utf-8")
    drafted(tmp_path, str(tmp_path / "churn.csv"), label)
    [model] = load_contract(tmp_path / "drafted").models.values()
    assert model.head.kind == head
    assert [(each.metric, each.over_baseline) for each in model.thresholds] == [(metric, 0.05)]
    assert model.split.kind == "relative"
    assert model.training.dropout == (0 if head == "regression" else 0.1)


@pytest.mark.parametrize(
    ("label", "reason"),
    [
        ("Joined", "joined has type date, which no model predicts"),
        ("customerID", "customer_id has 400 different texts, too many for classes"),
        ("Same", "same is the same in all records"),
    ],
)
def test_a_label_that_no_model_learns_is_told(tmp_path: Path, label: str, reason: str) -> None:
    header, *lines = CHURN.splitlines()
    text = f"{header},Same\n" + "".join(f"{line},x\n" for line in lines)
    (tmp_path / "churn.csv").write_text(text, encoding="utf-8")
    found, _ = drafted(tmp_path, str(tmp_path / "churn.csv"), label)
    assert [line.text for line in found.told if line.what == "label"] == [f"no model: {reason}"]
    assert not (tmp_path / "drafted" / "models").exists()


def test_without_a_time_a_hash_divides_and_units_stay_together(tmp_path: Path) -> None:
    lines = [
        f"{unit} {cycle} {unit % 7 + cycle / 9:.3f} {(unit * cycle) % 11}.5"
        for unit in range(1, 30)
        for cycle in range(1, 20 + unit % 5)
    ]
    (tmp_path / "wear.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    drafted(tmp_path, str(tmp_path / "wear.txt"), "column_3")
    model = load_contract(tmp_path / "drafted").models["column_3"]
    assert model.split == Split("hash", by=("column_1",))
    text = (tmp_path / "drafted/models/column_3.yaml").read_text(encoding="utf-8")
    assert "# ? the records of one column_1 stay together" in text


def _days(rows_by_day: dict[str, int]) -> str:
    days = [day for day, rows in rows_by_day.items() for _ in range(rows)]
    lines = (f"r{n:04},{day},{n % 7}.5,{'Yes' if n % 3 else 'No'}\n" for n, day in enumerate(days))
    return "id,seen,size,hit\n" + "".join(lines)


def test_windows_hold_shares_of_the_rows_where_days_are_not_alike(tmp_path: Path) -> None:
    """A few old and young events do not leave train without rows."""
    dense = {f"2015-09-{day:02}": 100 for day in range(1, 11)}
    rows = {"2001-01-01": 5, **dense, "2019-03-01": 5}
    (tmp_path / "a.csv").write_text(_days(rows), encoding="utf-8")
    found, _ = drafted(tmp_path, str(tmp_path / "a.csv"), "hit")
    split = load_contract(tmp_path / "drafted").models["hit"].split
    # A fifth are the 5 rows of 2019 and those of 9 and 10 September; a tenth, 101, take two days.
    assert (split.kind, split.test_days, split.eval_days) == ("relative", 1270, 2)
    [told] = [line for line in found.told if line.what == "split"]
    assert told.text == "by time: test 1,270 days, eval 2 before, train 60% of the rows"
    assert told.is_guess


def test_days_that_leave_too_few_rows_to_train_on_give_way_to_a_hash(tmp_path: Path) -> None:
    rows = {"2020-01-01": 40, "2020-01-05": 60, "2020-01-09": 900}
    (tmp_path / "a.csv").write_text(_days(rows), encoding="utf-8")
    found, _ = drafted(tmp_path, str(tmp_path / "a.csv"), "hit")
    assert load_contract(tmp_path / "drafted").models["hit"].split.kind == "hash"
    [told] = [line for line in found.told if line.what == "split"]
    assert told.text.startswith("by hash: 20% for test, 10% for eval; by time only 0% of the rows")
    one = _days({"2020-01-01": 400})
    (tmp_path / "b.csv").write_text(one, encoding="utf-8")
    told_of_one = draft(str(tmp_path / "one"), str(tmp_path / "b.csv"), "hit").told[-1]
    assert (told_of_one.text, told_of_one.is_guess) == (
        "by hash: 20% for test, 10% for eval",
        False,
    )


def test_records_without_a_label_are_counted(tmp_path: Path) -> None:
    text = CHURN.replace(",Yes\n", ",\n", 30)
    (tmp_path / "churn.csv").write_text(text, encoding="utf-8")
    drafted(tmp_path, str(tmp_path / "churn.csv"), "Churn")
    text = (tmp_path / "drafted/models/churn.yaml").read_text(encoding="utf-8")
    assert "label: churn  # 30 records have none, and are left out" in text


def test_a_feature_that_tells_the_label_by_itself_is_told(tmp_path: Path) -> None:
    leaking = "".join(
        f"{line},{'left' if line.endswith('Yes') else 'stays'}\n" for line in CHURN.splitlines()[1:]
    )
    text = CHURN.splitlines()[0] + ",Status\n" + leaking
    (tmp_path / "churn.csv").write_text(text, encoding="utf-8")
    drafted(tmp_path, str(tmp_path / "churn.csv"), "Churn")
    model = (tmp_path / "drafted" / "models" / "churn.yaml").read_text(encoding="utf-8")
    assert "  status: categorical  # ? tells churn by itself" in model


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (20, "categorical"),  # each is there 20 times
        (21, "text"),
        (200, "text"),
    ],
)
def test_long_texts_of_a_list_are_a_category(tmp_path: Path, texts: int, kind: str) -> None:
    header, *lines = CHURN.splitlines()
    ended = [f"{line},ended for reason number {n % texts}" for n, line in enumerate(lines)]
    (tmp_path / "churn.csv").write_text("\n".join([f"{header},How", *ended]), encoding="utf-8")
    drafted(tmp_path, str(tmp_path / "churn.csv"), "Churn")
    [model] = load_contract(tmp_path / "drafted").models.values()
    assert {each.name: each.kind for each in model.features}["how"] == kind


def test_numbers_of_all_magnitudes_are_read_by_their_logarithm(tmp_path: Path) -> None:
    lines = [f"t{n},{10 ** (n % 7) + n},{n % 90}.5,{'Yes' if n % 3 else 'No'}" for n in range(400)]
    (tmp_path / "towns.csv").write_text("\n".join(["town,people,age,grows", *lines]), "utf-8")
    where = str(tmp_path / "towns.csv")
    drafted(tmp_path, where, "grows")
    [model] = load_contract(tmp_path / "drafted").models.values()
    assert {each.name: each.params.get("scale", "z") for each in model.features} == {
        "people": "log",
        "age": "z",
    }
    # A label of all magnitudes may be a sum of such numbers.
    draft(str(tmp_path / "people"), where, "people")
    [model] = load_contract(tmp_path / "people").models.values()
    assert {each.params.get("scale", "z") for each in model.features} == {"z"}


def test_a_label_that_the_first_line_has_makes_it_a_header(tmp_path: Path) -> None:
    """Years are numbers: only the person who names one says that they are names."""
    lines = [f"country {n},{n}.5,{n * n % 7}.25,{n + 3}.75\n" for n in range(40)]
    text = "".join(['"","1940","1950","1960"\n', *lines])
    (tmp_path / "spent.csv").write_text(text, encoding="utf-8")
    _, contract = drafted(tmp_path, str(tmp_path / "spent.csv"), "1960")
    assert "format" not in contract["source"]
    assert [column(contract, f"c_{year}")["type"] for year in (1940, 1950, 1960)] == ["double"] * 3
    assert (tmp_path / "drafted/models/c_1960.yaml").exists()


def test_a_measure_or_a_text_that_differs_in_each_record_is_a_feature(tmp_path: Path) -> None:
    words = ("late", "early", "lost", "found", "paid")
    lines = [
        f"r{n:03},{1000 + n},{n}.{n % 7}25,{(n * 7919) % 1013},{n * 31 % 97 + 1000 * n},"
        f"it was {words[n % 5]} and then {words[n % 3]} case {n},{'Yes' if n % 3 else 'No'}\n"
        for n in range(300)
    ]
    text = "".join(["id,place_no,weight,income,steps,remark,hit\n", *lines])
    (tmp_path / "seen.csv").write_text(text, encoding="utf-8")
    drafted(tmp_path, str(tmp_path / "seen.csv"), "hit")
    model = load_contract(tmp_path / "drafted").models["hit"]
    features = {feature.name: feature.kind for feature in model.features}
    numeric = dict.fromkeys(("weight", "income", "steps"), "numeric")
    assert features == {**numeric, "remark": "text"}
    written = (tmp_path / "drafted/models/hit.yaml").read_text(encoding="utf-8")
    assert "income: numeric  # ? another number in each record" in written


def test_names_that_are_wrong_are_named(tmp_path: Path) -> None:
    (tmp_path / "churn.csv").write_text(CHURN, encoding="utf-8")
    where = str(tmp_path / "churn.csv")
    with pytest.raises(UsageError, match="'Churn' is not a name"):
        draft(str(tmp_path / "Churn"), where)
    with pytest.raises(UsageError, match=r"There is no column 'Chrun'.*Valid: Churn \(nearest\)"):
        draft(str(tmp_path / "churn"), where, "Chrun")
    with pytest.raises(UsageError, match="There are no files at"):
        draft(str(tmp_path / "churn"), str(tmp_path / "nothing.csv"))
    assert not (tmp_path / "churn").exists()


def test_a_hundred_times_as_much_takes_as_long(tmp_path: Path) -> None:
    header, *lines = CHURN.splitlines()
    file = tmp_path / "churn.csv"
    with file.open("w", encoding="utf-8") as out:
        out.write(header + "\n")
        for n in range(500):
            out.writelines(f"x{n}{line}\n" for line in lines)
    begun = time.process_time()
    found = draft(str(tmp_path / "churn"), str(file))
    assert (found.rows, found.is_whole) == (20_000, False)
    assert time.process_time() - begun < 10
    assert ("key", True) in [(line.what, line.is_guess) for line in found.told]


def test_names_of_columns_are_names_each_once() -> None:
    fields = ["Straße", "strasse", "1st", "", "€", "customerID", "a" * 100, "a" * 99, "content_id"]
    assert list(column_names(fields).values()) == [
        "strasse",
        "strasse_2",
        "c_1st",
        "column",
        "column_2",
        "customer_id",
        "a" * 56,
        "a" * 56 + "_2",
        "content_id_2",
    ]


def test_a_report_is_one_json_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("churn.csv").write_text(CHURN, encoding="utf-8")
    result = CliRunner().invoke(main, ["init", "churn", "--from", "churn.csv", "--json"])
    document = json.loads(result.output)
    assert (document["usecase"], document["rows"], document["is_whole"]) == ("churn", 400, True)
    assert document["written"] == ["churn/contract.yaml"]
