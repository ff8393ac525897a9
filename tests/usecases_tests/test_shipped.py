"""The use cases that are shipped: their contracts hold, and both kinds of their data fit them."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from msgspec.structs import replace

from goldlake.workflows.check import check_usecase
from goldlake.workflows.run import RunRequest, run_whole
from goldlake.workflows.trial import try_records
from goldlake_core.contracts.errors import PermanentError, UsageError
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import UseCase
from goldlake_core.storage.home import Home
from goldlake_simulators.files import generated_files
from lakehouse import lookups
from lakehouse.sources.files import GENERATED, FilesConnector

NEARBY = 0.002
"""Degrees by which a street of a spot may lie outside of its area: it is made around a middle."""
SHIPPED = ("turbofan", "germany_pks", "uk_street_crime", "crime_text")
REAL = {
    "turbofan": ("cmapss/t*_FD001.txt.gz", 20_000),
    "germany_pks": ("germany_pks/pks_2020_kreise.csv.gz", 16_842),
    "uk_street_crime": ("uk_police/*-street.csv.gz", 9_992),
    "crime_text": ("chicago/crimes_2016.csv.gz", 20_000),
}


def at(usecase: UseCase, place: Path | str) -> UseCase:
    return replace(usecase, source=replace(usecase.source, path=str(place)))


@pytest.mark.parametrize("name", SHIPPED)
def test_generated_records_fit_the_contract(tmp_path: Path, name: str) -> None:
    report = check_usecase(name)
    assert [each.message for each in report.findings] == []
    usecase = load_usecase(name)
    folder = generated_files(usecase, 1_500, 3, tmp_path)
    trial, _ = try_records(at(usecase, folder))
    assert (trial.records >= 1_500, trial.rejected) == (True, 0)
    # The same rows again, and others of another seed; the folder is written once.
    assert generated_files(usecase, 1_500, 3, tmp_path) == folder
    again = generated_files(usecase, 1_500, 3, tmp_path / "again")
    other = generated_files(usecase, 1_500, 4, tmp_path)
    texts = [
        {file.name: file.read_bytes() for file in each.iterdir() if file.name != GENERATED}
        for each in (folder, again, other)
    ]
    assert texts[0] == texts[1] != texts[2]


@pytest.mark.parametrize("name", SHIPPED)
def test_real_records_fit_the_contract(test_data: Path, name: str) -> None:
    pattern, records = REAL[name]
    trial, problems = try_records(at(load_usecase(name), test_data / pattern))
    assert (trial.records, trial.rejected) == (records, 0)
    assert problems == []


def test_generated_crimes_lie_in_the_areas_of_their_map(tmp_path: Path) -> None:
    usecase = load_usecase("uk_street_crime")
    assert usecase.map is not None
    features = json.loads((usecase.folder / usecase.map.file).read_text("utf-8"))["features"]
    boxes = {each["properties"]["lsoa"]: _box(each["geometry"]["coordinates"]) for each in features}
    folder = generated_files(usecase, 2_000, 3, tmp_path)
    rows = pl.concat(map(pl.read_csv, sorted(folder.glob("*.csv"))))
    placed = rows.drop_nulls("Latitude")
    assert 0.05 < 1 - len(placed) / len(rows) < 0.15
    assert set(placed["LSOA code"]) == boxes.keys()
    for code, x, y in placed.select("LSOA code", "Longitude", "Latitude").iter_rows():
        west, south, east, north = boxes[code]
        assert west - NEARBY < x < east + NEARBY
        assert south - NEARBY < y < north + NEARBY


def _box(rings: list[list[list[float]]]) -> tuple[float, float, float, float]:
    x, y = zip(*rings[0], strict=True)
    return min(x), min(y), max(x), max(y)


def test_generated_files_are_another_source_than_real_ones(tmp_path: Path) -> None:
    usecase = load_usecase("crime_text")
    folder = generated_files(usecase, 20, 3, tmp_path)
    origin = FilesConnector(usecase, str(folder)).origin()
    assert origin.identity == {
        "kind": "generated",
        "usecase": "crime_text",
        "generator": "generate.rows",
        "seed": 3,
    }
    assert origin.inputs["rows"] == 20
    (folder / GENERATED).write_text(json.dumps({"identity": 1}), encoding="utf-8")
    with pytest.raises(PermanentError, match="does not say what made the files beside it"):
        FilesConnector(usecase, str(folder)).origin()
    bare = replace(usecase, source=replace(usecase.source, generator=None))
    with pytest.raises(UsageError, match="has no generator of rows"):
        generated_files(bare, 20, 3, tmp_path)


def test_a_demo_of_files_needs_a_home_on_this_machine() -> None:
    with pytest.raises(UsageError, match="Generated files have no place in memory://lake"):
        run_whole(RunRequest(usecase="crime_text"), Home.at("memory://lake"), lambda event: None)


def test_answers_are_numbered_by_their_lines(test_data: Path, tmp_path: Path) -> None:
    usecase = load_usecase("turbofan")
    (answers,) = usecase.gold["cycles"].lookups
    table = lookups.table(usecase, answers)
    assert table.columns == ["unit", "answer"]
    assert table["unit"].to_list() == list(range(1, 101))
    real = replace(answers, path=str(test_data / "cmapss" / "RUL_FD001.txt.gz"))
    assert lookups.table(usecase, real).filter(pl.col("unit") == 2)["answer"].to_list() == [98]


LOOKUPS = {
    "twice": ("------,All,sum\n111000,A,b\n------,B,c\n", "has the key offence_key=------ 2 times"),
    "no key": ("111000,A,b\n,B,c\n", "Record 2 of .* has no value for offence_key"),
    "width": ("111000,A,b\n111000\n210000,C,d\n", "Record 2 of .* is not one record: '111000'"),
}


@pytest.mark.parametrize("case", LOOKUPS)
def test_a_lookup_that_does_not_hold_is_refused(tmp_path: Path, case: str) -> None:
    text, message = LOOKUPS[case]
    usecase = load_usecase("germany_pks")
    (lookup,) = usecase.gold["counties"].lookups
    path = tmp_path / "offences.csv"
    path.write_text(f"offence_key,offence,group\n{text}", encoding="utf-8")
    with pytest.raises(PermanentError, match=message):
        lookups.table(usecase, replace(lookup, path=str(path)))
    with pytest.raises(UsageError, match=r"gone\.csv of the lookup 'offences' cannot be read"):
        lookups.table(usecase, replace(lookup, path=str(tmp_path / "gone.csv")))
