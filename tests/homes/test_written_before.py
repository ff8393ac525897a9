"""A home that an earlier version wrote is read by this one: tables, models, lineage, served model.

A home holds absolute paths, so it is unpacked where it was made. `before_goldlake_core.json` holds
what the version that wrote it printed and answered.
"""

from __future__ import annotations

import json
import math
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from goldlake.cli.main import main as command_line
from goldlake_core.contracts.errors import StoreError
from goldlake_core.documents import codec
from goldlake_core.documents.lakehouse import Identity
from goldlake_core.storage.home import Home
from goldlake_core.storage.landing import LandingZone
from goldlake_core.storage.locks import FileLock
from lakehouse.sources import polls

HERE = Path(__file__).parent
NAME = "before_goldlake_core"
RECORDED: dict[str, Any] = json.loads((HERE / f"{NAME}.json").read_text(encoding="utf-8"))
MODEL = "chicago_crime.arrest"


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    path = Path(RECORDED["path"])
    # Another process of the same test run may want it at the same place.
    with FileLock(f"{path.parent}.lock", wait_s=600):
        shutil.rmtree(path, ignore_errors=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(HERE / f"{NAME}.tar.xz") as archive:
            archive.extractall(path.parent, filter="data")
        yield path
        shutil.rmtree(path.parent)


def printed(*arguments: str, home: Path) -> Any:
    answer = CliRunner().invoke(command_line, [*arguments, "--json", "--home", str(home)])
    assert answer.exit_code == 0, answer.output
    return json.loads(answer.stdout)


def holds(found: Any, recorded: Any) -> None:
    """Everything recorded is found again; a newer version may say more."""
    if isinstance(recorded, dict):
        assert recorded.keys() <= found.keys()
        for key, value in recorded.items():
            holds(found[key], value)
    elif isinstance(recorded, list):
        assert len(found) == len(recorded)
        for one, other in zip(found, recorded, strict=True):
            holds(one, other)
    elif isinstance(recorded, str):
        # Instants were written with +00:00, and are written with Z now.
        assert found.replace("+00:00", "Z") == recorded.replace("+00:00", "Z")
    else:
        assert found == recorded


def silent(kind: str, message: str, **fields: Any) -> None:
    """An emit that tells nobody."""


def test_tables_and_fates_are_read(home: Path) -> None:
    holds(printed("tables", home=home), RECORDED["tables"])


def test_models_are_read(home: Path) -> None:
    holds(printed("models", home=home), RECORDED["models"])


def test_lineage_is_read(home: Path) -> None:
    holds(printed("lineage", f"{MODEL}@1", home=home), RECORDED["lineage"])


def test_the_landing_zone_is_read(home: Path) -> None:
    zone = LandingZone(Home.at(home), "chicago_crime", "ijzp-q8t2")
    [page] = zone.manifest()
    assert (page.format, page.sequence, page.rows, page.content) == (1, 1, 4000, None)
    assert len(zone.read_page(page)) == 4000
    assert polls.reached([page]) == (page.last_cursor, False)
    assert polls.remembered(zone, silent) == polls.Memory()
    assert zone.next_sequence() == 2
    identity = zone.identity()
    assert identity is not None
    assert (identity["kind"], identity["rows"], identity["seed"]) == ("generated", 4000, 7)


def test_its_source_is_recognized(home: Path, tmp_path: Path) -> None:
    """Rows and code were part of the identity then, and are inputs now."""
    shutil.copytree(home / "landing", tmp_path / "landing")
    zone = LandingZone(Home.at(tmp_path), "chicago_crime", "ijzp-q8t2")
    now: Identity = {"kind": "generated", "usecase": "chicago_crime", "generator": "generate.rows"}
    with pytest.raises(StoreError, match="Rows of two sources are never mixed"):
        zone.claim({**now, "seed": 8})
    zone.claim({**now, "seed": 7})
    assert zone.identity() == {**now, "seed": 7}


@pytest.mark.tfx
def test_what_the_gates_wrote_is_read(home: Path) -> None:
    from tfx_pipeline.components.model import REPORT_FILE
    from tfx_pipeline.components.validation_verdict import VERDICT_FILE, read_verdict
    from tfx_pipeline.evaluation.serving_check import ServingReport

    [file] = home.glob(f"pipelines/{MODEL}/**/{VERDICT_FILE}")
    verdict = read_verdict(str(file.parent))
    assert (verdict.verdict, verdict.anomalies, verdict.has_baseline) == ("passed", (), False)
    assert [(d.column, d.compare, d.limit) for d in verdict.distances] == [
        ("primary_type", "skew", 0.2)
    ]
    assert json.loads(codec.encode(verdict)) == json.loads(file.read_text())
    [file] = home.glob(f"pipelines/{MODEL}/**/{REPORT_FILE}")
    report = codec.decode(file.read_bytes(), ServingReport, str(file))
    assert (report.is_servable, report.problems, report.rows) == (True, (), 132)
    assert json.loads(codec.encode(report)) == json.loads(file.read_text())


@pytest.mark.tfx
def test_the_served_model_answers_as_before(home: Path, tmp_path: Path) -> None:
    from goldlake.workflows.servers import embedded_server
    from serving import client

    config = str(home / "models" / "models.config")
    with embedded_server(config, tmp_path / "server.log") as url:
        client.wait_available(url, MODEL, 1, 60.0)
        # By the signature of then: today's contract asks for the minute, too.
        nowhere = {"latitude": math.nan, "longitude": math.nan, "has_community_area": True}
        rows = [{**nowhere, **row} for row in RECORDED["instances"]]
        answers = client.predict(url, MODEL, rows)
    assert answers == pytest.approx(RECORDED["predictions"], abs=1e-6)
