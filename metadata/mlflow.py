"""A pushed model version as a run and a registered version of MLflow, by its REST API.

Protocol: https://mlflow.org/docs/latest/rest-api.html, and the artifact proxy that
``mlflow server`` has by default. Every step looks first at what is there, so that a copy that was
cut off goes on where it stopped, and a second one changes nothing but aliases.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import msgspec

from goldlake_core.contracts.errors import PermanentError, RetryableError, UsageError
from goldlake_core.documents.reports import MlflowCopy

T = TypeVar("T")

ID_TAG, MODEL_TAG = "goldlake.id", "goldlake.model_sha256"
_ALIASES_TAG = "goldlake.aliases"
_API, _ARTIFACTS = "/api/2.0/mlflow", "/api/2.0/mlflow-artifacts/artifacts"
_SCHEME = "mlflow-artifacts:/"
_TIMEOUT_S = 60.0
_MOST_SAID = 300
# What MLflow takes in one request.
_MOST_METRICS, _MOST_PARAMETERS = 1000, 100


class Point(msgspec.Struct, frozen=True):
    """A value of a metric.

    Attributes:
        key: Name of the metric.
        value: Value of the metric.
        step: Number of the epoch, or 0.
    """

    key: str
    value: float
    step: int = 0


class _Tag(msgspec.Struct, frozen=True):
    key: str
    value: str = ""


class _Info(msgspec.Struct, frozen=True):
    run_id: str
    artifact_uri: str
    status: str


class _Run(msgspec.Struct, frozen=True):
    info: _Info


class _Made(msgspec.Struct, frozen=True):
    run: _Run


class _Runs(msgspec.Struct, frozen=True):
    runs: tuple[_Run, ...] = ()


class _Experiment(msgspec.Struct, frozen=True):
    experiment_id: str


class _Found(msgspec.Struct, frozen=True):
    experiment: _Experiment


class _Alias(msgspec.Struct, frozen=True):
    alias: str
    version: str | int


class _Model(msgspec.Struct, frozen=True):
    aliases: tuple[_Alias, ...] = ()


class _Registered(msgspec.Struct, frozen=True):
    registered_model: _Model


class _Numbered(msgspec.Struct, frozen=True):
    version: str | int
    tags: tuple[_Tag, ...] = ()


class _One(msgspec.Struct, frozen=True):
    model_version: _Numbered


class _Several(msgspec.Struct, frozen=True):
    model_versions: tuple[_Numbered, ...] = ()


class _Done(msgspec.Struct, frozen=True):
    """An answer that says nothing more."""


class _Refused(msgspec.Struct, frozen=True):
    error_code: str = ""
    message: str = ""


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """What a run holds.

    Attributes:
        parameters: How the model was trained, by name.
        metrics: Its figures on test, and the curves of its training.
        files: Files to upload, by their path among the run's artifacts.
    """

    parameters: Mapping[str, str]
    metrics: Sequence[Point]
    files: Mapping[str, Path]


class VersionCopy(msgspec.Struct, frozen=True, kw_only=True):
    """What MLflow gets of a pushed version.

    Attributes:
        model: The model, such as ``bikes.is_late``.
        version: Number of the version.
        model_sha256: Digest of the SavedModel's files.
        pushed_ms: Instant of the push in milliseconds since 1970.
        description: Why the version is blessed, or "".
        tags: Where it came from, by name.
        aliases: Labels that the version has.
        content: Makes the rest, where MLflow lacks it.
    """

    model: str
    version: int
    model_sha256: str
    pushed_ms: int
    description: str
    tags: Mapping[str, str]
    aliases: Sequence[str]
    content: Callable[[], Content]


class MlflowRefused(PermanentError):
    """MLflow answered with an error.

    Attributes:
        status: Status code of the answer.
        code: MLflow's name of the error, such as ``RESOURCE_DOES_NOT_EXIST``, or "".
    """

    def __init__(self, url: str, status: int, code: str, text: str) -> None:
        self.status = status
        self.code = code
        hint = None
        if status in (401, 403):
            hint = "set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and …_PASSWORD"
        super().__init__(f"{url} answered {status} {code}: {text}".rstrip(": "), hint=hint)


class Mlflow:
    """The REST API of an MLflow server.

    Credentials come from MLflow's own variables ``MLFLOW_TRACKING_TOKEN``, or
    ``MLFLOW_TRACKING_USERNAME`` and ``MLFLOW_TRACKING_PASSWORD``; no message shows them.

    Args:
        uri: Base URL of the server, such as ``http://127.0.0.1:5000``.

    Raises:
        UsageError: The URI is not one of HTTP.
    """

    def __init__(self, uri: str) -> None:
        import requests

        parts = urlsplit(uri)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            shown = uri if not parts.username else f"{parts.scheme}://…@{parts.hostname}"
            raise UsageError(
                f"{shown!r} is not the address of an MLflow server",
                valid="http://HOST:PORT or https://HOST:PORT",
                hint="mlflow server --port 5000",
            )
        self.uri = uri.rstrip("/")
        self._session = requests.Session()
        self._session.headers["User-Agent"] = "goldlake"
        token = os.environ.get("MLFLOW_TRACKING_TOKEN")
        user = os.environ.get("MLFLOW_TRACKING_USERNAME")
        if token:
            self._session.headers["Authorization"] = f"Bearer {token}"
        elif user:
            self._session.auth = (user, os.environ.get("MLFLOW_TRACKING_PASSWORD", ""))

    def copy(self, version: VersionCopy) -> MlflowCopy:
        """Makes the run and the registered version that are not there yet, and moves aliases.

        Raises:
            MlflowRefused: MLflow answered with an error.
            RetryableError: There was no answer; the same call goes on where it stopped.
        """
        run_id, artifacts, is_new = self._run(version)
        number = self._registered(version, run_id, artifacts)
        self._aliases(version, number)
        return MlflowCopy(
            id=f"{version.model}@{version.version}",
            run_id=run_id,
            version=int(number),
            aliases=tuple(version.aliases),
            is_new=is_new,
        )

    def _run(self, version: VersionCopy) -> tuple[str, str, bool]:
        """Id and artifact location of the finished run, and whether this call finished it."""
        experiment = self._experiment(version.model)
        identity = {ID_TAG: f"{version.model}@{version.version}", MODEL_TAG: version.model_sha256}
        wanted = " and ".join(f"tags.`{key}` = '{value}'" for key, value in identity.items())
        query = {"experiment_ids": [experiment], "filter": wanted, "max_results": 1}
        found = self._post("runs/search", query, _Runs).runs
        if found:
            info = found[0].info
        else:
            tags = [{"key": k, "value": v} for k, v in {**version.tags, **identity}.items()]
            info = self._post(
                "runs/create",
                {
                    "experiment_id": experiment,
                    "run_name": identity[ID_TAG],
                    "start_time": version.pushed_ms,
                    "tags": tags,
                },
                _Made,
            ).run.info
        run_id, artifacts = info.run_id, info.artifact_uri
        if info.status == "FINISHED":
            return run_id, artifacts, False
        content = version.content()
        self._log(run_id, content, version.pushed_ms)
        for path, file in content.files.items():
            self._upload(artifacts, path, file)
        ended = {"run_id": run_id, "status": "FINISHED", "end_time": version.pushed_ms}
        self._post("runs/update", ended, _Done)
        return run_id, artifacts, True

    def _experiment(self, name: str) -> str:
        try:
            query = {"experiment_name": name}
            return self._get("experiments/get-by-name", query, _Found).experiment.experiment_id
        except MlflowRefused as error:
            if error.code != "RESOURCE_DOES_NOT_EXIST":
                raise
        return self._post("experiments/create", {"name": name}, _Experiment).experiment_id

    def _log(self, run_id: str, content: Content, pushed_ms: int) -> None:
        """Logs parameters and metrics; logging the same again changes nothing."""
        for part in _parts(sorted(content.parameters.items()), _MOST_PARAMETERS):
            parameters = [{"key": key, "value": value} for key, value in part]
            self._post("runs/log-batch", {"run_id": run_id, "params": parameters}, _Done)
        for points in _parts(content.metrics, _MOST_METRICS):
            metrics = [
                {"key": p.key, "value": p.value, "step": p.step, "timestamp": pushed_ms}
                for p in points
            ]
            self._post("runs/log-batch", {"run_id": run_id, "metrics": metrics}, _Done)

    def _upload(self, artifacts: str, path: str, file: Path) -> None:
        if not artifacts.startswith(_SCHEME):
            raise UsageError(
                f"{self.uri} keeps artifacts at {artifacts}, which only MLflow's client writes",
                valid="a server that takes artifacts itself",
                hint="mlflow server --serve-artifacts",
            )
        place = artifacts.removeprefix(_SCHEME).lstrip("/")
        url = f"{self.uri}{_ARTIFACTS}/{quote(f'{place}/{path}')}"
        with file.open("rb") as content:
            self._asked("PUT", url, _Done, data=content)

    def _registered(self, version: VersionCopy, run_id: str, artifacts: str) -> str:
        """Number of the registered version of a run."""
        try:
            self._post("registered-models/create", {"name": version.model}, _Done)
        except MlflowRefused as error:
            if error.code != "RESOURCE_ALREADY_EXISTS":
                raise
        query = {"filter": f"name = '{version.model}' and run_id = '{run_id}'"}
        if found := self._get("model-versions/search", query, _Several).model_versions:
            return str(found[0].version)
        made = self._post(
            "model-versions/create",
            {
                "name": version.model,
                "source": f"{artifacts}/model",
                "run_id": run_id,
                "description": version.description,
                "tags": [{"key": ID_TAG, "value": f"{version.model}@{version.version}"}],
            },
            _One,
        )
        return str(made.model_version.version)

    def _aliases(self, version: VersionCopy, number: str) -> None:
        """Gives the version the labels that it has here, and takes away those it had."""
        query = {"name": version.model}
        held = self._get("registered-models/get", query, _Registered).registered_model
        now = {alias.alias: str(alias.version) for alias in held.aliases}
        query["version"] = number
        about = self._get("model-versions/get", query, _One).model_version
        tags = {tag.key: tag.value for tag in about.tags}
        before = tags.get(_ALIASES_TAG, "").split()
        for alias in version.aliases:
            if now.get(alias) != number:
                body = {"name": version.model, "alias": alias, "version": number}
                self._post("registered-models/alias", body, _Done)
        for alias in set(before) - set(version.aliases):
            if now.get(alias) == number:
                gone = {"name": version.model, "alias": alias}
                self._asked("DELETE", f"{self.uri}{_API}/registered-models/alias", _Done, json=gone)
        if before != sorted(version.aliases):
            tag = {"key": _ALIASES_TAG, "value": " ".join(sorted(version.aliases))}
            body = {"name": version.model, "version": number, **tag}
            self._post("model-versions/set-tag", body, _Done)

    def _get(self, path: str, query: Mapping[str, str], kind: type[T]) -> T:
        return self._asked("GET", f"{self.uri}{_API}/{path}", kind, params=query)

    def _post(self, path: str, body: Mapping[str, object], kind: type[T]) -> T:
        return self._asked("POST", f"{self.uri}{_API}/{path}", kind, json=body)

    def _asked(self, method: str, url: str, kind: type[T], **content: Any) -> T:
        import requests

        try:
            answer = self._session.request(
                method, url, timeout=_TIMEOUT_S, allow_redirects=False, **content
            )
        except requests.RequestException as error:
            raise RetryableError(
                f"{self.uri} does not answer ({type(error).__name__})",
                hint="the same command again, when MLflow runs: it goes on where it stopped",
            ) from error
        is_done = answer.status_code == 200
        found = _decoded(answer.content, kind if is_done else _Refused)
        if isinstance(found, kind) and is_done:
            return found
        refused = found if isinstance(found, _Refused) else _Refused()
        text = (refused.message or answer.reason)[:_MOST_SAID]
        raise MlflowRefused(url, answer.status_code, refused.error_code, text)


def _decoded(content: bytes, kind: type[T]) -> T | None:
    """The document of an answer, or None where it is something else."""
    try:
        return msgspec.json.decode(content or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _parts(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
