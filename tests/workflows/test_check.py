"""A use case as a whole: every kind of finding has its file, line and key."""

# ruff: noqa: F811 (a fixture is an import and an argument)

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from goldlake.workflows.check import CheckReport, check_usecase
from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.registry import usecase_names
from tests.goldlake_core.contracts.conftest import TOY, Copy, toy  # noqa: F401


def test_a_use_case_that_holds() -> None:
    assert check_usecase(str(TOY)) == CheckReport(
        usecase="toy_harbour",
        folder=str(TOY),
        errors=0,
        warnings=0,
        columns=19,
        tables=2,
        models=1,
        findings=(),
    )


def test_every_shipped_use_case_holds() -> None:
    reports = [check_usecase(str(folder)) for (folder,) in usecase_names().values()]
    assert reports
    assert [report.findings for report in reports] == [()] * len(reports)


def test_what_does_not_load_is_found_with_its_place(toy: Copy) -> None:
    toy.edit("contract.yaml", "  page_rows: 200", "  page_rows: 0")
    report = check_usecase(str(toy.folder))
    (found,) = report.findings
    line = toy.line_of("contract.yaml", "page_rows")
    assert (report.errors, report.warnings, report.columns, report.tables) == (1, 0, 0, 0)
    assert found.message == (
        f"{toy.folder}/contract.yaml:{line}: source.page_rows: 0 is out of bounds. "
        "Valid: 1 to 1000000."
    )


