"""Two real versions of a model that differ in data, contract and code, on one home.

The first is made again from its landed pages: to the bit as long as the contract is the same, and
afterwards with the step where the difference begins. Both are compared, and an answer is followed
back to the pages, as text, JSON and HTML.
"""

from __future__ import annotations

import json
import re
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.commands import goldlake, goldlake_json, running

pytestmark = [
    pytest.mark.spark,
    pytest.mark.tfx,
    pytest.mark.long,
    pytest.mark.timeout(1800),
]
PAGE = Path(__file__).parents[2] / "docs" / "new-use-case.md"
USECASE, MODEL = "./city_bikes", "city_bikes.is_late"
AT = ("--home", "bikes")
FIRST_ROWS, ALL_ROWS = 3000, 3600


@dataclass(frozen=True)
class Made:
    """What the commands said, in their order.

    Attributes:
        folder: Working directory of all commands.
        again: The first version, made again from its landed pages under its own contract.
        later: The same after data, contract and code had changed.
        answered: Number of pages that a request was answered by, by version.
    """

    folder: Path
    again: str
    later: dict[str, Any]
    answered: dict[int, str]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder: Path = tmp_path_factory.mktemp("stranger")
    text = PAGE.read_text(encoding="utf-8")
    for match in re.finditer(r"```\w+\n# (city_bikes/\S+)\n(.*?)```", text, re.S):
        file = folder / match[1]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(match[2], encoding="utf-8")
    # Slices with few rows, which are listed and never refuse.
    more = "\nslices: [[hour]]\nserving: {request_log: {sample: 1.0}}\n"
    edit(folder, "models/is_late.yaml", "\nexamples:", f"{more}\nexamples:")
    edit(folder, "models/is_late.yaml", "{min: 0.6}", "{min: 0.6}\n  calibration: {max: 2.0}")

    goldlake("run", USECASE, "--rows", str(FIRST_ROWS), *AT, folder=folder)
    answered = {1: asked(folder, "asked-the-first")}
    again = goldlake("reproduce", f"{USECASE}:is_late@1", "--from-pages", *AT, folder=folder)

    edit(
        folder,
        "contract.yaml",
        "{type: double, range",
        '{type: double, null_values: ["0.0"], range',
    )
    edit(folder, "tables.py", '.cast("bigint")', '.cast("long")')
    edit(folder, "models/is_late.yaml", "epochs: 6", "epochs: 8")
    goldlake("run", USECASE, "--rows", str(ALL_ROWS), *AT, folder=folder)
    answered[2] = asked(folder, "asked-the-second")
    command = ("reproduce", f"{USECASE}:is_late@1", "--from-pages", "--json", *AT)
    later = goldlake(*command, folder=folder, exit_code=3)
    return Made(folder, again, json.JSONDecoder().raw_decode(later)[0], answered)


def edit(folder: Path, name: str, old: str, new: str) -> None:
    """Changes one place of a file of the use case."""
    file = folder / "city_bikes" / name
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1, (name, old)
    file.write_text(text.replace(old, new), encoding="utf-8")


