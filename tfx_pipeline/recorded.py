"""The recorded answer of a training: what a run that would change nothing says, without TensorFlow.

After a training its result is kept beside the artifacts, with a key over all that it depends on and
the sha256 of every file that came of it. The next run answers with it only if the key is the same,
every file is as it was, and ML Metadata still knows the artifacts.
"""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import msgspec
from msgspec.structs import replace

from goldlake_core.contracts.errors import StoreError
from goldlake_core.documents import codec
from goldlake_core.documents.training import NodeReport, Trained
from goldlake_core.environment import environment
from goldlake_core.storage.files import file_sha256, read_bytes, write_atomic
from goldlake_core.storage.home import Home
from metadata.database import live_uris
from tfx_pipeline.baseline import ENTRIES
from tfx_pipeline.codehash import code_hash
from tfx_pipeline.spec import PipelineSpec

RECORD_FILE = "recorded.json"
_STAGE = "tfx_pipeline.stages"


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A training that is on record.

    Attributes:
        format: Format version of the file.
        key: sha256 of what the result depends on.
        home: The home as it was named then.
        roots: Folders and files of the artifacts, the export and the pushed version, relative to
            the home.
        artifacts: Those of ``roots`` that ML Metadata knows.
        files: sha256 of every file below ``roots``, by its path relative to the home.
        result: What the training gave.
    """

    format: int = codec.FORMAT
    key: str
    home: str
    roots: tuple[str, ...]
    artifacts: tuple[str, ...]
    files: dict[str, str]
    result: Trained


def key_of(spec: PipelineSpec) -> str:
    """sha256 of data, contract, code and installed packages. Read-only.

    Args:
        spec: The model, the export, the gate's findings, and what the candidate is compared with.
    """
    code = code_hash(*ENTRIES, _STAGE)
    text = json.dumps([spec.to_json(), code, packages()], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def read(home: Home, spec: PipelineSpec) -> Record | None:
    """The newest training of a model that is on record, or None. Read-only.

    A record that cannot be read counts as none, since the pipeline can always run.
    """
    data = read_bytes(home.fs, _file(home, spec))
    if data is None:
        return None
    try:
        return codec.decode(data, Record, RECORD_FILE)
    except StoreError:
        return None


def damage(home: Home, record: Record) -> str | None:
    """What of a record is no longer there as it was, or None. Read-only.

    Returns:
        The first file or artifact by name, relative to the home.
    """
    found = _hashes(home, record.roots)
    changed = {name for name, sha in record.files.items() if found.get(name) != sha}
    if others := sorted(changed | (found.keys() - record.files.keys())):
        return others[0]
    known = live_uris(home)
    uris = {home.path(name): name for name in record.artifacts}
    return next((name for uri, name in uris.items() if uri not in known), None)


def answer(home: Home, record: Record, run_id: str) -> Trained:
    """The recorded result as the result of another run that changed nothing. Pure."""
    made = record.result
    return replace(
        made,
        run_id=run_id,
        recorded=made.run_id,
        cached=tuple(node.id for node in made.nodes),
        nodes=tuple(NodeReport(id=node.id, state="cached", seconds=0.0) for node in made.nodes),
        model_uri=_moved(made.model_uri, record.home, home),
        evaluation=_moved(made.evaluation, record.home, home),
        tensorboard=_moved(made.tensorboard, record.home, home) or "",
    )


def write(
    home: Home, spec: PipelineSpec, key: str, artifacts: Iterable[str], made: Trained
) -> None:
    """Puts a training on record.

    Args:
        home: The home that it ran in.
        spec: The model and the export.
        key: What `key_of` said before it ran.
        artifacts: URIs of all that the pipeline's nodes put out.
        made: What the training gave.
    """
    uris = {posixpath.relpath(uri, home.root) for uri in artifacts}
    roots = {*uris, posixpath.join("exports", spec.export_id)}
    if made.model_uri is not None:
        roots.add(posixpath.relpath(made.model_uri, home.root))
    record = Record(
        key=key,
        home=home.root,
        roots=tuple(sorted(roots)),
        artifacts=tuple(sorted(uris)),
        files=_hashes(home, roots),
        result=made,
    )
    write_atomic(home.fs, _file(home, spec), codec.encode(record))


def _file(home: Home, spec: PipelineSpec) -> str:
    return posixpath.join(home.pipeline(spec.usecase, spec.model), RECORD_FILE)


def _moved(path: str | None, former: str, home: Home) -> str | None:
    """A path inside a home that may have been moved since."""
    return None if path is None else home.path(posixpath.relpath(path, former))


def packages() -> list[str]:
    """What identifies the interpreter, the lock and the installed packages. Read-only."""
    found = environment()
    return [found.packages_sha256, found.lock_sha256, found.python, found.platform]


def _hashes(home: Home, roots: Iterable[str]) -> dict[str, str]:
    """sha256 by path, relative to the home, of every file that is or is below a root."""
    files: set[str] = set()
    for root in roots:
        place = home.path(root)
        if os.path.isfile(place):
            files.add(place)
        for folder, _, names in os.walk(place):
            files.update(os.path.join(folder, name) for name in names)
    ordered = sorted(files)
    # Hashing releases the interpreter's lock.
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        hashes = list(pool.map(partial(file_sha256, home.fs), ordered))
    return {
        posixpath.relpath(name, home.root): each for name, each in zip(ordered, hashes, strict=True)
    }
