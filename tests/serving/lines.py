"""Servables without TensorFlow: y = x / 2 + b, and what a data plane needs to be seen doing."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from serving import config
from serving.config import ModelsConfig
from serving.errors import StatusError
from serving.server import Server
from serving.signatures import Signature, TensorSpec

FLOATS = TensorSpec("x:0", "float", (-1,))
TEXTS = TensorSpec("name:0", "string", (-1,))


class Line:
    """y = x / 2 + b; ``greet`` puts a name before it; ``fail`` fails."""

    def __init__(self, b: float) -> None:
        self.b = b
        self.is_closed = False
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()

    @property
    def signatures(self) -> Mapping[str, Signature]:
        method = "tensorflow/serving/predict"
        y = TensorSpec("y:0", "float", (-1,))
        return {
            "serving_default": Signature(method, {"x": FLOATS}, {"y": y}),
            "greet": Signature(
                method, {"name": TEXTS, "x": FLOATS}, {"greeting": TEXTS, "x": FLOATS}
            ),
            "fail": Signature(method, {"x": FLOATS}, {"y": y}),
        }

    def run(self, signature_name: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        self.entered.set()
        assert self.gate.wait(10)
        assert not self.is_closed
        x = inputs["x"]
        if signature_name == "fail":
            raise StatusError("OUT_OF_RANGE", f"x is {x.tolist()}")
        if signature_name == "greet":
            names = np.array([b"hello " + name for name in inputs["name"]], dtype=object)
            return {"greeting": names, "x": x}
        return {"y": (x / 2 + self.b).astype(np.float32)}

    def close(self) -> None:
        self.is_closed = True


def save(base: Path, version: int, b: float | str) -> None:
    """Writes a version folder that `load` reads; a text for ``b`` does not load."""
    folder = base / str(version)
    folder.mkdir(parents=True)
    (folder / "b.txt").write_text(str(b))


def load(path: str) -> Line:
    return Line(float(Path(path, "b.txt").read_text()))


@contextmanager
def running(models_config: Path, **settings: object) -> Iterator[str]:
    """An embedded server in a thread of this process; yields its URL."""
    urls: list[str] = []
    is_ready = threading.Event()

    def ready(url: str) -> None:
        urls.append(url)
        is_ready.set()

    options = {"load": load, "poll_wait_s": 0.05, **settings}
    server = Server(str(models_config), 0, on_ready=ready, **options)  # type: ignore[arg-type]
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert is_ready.wait(20)
        yield urls[0]
    finally:
        server.stop()
        thread.join(20)
        assert not thread.is_alive()


@contextmanager
def two_labels(folder: Path) -> Iterator[str]:
    """A server whose version 1 is ``stable`` and adds 1, and whose version 2 is ``canary``."""
    found = ModelsConfig()
    for version, label in ((1, "stable"), (2, "canary")):
        save(folder / "toy.line", version, version)
        base = str(folder / "toy.line")
        found = config.with_label(found, "toy.line", version, label, base)
    config.write(str(folder / "models.config"), found)
    with running(folder / "models.config") as url:
        yield url
