"""Starting the command line, or importing a package, loads none of the heavy libraries."""

from __future__ import annotations

import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = {
    "apache_beam",
    "delta",
    "keras",
    "ml_metadata",
    "numpy",
    "pandas",
    "polars",
    "pyarrow",
    "pyspark",
    "tensorflow",
    "tfx",
    "tfx_bsl",
}


def loaded_by(statement: str) -> set[str]:
    """Top-level modules that a fresh interpreter holds after a statement."""
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return {name.split(".")[0] for name in json.loads(result.stdout.splitlines()[-1])}


def modules_of(package: str) -> list[str]:
    """Every module of a package, by its files, without those that run when imported."""
    files = sorted((ROOT / package).rglob("*.py"))
    dotted = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files]
    return [name.removesuffix(".__init__") for name in dotted if "__main__" not in name]


def test_the_probe_sees_a_heavy_import() -> None:
    assert "numpy" in loaded_by("import numpy") & HEAVY


@pytest.mark.parametrize(
    "package",
    ["goldlake_core", "goldlake_simulators", "lakehouse", "metadata", "serving", "tfx_pipeline"],
)
def test_importing_a_package_is_light(package: str) -> None:
    assert loaded_by(f"import {package}") & HEAVY == set()


def test_no_module_of_goldlake_imports_heavily() -> None:
    modules = modules_of("goldlake") + modules_of("goldlake_core")
    # It is arithmetic, and is imported where a table is judged.
    modules = [name for name in modules if not name.startswith("goldlake_core.gate.")]
    assert "goldlake.cli.main" in modules
    assert loaded_by("\n".join(f"import {name}" for name in modules)) & HEAVY == set()


@pytest.fixture
def url() -> Iterator[str]:
    """A server that answers each prediction."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"predictions": [0.5]}')

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


ROW = (
    '{"primary_type": "THEFT", "description": "FROM BUILDING", "iucr": "0890", "fbi_code": "06", '
    '"domestic": false, "hour": 14, "minute": 30, "weekday": 2}'
)
MOST_MODULES = 340
"""Modules that `goldlake predict` may load."""


def test_asking_about_one_row_is_light(url: str, tmp_path: Path) -> None:
    row = tmp_path / "row.json"
    row.write_text(ROW)
    asked = ["predict", "chicago_crime.arrest", "--input", str(row), "--url", url]
    code = "import sys; from goldlake.cli.main import main; main(sys.argv[1:])"
    command = [sys.executable, "-X", "importtime", "-c", code, *asked]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.stdout == "0.5\n", result.stderr
    names = {line.rpartition("|")[2].strip() for line in result.stderr.splitlines()}
    heavy = HEAVY | {"grpc", "requests", "rich", "sqlglot"}
    assert {name.partition(".")[0] for name in names} & heavy == set()
    assert len(names) < MOST_MODULES


def test_a_client_by_grpc_needs_no_tensorflow() -> None:
    loaded = loaded_by("from serving import client; client.connect('grpc://127.0.0.1:9').close()")
    assert "grpc" in loaded
    assert loaded & HEAVY == set()
    loaded = loaded_by("from serving import client; client.connect('http://127.0.0.1:9').close()")
    assert loaded & (HEAVY | {"grpc", "requests"}) == set()
