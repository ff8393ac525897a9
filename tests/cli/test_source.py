"""`goldlake source`, in process: all that it prints. The server itself is tested elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner, Result

from goldlake.cli.main import main
from goldlake.workflows.pages import json_documents
from goldlake_core.contracts.errors import UsageError

URL = "http://127.0.0.1:8080"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the simulator was asked for; it warns once and is ready at once."""
    seen: dict[str, Any] = {}

    def serve(
        usecase: Any,
        *,
        on_ready: Callable[[str], None],
        warn: Callable[[str], None],
        **options: Any,
    ) -> None:
        seen.update(options, usecase=usecase.name)
        warn("3 rows have no [b]id[/b] \x07")
        on_ready(URL)

    monkeypatch.setattr("goldlake_simulators.server.serve", serve)
    return seen


def source(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["source", "chicago_crime", *arguments])


def test_generated_rows(asked: dict[str, Any]) -> None:
    result = source("--rows", "4000", "--port", "0")
    assert result.stdout == (
        f"chicago_crime at {URL} (4,000 generated rows, seed 7). Stop with Ctrl-C.\n"
        f"Next: goldlake ingest chicago_crime --source {URL}\n"
    )
    assert result.stderr == "warning: 3 rows have no [b]id[/b] \\x07\n"
    assert result.exit_code == 0
    assert asked == {
        "usecase": "chicago_crime",
        "data": [],
        "rows": 4000,
        "seed": 7,
        "port": 0,
        "faults": None,
        "speed": None,
        "start": None,
    }


def test_files_are_named(asked: dict[str, Any], tmp_path: Path) -> None:
    files = [tmp_path / "a.csv", tmp_path / "b.csv"]
    for file in files:
        file.write_text("id\n1\n", encoding="utf-8")
    options = [word for file in files for word in ("--data", str(file))]
    result = source(*options, "--faults", "429:0.1")
    assert f"chicago_crime at {URL} ({files[0]}, {files[1]}). Stop with Ctrl-C.\n" in result.stdout
    assert asked["data"] == files
    assert asked["faults"] == "429:0.1"


def test_json_is_one_line(asked: dict[str, Any]) -> None:
    result = source("--json")
    assert result.stdout == f'{{"url": "{URL}"}}\n'
    schema = json.loads((json_documents.FOLDER / "source.json").read_text(encoding="utf-8"))
    jsonschema.validate(json.loads(result.stdout), schema)


def test_a_wrong_option_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def serve(usecase: Any, **options: Any) -> None:
        raise UsageError("--faults 'x' is not a fault", valid="429:0.1")

    monkeypatch.setattr("goldlake_simulators.server.serve", serve)
    result = source("--faults", "x")
    assert result.output == "error: --faults 'x' is not a fault. Valid: 429:0.1.\n"
    assert result.exit_code == 2


def test_a_wrong_use_case_names_the_nearest() -> None:
    result = CliRunner().invoke(main, ["source", "chicago_crimes"])
    assert "There is no use case called 'chicago_crimes'. Valid: chicago_crime (nearest)" in (
        result.output
    )
    assert result.exit_code == 2
