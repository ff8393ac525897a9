from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.faults.serving.faults_wire import ANSWER
from tests.faults.serving.lab import ROW, place, request
from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).with_name("corpus")
SEEDS = sorted(path for path in CORPUS.rglob("*") if path.is_file())
# How long each target is fuzzed by `make test-long PART=fuzz`.
SECONDS = int(os.environ.get("FUZZ_SECONDS", "1800"))

WIRE = [path.read_bytes()[1:] for path in SEEDS if path.parent.name == "http"]
CUTS = st.tuples(st.floats(0, 1), st.floats(0, 1), st.binary(max_size=6))


@pytest.mark.parametrize("path", SEEDS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_was_found_before(path: Path) -> None:
    TARGETS[path.parent.name](path.read_bytes())


def mutated(seed: bytes, cuts: list[tuple[float, float, bytes]]) -> bytes:
    """A seed of which parts are replaced."""
    for start, share, other in cuts:
        at = int(start * len(seed))
        seed = seed[:at] + other + seed[at + int(share * 20) :]
    return seed


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_near_the_corpus(target: str) -> None:
    seeds = [path.read_bytes() for path in SEEDS if path.parent.name == target]

    @settings(max_examples=500, deadline=None)
    @given(st.sampled_from(seeds), st.lists(CUTS, max_size=4))
    def near(seed: bytes, cuts: list[tuple[float, float, bytes]]) -> None:
        TARGETS[target](mutated(seed, cuts))

    near()


def test_a_server_answers_whatever_comes(tmp_path: Path) -> None:
    with place(tmp_path) as here:

        @settings(max_examples=150, deadline=None)
        @given(st.sampled_from(WIRE), st.lists(CUTS, max_size=4))
        def whatever(seed: bytes, cuts: list[tuple[float, float, bytes]]) -> None:
            client = here.client()
            try:
                client.send(mutated(seed, cuts))
                client.half_close()
                while True:
                    status = client.answer().status
                    assert status in (200, 404) or 400 <= status < 500 or status == 503
            except (EOFError, ConnectionError):
                pass
            finally:
                here.close_clients()

        whatever()
        assert here.asked(request(ROW)).document == ANSWER
        here.check()


@pytest.mark.long
@pytest.mark.timeout(2 * SECONDS + 300)
@pytest.mark.parametrize("target", sorted(TARGETS))
@pytest.mark.skipif(find_spec("atheris") is None, reason="atheris has no package for this system")
def test_for_long(target: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fuzz.run", target, "--seconds", str(SECONDS)]
    found = subprocess.run(
        [*command, "--keep", str(tmp_path / "kept")],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=False,
    )
    shutil.rmtree(tmp_path / "kept", ignore_errors=True)
    assert found.returncode == 0, found.stderr[-5_000:]
    assert "Done" in found.stderr
