"""What the numbers of a model depend on besides its rows, contract and code."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Iterator
from pathlib import Path

from goldlake_core.documents import codec
from goldlake_core.documents.reproducing import Environment

FILE = "assets.extra/environment.json"
PACKAGES = (
    "apache-beam",
    "keras",
    "numpy",
    "tensorflow",
    "tensorflow-transform",
    "tfx",
    "tfx-bsl",
)
_INSTRUCTIONS = frozenset(
    {"avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "avx_vnni", "amx_tile", "asimd"}
)
_CPUINFO = Path("/proc/cpuinfo")


def environment() -> Environment:
    """This process' environment, with the threads that TensorFlow uses or would use."""
    import tensorflow as tf

    processors = available_processors()
    about = dict(_cpuinfo())
    flags = about.get("flags", about.get("Features", "")).split()
    return Environment(
        python=platform.python_version(),
        packages={name: importlib.metadata.version(name) for name in PACKAGES},
        machine=platform.machine(),
        cpu=about.get("model name") or platform.processor() or platform.machine(),
        instructions=tuple(sorted(_INSTRUCTIONS.intersection(flags))),
        intra_op_threads=tf.config.threading.get_intra_op_parallelism_threads() or processors,
        inter_op_threads=tf.config.threading.get_inter_op_parallelism_threads() or processors,
    )


def available_processors() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def record(folder: str) -> None:
    """Writes the environment beside a SavedModel, where TensorFlow ignores it."""
    from tfx.dsl.io import fileio

    file = os.path.join(folder, FILE)
    fileio.makedirs(os.path.dirname(file))
    with fileio.open(file, "wb") as out:
        out.write(codec.encode(environment()))


def differences(then: Environment, now: Environment) -> list[str]:
    """What differs between two environments, one sentence each. Pure."""
    found = [
        f"{name} was {then.packages.get(name)}, and is {now.packages.get(name)}"
        for name in sorted(then.packages.keys() | now.packages.keys())
        if then.packages.get(name) != now.packages.get(name)
    ]
    pairs = {
        "Python": (then.python, now.python),
        "the processor": (f"{then.cpu} ({then.machine})", f"{now.cpu} ({now.machine})"),
        "its vector instructions": (" ".join(then.instructions), " ".join(now.instructions)),
        "the number of threads of an operation": (then.intra_op_threads, now.intra_op_threads),
        "the number of operations at once": (then.inter_op_threads, now.inter_op_threads),
    }
    found += [f"{what} was {a}, and is {b}" for what, (a, b) in pairs.items() if a != b]
    return found


def _cpuinfo() -> Iterator[tuple[str, str]]:
    """Fields of the first processor; none where the system has no such file."""
    if not _CPUINFO.is_file():
        return
    for line in _CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines():
        if not line.strip():
            return
        name, _, value = line.partition(":")
        yield name.strip(), value.strip()
