"""The engine knows nothing about crimes, and only a connector knows its API."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENGINE = [
    "goldlake",
    "goldlake_core",
    "goldlake_simulators",
    "lakehouse",
    "metadata",
    "serving",
    "tfx_pipeline",
]
DATA_SET_WORDS = [
    "arrest",
    "chicago",
    "cmapss",
    "community_area",
    "crime",
    "fbi",
    "homicide",
    "iucr",
    "police",
    "primary_type",
    "theft",
    "turbofan",
]
# Words of an API, by the folder of its connector under lakehouse/sources.
API_WORDS = {
    "socrata": ["socrata", "soda", "$limit", "$offset", "$order", "$select", "$where"],
    "police_uk": ["police_uk", "crimes-street", "crimes-no-location"],
}
# The lists of the connectors and simulators that are shipped name them.
LISTS = ["lakehouse/sources/plugins.py", "goldlake_simulators/base.py"]
# The schema of contracts has the options of each kind of source that declares them.
LISTS += ["goldlake_core/contracts/json_schemas/contract.schema.json"]
# The API of the British police is about crimes; so are its connector and its simulator.
OF_CRIMES = ["lakehouse/sources/police_uk", "goldlake_simulators/police_uk"]


def uses(word: str, text: str) -> bool:
    """Whether a word, or its plural, stands in a text, alone or as a part of a name."""
    return re.search(rf"(?<![a-z]){re.escape(word)}s?(?![a-z])", text, re.I) is not None


def violations(folders: list[Path], words: list[str], leave_out: list[str]) -> Iterator[str]:
    for folder in folders:
        for path in sorted(p for p in folder.rglob("*") if p.suffix in {".py", ".yaml", ".json"}):
            name = path.relative_to(ROOT).as_posix()
            if any(name == item or name.startswith(item + "/") for item in leave_out):
                continue
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                for word in filter(lambda word: uses(word, line), words):
                    yield f"{name}:{number}: {word}: {line.strip()}"


@pytest.mark.parametrize("folder", ENGINE)
def test_no_word_of_a_data_set_in_the_engine(folder: str) -> None:
    found = violations([ROOT / folder], DATA_SET_WORDS, [*OF_CRIMES, *LISTS])
    assert list(found) == []


@pytest.mark.parametrize("connector", API_WORDS)
def test_words_of_an_api_only_in_its_connector(connector: str) -> None:
    own = [
        f"lakehouse/sources/{connector}.py",
        f"lakehouse/sources/{connector}",
        f"goldlake_simulators/{connector}",
        *LISTS,
    ]
    found = violations([ROOT / folder for folder in ENGINE], API_WORDS[connector], own)
    assert list(found) == []


def test_a_word_would_be_found() -> None:
    assert list(violations([ROOT / "usecases"], ["iucr"], [])) != []


@pytest.mark.parametrize(
    ("word", "text", "expected"),
    [
        ("crime", "chicago_crimes", True),
        ("crime", "Crime by district", True),
        ("arrest", "arrested", False),
        ("soda", "SODA 2.1", True),
        ("soda", "sodapop", False),
        ("$where", "params['$where']", True),
    ],
)
def test_what_counts_as_a_use(word: str, text: str, expected: bool) -> None:
    assert uses(word, text) is expected
