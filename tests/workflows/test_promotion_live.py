"""Promotion by the command line: two servers with TensorFlow, two promoters, faults between."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from goldlake.workflows.launch import module_command
from goldlake_core.storage.home import Home
from goldlake_core.storage.model_versions import push_model
from metadata.promotion import promotions
from serving import client
from tests.serving.test_tensorflow import save_line

pytestmark = pytest.mark.tfx
NAME = "toy.line"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Three versions that load, and a fourth that does not; the first is promoted."""
    folder = tmp_path_factory.mktemp("live")
    home = Home.at(folder / "lake")
    for version in (1, 2, 3):
        save_line(folder / str(version), version)
        push_model(home, "toy", "line", str(folder / str(version)), {})
    (folder / "1" / "saved_model.pb").write_bytes(b"half")
    push_model(home, "toy", "line", str(folder / "1"), {})
    assert goldlake(home, "promote", f"{NAME}@1").splitlines() == [
        f"{NAME}@1 has the label 'stable' (the label is new)",
        "  No server of this home is running. Next: goldlake serve",
    ]
    return home


def start(home: Home, *arguments: str) -> subprocess.Popen[str]:
    command = module_command("goldlake.cli.main", *arguments, "--home", home.root)
    return subprocess.Popen(command, stdout=-1, stderr=-1, text=True)


def ended(process: subprocess.Popen[str], exit_code: int = 0) -> str:
    out, errors = process.communicate(timeout=120)
    assert process.returncode == exit_code, out + errors
    return out if exit_code in (0, 3) else errors


def goldlake(home: Home, *arguments: str, exit_code: int = 0) -> str:
    return ended(start(home, *arguments), exit_code)


@pytest.fixture(scope="module")
def servers(home: Home) -> Iterator[dict[str, subprocess.Popen[str]]]:
    """Two servers by their address."""
    with ExitStack() as stack:
        started = [stack.enter_context(start(home, "serve", "--rest-port", "0")) for _ in range(2)]
        stack.callback(lambda: [process.kill() for process in started])
        found = {}
        for process in started:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("Serving at http://127.0.0.1:"), line
            found[line.split("/v1")[0].removeprefix("Serving at ")] = process
        yield found


def test_promotions_with_two_servers_and_two_promoters(home: Home, servers: dict[str, Any]) -> None:
    urls = sorted(servers)
    at_once = [
        start(home, "promote", f"{NAME}@2", "--because", "better"),
        start(home, "promote", f"{NAME}@3", "--label", "canary"),
    ]
    assert ended(at_once[0]).splitlines() == [
        f"{NAME}@2 serves as 'stable' (before: @1)",
        *(f"  {url} answers with @2" for url in urls),
    ]
    assert ended(at_once[1]).splitlines()[0] == f"{NAME}@3 serves as 'canary' (the label is new)"
    for url in urls:
        assert client.predict(url, NAME, [1.0], label="stable") == [2.5]
        assert client.predict(url, NAME, [1.0], label="canary") == [3.5]

    broken = goldlake(home, "promote", f"{NAME}@4", exit_code=1)
    assert f"could not load {NAME}@4: Could not load {home.root}/models/{NAME}/4: " in broken
    assert "the label 'stable' stays where it was. Next: goldlake models" in broken
    for url in urls:
        assert client.predict(url, NAME, [1.0], label="stable") == [2.5]
    # The other server may not have looked before the version was taken out again.
    [failed] = [url for url in urls if f"{url} could not load" in broken]
    state, text = client.version_state(failed, NAME, 4)
    assert state == "END"
    assert "Could not load" in text

    document = json.loads(goldlake(home, "rollback", NAME, "--json"))
    assert (document["version"], document["before"]) == (1, 2)
    assert document["servers"] == [{"url": url, "version": 1, "problem": ""} for url in urls]

    silent = servers[urls[0]]
    silent.send_signal(signal.SIGSTOP)
    try:
        lines = goldlake(home, "promote", f"{NAME}@2", "--wait", "1", exit_code=3).splitlines()
    finally:
        silent.send_signal(signal.SIGCONT)
    assert lines[0] == f"{NAME}@2 has the label 'stable' (before: @1)"
    assert lines[1].startswith(f"  {urls[0]} did not confirm it: No answer from ")
    assert lines[2] == f"  {urls[1]} answers with @2"
    # It moves the label by itself when it runs again.
    client.wait_label(urls[0], NAME, "stable", 2)

    silent.kill()
    silent.wait(20)
    assert goldlake(home, "promote", f"{NAME}@1").splitlines() == [
        f"{NAME}@1 serves as 'stable' (before: @2)",
        f"  {urls[1]} answers with @1",
    ]
    stable = [(p.version, p.kind, p.why) for p in promotions(home, NAME) if p.label == "stable"]
    assert stable == [
        (1, "promote", ""),
        (2, "promote", "better"),
        (1, "rollback", ""),
        (2, "promote", ""),
        (1, "promote", ""),
    ]
    last = servers[urls[1]]
    last.send_signal(signal.SIGTERM)
    assert ended(last, 143).count(f"{NAME}@4 did not load: ") <= 1
    assert "No server of this home is running" in goldlake(home, "promote", f"{NAME}@3")


@pytest.mark.long
def test_thirty_reloads_do_not_grow(home: Home, tmp_path: Path) -> None:
    """Twenty reloads held 360 MB more before a graph's cycles were collected."""
    process = start(home, "serve", "--rest-port", "0")
    with process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            sizes = []
            for number in range(30):
                goldlake(home, "promote", f"{NAME}@{number % 3 + 1}")
                status = Path(f"/proc/{process.pid}/status").read_text()
                [size] = [line for line in status.splitlines() if line.startswith("VmRSS")]
                sizes.append(int(size.split()[1]) / 1024)
        finally:
            process.terminate()
            process.communicate(timeout=30)
    print("MB after each reload:", *(f"{size:.0f}" for size in sizes), file=sys.stderr)
    assert sizes[-1] - sizes[5] < 25
