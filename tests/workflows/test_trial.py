"""`goldlake check --data`: what would be rejected, why, and the likely cure."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from goldlake.cli.main import main
from goldlake.workflows.check import check_usecase
from goldlake_core.contracts.errors import PermanentError, UsageError

ROWS = 40
HEADER = "id;Anzahl;day;at;paid;kind;rate;Betrag"
FILE = "\n".join(
    [
        HEADER,
        *(
            f"{n};8,{n:03};{n % 12 + 13}/02/2020;15{n:02}855600;{'Ja' if n % 2 else 'Nein'};"
            f"{'ABX'[n % 3]};{'#DIV/0!' if n < 9 else n};1.5"
            for n in range(1, ROWS + 1)
        ),
    ]
)


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "ledger").mkdir()
    (tmp_path / "ledger" / "a.csv").write_text(FILE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "ledger"


def write(ledger: Path, columns: str, source: str = 'format: {delimiter: ";"}') -> None:
    text = f"name: ledger\nsource: {{kind: files, path: a.csv, {source}}}\nsilver:\n  columns:\n"
    lines = "".join(f"    {line}\n" for line in columns.strip().split("\n"))
    (ledger / "contract.yaml").write_text(text + lines, encoding="utf-8")


@pytest.mark.parametrize(
    ("column", "code", "cure"),
    [
        ("n: {type: long, field: Anzahl}", "n.unparsable", 'thousands: ","?'),
        ("rate: double", "rate.unparsable", 'null_values: ["#DIV/0!"]?'),
        ("day: {type: date, format: MM/dd/yyyy}", "day.unparsable", "format: dd/MM/yyyy?"),
        ("at: {type: timestamp, format: iso, time_zone: UTC}", "at.unparsable", "format: epoch_s?"),
        ("paid: boolean", "paid.unparsable", "replace: {Nein: …, Ja: …}, to true or false?"),
        ("kind: {type: string, domain: [A, B]}", "kind.domain", "X in the domain too?"),
        ("betrag: {type: long, field: Betrag}", "betrag.unparsable", "type: double?"),
        (
            "total: {type: double, field: betrag, nullable: false}",
            "total.missing",
            "field: Betrag?",
        ),
        ("id: {type: long, range: [2, 39]}", "id.range", None),
        ('kind: {type: string, pattern: "[AB]"}', "kind.pattern", None),
    ],
)
def test_each_reason_has_its_cure(ledger: Path, column: str, code: str, cure: str | None) -> None:
    write(ledger, f"id: long\n{column}" if not column.startswith("id") else column)
    report = check_usecase("ledger", has_data=True)
    assert report.trial is not None
    assert list(report.trial.reasons) == [code]
    assert report.trial.rejected == report.trial.reasons[code] > 0
    (finding,) = report.findings
    assert finding.key == f"silver.columns.{code.partition('.')[0]}"
    if cure is None or "replace" not in cure:
        assert finding.valid == cure
    else:
        assert "to true or false?" in str(finding.valid)


def test_it_ends_with_3_where_the_run_would_refuse(ledger: Path) -> None:
    write(ledger, "id: long\nn: {type: long, field: Anzahl}")
    result = CliRunner().invoke(main, ["check", "ledger", "--data"])
    assert result.exit_code == 3
    assert result.output == (
        "ledger/contract.yaml:6: silver.columns.n: warning: 40 of 40 records would be rejected: "
        "'8,001' is not a long. Valid: thousands: \",\"?.\n"
        "ledger: no errors, 1 warning; 3 columns, 1 gold table, 0 models checked\n"
        "✗ 40 of 40 records would be rejected: n.unparsable 40\n"
    )
    write(ledger, "id: long\nn: {type: long, field: Anzahl, thousands: ','}")
    assert CliRunner().invoke(main, ["check", "ledger", "--data"]).exit_code == 0


def test_a_column_that_is_never_there_is_told(ledger: Path) -> None:
    write(ledger, "id: long\nanzahl: long")
    report = check_usecase("ledger", has_data=True)
    assert report.trial is not None
    assert report.trial.missing == {"anzahl": ROWS}
    (finding,) = report.findings
    assert (finding.problem, finding.valid) == ("no record has a value", "field: Anzahl?")


def test_what_could_not_be_landed_is_refused_with_its_cure(ledger: Path) -> None:
    write(ledger, "id: long", "format: {delimiter: ','}")
    with pytest.raises(PermanentError, match="set source.format.delimiter to ';'"):
        check_usecase("ledger", has_data=True)


def test_a_source_without_records_is_named(ledger: Path) -> None:
    write(ledger, "id: long")
    (ledger / "a.csv").write_text(HEADER + "\n", encoding="utf-8")
    with pytest.raises(UsageError, match="The source of ledger has no records yet"):
        check_usecase("ledger", has_data=True)


def test_lines_that_are_not_records_are_counted(ledger: Path) -> None:
    (ledger / "a.csv").write_text(FILE + "\ncut;off\n", encoding="utf-8")
    write(ledger, "id: long")
    report = check_usecase("ledger", has_data=True)
    assert report.trial is not None
    assert (report.trial.rejected, dict(report.trial.reasons)) == (1, {"json.invalid": 1})
    assert "'cut;off'" in report.findings[0].problem


@pytest.mark.parametrize(
    ("column", "head", "problem"),
    [
        (
            "id: long",
            "binary",
            "the label has the values 1, 2, 3, 4, 5, 6, and the head binary knows 0 and 1",
        ),
        (
            'n: {type: long, field: Anzahl, thousands: ",", replace: {"8,001": "-1"}}',
            "count",
            "the label has values below 0, and the head count knows 0 and more",
        ),
        (
            "betrag: {type: double, field: Betrag}",
            "regression",
            "the label is 1.5 in all records that have one",
        ),
    ],
)
def test_a_label_that_its_head_cannot_learn_is_told(
    ledger: Path, column: str, head: str, problem: str
) -> None:
    write(ledger, f"rate: string\n{column}")
    (ledger / "models").mkdir()
    metric = {"binary": "auc", "count": "rmse", "regression": "rmse"}[head]
    name = column.partition(":")[0]
    (ledger / "models" / "m.yaml").write_text(
        f"name: m\nlabel: {name}\nhead: {head}\nfeatures: {{rate: categorical}}\n"
        f"thresholds: {{{metric}: {{min: 0}}}}\n",
        encoding="utf-8",
    )
    report = check_usecase("./ledger", has_data=True)
    assert problem in [finding.problem for finding in report.findings]
