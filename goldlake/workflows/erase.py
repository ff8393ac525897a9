"""Takes one record's data out of a home: pages, tables, exports, examples and request logs.

The request is written first, and what is left to be done follows from it: a command that was killed
is completed by the next one.
"""

from __future__ import annotations

import getpass
import json
import os
import posixpath
import shutil
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from goldlake.workflows.copied_parts import file_sizes
from goldlake.workflows.history import recorded
from goldlake.workflows.processes import OnEvent, Run
from goldlake_core.contracts.errors import StoreError, UsageError
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents import codec
from goldlake_core.documents.export import ExportManifest
from goldlake_core.documents.keeping import Erased, Erasure, ErasureReport, Place
from goldlake_core.documents.stages import EraseRequest
from goldlake_core.instants import now_text
from goldlake_core.storage import erasures
from goldlake_core.storage.deltalog import DeltaLog
from goldlake_core.storage.files import read_bytes, write_atomic
from goldlake_core.storage.home import Home
from goldlake_core.storage.locks import CopyLock, StoreLock
from lakehouse import commits, epochs, rows, specs
from lakehouse.commits import VersionsCommit
from lakehouse.export import MANIFEST
from lakehouse.silver import SHOWN
from lakehouse.specs import FILE, KEY, LINE
from metadata import runs
from metadata.lineage import SNAPSHOT
from metadata.pushed import PUSHED_MODEL, pushed_model_id
from metadata.store import Store
from metadata.walk import forwards
from serving.erasing import erase_rows, rows_of

if TYPE_CHECKING:
    import polars as pl

EXAMPLES = "Examples"
REDACTED = "[erased]"


@dataclass(frozen=True)
class _Traces:
    """What was made from exports that hold a key.

    Attributes:
        exports: Such as ``usecase/model/EXPORT``.
        examples: Folders of training examples in the home.
        models: Such as ``usecase.model@3``.
    """

    exports: tuple[str, ...]
    examples: tuple[str, ...]
    models: tuple[str, ...]


@recorded("erase")
def erase(
    usecase: str,
    home: Home,
    key: Sequence[str],
    because: str,
    on_event: OnEvent,
    *,
    is_dry_run: bool = False,
) -> ErasureReport:
    """Erases the records of one key, or completes an erasure that was begun.

    Args:
        usecase: Name or path of the use case.
        home: Where everything is kept.
        key: The value of the silver key, or ``COLUMN=VALUE`` for each of its columns. Empty:
            complete what was begun.
        because: Why, for the record.
        on_event: Called with the stage's events.
        is_dry_run: Only says what would be erased.

    Returns:
        What was erased, without the key.

    Raises:
        UsageError: No record has the key, it is not a key of this use case, or the tables were
            made under another contract.
        StoreError: A landed page is not the one that was landed.
        LockedError: Another process works on the store, or copies the home.
        StageFailed: The stage ended with an error; the same command goes on.
    """
    contract = load_usecase(usecase)
    if not home.is_local:
        raise UsageError(
            f"Nothing can be erased from {home.root}: its versions are not goldlake's to remove",
            valid="a home in a folder of this machine",
        )
    begun = erasures.pending(home, contract.name)
    if begun is None:
        _require_up_to_date(contract, home)
        found = _found(contract, home, _wanted(contract, key))
    else:
        found = _require_same(contract, begun, key)
    traces = _traces(contract, home, found)
    if is_dry_run:
        return _report(contract, home, found, traces, _of_requests(contract, home, found, rows_of))
    with CopyLock(home, "erase"), StoreLock(home, contract.name, "erase"):
        known = msgspec.structs.replace(
            found if begun else _asked(contract, home, found, because),
            exports=tuple(sorted({*found.exports, *traces.exports})),
            models=tuple(sorted({*found.models, *traces.models})),
        )
        erasures.put(home, contract.name, known)
    _redact(contract, home, known)
    run = Run.new(home)
    request = run.request(EraseRequest, usecase, contract)
    with CopyLock(home, "erase"):
        erased: Erased = run.stages("lakehouse", [request], on_event)["erase"]
        traces = _traces(contract, home, known)
        _remove(home, traces)
        requests = _of_requests(contract, home, known, erase_rows)
        _require_gone(contract, home, known)
        done = msgspec.structs.replace(known, key=None, places=(), rewritten=True)
        erasures.put(
            home, contract.name, msgspec.structs.replace(done, done_at=now_text("seconds"))
        )
    return _report(contract, home, known, traces, requests, erased)


