"""Stage documents: how a command, an orchestrator and a stage speak to each other.

A stage is a process. It reads ``STAGE.request.json`` from its run directory, appends event lines
to ``STAGE.events.jsonl`` and ends by writing ``STAGE.result.json``. Nothing else is agreed between
them, so that a shell, Airflow and Kubeflow call the same stages as `goldlake` does.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goldlake_core.contracts.errors import GoldlakeError, PermanentError
from goldlake_core.instants import now_text

Document = dict[str, Any]


@dataclass(frozen=True)
class RunDir:
    """A run's folder of stage documents; always on the machine that runs the stage."""

    path: Path

    def request_file(self, stage: str) -> Path:
        """Where a stage's request stands."""
        return self.path / f"{stage}.request.json"

    def result_file(self, stage: str) -> Path:
        """Where a stage's result stands once it ended."""
        return self.path / f"{stage}.result.json"

    def events_file(self, stage: str) -> Path:
        """Where a stage appends its events."""
        return self.path / f"{stage}.events.jsonl"

    def write_request(self, stage: str, request: Mapping[str, Any]) -> None:
        """Writes a request and removes an earlier result of the same stage."""
        self.path.mkdir(parents=True, exist_ok=True)
        self.result_file(stage).unlink(missing_ok=True)
        self.events_file(stage).unlink(missing_ok=True)
        _write_json(self.request_file(stage), request)

    def request(self, stage: str) -> Document:
        """The request of a stage.

        Raises:
            PermanentError: There is none, or it is not a JSON object.
        """
        return _read_json(self.request_file(stage), f"request of stage {stage!r}")

    def write_result(self, stage: str, result: Mapping[str, Any]) -> None:
        """Writes a stage's result, whole or not at all."""
        _write_json(self.result_file(stage), result)

    def result(self, stage: str) -> Document:
        """The result of a stage.

        Raises:
            PermanentError: The stage wrote none.
        """
        return _read_json(self.result_file(stage), f"result of stage {stage!r}")

    def emit(self, stage: str, kind: str, message: str, **fields: Any) -> None:
        """Appends one event line.

        Args:
            stage: The stage that speaks.
            kind: ``progress``, ``info`` or ``gate``.
            message: One line for people.
            **fields: JSON values, such as ``done`` and ``total``.
        """
        event = {"time": now_text(), "stage": stage, "kind": kind, "message": message, **fields}
        with self.events_file(stage).open("a", encoding="utf-8") as file:
            file.write(json.dumps(event, ensure_ascii=False) + "\n")

    def events(self, stage: str, offset: int = 0) -> Iterator[tuple[Document, int]]:
        """Complete event lines from a byte offset, each with the offset behind it."""
        file = self.events_file(stage)
        if not file.exists():
            return
        with file.open("rb") as lines:
            lines.seek(offset)
            for line in lines:
                if not line.endswith(b"\n"):
                    return
                offset += len(line)
                yield json.loads(line), offset


Emit = Callable[..., None]
StageFunction = Callable[[Document, Emit], Mapping[str, Any]]


def stage_main(stages: Mapping[str, StageFunction], argv: list[str]) -> int:
    """Runs stages of one process one after another: ``python -m PACKAGE RUN_DIR STAGE [STAGE…]``.

    A result document is ``{"status": "ok", …}`` or ``{"status": "error", "error": {"type",
    "message", "exit_code", "traceback"}}``, where an error's own ``details`` (a dict) stand beside.
    A failed stage ends the process: later ones do not run.

    Returns:
        0, or the exit code of the error.
    """
    if len(argv) < 2 or any(name not in stages for name in argv[1:]):
        print(f"usage: RUN_DIR STAGE…, with STAGE one of {', '.join(stages)}", file=sys.stderr)
        return 2
    run = RunDir(Path(argv[0]))
    for name in argv[1:]:

        def emit(kind: str, message: str, *, _stage: str = name, **fields: Any) -> None:
            run.emit(_stage, kind, message, **fields)

        try:
            result = stages[name](run.request(name), emit)
        except Exception as error:  # the result document is where a stage's error belongs
            code = error.exit_code if isinstance(error, GoldlakeError) else 1
            text = error.message if isinstance(error, GoldlakeError) else _first_line(error)
            run.write_result(
                name,
                {
                    "status": "error",
                    "error": {
                        "type": type(error).__name__,
                        "message": text,
                        "exit_code": code,
                        "traceback": traceback.format_exc(),
                        **getattr(error, "details", {}),
                    },
                },
            )
            traceback.print_exc()
            return code
        run.write_result(name, {"status": "ok", **result})
    return 0


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"


def _write_json(file: Path, document: Mapping[str, Any]) -> None:
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        json.dump(document, out, ensure_ascii=False, indent=1, default=str)
        out.flush()
        os.fsync(out.fileno())
    os.replace(name, file)


def _read_json(file: Path, what: str) -> Document:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise PermanentError(f"There is no {what} at {file}") from error
    except ValueError as error:
        raise PermanentError(f"The {what} at {file} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise PermanentError(f"The {what} at {file} is not a JSON object")
    return document
