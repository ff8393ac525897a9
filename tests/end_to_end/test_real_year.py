"""The whole real year, from the first request to the promoted model, against gradient boosting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks import real_year

ROWS_2016 = 268_813
ROWS_OCTOBER_TO_DECEMBER = 65_705
LEAST_AUC, ALLOWED_BELOW_BOOSTING = 0.909, 0.002
LEAST_CALIBRATION, MOST_CALIBRATION = 0.97, 1.03

pytestmark = [pytest.mark.long, pytest.mark.spark, pytest.mark.tfx, pytest.mark.timeout(2400)]


@pytest.fixture(scope="module")
def result(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    assert (test_data / "chicago" / "crimes_2016.csv.gz").exists()
    return real_year.measure(tmp_path_factory.mktemp("year") / "home")


def test_every_row_of_the_year_is_in_silver(result: Any) -> None:
    totals = result["account"]["refine"]["totals"]
    assert totals["landed"] == totals["inserted"] == totals["silver"] == ROWS_2016


def test_the_model_is_judged_on_october_to_december_alone(result: Any) -> None:
    export = result["account"]["models"][real_year.MODEL]["export"]
    assert export["boundaries"]["test_from"].startswith("2016-10-01")
    assert export["boundaries"]["until"].startswith("2017-01-01")
    assert export["rows"]["test"] == pytest.approx(ROWS_OCTOBER_TO_DECEMBER, abs=100)


def test_the_served_model_is_as_good_as_gradient_boosting(result: Any) -> None:
    assert result["auc"] >= LEAST_AUC
    assert result["auc"] >= result["baseline_auc"] - ALLOWED_BELOW_BOOSTING


def test_its_probabilities_add_up_to_the_arrests(result: Any) -> None:
    assert LEAST_CALIBRATION <= result["calibration"] <= MOST_CALIBRATION


def test_the_evaluation_and_the_served_answers_agree(result: Any) -> None:
    train = result["account"]["models"][real_year.MODEL]["train"]
    assert train["metrics"]["auc"] == pytest.approx(result["auc"], abs=1e-3)