def _wanted(usecase: UseCase, given: Sequence[str]) -> dict[str, str]:
    """Text by key column out of what was typed."""
    columns = usecase.silver.key
    form = " ".join(f"--key {name}=VALUE" for name in columns)
    if not given:
        raise UsageError(f"No erasure in {usecase.name} was begun, and no key is named", valid=form)
    if len(columns) == 1 and len(given) == 1 and not given[0].startswith(f"{columns[0]}="):
        return {columns[0]: given[0]}
    pairs = dict(text.partition("=")[::2] for text in given)
    if set(pairs) != set(columns) or len(given) != len(columns):
        raise UsageError(
            f"--key {' --key '.join(given)} is not a key of {usecase.name}", valid=form
        )
    return pairs


def _require_up_to_date(usecase: UseCase, home: Home) -> None:
    """Raises unless the tables hold every landed record under the contract as it is now."""
    plan = epochs.plan(usecase, home)
    again = f"goldlake rebuild {usecase.name}"
    if plan.is_new or not plan.is_current:
        raise UsageError(
            f"Records of {usecase.name} in {home.root} are not refined under this contract, so "
            "which of them have the key is not known",
            hint=again,
        )
    landed = specs.landing(usecase, home).manifest()
    through = commits.newest(specs.versions(usecase, home, plan.epoch).uri, VersionsCommit).through
    if landed and landed[-1].sequence > through:
        raise UsageError(
            f"The landed pages of {usecase.name} after number {through} are not refined, so which "
            "of their records have the key is not known",
            hint=again,
        )


def _found(usecase: UseCase, home: Home, wanted: dict[str, str]) -> Erasure:
    """The records of a key, as an erasure that was not asked for yet."""
    import polars as pl

    frame = _versions(usecase, home)
    if len(wanted) == 1:
        (text,) = wanted.values()
        is_key = pl.col(KEY) == text
    else:
        is_key = pl.all_horizontal(
            pl.col(KEY).str.json_path_match(f"$['{name}']") == text for name, text in wanted.items()
        )
    found = frame.filter(is_key).select(KEY, FILE, LINE).sort(FILE, LINE).collect()
    if found.is_empty():
        raise UsageError(
            f"No record of {usecase.name} in {home.root} has the key "
            + ", ".join(f"{name} {text!r}" for name, text in wanted.items()),
            valid=f"a value of {', '.join(usecase.silver.key)}, spelled as silver has it",
            hint=f"goldlake show {usecase.name}.silver.{usecase.silver.table} --where SQL",
        )
    places = tuple(Place(page=page, line=line) for page, line in found.select(FILE, LINE).rows())
    number = len(erasures.read(home, usecase.name).erasures) + 1
    return Erasure(
        id=str(number),
        key_sha256="",
        asked_at=now_text("seconds"),
        key=found[KEY][0],
        records=len(places),
        places=places,
    )


def _require_same(usecase: UseCase, begun: Erasure, given: Sequence[str]) -> Erasure:
    """The erasure that was begun; another one has to wait for it."""
    if given:
        parts = erasures.key_parts(usecase.silver, begun.key or "")
        if tuple(_wanted(usecase, given)[name] for name in usecase.silver.key) != parts:
            raise UsageError(
                f"Another erasure in {usecase.name} was begun at {begun.asked_at} and is not done",
                hint=f"goldlake erase {usecase.name}, which completes it; then this command again",
            )
    return begun


