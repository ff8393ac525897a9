"""The page "a new use case in 15 minutes", done word by word, and done again."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.commands import goldlake, goldlake_json, running

PAGE = Path(__file__).parents[2] / "docs" / "new-use-case.md"
RUN = ("run", "./city_bikes", "--rows", "3000", "--home", "bikes")

pytestmark = [pytest.mark.spark, pytest.mark.tfx]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder outside the repository that holds what the page says, after its commands."""
    place: Path = tmp_path_factory.mktemp("stranger")
    text = PAGE.read_text(encoding="utf-8")
    for match in re.finditer(r"```\w+\n# (city_bikes/\S+)\n(.*?)```", text, re.S):
        file = place / match[1]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(match[2], encoding="utf-8")
    for number, command in enumerate(commands(text)):
        (place / f"output-{number}.txt").write_text(goldlake(*command, folder=place))
    return place


def commands(text: str) -> Iterator[list[str]]:
    for block in re.findall(r"```console\n(.*?)```", text, re.S):
        for line in block.splitlines():
            words = shlex.split(line.removeprefix("$ "))
            assert words[0] == "goldlake", line
            yield words[1:]


def test_the_page_has_the_commands_that_are_tested(folder: Path) -> None:
    assert list(commands(PAGE.read_text(encoding="utf-8")))[2] == list(RUN)


def test_the_account_says_what_became_of_every_record(folder: Path) -> None:
    assert "city_bikes: 1 of 1 examples are as they expect" in (folder / "output-1.txt").read_text()
    account = (folder / "output-2.txt").read_text()
    assert "What became of 3,000 landed records" in account
    assert re.search(r"inserted\s+2,994", account), account
    assert re.search(r"quarantined\s+6", account), account
    assert "tariff.domain 6" in account
    assert "What city_bikes.is_late@1 answers" in account


def test_the_lineage_leads_from_the_model_to_the_table_version(folder: Path) -> None:
    document = goldlake_json("lineage", "city_bikes.is_late@1", "--home", "bikes", folder=folder)
    table = goldlake_json("tables", "city_bikes", "--home", "bikes", folder=folder)["city_bikes"]
    gold = next(t for t in table["tables"] if t["id"] == "city_bikes.gold.rental_features")
    text = json.dumps(document)
    assert "city_bikes.gold.rental_features" in text
    assert f'"version": {gold["version"]}' in text
    forwards = goldlake_json(
        "lineage",
        f"city_bikes.gold.rental_features@{gold['version']}",
        "--home",
        "bikes",
        folder=folder,
    )
    assert "city_bikes.is_late" in json.dumps(forwards)


def test_the_second_run_does_nothing_again_and_says_so(folder: Path) -> None:
    before = goldlake_json("tables", "--home", "bikes", folder=folder)
    account = goldlake_json(*RUN, folder=folder)
    assert account["land"]["rows"] == 0
    assert account["refine"]["new_records"] == 0
    part = account["models"]["city_bikes.is_late"]
    assert part["export"]["reused"] is True
    train = part["train"]
    states = {node["id"]: node["state"] for node in train["nodes"]}
    assert set(train["cached"]) == set(states), states
    assert train["model_version"] == 1
    assert goldlake_json("tables", "--home", "bikes", folder=folder) == before
    models = goldlake_json("models", "--home", "bikes", folder=folder)["models"]
    versions = models["city_bikes.is_late"]["versions"]
    assert [(v["version"], v["labels"]) for v in versions] == [(1, ["stable"])]


def test_a_client_asks_the_served_model(folder: Path) -> None:
    rows = folder / "rows.json"
    rows.write_text('{"instances": [{"station": "MARKET", "tariff": "DAY", "hour": 20}]}')
    with running("serve", "--home", "bikes", "--rest-port", "0", folder=folder) as line:
        url = line.split("/v1/models")[0].removeprefix("Serving at ")
        command = ("predict", "city_bikes.is_late", "--url", url, "--input", str(rows))
        [fixed] = goldlake_json(*command, folder=folder)["predictions"]
        assert 0.0 < fixed < 1.0
        rows.write_text('{"station": "MARKET", "tarif": "DAY", "hour": 20}')
        refused = goldlake(*command, folder=folder, exit_code=2)
        assert "tarif" in refused
        assert "tariff" in refused.replace("'tarif'", "")


def test_a_shifted_mix_stops_the_run_and_is_on_record(folder: Path) -> None:
    contract = folder / "city_bikes" / "models" / "is_late.yaml"
    kept = contract.read_text(encoding="utf-8")
    limit = "limits: [{column: tariff, compare: skew, infinity_norm: 0.0001}]\n"
    contract.write_text(kept + limit, encoding="utf-8")
    try:
        output = goldlake(
            "train", "./city_bikes:is_late", "--home", "bikes", folder=folder, exit_code=3
        )
    finally:
        contract.write_text(kept, encoding="utf-8")
    models = goldlake_json("models", "--home", "bikes", folder=folder)["models"]
    assert len(models["city_bikes.is_late"]["versions"]) == 1, output
    table = "city_bikes.gold.rental_features"
    document = goldlake_json("lineage", f"{table}@1", "--home", "bikes", folder=folder)
    assert '"refused"' in json.dumps(document)


def test_another_source_is_refused_with_what_to_do(folder: Path) -> None:
    refused = goldlake(
        "run",
        "./city_bikes",
        "--rows",
        "3000",
        "--seed",
        "8",
        "--home",
        "bikes",
        folder=folder,
        exit_code=1,
    )
    assert "--home" in refused
    assert "Traceback" not in refused
