"""What `goldlake run` ends with fits a terminal of 24 lines, whatever there is to say."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import msgspec
import pytest

from goldlake.cli import account
from goldlake_core.documents.lakehouse import Refined, TableState
from goldlake_core.documents.reports import Answer, ModelReport, RunReport
from goldlake_core.documents.stages import StageError
from goldlake_core.documents.training import Anomaly, Bound, SliceReport
from tests.cli.documents import MODEL, recorded

ROOT = Path(__file__).parents[2]
LINES, WIDTH = 24, 80


@pytest.fixture(autouse=True)
def by_make(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command is the one of the environment, as `make run` calls it."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", [str(ROOT / ".venv/bin/goldlake")])
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setenv("GOLDLAKE_HOME", str(ROOT / "var" / "demo"))


def printed(
    report: RunReport,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    width: int = WIDTH,
) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(width))
    account.print_account(report)
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def screen_lines(lines: list[str], width: int = WIDTH) -> int:
    return sum(max(1, -(-len(line) // width)) for line in lines)


def here(report: RunReport) -> RunReport:
    """The recorded run as one in the folder from which the tests run."""
    home = str(ROOT / "var" / "demo")
    return msgspec.structs.replace(report, home=home, logs=report.logs.replace(report.home, home))


def test_the_reference_use_case_is_what_the_readme_shows(capsys, monkeypatch) -> None:
    lines = printed(here(recorded("run", RunReport)), capsys, monkeypatch)
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = page.partition("```text\n")[2].partition("```")[0].splitlines()
    assert lines[0] == ""
    assert lines[1:-1] == shown[:-1], "the README's first block is another run's"
    assert len(lines) <= LINES
    assert all(len(line) <= WIDTH for line in lines)


def test_a_wider_terminal_shows_more(capsys, monkeypatch) -> None:
    lines = printed(here(recorded("run", RunReport)), capsys, monkeypatch, width=120)
    assert len(lines) <= LINES
    assert all(len(line) <= 120 for line in lines)
    assert any(line.count("@1") == 3 for line in lines), "three tables on a line"
    assert any(line.endswith("primary_type.domain 8, and 1 more") for line in lines)


def refined(report: RunReport, *, fates: int = 6, tables: int = 40, reasons: int = 60) -> Refined:
    counts = dict.fromkeys(account.FATES[:fates], 1_234_567)
    return msgspec.structs.replace(
        report.refine,
        totals=msgspec.structs.replace(report.refine.totals, landed=7 * 1_234_567, **counts),
        reasons={f"a_rather_long_column_{n}.domain": 1000 + n for n in range(reasons)},
        tables={
            f"chicago_crime.gold.table_with_a_long_name_{n}": TableState(rows=10**9, version=n)
            for n in range(tables)
        },
    )


def trained(report: RunReport, *, metrics: int = 12, anomalies: int = 6) -> ModelReport:
    part = report.models[MODEL]
    assert part.train is not None
    bounds = tuple(
        Bound(metric=f"metric_{n}", kind=kind, value=0.5, bound=0.4, ok=n != 7)
        for n in range(metrics)
        for kind in ("minimum", "max_drop")
    )
    found = tuple(
        Anomaly(
            column=f"column_{n}",
            split="train",
            kind="drift",
            severity="warning",
            description="The distance is larger than the limit allows, " * 4,
        )
        for n in range(anomalies)
    )
    answers = tuple(
        Answer(instance={f"input_{n}": "a long value" * 9}, answer=[0.1] * 40) for n in range(8)
    )
    slices = tuple(
        SliceReport(
            slice={"a_rather_long_column": f"a long value {n} " * 9},
            rows=1_234_567,
            positives=30,
            is_judged=True,
            metrics={"auc": 0.5, "calibration": 1.0},
        )
        for n in range(3)
    )
    train = msgspec.structs.replace(
        part.train, thresholds=bounds, anomalies=found, worst_slices=slices
    )
    return msgspec.structs.replace(part, train=train, answers=answers)


def worst(models: int) -> RunReport:
    report = recorded("run", RunReport)
    parts = {f"chicago_crime.model_number_{n}": trained(report) for n in range(models)}
    return msgspec.structs.replace(report, refine=refined(report), models=parts)


@pytest.mark.parametrize("models", [1, 2, 12])
@pytest.mark.parametrize("width", [80, 120])
def test_the_worst_case_fits_and_says_what_shows_all(models, width, capsys, monkeypatch) -> None:
    lines = printed(worst(models), capsys, monkeypatch, width)
    assert screen_lines(lines, width) <= LINES
    assert all(len(line) <= width for line in lines if " --home " not in line)
    text = "\n".join(lines)
    end = "--home /home/you/lake"
    goldlake = ".venv/bin/goldlake"
    assert f"more tables: {goldlake} tables chicago_crime {end}" in text
    reasons = "    this run: a_rather_long_column_59.domain 1,059, "
    [shown] = [line for line in lines if line.startswith(reasons)]
    assert re.search(r", and 5\d more$", shown), "the reasons are shortened"
    assert f"more results: {goldlake} train chicago_crime.model_number_0 {end}" in text
    assert "✗  metric_7" in text, "what does not hold comes first"
    assert "What chicago_crime.model_number_0@1 answers" in text
    assert (f"more models: {goldlake} models {end}" in text) == (models == 12)
    assert lines[-1].startswith(f"{recorded('run', RunReport).seconds:.0f} s in all. Logs: ")


def test_what_the_gate_refused_comes_first(capsys, monkeypatch) -> None:
    report = worst(5)
    message = "The data was refused for 90 anomalies: " + ", ".join(
        f"column_{n}" for n in range(90)
    )
    error = StageError(type="DataRefused", message=message, exit_code=3, verdict="refused")
    refused = ModelReport(
        export=report.models["chicago_crime.model_number_0"].export, refused=error
    )
    models = {**report.models, "chicago_crime.last": refused}
    report = msgspec.structs.replace(report, models=models, exit_code=3)
    lines = printed(report, capsys, monkeypatch)
    assert len(lines) <= LINES
    first = next(line for line in lines if line.startswith("chicago_crime."))
    assert first == "chicago_crime.last: stopped by the validation gate"


def test_a_use_case_without_models_has_an_account(capsys, monkeypatch) -> None:
    report = msgspec.structs.replace(here(recorded("run", RunReport)), models={})
    lines = printed(report, capsys, monkeypatch)
    assert "What became of 20,000 landed records" in lines
    assert "  .venv/bin/goldlake ui" in "\n".join(lines)
    assert not any("lineage" in line for line in lines)


def test_a_long_home_is_counted_in_screen_lines(capsys, monkeypatch) -> None:
    home = "/home/you/" + "a_deep_folder/" * 6
    logs = f"{home}/logs/20261128-052535-e4a5"
    report = msgspec.structs.replace(recorded("run", RunReport), home=home, logs=logs)
    lines = printed(report, capsys, monkeypatch)
    assert screen_lines(lines) <= LINES
    assert f"  .venv/bin/goldlake lineage {MODEL}@1 --home {home}" in lines, "commands are whole"


def test_in_a_terminal_that_is_too_narrow_commands_are_whole(capsys, monkeypatch) -> None:
    lines = printed(worst(1), capsys, monkeypatch, width=20)
    assert (
        "  .venv/bin/goldlake lineage chicago_crime.model_number_0@1 --home /home/you/lake" in lines
    )
    assert lines[-1].startswith(f"{recorded('run', RunReport).seconds:.0f} s in all.")
