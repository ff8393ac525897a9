"""The notebooks and the examples of the Python API run on a fresh home and show what they say."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from goldlake_core.storage.deltalog import DeltaLog
from tests.api.examples import run_examples
from tests.docs.pages import DOCS, FENCE

FOLDER = Path(__file__).parents[2] / "notebooks"
NAMES = ("explore_gold", "validation")
FIGURE = "application/vnd.plotly.v1+json"
LARGEST_BYTES = 300_000


@pytest.fixture(scope="session")
def runner() -> ModuleType:
    spec = importlib.util.spec_from_file_location("goldlake_notebooks", FOLDER / "execute.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def outputs(notebook: Any, kind: str) -> list[Any]:
    """What the cells of a notebook show of one MIME type; "text" for what they print."""
    found = []
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            if kind == "text" and output["output_type"] == "stream":
                found.append("".join(output["text"]))
            elif kind in output.get("data", {}):
                data = output["data"][kind]
                found.append("".join(data) if isinstance(data, list) else data)
    return found


def titles(notebook: Any) -> list[str]:
    return [figure["layout"]["title"]["text"] for figure in outputs(notebook, FIGURE)]


def stored(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))


@pytest.mark.spark
@pytest.mark.tfx
def test_explore_gold_counts_what_gold_holds(chicago_home: Path, runner: ModuleType) -> None:
    notebook = runner.execute(FOLDER / "explore_gold.ipynb", str(chicago_home))
    gold = chicago_home / "tables" / "chicago_crime" / "gold"
    rows = DeltaLog(str(gold / "arrest_features")).snapshot().rows
    cells = DeltaLog(str(gold / "area_day")).snapshot().rows
    first = outputs(notebook, "text/html")[0]
    assert f"<td>{rows:,}</td>" in first
    assert f"<td>{cells:,}</td>" in first
    assert titles(notebook) == titles(stored("explore_gold"))
    text = "".join(outputs(notebook, "text"))
    assert re.search(rf"of {rows:,} incidents have no position", text)
    weeks = outputs(notebook, FIGURE)[1]["data"]
    assert len(weeks) == 9  # the eight most frequent types and all others


@pytest.mark.spark
@pytest.mark.tfx
def test_validation_refuses_what_is_planted(chicago_home: Path, runner: ModuleType) -> None:
    notebook = runner.execute(FOLDER / "validation.ipynb", str(chicago_home))
    last_run, unknown, shifted = (t for t in outputs(notebook, "text") if t.startswith("verdict"))
    assert last_run.startswith("verdict: passed, 0 anomalies\n")
    assert "skew of primary_type: l_infty" in last_run
    assert unknown.startswith("verdict: refused")
    assert "primary_type in test: " in unknown
    assert "SOMETHING NEW" in unknown
    assert shifted.startswith("verdict: refused, 1 anomalies\n")
    assert "over the limit 0.2" in shifted
    assert titles(notebook) == titles(stored("validation"))


@pytest.mark.spark
@pytest.mark.tfx
def test_the_page_of_the_python_api_prints_what_it_says(
    chicago_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "demo").symlink_to(chicago_home)
    monkeypatch.chdir(tmp_path)
    page = (DOCS / "python.md").read_text(encoding="utf-8")
    text = "\n".join(block for _, block in FENCE.findall(page) if ">>>" in block)
    found = run_examples({"docs/python.md": text})
    assert found.attempted > 25


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_reaches_a_home_through_the_api_only(name: str) -> None:
    cells = [cell for cell in stored(name)["cells"] if cell["cell_type"] == "code"]
    tree = ast.parse("\n\n".join("".join(cell["source"]) for cell in cells))
    imported = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    imported |= {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    ours = {
        m for m in imported if m.partition(".")[0] in ("goldlake_core", "lakehouse", "metadata")
    }
    assert "goldlake" in imported
    assert ours == set()
    assert not re.search(r"GOLDLAKE_HOME\"\] =|sqlite|_delta_log", json.dumps(cells))


@pytest.mark.parametrize("name", NAMES)
def test_stored_outputs_are_small_and_say_nothing_of_the_machine(name: str) -> None:
    file = FOLDER / f"{name}.ipynb"
    assert file.stat().st_size < LARGEST_BYTES
    notebook = stored(name)
    assert outputs(notebook, FIGURE), "run: python notebooks/execute.py"
    shown = json.dumps([cell.get("outputs", []) for cell in notebook["cells"]])
    assert not re.search(r"/(home|root|tmp|work)/|Traceback", shown)
    assert all(cell.get("execution_count") is None for cell in notebook["cells"])


def test_every_notebook_is_tested() -> None:
    assert sorted(file.stem for file in FOLDER.glob("*.ipynb")) == sorted(NAMES)