def _asked(usecase: UseCase, home: Home, found: Erasure, because: str) -> Erasure:
    """Writes the request: from here on the erasure is completed, whatever happens."""
    book = erasures.read(home, usecase.name)
    if any(each.done_at is None or each.id == found.id for each in book.erasures):
        raise StoreError(
            f"Another erasure in {usecase.name} was asked for meanwhile",
            hint="the same command again",
        )
    parts = erasures.key_parts(usecase.silver, found.key or "")
    asked = msgspec.structs.replace(
        found,
        key_sha256=erasures.digest(book.salt, parts),
        because=because,
        by=getpass.getuser(),
        asked_at=now_text("seconds"),
    )
    whole = msgspec.structs.replace(book, erasures=(*book.erasures, asked))
    erasures.write(home, usecase.name, whole)
    return asked


def _redact(usecase: UseCase, home: Home, erasure: Erasure) -> None:
    """Takes the records' texts out of documents and logs of runs: a refusal shows some of them."""
    import polars as pl

    places = [(place.page, place.line) for place in erasure.places]
    wanted = pl.DataFrame(places, schema={"file": pl.String, "line": pl.Int32}, orient="row")
    bronze = specs.bronze(usecase, home).uri
    if not DeltaLog(bronze).exists():  # it is being replaced, after this was done
        return
    held = rows.frame(bronze).join(wanted.lazy(), on=["file", "line"], how="semi")
    texts = [text[:SHOWN] for text in held.select("value").collect()["value"]]
    texts += [json.dumps(text, ensure_ascii=False)[1:-1] for text in texts]

    def redacted(text: str) -> str:
        for each in texts:
            text = text.replace(each, REDACTED)
        return text

    for part in ("runs", "logs"):
        for path in file_sizes(home, part):
            data = read_bytes(home.fs, home.path(path)) or b""
            changed = redacted(data.decode("utf-8", "surrogateescape"))
            if (new := changed.encode("utf-8", "surrogateescape")) != data:
                write_atomic(home.fs, home.path(path), new)
    runs.redact(usecase.name, home, redacted)


def _versions(usecase: UseCase, home: Home) -> pl.LazyFrame:
    number = epochs.current(home, usecase.name)
    return rows.frame(specs.versions(usecase, home, number).uri)


def _require_gone(usecase: UseCase, home: Home, erasure: Erasure) -> None:
    import polars as pl

    left = _versions(usecase, home).filter(pl.col(KEY) == erasure.key).select(pl.len()).collect()
    if left.item():
        raise StoreError(
            f"{left.item():,} records of the key are still in {usecase.name}: they were landed "
            "while it was erased",
            hint=f"goldlake erase {usecase.name}",
        )


def _traces(usecase: UseCase, home: Home, erasure: Erasure) -> _Traces:
    exports = {*erasure.exports, *_exports_with(usecase, home, erasure.key or "")}
    examples: set[str] = set()
    models: set[str] = set(erasure.models)
    if exports and home.fs.exists(home.mlmd):
        store = Store(home)
        snapshots = store.artifacts_of_type(SNAPSHOT)
        roots = [each for each in snapshots if each.properties.get("export_id") in exports]
        made = store.artifacts(forwards(store, roots).artifacts).values()
        pushed = (pushed_model_id(each) for each in made if each.type == PUSHED_MODEL)
        models |= {str(model) for model in pushed if model is not None}
        folders = (each.uri for each in made if each.type == EXAMPLES)
        examples = {folder for folder in folders if _is_inside(home, folder)}
    return _Traces(tuple(sorted(exports)), tuple(sorted(examples)), tuple(sorted(models)))


