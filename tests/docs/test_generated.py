"""Generated pages are those that the code and the contracts give now."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import click
import pytest

from goldlake.cli.main import main as command_line
from tests.docs.pages import DOCS

PAGES = (
    "docs/reference/catalogue.md",
    "docs/reference/cli.md",
    "docs/reference/contract.md",
    "docs/reference/crime_text.md",
    "docs/reference/germany_pks.md",
    "docs/reference/python.md",
    "docs/reference/turbofan.md",
    "docs/reference/uk_street_api.md",
    "docs/reference/uk_street_crime.md",
    "goldlake_core/contracts/json_schemas/contract.schema.json",
    "goldlake_core/contracts/json_schemas/model.schema.json",
)


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("goldlake_docs_generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", PAGES)
def test_committed_page_is_not_stale(name: str, generate: ModuleType) -> None:
    committed = (DOCS.parent / name).read_text(encoding="utf-8")
    assert committed == generate.pages()[name], "run: python docs/generate.py"


def test_every_generated_page_is_compared(generate: ModuleType) -> None:
    assert sorted(generate.pages()) == sorted(PAGES)
    for folder in {str(Path(name).parent) for name in PAGES}:
        files = [file for file in (DOCS.parent / folder).iterdir() if file.is_file()]
        found = sorted(f"{folder}/{file.name}" for file in files)
        assert found == sorted(name for name in PAGES if name.startswith(f"{folder}/"))


def test_every_command_and_option_is_in_the_reference(generate: ModuleType) -> None:
    page = generate.pages()["docs/reference/cli.md"]
    context = click.Context(command_line)
    for name in command_line.list_commands(context):
        section = page.split(f"## goldlake {name}\n")[1].split("\n## ")[0]
        command = command_line.get_command(context, name)
        assert command is not None
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.opts[0] in section, (name, parameter.opts)


def test_check_names_a_stale_page(generate: ModuleType, monkeypatch, capsys, tmp_path) -> None:
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["generate.py", "--check"])
    for name, text in generate.pages().items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert generate.main() == 0
    (tmp_path / "docs/reference/cli.md").write_text("old", encoding="utf-8")
    assert generate.main() == 1
    assert capsys.readouterr().err == (
        "docs/reference/cli.md is stale. Next: python docs/generate.py\n"
    )
    assert (tmp_path / "docs/reference/cli.md").read_text(encoding="utf-8") == "old"


def test_width_of_the_terminal_changes_nothing() -> None:
    command = [sys.executable, str(DOCS / "generate.py"), "--check"]
    environment = {"COLUMNS": "50", "PATH": "/usr/bin:/bin"}
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr


def test_figures_of_a_notebook_need_no_network(generate: ModuleType) -> None:
    figure = {"data": [{"type": "bar", "x": ["a"], "y": [1]}], "layout": {"title": {"text": "T"}}}
    outputs = [{"output_type": "display_data", "data": {generate.FIGURE: figure}, "metadata": {}}]
    cells = [
        {"cell_type": "markdown", "source": ["See [records](../docs/records.md)."]},
        {"cell_type": "code", "source": ["show()"], "outputs": outputs},
        {"cell_type": "code", "source": ["show()"], "outputs": outputs},
    ]
    notebook = {"cells": cells}
    text, first, second = generate.book_notebook(notebook)["cells"]
    assert text["source"] == "See [records](../records.md)."
    html = first["outputs"][0]["data"]["text/html"]
    assert 'src="../plotly.min.js"' in html
    assert "cdn" not in html
    assert "plotly.min.js" not in second["outputs"][0]["data"]["text/html"]
    assert notebook["cells"][1]["outputs"][0]["data"] == {generate.FIGURE: figure}
