"""Paths and secrets of this machine do not leave it in a compiled pipeline."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from goldlake_core.contracts.addresses import Hidden
from goldlake_core.contracts.errors import PermanentError
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import Notify
from goldlake_core.storage.home import Home
from tests.tfx_pipeline.toy_export import TOY
from tfx_pipeline.portable import places_of, require_no_paths, require_no_secrets, secrets_of


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("uri: /data/lake", "/data/lake"),
        ("uri: /data/lake/exports/a.parquet\n", "/data/lake/exports/a.parquet"),
        ('json: \'{"a": "file:///data/lake/x"}\'', "/data/lake/x"),
        ('json: "{\\"a\\": \\"/data/lake/x\\"}"', "/data/lake/x"),
    ],
)
def test_a_path_is_refused_wherever_it_is(text: str, found: str) -> None:
    with pytest.raises(PermanentError, match="path of this machine") as problem:
        require_no_paths(text, ["/elsewhere", "/data/lake/"])
    assert f"The pipeline would hold {found}, a path" in str(problem.value)
    assert "relative to the folder of the use case" in str(problem.value)


def test_a_longer_name_is_another_folder() -> None:
    require_no_paths("uri: /data/lake2/x, /data/lake-old", ["/data/lake", ""])


def test_places_are_data_use_case_code_and_python(tmp_path: Path) -> None:
    usecase = load_usecase(str(TOY))
    places = places_of(Home.at(str(tmp_path)), usecase)
    assert {str(tmp_path), str(TOY), sys.prefix} <= set(places)
    assert "/root" not in places
    assert "gs://bucket/lake" not in places_of(Home.at("memory://bucket/lake"), usecase)


def test_a_secret_is_refused_by_the_name_of_its_variable_alone() -> None:
    with pytest.raises(PermanentError, match="environment variable PORTAL_TOKEN") as problem:
        require_no_secrets("a: s3cr3t-value-9", {"PORTAL_TOKEN": "s3cr3t-value-9"})
    assert "s3cr3t" not in str(problem.value)
    require_no_secrets("a: 1", {"PORTAL_TOKEN": "s3cr3t-value-9", "PIN_SECRET": "1"})


def test_secrets_are_those_of_the_contract_and_those_by_name() -> None:
    hidden = {"webhook": Hidden(env="HOOK"), "headers": {"X": Hidden(env="HEADER")}}
    usecase = replace(load_usecase(str(TOY)), notify=Notify(**hidden))
    environment = {
        "HOOK": "https://example.com/1",
        "HEADER": "abcdefgh",
        "AWS_SECRET_ACCESS_KEY": "abcdefghi",
        "db_password": "abcdefghij",
        "PATH": "/usr/bin",
    }
    expected = {name: value for name, value in environment.items() if name != "PATH"}
    assert secrets_of(usecase, environment) == expected
