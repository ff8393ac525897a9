"""Events of OpenLineage, and the file or the address that they go to.

Specification: https://openlineage.io/spec/2-0-2/OpenLineage.json and its facets. An event is small
and its format is fixed, so that it is written here and needs no further package.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from goldlake_core.contracts.addresses import is_private, split
from goldlake_core.contracts.errors import UsageError
from goldlake_core.documents import codec
from goldlake_core.instants import now_text

SETTING = "GOLDLAKE_OPENLINEAGE"
"""Environment variable with the file or the URL that takes the events."""
KEY, NAMESPACE = "OPENLINEAGE_API_KEY", "OPENLINEAGE_NAMESPACE"
"""Variables of OpenLineage's own clients: a bearer token, and the namespace of the jobs."""
ENDPOINT = "/api/v1/lineage"
TIMEOUT_S = 5.0
_SPEC = "https://openlineage.io/spec"
_EVENT = f"{_SPEC}/2-0-2/OpenLineage.json"
_PRODUCER = "urn:goldlake:openlineage"
_MOST_TEXT = 4000

Transition = Literal["START", "COMPLETE", "FAIL", "ABORT"]
"""How a run of a job stands."""


def _schema(version: str, kind: str) -> Any:
    """The field of a facet that says which schema it holds to."""
    url = f"{_SPEC}/facets/{version}/{kind}.json#/$defs/{kind}"
    return msgspec.field(default=url, name="_schemaURL")


class Dataset(msgspec.Struct, frozen=True, kw_only=True):
    """A data set that a stage read or wrote.

    Attributes:
        namespace: ``file`` for a path of this machine, else scheme and host of a URL.
        name: Path of the data set there.
        alias: Its name in goldlake, or "".
        version: Its version, or "" where it has none.
        rows: Number of rows that a stage wrote, or null.
        is_delta: Whether it is a Delta table.
    """

    namespace: str
    name: str
    alias: str = ""
    version: str = ""
    rows: int | None = None
    is_delta: bool = False


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One run of one stage.

    Attributes:
        home: The home that it works on.
        run_id: Goldlake's id of the run of the command.
        started: When the stage began, ISO 8601 in UTC; tells repetitions in one run apart.
        parent: Name of what the command works on, such as ``city_bikes``.
        name: Name of the job, such as ``city_bikes.refine``.
    """

    home: str
    run_id: str
    started: str
    parent: str
    name: str


class _Facet(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    schema: str = msgspec.field(name="_schemaURL")
    producer: str = msgspec.field(default=_PRODUCER, name="_producer")


class _GoldlakeRun(_Facet, frozen=True, kw_only=True):
    run_id: str
    schema: str = msgspec.field(default=f"{_EVENT}#/$defs/RunFacet", name="_schemaURL")


class _Error(_Facet, frozen=True, kw_only=True):
    message: str
    programming_language: str = "PYTHON"
    schema: str = _schema("1-0-1", "ErrorMessageRunFacet")


class _RunId(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    run_id: str


class _Job(msgspec.Struct, frozen=True, kw_only=True):
    namespace: str
    name: str


class _Parent(_Facet, frozen=True, kw_only=True):
    run: _RunId
    job: _Job
    schema: str = _schema("1-2-0", "ParentRunFacet")


class _Version(_Facet, frozen=True, kw_only=True):
    dataset_version: str
    schema: str = _schema("1-0-1", "DatasetVersionDatasetFacet")


class _Storage(_Facet, frozen=True, kw_only=True):
    storage_layer: str = "delta"
    file_format: str = "parquet"
    schema: str = _schema("1-0-1", "StorageDatasetFacet")


class _Identifier(_Job, frozen=True, kw_only=True):
    type: str = "TABLE"


class _Symlinks(_Facet, frozen=True, kw_only=True):
    identifiers: tuple[_Identifier, ...]
    schema: str = _schema("1-0-1", "SymlinksDatasetFacet")


class _Statistics(_Facet, frozen=True, kw_only=True):
    row_count: int
    schema: str = _schema("1-0-2", "OutputStatisticsOutputDatasetFacet")


class _Run(_RunId, frozen=True, kw_only=True):
    facets: dict[str, _Facet]


class _Read(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    namespace: str
    name: str
    facets: dict[str, _Facet]


class _Written(_Read, frozen=True, kw_only=True):
    output_facets: dict[str, _Facet]


class RunEvent(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An event of a stage, with the fields of the specification.

    Attributes:
        event_type: How the stage stands.
        event_time: When that was, ISO 8601 in UTC.
        run: The run of the stage, with its parent.
        job: The stage, by namespace and name.
        inputs: What it read.
        outputs: What it wrote.
        producer: What sent the event.
        schema: The schema that the event holds to.
    """

    event_type: Transition
    event_time: str
    run: _Run
    job: _Job
    inputs: tuple[_Read, ...]
    outputs: tuple[_Written, ...]
    producer: str = _PRODUCER
    schema: str = msgspec.field(default=f"{_EVENT}#/$defs/RunEvent", name="schemaURL")


def dataset(location: str, **fields: Any) -> Dataset:
    """A data set at a path or URL; a user name, a password and a query are left out.

    Args:
        location: Absolute path, or URL.
        **fields: The other fields of `Dataset`.
    """
    if "://" not in location:
        return Dataset(namespace="file", name=location, **fields)
    parts = urlsplit(location)
    place = parts.netloc.rpartition("@")[2]
    path = parts.path if parts.scheme in ("http", "https") else parts.path.strip("/")
    return Dataset(namespace=f"{parts.scheme}://{place}", name=path or "/", **fields)