def _exports_with(usecase: UseCase, home: Home, key: str) -> Iterable[str]:
    """Exports of the use case that hold a row of the key, or whose parts cannot be read."""
    parts = dict(zip(usecase.silver.key, erasures.key_parts(usecase.silver, key), strict=True))
    root = home.path("exports", usecase.name)
    for folder, _, names in os.walk(root):
        if MANIFEST not in names:
            continue
        data = read_bytes(home.fs, posixpath.join(folder, MANIFEST)) or b""
        manifest = codec.decode(data, ExportManifest, posixpath.join(folder, MANIFEST))
        if _holds(manifest, folder, parts):
            yield posixpath.relpath(folder, home.path("exports"))


def _holds(manifest: ExportManifest, folder: str, key: dict[str, str]) -> bool:
    import polars as pl

    types = {column.name: column.type for column in manifest.columns}
    if not set(key) <= set(types):
        return False  # rows that are made from many records, none of which they name
    if any(types[name] == "timestamp" for name in key):
        return True  # silver and an export spell instants differently
    parts = [part.path for split in manifest.splits.values() for part in split.parts]
    parts = [part.path for split in manifest.splits.values() for part in split.parts]
    files = [posixpath.join(folder, path) for path in parts]
    if not all(os.path.exists(file) for file in files):
        return True
    frame = pl.scan_csv(files, infer_schema=False, glob=False)
    is_key = pl.all_horizontal(pl.col(name) == text for name, text in key.items())
    return bool(frame.select(is_key.any()).collect().item())


def _is_inside(home: Home, uri: str) -> bool:
    return os.path.realpath(uri).startswith(home.path("pipelines") + "/") and os.path.isdir(uri)


def _remove(home: Home, traces: _Traces) -> None:
    """Removes exports, manifest first, and what is in folders of examples; the folders stay.

    What `goldlake report` kept of the models' answers names rows, and can be made again.
    """
    if traces.exports:
        # A stage that was cut off leaves its result there.
        for result in Path(home.path("runs")).glob("*/examine.result.json"):
            result.unlink(missing_ok=True)
    for export in traces.exports:
        usecase, model, _ = export.split("/")
        shutil.rmtree(home.path("examined", f"{usecase}.{model}"), ignore_errors=True)
        folder = home.path("exports", export)
        if os.path.exists(posixpath.join(folder, MANIFEST)):
            os.unlink(posixpath.join(folder, MANIFEST))
        shutil.rmtree(folder, ignore_errors=True)
    for folder in traces.examples:
        for entry in os.scandir(folder):
            shutil.rmtree(entry.path) if entry.is_dir() else os.unlink(entry.path)


def _of_requests(
    usecase: UseCase,
    home: Home,
    erasure: Erasure,
    work: Callable[[str, Collection[str]], int],
) -> int:
    """Rows of the request logs of the use case's models that name the key, as `work` counts them.

    A client sends a key of one column as it is, one of several as silver spells it or as a list.
    """
    key = erasure.key or ""
    parts = erasures.key_parts(usecase.silver, key)
    keys = {key, json.dumps(parts), json.dumps(parts, separators=(",", ":"))}
    keys |= {parts[0]} if len(parts) == 1 else set()
    root = home.path("requests")
    names = sorted(os.listdir(root)) if os.path.isdir(root) else []
    folders = [posixpath.join(root, n) for n in names if n.startswith(f"{usecase.name}.")]
    return sum(work(folder, keys) for folder in folders)


def _report(
    usecase: UseCase,
    home: Home,
    erasure: Erasure,
    traces: _Traces,
    requests: int,
    erased: Erased | None = None,
) -> ErasureReport:
    silver = home.path("tables", usecase.name, "silver")
    numbers = {epochs.table_of(name)[1] for name in os.listdir(silver)}
    return ErasureReport(
        usecase=usecase.name,
        home=home.root,
        is_dry_run=erased is None,
        id=erasure.id,
        records=erasure.records,
        pages=len({place.page for place in erasure.places}),
        epochs=len(numbers),
        exports=traces.exports,
        examples=traces.examples,
        models=traces.models,
        silver=None if erased is None else erased.totals.silver,
        requests=requests,
    )
