"""The simulator as a process: ready when it says so, gone when it is told to go."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.sections import UseCase
from goldlake_simulators import server as simulator
from goldlake_simulators.base import SimulatorOptions
from tests.simulators.conftest import TOY, with_source

ROOT = Path(__file__).parents[2]
SCRIPT = """
import sys
from goldlake_core.contracts.registry import load_usecase
from goldlake_simulators.server import serve
try:
    serve(load_usecase(sys.argv[1]), rows=100, seed=1, on_ready=lambda url: print(url, flush=True))
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, 130)]
)
def test_it_serves_until_a_signal(sent: signal.Signals, code: int) -> None:
    command = [sys.executable, "-c", SCRIPT, str(TOY)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:")
        # A client that keeps its connection open must not keep the server.
        with requests.Session() as session:
            assert session.get(url).json()["rows"] == 100
            process.send_signal(sent)
            started = time.monotonic()
            out, err = process.communicate(timeout=10)
        assert time.monotonic() - started < 5
        assert (process.returncode, out, err) == (code, "", "")


def test_a_cut_connection_prints_nothing(toy: UseCase, capfd: pytest.CaptureFixture[str]) -> None:
    with (
        simulator.running(toy, SimulatorOptions(rows=100, seed=1, faults="cut:1")) as url,
        pytest.raises(requests.exceptions.ChunkedEncodingError),
    ):
        requests.get(f"{url}/resource/harb-cal1.json")
    assert capfd.readouterr() == ("", "")


def test_the_port_is_free_again_afterwards(toy: UseCase) -> None:
    options = SimulatorOptions(rows=10, seed=1)
    with simulator.running(toy, options) as url:
        port = int(url.rsplit(":", 1)[1])
    with simulator.running(toy, options, port=port) as again:
        assert again == url


def test_a_kind_without_simulator_is_told(toy: UseCase) -> None:
    with pytest.raises(UsageError, match="A source of kind 'files' has no simulator"):
        simulator.application(with_source(toy, kind="files"), SimulatorOptions())