def event(
    transition: Transition,
    job: Job,
    inputs: Sequence[Dataset] = (),
    outputs: Sequence[Dataset] = (),
    problem: str = "",
) -> RunEvent:
    """An event of a stage.

    OpenLineage wants UUIDs as ids of runs: goldlake's id is the field ``goldlake_run.runId``, and
    the UUIDs follow from it and the home.

    Args:
        transition: How the stage stands now.
        job: The run of the stage.
        inputs: What the stage read, as far as it is known.
        outputs: What the stage wrote, as far as it is known.
        problem: Why the stage failed, or "".
    """
    namespace = os.environ.get(NAMESPACE) or "goldlake"
    parent = _RunId(run_id=_uuid(job.home, job.run_id))
    facets: dict[str, _Facet] = {
        "parent": _Parent(run=parent, job=_Job(namespace=namespace, name=job.parent)),
        "goldlake_run": _GoldlakeRun(run_id=job.run_id),
    }
    if problem:
        facets["errorMessage"] = _Error(message=problem[:_MOST_TEXT])
    run_id = _uuid(job.home, job.run_id, job.name, job.started)
    return RunEvent(
        event_type=transition,
        event_time=now_text(),
        run=_Run(run_id=run_id, facets=facets),
        job=_Job(namespace=namespace, name=job.name),
        inputs=tuple(map(_read, inputs)),
        outputs=tuple(map(_written, outputs)),
    )


class Receiver:
    """What takes the events: a file, one event a line, or an HTTP server.

    Args:
        target: A file, or the URL of a server. A URL without a path gets OpenLineage's own.

    Raises:
        UsageError: The target is a URL of something else, or carries a user name.
    """

    def __init__(self, target: str) -> None:
        self._file: Path | None = None
        self._url = ""
        if "://" not in target:
            self._file = Path(target).expanduser().absolute()
            self.name = str(self._file)
            return
        parts = split(target)
        if parts is None or parts.username or parts.password:
            raise UsageError(
                f"{SETTING} is not the address of a receiver of OpenLineage events",
                valid="a file, http://HOST:PORT or https://HOST:PORT, without a user name",
                hint=f"export {SETTING}=lineage.jsonl; a token goes into {KEY}",
            )
        bare = parts.path.strip("/") == ""
        self._url = parts._replace(path=ENDPOINT).geturl() if bare else target
        self.name = f"{parts.scheme}://{parts.netloc}"

    @classmethod
    def of_environment(cls) -> Receiver | None:
        """The receiver that ``GOLDLAKE_OPENLINEAGE`` names, or None where it is not set.

        Raises:
            UsageError: It names something else.
        """
        target = os.environ.get(SETTING)
        return cls(target) if target else None

    def send(self, found: RunEvent) -> str:
        """Sends an event once. Returns what went wrong, or "".

        Args:
            found: What is sent, as one line of JSON.
        """
        document = codec.encode_line(found)
        problem = _append(self._file, document) if self._file else _post(self._url, document)
        return f"{self.name} {problem}" if problem else ""


def _append(file: Path, document: bytes) -> str:
    """Appends in one write, so that lines of two processes do not mix."""
    try:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        number = os.open(file, flags, 0o666)
        try:
            written = os.write(number, document)
        finally:
            os.close(number)
    except OSError as error:
        return f"cannot be written: {error.strerror}"
    return "" if written == len(document) else "cannot be written: the disk is full"


def _post(url: str, document: bytes) -> str:
    import requests

    headers = {"Content-Type": "application/json", "User-Agent": "goldlake"}
    if token := os.environ.get(KEY):
        if not is_private(url):
            return f"is another machine without TLS, and {KEY} is not sent there"
        headers["Authorization"] = f"Bearer {token}"
    try:
        # Neither a redirect nor the file .netrc decides who gets the token.
        with requests.post(
            url,
            data=document,
            headers=headers,
            timeout=TIMEOUT_S,
            allow_redirects=False,
            auth=lambda request: request,
            stream=True,
        ) as answer:
            status = answer.status_code
    except (requests.RequestException, ValueError) as error:
        # The text of the error would show the address and what it carries.
        return f"was not reached ({type(error).__name__})"
    return "" if 200 <= status < 300 else f"answered with status {status}"


def _facets(found: Dataset) -> dict[str, _Facet]:
    facets: dict[str, _Facet] = {}
    if found.version:
        facets["version"] = _Version(dataset_version=found.version)
    if found.is_delta:
        facets["storage"] = _Storage()
    if found.alias:
        named = _Identifier(namespace="goldlake", name=found.alias)
        facets["symlinks"] = _Symlinks(identifiers=(named,))
    return facets


def _read(found: Dataset) -> _Read:
    return _Read(namespace=found.namespace, name=found.name, facets=_facets(found))


def _written(found: Dataset) -> _Written:
    counted: dict[str, _Facet] = {}
    if found.rows is not None:
        counted["outputStatistics"] = _Statistics(row_count=found.rows)
    return _Written(
        namespace=found.namespace,
        name=found.name,
        facets=_facets(found),
        output_facets=counted,
    )


def _uuid(*parts: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{_PRODUCER}/" + "/".join(parts)))
