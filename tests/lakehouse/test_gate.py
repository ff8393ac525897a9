"""The gate at tables of the real year, which are written without Spark."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml
from click.testing import CliRunner
from msgspec.structs import replace

from goldlake.cli.main import main
from goldlake.workflows import validate as workflow
from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.ids import TableId
from goldlake_core.documents.gate import GateValue, TableVerdict
from goldlake_core.gate.periods import Period
from goldlake_core.stages import DataRefused
from goldlake_core.storage import gatefiles
from goldlake_core.storage.gatefiles import GateFiles
from goldlake_core.storage.gatefindings import findings
from goldlake_core.storage.home import Home
from lakehouse import gate, gaterows
from tests.breaks import second_half
from tests.breaks.catalog import Month
from tests.breaks.feed import raw_months, usecase
from tests.breaks.tables import write_year

SILVER = TableId("chicago_crime", "silver", "crimes")
GOLD = TableId("chicago_crime", "gold", "arrest_features")
ROWS = 1500
RENAMED = next(one for one in second_half.BREAKS if one.name == "place_renamed")
COLUMN = "location_description"


@pytest.fixture(scope="module")
def months(test_data: Path) -> list[pl.DataFrame]:
    """The months from June on, some rows of each."""
    whole = raw_months(test_data)[5:]
    return [month.sample(ROWS, seed=1).sort("date", "id") for month in whole]


@pytest.fixture(scope="module")
def broken(months: list[pl.DataFrame]) -> list[pl.DataFrame]:
    """The same, with a place renamed in December."""
    return [*months[:-1], RENAMED.fault(Month(months[-1], months[-2]), 1.0)]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.at(tmp_path / "home")


def judge(home: Home, run_id: str, table: TableId = SILVER) -> TableVerdict:
    """Judges a table as a stage does; raises where it is refused."""
    case = usecase()
    if table == SILVER:
        rows = gaterows.silver_rows(case, home, 1)
    else:
        rows = gaterows.gold_rows(case, home, case.gold[table.name])
    assert rows is not None
    verdict = gate.judge(rows, home, run_id, _nobody)
    assert verdict is not None
    gate.require_passed(verdict, GateFiles(home, table))
    return verdict


def _nobody(*event: object, **more: object) -> None:
    pass


def test_clean_months_pass_and_cost_once(home: Home, months: list[pl.DataFrame]) -> None:
    write_year(home, months)
    first = judge(home, "run1")
    assert [each.period for each in first.periods] == [f"2016-{n:02}" for n in range(6, 13)]
    assert [each.has_limits for each in first.periods] == [False] * 3 + [True] * 4
    assert sum(each.rows for each in first.periods) == 7 * ROWS
    assert (first.refused, first.baseline, first.baseline_reason) == ((), 1, "the first one")
    state = Path(GateFiles(home, SILVER).path("state.json"))
    before = json.loads(state.read_bytes())
    again = judge(home, "run2")
    assert (again.periods, again.refused) == ((), ())
    after = json.loads(state.read_bytes())
    assert after["periods"] == before["periods"]
    assert GateFiles(home, SILVER).verdict("run2") is None


def test_a_break_is_refused_until_somebody_accepts_it(
    home: Home, months: list[pl.DataFrame], broken: list[pl.DataFrame]
) -> None:
    write_year(home, months[:-1])
    judge(home, "run1")
    write_year(home, broken)
    with pytest.raises(DataRefused) as refused:
        judge(home, "run2")
    assert refused.value.exit_code == 3
    assert refused.value.problem.startswith(
        "The gate refuses 2016-12 of chicago_crime.silver.crimes: 2016-12: never_seen of "
        "location_description is 0."
    )
    assert 'goldlake accept run2 location_description --because "…"' in str(refused.value.hint)
    assert refused.value.anomalies[0].kind == "never_seen"
    with pytest.raises(DataRefused, match="goldlake accept run3"):
        judge(home, "run3")  # nothing changed, and it is refused still
    accepted = workflow.accept("run2", COLUMN, " the publisher renamed it ", home)
    assert (accepted.periods, accepted.because) == (("2016-12",), "the publisher renamed it")
    assert judge(home, "run4").refused == ()
    assert judge(home, "run5", GOLD).refused == ()  # what is right in silver is right in gold
    [found] = {each.severity for each in findings(home, GOLD)}
    assert found == "warning"
    assert "accepted: the publisher renamed it" in findings(home, GOLD)[0].description


def test_an_amended_period_is_judged_again(
    home: Home, months: list[pl.DataFrame], broken: list[pl.DataFrame]
) -> None:
    write_year(home, broken)
    with pytest.raises(DataRefused):
        judge(home, "run1")
    write_year(home, months)
    verdict = judge(home, "run2")
    assert [each.period for each in verdict.periods] == ["2016-12"]
    assert verdict.refused == ()
    state = GateFiles(home, SILVER).state()
    assert (state.baseline, state.periods["2016-12"].run_id) == (1, "run2")
    assert state.periods["2016-11"].run_id == "run1"


def test_a_month_that_is_quarantined_whole_is_refused(
    home: Home, months: list[pl.DataFrame]
) -> None:
    lost = months[-1].with_columns(district=pl.lit("11.0"))
    write_year(home, [*months[:-1], lost])
    with pytest.raises(DataRefused, match=r"refuses 2016-12 of .*: 2016-12: no_rows is 1"):
        judge(home, "run1")


def test_a_month_without_readable_times_is_refused(home: Home, months: list[pl.DataFrame]) -> None:
    lost = months[-1].with_columns(date=pl.col("date").str.replace("T", " at "))
    write_year(home, [*months[:-1], lost])
    # Nobody knows when they happened: they count on the last day that has events.
    with pytest.raises(DataRefused, match=r"refuses 2016-11 .*: 2016-11: quarantined is -0\.3"):
        judge(home, "run1")


def test_what_is_lost_or_damaged_is_counted_again(
    home: Home, months: list[pl.DataFrame], broken: list[pl.DataFrame]
) -> None:
    write_year(home, months[:-1])
    judge(home, "run1")
    files = GateFiles(home, SILVER)
    counts = [Path(files.path("counts", "1", f"2016-{n:02}.npz")) for n in (7, 8, 9)]
    counts[0].unlink()
    counts[1].write_bytes(counts[1].read_bytes()[:-100])
    whole = counts[2].read_bytes()
    write_year(home, broken)
    with pytest.raises(DataRefused):
        judge(home, "run2")
    assert all(file.exists() for file in counts)
    assert counts[2].read_bytes() == whole
    worst = files.verdict("run2")
    gatefiles.forget(home, "chicago_crime")
    assert files.state().periods == {}
    with pytest.raises(DataRefused):
        judge(home, "run3")
    assert worst is not None
    again = files.verdict("run3")
    assert again is not None
    assert [each.statistic for each in again.periods[-1].beyond][0] == "never_seen"


def test_more_periods_and_other_columns_make_a_new_baseline(
    home: Home, months: list[pl.DataFrame]
) -> None:
    write_year(home, months[:3])
    judge(home, "run1")
    files = GateFiles(home, SILVER)
    # Three months are less than a month's kind needs, so they are weeks.
    assert any("-W" in name for name in files.state().periods)
    write_year(home, months)
    verdict = judge(home, "run2")
    assert verdict.baseline == 2
    assert verdict.baseline_reason == "periods are of a month, no longer of a week"
    assert not Path(files.path("counts", "1")).exists()
    assert len(files.state().periods) == 7


def test_nothing_and_no_event_time(home: Home, months: list[pl.DataFrame]) -> None:
    assert gaterows.silver_rows(usecase(), home, 1) is None
    write_year(home, [months[0].clear()])
    assert gaterows.silver_rows(usecase(), home, 1) is None
    assert gaterows.gold_rows(usecase(), home, usecase().gold["area_day"]) is None


def test_a_file_may_end_within_a_period(home: Home, months: list[pl.DataFrame]) -> None:
    half = months[-1].filter(pl.col("date") < "2016-12-16")
    write_year(home, [*months[:-1], half])
    case = usecase()
    undated = replace(case, silver=replace(case.silver, version=None))
    of_files = replace(case, source=replace(case.source, kind="files"))
    november, december = (Period(date(2016, month, 1), "month") for month in (11, 12))
    for source, is_over in ((case, True), (undated, False), (of_files, False)):
        rows = gaterows.silver_rows(source, home, 1)
        assert rows is not None
        assert rows.is_over(november)
        assert rows.is_over(december) is is_over


def test_it_judges_at_most_so_often(home: Home, months: list[pl.DataFrame]) -> None:
    write_year(home, months)
    rows = gaterows.silver_rows(usecase(), home, 1)
    assert rows is not None
    assert gate.judge(rows, home, "run1", _nobody, every_s=900) is not None
    assert gate.judge(rows, home, "run2", _nobody, every_s=900) is None
    assert gate.judge(rows, home, "run3", _nobody, every_s=0) is not None


def test_what_is_refused_is_refused_however_soon(home: Home, broken: list[pl.DataFrame]) -> None:
    write_year(home, broken)
    rows = gaterows.silver_rows(usecase(), home, 1)
    assert rows is not None
    for run_id in ("run1", "run2"):
        verdict = gate.judge(rows, home, run_id, _nobody, every_s=900)
        assert verdict is not None
        assert verdict.refused == ("2016-12",)


def test_counts_of_a_run_that_was_cut_off_are_not_taken(
    home: Home, months: list[pl.DataFrame], broken: list[pl.DataFrame], monkeypatch: Any
) -> None:
    write_year(home, months)
    judge(home, "run1")
    file = Path(GateFiles(home, SILVER).path("counts", "1", "2016-12.npz"))
    clean = file.read_bytes()

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    write_year(home, broken)
    with monkeypatch.context() as patched:
        patched.setattr(GateFiles, "write_verdict", die)
        with pytest.raises(KeyboardInterrupt):
            judge(home, "run2")
    assert file.read_bytes() != clean
    write_year(home, months)  # as before: the state knows its mark, and the counts have another
    rows = gaterows.silver_rows(usecase(), home, 1)
    assert rows is not None
    found = gate.Gate(rows, GateFiles(home, SILVER), _nobody).judge("run3", also=["2016-12"])
    assert found.refused == ()
    assert found.periods[-1].beyond == ()


def test_a_large_period_is_sampled(
    home: Home, months: list[pl.DataFrame], monkeypatch: Any
) -> None:
    write_year(home, months)
    monkeypatch.setattr(gate, "MOST_ROWS", 700)
    verdict = judge(home, "run1")
    assert [each.rows for each in verdict.periods] == [500] * 7
    values = {each.statistic: each.value for each in verdict.periods[-1].values}
    assert "repeated" not in values
    rate = next(each for each in verdict.periods[-1].values if each.statistic == "rows_a_day")
    assert rate.value == pytest.approx(np.log(ROWS / 31), abs=0.01)


def _call(home: Home, *arguments: str) -> Any:
    return CliRunner().invoke(main, [*arguments, "--home", home.root])


def test_the_report_shows_rows_of_a_finding_until_it_is_accepted(
    home: Home, tmp_path: Path, broken: list[pl.DataFrame]
) -> None:
    write_year(home, broken)
    with pytest.raises(DataRefused):
        judge(home, "run1")
    folded = "Rows that open findings are about"
    caption = f"{SILVER}, 2016-12, {COLUMN}: never seen APARTMENT BUILDING"
    file = tmp_path / "report.html"
    assert _call(home, "report", "chicago_crime", "--out", str(file)).exit_code == 0
    shown = file.read_text(encoding="utf-8")
    assert folded in shown
    of_finding = shown[shown.index(f"<caption>{caption}") :].partition("</table>")[0]
    assert of_finding.count("<td>APARTMENT BUILDING</td>") == 3
    assert of_finding.count('<th scope="row">2016-12-') == 3
    while (refused := _call(home, "validate", str(SILVER), "--json")).exit_code == 3:
        [worst, *_] = json.loads(refused.stdout.split("\nerror")[0])["periods"][-1]["findings"]
        column = (worst["value"]["columns"] or [worst["value"]["statistic"]])[0]
        accepted = _call(home, "accept", "run1", column, "--because", "the portal renamed it")
        assert accepted.exit_code == 0, accepted.output
    assert _call(home, "report", "chicago_crime", "--out", str(file)).exit_code == 0
    shown = file.read_text(encoding="utf-8")
    assert folded not in shown
    assert "accepted: the portal renamed it" in shown


def test_the_commands(home: Home, months: list[pl.DataFrame], broken: list[pl.DataFrame]) -> None:
    write_year(home, months)
    clean = _call(home, "validate", "chicago_crime.arrest", "--limit", "3")
    assert clean.exit_code == 0, clean.output
    assert "chicago_crime.gold.arrest_features@0, compared with the earlier periods" in clean.output
    assert "2016-12: 1,500 rows, closed; passed" in clean.output
    assert not Path(home.path("gate")).exists()  # it writes nothing

    write_year(home, broken)
    with pytest.raises(DataRefused):
        judge(home, "run1")
    found = _call(home, "validate", str(SILVER), "--limit", "3")
    assert found.exit_code == 3
    assert "2016-12: 1,500 rows, closed; refused" in found.output
    assert "location_description, never_seen: APARTMENT BUILDING (stops)" in found.output
    assert 'goldlake accept run1 location_description --because "…"' in found.output
    assert "error: The gate refuses 2016-12 of chicago_crime.silver.crimes@1" in found.output

    document = json.loads(_call(home, "validate", str(SILVER), "--json").stdout.split("\nerror")[0])
    worst = document["periods"][-1]["findings"][0]
    assert worst["value"]["statistic"] == "never_seen"
    assert {row[COLUMN] for row in worst["examples"]} == {"APARTMENT BUILDING"}
    strains = [each["strain"] for each in document["periods"][-1]["verdict"]["values"]]
    assert strains == sorted(strains, reverse=True)

    against = _call(home, "validate", f"{SILVER}@1", "--against", "0", "--limit", "1")
    assert against.exit_code == 3
    assert "compared with version 0" in against.output

    for arguments, text in (
        (("accept", "run9", COLUMN, "--because", "x"), "judged nothing in a run 'run9'"),
        (("accept", "run1", "beet", "--because", "x"), "found nothing about 'beet'"),
        (("accept", "run1", COLUMN, "--because", " "), "gives no reason"),
        (("validate", "chicago_crime.gold.area_day"), "does not look at chicago_crime.gold.area"),
    ):
        refused = _call(home, *arguments)
        assert refused.exit_code == 2, refused.output
        assert text in refused.output.replace("\n", " ")
    taken = _call(home, "accept", "run1", COLUMN, "--because", "a new list")
    assert taken.exit_code == 0, taken.output
    assert "location_description of 2016-12 is accepted" in taken.output
    assert _call(home, "validate", str(SILVER)).exit_code == 0


def test_the_keys_that_accept_a_value_do(
    home: Home, months: list[pl.DataFrame], broken: list[pl.DataFrame]
) -> None:
    """What `goldlake validate` says to write into the contract puts the value inside its limit."""
    import dataclasses

    write_year(home, broken)
    rows = gaterows.silver_rows(usecase(), home, 1)
    assert rows is not None
    verdict = gate.Gate(rows, GateFiles(home, SILVER), _nobody, is_kept=False).judge("run1")
    wanted: dict[str, float] = {}
    for value in verdict.periods[-1].beyond:
        found = yaml.safe_load(workflow.accepting_yaml(usecase(), SILVER, value))
        for name, keys in found["silver"].get("columns", {}).items():
            wanted[name] = max(wanted.get(name, 1.0), keys["gate"])
    assert wanted[COLUMN] > 1
    columns = tuple(
        dataclasses.replace(each, room=wanted.get(each.name, 1.0)) for each in rows.layout.columns
    )
    wide = dataclasses.replace(rows, layout=dataclasses.replace(rows.layout, columns=columns))
    again = gate.Gate(wide, GateFiles(home, SILVER), _nobody, is_kept=False).judge("run2")
    assert again.periods[-1].beyond == ()


def test_more_room_in_the_contract_lets_a_refused_period_pass(
    home: Home, broken: list[pl.DataFrame]
) -> None:
    import dataclasses

    write_year(home, broken)
    with pytest.raises(DataRefused):
        judge(home, "run1")
    rows = gaterows.silver_rows(usecase(), home, 1)
    assert rows is not None
    columns = tuple(dataclasses.replace(each, room=100) for each in rows.layout.columns)
    wide = dataclasses.replace(rows, layout=dataclasses.replace(rows.layout, columns=columns))
    verdict = gate.judge(wide, home, "run2", _nobody)
    assert verdict is not None
    assert [each.period for each in verdict.periods] == ["2016-12"]
    assert verdict.refused == ()


def test_keys_for_gold_and_for_the_table() -> None:
    value = GateValue(
        statistic="mean", columns=("hour",), value=1, low=0, high=0.5, strain=2, stops=True
    )
    text = workflow.accepting_yaml(usecase(), GOLD, value)
    assert yaml.safe_load(text) == {
        "gold": {"arrest_features": {"columns": {"hour": {"gate": 2.04}}}}
    }
    whole = GateValue(
        statistic="rows_a_day", columns=(), value=1, low=0, high=0.5, strain=1.5, stops=True
    )
    text = workflow.accepting_yaml(usecase(), GOLD, whole)
    assert yaml.safe_load(text) == {"silver": {"gate": 1.53}}


def test_a_reason_is_needed(home: Home) -> None:
    with pytest.raises(UsageError, match="gives no reason"):
        workflow.accept("run", "a", "", home)
