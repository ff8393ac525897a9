"""A server under load for long: its memory, and what clients see while versions change.

``make test-long PART=serving-load`` takes half an hour. LOAD_REQUESTS and LOAD_RELOADS in the
environment make it shorter. What was measured is printed; run it on a machine without other work.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from msgspec.structs import replace

from goldlake_core.contracts.wire import fill_nulls, inputs_of
from serving import client, config
from serving.config import ModelsConfig
from serving.loader import load
from tests.load.clients import Asked, Question, ask, question
from tests.tfx_pipeline import toy
from tests.tfx_pipeline.conftest import Toy, toy_data  # noqa: F401
from tfx_pipeline.modules.raw_rows import wire_arrays

pytestmark = [pytest.mark.long, pytest.mark.tfx, pytest.mark.timeout(7200)]

REQUESTS = int(os.environ.get("LOAD_REQUESTS", "1000000"))
RELOADS = int(os.environ.get("LOAD_RELOADS", "1000"))
NAME = "parcels.late"
LABEL = f"/v1/models/{NAME}/labels/stable:predict"
CONNECTIONS = 16
ROWS = 64
# Batches change the last bits of an answer.
TOLERANCE = 1e-6
# What memory may grow by after the first tenth of the requests or reloads.
MOST_MB = 24
STEADY_S = float(os.environ.get("LOAD_STEADY_S", "20"))
MOST_TIMES_P99 = 5


@pytest.fixture(scope="module")
def versions(
    toy_data: Toy,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Two trained versions of a model with every kind of feature."""
    from tfx_pipeline.modules.trainer import run_fn

    folder = tmp_path_factory.mktemp("versions")
    for seed in (1, 2):
        spec = toy.training_spec(replace(toy.TRAINING, epochs=1, seed=seed))
        place = folder / f"trained{seed}"
        run_fn(toy_data.fn_args(place, custom_config=spec.to_json()))
        (folder / NAME).mkdir(exist_ok=True)
        (place / "Format-Serving").rename(folder / NAME / str(seed))
    return folder


@pytest.fixture
def models_config(versions: Path) -> Path:
    path = versions / "models.config"
    wanted = config.with_label(ModelsConfig(), NAME, 1, "stable", str(versions / NAME))
    config.write(str(path), wanted)
    return path


@contextmanager
def serving(models_config: Path) -> Iterator[tuple[int, str]]:
    """A server as a process: its number and URL."""
    command = [sys.executable, "-m", "serving", "--model-config-file", str(models_config)]
    command += ["--rest-port", "0", "--model-config-file-poll-wait-seconds", "0.05"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            ready = json.loads(process.stdout.readline())
            yield process.pid, ready["url"]
        finally:
            process.terminate()
            assert process.wait(60) == 143


def megabytes(pid: int) -> float:
    """Memory that a process holds now."""
    text = Path(f"/proc/{pid}/status").read_text()
    [line] = [line for line in text.splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


def questions(versions: Path, url: str, rows: list[toy.Row], numbers: list[int]) -> list[Question]:
    """A request per row; right is what one of the versions answers alone."""
    inputs = inputs_of(toy.COLUMNS)
    names = {each.name for each in toy.COLUMNS}
    given = [{k: v for k, v in row.items() if k in names and v is not None} for row in rows]
    answers = []
    for number in numbers:
        with closing(load(str(versions / NAME / str(number)), is_warm=False)) as model:
            alone = (wire_arrays([row], toy.COLUMNS) for row in rows)
            found = [model.run("serving_default", each)["probability"][0] for each in alone]
            answers.append([float(each) for each in found])
    wire = [_json(row) for row in fill_nulls(inputs, given)]
    return [
        question(url, LABEL, row, right)
        for row, right in zip(wire, zip(*answers, strict=True), strict=True)
    ]


def _json(row: Any) -> dict[str, object]:
    return dict(row)


def told(what: str, figures: dict[str, object]) -> None:
    print(f"\n{what}: {json.dumps(figures)}", flush=True)


def summary(found: Asked) -> dict[str, object]:
    return {
        "answers": len(found.seconds),
        "failures": found.failures,
        "p50_ms": round(found.p(0.5), 2),
        "p99_ms": round(found.p(0.99), 2),
    }


def test_many_requests_leave_memory_flat(
    versions: Path,
    models_config: Path,
    toy_data: Toy,  # noqa: F811
) -> None:
    with serving(models_config) as (pid, url):
        asked = questions(versions, url, toy_data.rows["test"][:ROWS], [1])
        left = REQUESTS
        memory: list[float] = []

        def goes_on() -> bool:
            nonlocal left
            left -= 1
            if left % max(REQUESTS // 20, 1) == 0:
                memory.append(round(megabytes(pid), 1))
            return left >= 0

        began = time.monotonic()
        found = asyncio.run(ask(url, asked, CONNECTIONS, goes_on, TOLERANCE))
        seconds = time.monotonic() - began
    figures: dict[str, object] = {"seconds": round(seconds), "memory_mb": memory}
    told(f"{REQUESTS:,} requests", {**summary(found), **figures})
    assert found.problems == []
    assert len(found.seconds) == REQUESTS
    assert max(memory[2:]) - memory[2] < MOST_MB


def test_many_reloads_under_load(
    versions: Path,
    models_config: Path,
    toy_data: Toy,  # noqa: F811
) -> None:
    with serving(models_config) as (pid, url):
        asked = questions(versions, url, toy_data.rows["test"][:ROWS], [1, 2])
        differ = sum(abs(one - two) > 100 * TOLERANCE for one, two in (q.answers for q in asked))
        assert differ > ROWS * 0.9
        until = time.monotonic() + STEADY_S
        steady = asyncio.run(
            ask(url, asked, CONNECTIONS, lambda: time.monotonic() < until, TOLERANCE)
        )
        is_over = threading.Event()
        memory: list[float] = []
        problems: list[str] = []

        def reload() -> None:
            try:
                for number in range(RELOADS):
                    _reload(models_config, url, 2 - number % 2)
                    if number % max(RELOADS // 20, 1) == 0:
                        memory.append(round(megabytes(pid), 1))
            except Exception as error:  # told by the test, which runs in another thread
                problems.append(f"{type(error).__name__}: {error}")
            finally:
                is_over.set()

        reloading = threading.Thread(target=reload)
        began = time.monotonic()
        reloading.start()
        found = asyncio.run(ask(url, asked, CONNECTIONS, lambda: not is_over.is_set(), TOLERANCE))
        reloading.join()
        seconds = time.monotonic() - began
    told("steady", summary(steady))
    figures: dict[str, object] = {"seconds": round(seconds), "memory_mb": memory}
    told(f"{RELOADS:,} reloads", {**summary(found), **figures})
    assert problems == []
    assert steady.problems == found.problems == []
    first = len(memory) // 10 + 1
    assert max(memory[first:]) - memory[first] < MOST_MB
    assert found.p(0.99) < MOST_TIMES_P99 * steady.p(0.99)


def _reload(models_config: Path, url: str, version: int) -> None:
    """Promotes a version, and returns when it answers and the other one is gone."""
    path = str(models_config)
    config.update(path, lambda now: config.with_label(now, NAME, version, "stable"))
    client.wait_label(url, NAME, "stable", version, timeout_s=60, poll_wait_s=0.05)
    states = f"{url}/v1/models/{NAME}/versions/{3 - version}"
    for _ in range(600):
        found = requests.get(states, timeout=30)
        if found.status_code == 404 or "AVAILABLE" not in found.text:
            return
        time.sleep(0.05)
    raise AssertionError(f"@{3 - version} is still loaded")