# What is replaced in which file, by what, a mark on the line at fault, and what is said of it.
CASES = {
    "kind": (
        "contract.yaml",
        "  kind: socrata",
        "  kind: socrat",
        "kind: socrat",
        "source.kind: there is no kind of source 'socrat'. Valid: socrata (nearest); all: "
        "documents, files, kafka, police_uk, rest, socrata.",
    ),
    "unknown option": (
        "contract.yaml",
        "  page_rows: 200",
        "  page_rows: 200\n  options: {atempts: 3}",
        "atempts",
        "source.options.atempts: 'atempts' is not an option of a socrata source. "
        "Valid: attempts (nearest); all: attempts, backoff_s, timeout_s.",
    ),
    "option of a wrong type": (
        "contract.yaml",
        "  page_rows: 200",
        "  page_rows: 200\n  options: {attempts: many}",
        "attempts",
        "source.options.attempts: 'many' is not a number. Valid: such as 8.",
    ),
    "format": (
        "contract.yaml",
        "      format: yyyy-MM-dd'T'HH:mm:ss.SSS\n      comment: Last day",
        "      format: YYYY-MM-dd\n      comment: Last day",
        "YYYY",
        "silver.columns.booked_until.format: YYYY is the week-based year, which Spark refuses. "
        "Valid: yyyy, the calendar year.",
    ),
    "suspicious format": (
        "contract.yaml",
        "      format: yyyy-MM-dd'T'HH:mm:ss.SSS\n      comment: Last day",
        "      format: yyyy-mm-dd\n      comment: Last day",
        "yyyy-mm",
        "silver.columns.booked_until.format: warning: mm is the minute, so every value falls in "
        "January. Valid: MM for the month.",
    ),
    "unknown column": (
        "contract.yaml",
        "expect: changed >= arrived",
        "expect: changd >= arrived",
        "changd",
        "silver.checks[1].expect: there is no silver column 'changd'. Valid: changed (nearest); "
        "all: call_id, arrived, changed, booked_until, vessel_type, cargo, berth, length_m, crew, "
        "pilot, latitude, longitude, overdue.",
    ),
    "silver column": (
        "contract.yaml",
        "range: [0, 5000]",
        "range: [3, 3]",
        "range: [3, 3]",
        "silver.columns.crew.range: warning: 3 is the only value the column can have. "
        "Valid: lowest < highest.",
    ),
    "gold column": (
        "contract.yaml",
        "range: [1, 7]",
        "range: [7, 7]",
        "range: [7, 7]",
        "gold.call_features.columns.weekday.range: warning: 7 is the only value the column can "
        "have. Valid: lowest < highest.",
    ),
    "build": (
        "contract.yaml",
        "build: tables.berth_day",
        "build: tables.call_features",
        "    mode: aggregate",
        "gold.berth_day.build: 'call_features' in tables.py:11 takes 1 argument, and is called "
        "with 3. Valid: def call_features(silver, changes, gold).",
    ),
    "generator": (
        "contract.yaml",
        "generator: generate.rows",
        "generator: generate.row",
        "generate.row",
        "source.generator: generate.py has no function 'row'. Valid: rows (nearest); all: rows.",
    ),
    "preprocessing": (
        "models/overdue.yaml",
        "table: call_features",
        "preprocessing: features.extra\ntable: call_features",
        "preprocessing",
        "preprocessing: 'features.extra' names a file that is not there: features.py. "
        "Valid: generate, tables.",
    ),
    "threshold": (
        "models/overdue.yaml",
        "auc: {min: 0.6",
        "auc: {min: 0.5",
        "auc: {min",
        "thresholds.auc.min: warning: a model that guesses has an AUC of 0.5, and 0.5 blesses it. "
        "Valid: more than 0.5, such as 0.7.",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_each_finding_has_its_place(toy: Copy, case: str) -> None:
    file, old, new, mark, message = CASES[case]
    toy.edit(file, old, new)
    line = toy.line_of(file, mark) + (1 if case == "build" else 0)
    found = check_usecase(str(toy.folder)).findings
    # An edit of the contract can make an example unusual, too.
    said = [finding.message for finding in found if not (finding.key or "").startswith("examples")]
    assert said == [f"{toy.folder}/{file}:{line}: {message}"]


def test_a_key_as_a_feature(toy: Copy) -> None:
    toy.edit("models/overdue.yaml", "columns: [cargo]", "columns: [call_id]")
    toy.edit("models/overdue.yaml", 'cargo: "crude oil"', "call_id: C00001")
    toy.edit("models/overdue.yaml", 'cargo: ""', "call_id: C00002")
    (found,) = check_usecase(str(toy.folder)).findings
    line = toy.line_of("models/overdue.yaml", "columns: [call_id]")
    assert found.message == (
        f"{toy.folder}/models/overdue.yaml:{line}: features.words.columns: warning: 'call_id' is "
        "the key of call_features: it identifies one row, so a model learns nothing from it. "
        "Valid: columns that other rows share."
    )


def test_text_that_looks_like_sql_is_text(toy: Copy) -> None:
    toy.edit("contract.yaml", "changed >= arrived", "\"cargo <> ';' and cargo <> '--' \"")
    assert check_usecase(str(toy.folder)).findings == ()


def test_all_findings_are_told_in_order(toy: Copy) -> None:
    for case in ("threshold", "format", "kind", "unknown column"):
        file, old, new, _, _ = CASES[case]
        toy.edit(file, old, new)
    report = check_usecase(str(toy.folder))
    assert (report.errors, report.warnings) == (3, 1)
    assert [finding.key for finding in report.findings] == [
        "source.kind",
        "silver.columns.booked_until.format",
        "silver.checks[1].expect",
        "thresholds.auc.min",
    ]


# What keeps one section from loading, and the key at fault.
BROKEN = {
    "source": ("contract.yaml", "  page_rows: 200", "  page_rows: 0", "source.page_rows"),
    "silver": ("contract.yaml", "range: [0, 5000]", "range: [9, 0]", "silver.columns.crew.range"),
    "check": ("contract.yaml", "code: both_or", "cod: both_or", "silver.checks[0].cod"),
    "gold": ("contract.yaml", "    mode: rows", "    mode: row", "gold.call_features.mode"),
    "model": ("models/overdue.yaml", "maturity_days: 14", "maturity_days: x", "maturity_days"),
    "model and its table": ("models/overdue.yaml", "table: call", "table: cal", "table"),
}


@pytest.mark.parametrize("section", BROKEN)
def test_all_that_loads_is_checked_where_something_does_not(toy: Copy, section: str) -> None:
    cases = ("kind", "format", "unknown column", "gold column", "build", "threshold")
    for file, old, new, *_ in [*(CASES[case] for case in cases), BROKEN[section]]:
        toy.edit(file, old, new)
    found = check_usecase(str(toy.folder)).findings
    expected = {CASES[case][4].partition(": ")[0] for case in cases} | {BROKEN[section][3]}
    assert expected <= {finding.key for finding in found}
    assert len(found) == len(set(found))


def test_a_rule_is_checked_as_far_as_columns_are_known(toy: Copy) -> None:
    toy.edit("contract.yaml", "    crew:", "    Crew:")
    toy.edit("contract.yaml", "expect: changed >= arrived", "expect: chngd >= loewr(arrived)")
    found = check_usecase(str(toy.folder)).findings
    assert [(f.key, f.problem) for f in found if f.key and f.key.startswith("silver")] == [
        ("silver.columns.Crew", "'Crew' is not a name"),
        ("silver.checks[1].expect", "there is no function 'loewr' in Spark SQL"),
    ]


def test_a_file_that_cannot_be_read_leaves_the_others_to_be_checked(toy: Copy) -> None:
    file, old, new, *_ = CASES["threshold"]
    toy.edit(file, old, new)
    (toy.folder / "contract.yaml").write_text("{")
    found = check_usecase(str(toy.folder)).findings
    assert [(f.severity, f.key) for f in found] == [
        ("error", None),
        ("warning", "thresholds.auc.min"),
    ]


def test_nothing_of_the_use_case_is_executed(toy: Copy, tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    for file in ("tables.py", "generate.py"):
        path = toy.folder / file
        path.write_text(path.read_text() + f"\nopen({str(mark)!r}, 'w')\n")
    assert check_usecase(str(toy.folder)).findings == ()
    assert not mark.exists()


def test_options_that_fit(toy: Copy) -> None:
    toy.edit("contract.yaml", "  page_rows: 200", "  page_rows: 200\n  options: {timeout_s: 30}")
    assert check_usecase(str(toy.folder)).findings == ()


def test_a_wrong_name_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="There is no use case called 'nowhere_at_all'"):
        check_usecase("nowhere_at_all")


def test_it_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from goldlake.workflows.check import check_usecase\n"
        f"assert check_usecase({str(TOY)!r}).findings == ()\n"
        "heavy = {'pyspark', 'tensorflow', 'tfx', 'apache_beam', 'pandas', 'numpy', 'pyarrow'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout == "[]\n", result.stderr


def test_options_of_a_connector_are_looked_at(tmp_path: Path) -> None:
    text = (
        "name: town\nsource:\n  kind: police_uk\n  address: https://data.police.uk\n"
        "  dataset: all-crime\n  options:\n"
        "    polygon: [[-1.1, 52.6], [-1.1, 52.7], [-1.2, 52.7]]\n"
        "    first_month: 23-01\n"
        "  overlap: 93d\n"
        "silver: {key: content, columns: {category: string}}\n"
    )
    (tmp_path / "town").mkdir()
    file = tmp_path / "town" / "contract.yaml"
    file.write_text(text, encoding="utf-8")
    report = check_usecase(str(tmp_path / "town"))
    assert [each.message for each in report.findings] == [
        f"{file}:7: source.options.polygon: [-1.1, 52.6] lies outside of the country; latitude "
        "and longitude seem to be swapped. Valid: latitude 49 to 61.5, longitude -9.5 to 2.5.",
        f"{file}:8: source.options.first_month: '23-01' is not a month. Valid: such as 2023-01.",
    ]
    begin, end = text.index("  options"), text.index("  overlap")
    bare = text[:begin] + text[end:]
    file.write_text(bare, encoding="utf-8")
    (found,) = check_usecase(str(tmp_path / "town")).findings
    assert found.message == f"{file}:2: source: there is no area. Valid: polygon or points."
    file.write_text(
        bare.replace("overlap: 93d", "options: {points: [[52.6, -1.1]]}"), encoding="utf-8"
    )
    (found,) = check_usecase(str(tmp_path / "town")).findings
    assert (found.severity, found.message) == (
        "warning",
        f"{file}:2: source: warning: no month but the newest is asked for again with an overlap "
        "of 1d, and outcomes are amended for months. Valid: such as 186d, which is six months.",
    )