def asked(folder: Path, request_id: str) -> str:
    """Asks the served version one row; returns the id of the request."""
    rows = {"instances": [{"station": "MARKET", "tariff": "DAY", "temperature_c": 20.5, "hour": 9}]}
    with running("serve", *AT, "--rest-port", "0", folder=folder) as line:
        url = line.split("/v1/models")[0].removeprefix("Serving at ")
        request = urllib.request.Request(
            f"{url}/v1/models/{MODEL}:predict",
            data=json.dumps(rows).encode(),
            headers={"X-Request-Id": request_id, "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:
            assert answer.headers["X-Request-Id"] == request_id
            [value] = json.load(answer)["predictions"]
    assert 0.0 < value < 1.0
    return request_id


def test_the_landed_pages_make_the_model_again_to_the_bit(made: Made) -> None:
    lines = made.again.splitlines()
    assert lines[0] == f"{MODEL}@1 and the model made again are equal to the bit"
    assert lines[1] == "  made from 1 landed page (3,000 records, equal by sha256)"
    assert lines[2:4] == ["  bronze  equal: 3,000 rows", "  silver  equal: 3,000 rows"]
    assert re.fullmatch(r"  gold    equal: 2,99\d rows", lines[4])
    assert re.fullmatch(r"  export  equal: 2,\d{3} rows", lines[5])
    found = re.fullmatch(r"  (\d+) of (\d+) variables are equal \(.* numbers\)", lines[6])
    assert found
    assert found[1] == found[2]
    # Nothing of the other home is left.
    runs = made.folder / "bikes" / "runs"
    assert [run for run in runs.iterdir() if (run / "home").exists()] == []


def test_after_the_contract_changed_the_difference_begins_in_silver(made: Made) -> None:
    assert made.later["begins"] == "silver"
    steps = {each["step"]: each for each in made.later["remade"]["steps"]}
    assert steps["bronze"]["state"] == "equal"
    differing = steps["silver"]["only_now"]
    assert 0 < differing == steps["silver"]["only_then"] < 40
    assert steps["gold"]["only_now"] == differing
    causes = " ".join(made.later["remade"]["causes"])
    assert "the contract changed since in silver.columns.temperature_c.null_values" in causes
    assert "gold.rental_features changed since" in causes
    variables = made.later["reproduced"]["variables"]
    assert any(each["differing"] and each["largest"] > 0 for each in variables)


def test_diff_names_data_contract_code_metrics_and_slices(made: Made) -> None:
    command = ("diff", f"{MODEL}@1", f"{MODEL}@2", *AT)
    found = goldlake_json(*command, folder=made.folder)
    data = {each["name"]: (each["before"], each["after"]) for each in found["data"]}
    assert data["pages"][0] == 1 < data["pages"][1]
    assert data["epoch of silver"] == (1, 2)
    before, after = data["bronze.rentals rows"]
    assert before == FIRST_ROWS
    assert after >= ALL_ROWS
    contract = {each["name"]: (each["before"], each["after"]) for each in found["contract"]}
    assert contract["training.epochs"] == (6, 8)
    assert contract["silver.columns.temperature_c.null_values"] == ("[]", '["0.0"]')
    assert {"section silver", "section gold.rental_features"} <= contract.keys()
    assert not [name for name in contract if name.startswith("training.rows")]
    assert "auc" in {each["name"] for each in found["metrics"]}
    assert found["metric"] == "auc"
    assert {"hour"} == {key for each in found["slices"] for key in each["slice"]}
    assert found["slices_total"] >= len(found["slices"]) == 10
    assert not found["same_test"]
    assert found["not_recorded"] == []
    text = goldlake(*command, folder=made.folder)
    assert "training.epochs: 6 -> 8" in text
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("version", [1, 2])
def test_an_answer_leads_back_to_its_pages(made: Made, version: int, tmp_path: Path) -> None:
    command = ("lineage", MODEL, "--request", made.answered[version], *AT)
    found = goldlake_json(*command, folder=made.folder)
    assert found["id"] == f"{MODEL}@{version}"
    assert found["request"]["request_id"] == made.answered[version]
    assert found["request"]["version"] == version
    assert found["serves"] is (version == 2)
    assert found["not_recorded"] == []
    rows = found["tables"][-1]["rows"]
    assert rows == FIRST_ROWS if version == 1 else rows >= ALL_ROWS
    text = goldlake(*command, folder=made.folder)
    assert f"\nrequest {made.answered[version]}\n  answered " in text
    page = tmp_path / "page.html"
    goldlake(*command, "--html", "--out", str(page), folder=made.folder)
    shown = page.read_text(encoding="utf-8")
    assert f"From the answer to request {made.answered[version]} to the landed pages" in shown
    assert "Every step is on record." in shown
    assert "<script" not in shown
