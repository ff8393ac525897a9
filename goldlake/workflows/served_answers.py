"""The answers of a promoted model to the contract's examples, kept for a run that changes nothing.

They are given again without a server only while the same model, examples, code and packages stand,
and the version still has the label.
"""

from __future__ import annotations

import hashlib
import json
import posixpath

import msgspec

from goldlake.workflows.processes import OnEvent, Run
from goldlake.workflows.promote import Options, promote
from goldlake_core.contracts.errors import StoreError
from goldlake_core.contracts.sections import Model, UseCase
from goldlake_core.documents import codec
from goldlake_core.documents.reports import Answer, Promotion
from goldlake_core.storage.files import read_bytes, write_atomic
from goldlake_core.storage.home import Home
from goldlake_core.storage.model_versions import pushed_versions
from serving import config
from tfx_pipeline.codehash import code_hash
from tfx_pipeline.recorded import packages

RECORD_FILE = "answers.json"


class AnswerRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a version answered.

    Attributes:
        format: Format version of the file.
        key: sha256 of the model, the examples, and the code that serves.
        run_id: The run that asked.
        answers: An answer per example.
    """

    format: int = codec.FORMAT
    key: str
    run_id: str
    answers: tuple[Answer, ...]


def recorded(
    run: Run, usecase: UseCase, model: Model, version: int, on_event: OnEvent
) -> tuple[Promotion, AnswerRecord] | None:
    """The promotion and the recorded answers of a version that serves already, or None.

    Every living server of the home is asked which version it answers with; none is started.

    Args:
        run: The run that would promote it.
        usecase: The use case.
        model: Its model contract.
        version: The version, whose files the caller has compared with the record of its training.
        on_event: Called with progress.
    """
    home, name = run.home, f"{usecase.name}.{model.name}"
    current = config.read_or_empty(home.models_config)
    served = current.model(name)
    is_here = served is not None and served.base_path == home.path("models", name)
    if not is_here or config.served_version(current, name, config.STABLE) != version:
        return None
    data = read_bytes(home.fs, _file(home, usecase, model))
    if data is None:
        return None
    try:
        record = codec.decode(data, AnswerRecord, RECORD_FILE)
    except StoreError:
        return None
    if record.key != _key(home, usecase, model, version):
        return None
    options = Options(because=f"goldlake run {run.run_id}")
    return promote(home, f"{name}@{version}", config.STABLE, options, on_event), record


def write(
    run: Run, usecase: UseCase, model: Model, version: int, answers: tuple[Answer, ...]
) -> None:
    """Keeps what a version answered in this run."""
    key = _key(run.home, usecase, model, version)
    record = AnswerRecord(key=key, run_id=run.run_id, answers=answers)
    write_atomic(run.home.fs, _file(run.home, usecase, model), codec.encode(record))


def _file(home: Home, usecase: UseCase, model: Model) -> str:
    return posixpath.join(home.pipeline(usecase.name, model.name), RECORD_FILE)


def _key(home: Home, usecase: UseCase, model: Model, version: int) -> str:
    about = pushed_versions(home, usecase.name, model.name).get(version)
    parts = [
        version,
        about.model_sha256 if about is not None else None,
        [dict(example) for example in model.examples],
        usecase.hashes.get(f"gold.{model.table}"),
        code_hash("serving.__main__"),
        packages(),
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
