"""A pushed model version as a run and a registered version of MLflow, by its REST API.

Protocol: https://mlflow.org/docs/latest/rest-api.html, and the artifact proxy that
``mlflow server`` has by default. Every step looks first at what is there, so that a copy that was
cut off goes on where it stopped, and a second one changes nothing but aliases.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec

from goldlake_core.contracts.errors import PermanentError, RetryableError, UsageError
from goldlake_core.documents.reports import MlflowCopy

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
        value: Its value.
        step: Number of the epoch, or 0.
    """

    key: str
    value: float
    step: int = 0


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
        found = self._post("runs/search", query).get("runs", [])
        if found:
            info = found[0]["info"]
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
            )["run"]["info"]
        run_id, artifacts = str(info["run_id"]), str(info["artifact_uri"])
        if info["status"] == "FINISHED":
            return run_id, artifacts, False
        content = version.content()
        self._log(run_id, content, version.pushed_ms)
        for path, file in content.files.items():
            self._upload(artifacts, path, file)
        ended = {"run_id": run_id, "status": "FINISHED", "end_time": version.pushed_ms}
        self._post("runs/update", ended)
        return run_id, artifacts, True

    def _experiment(self, name: str) -> str:
        try:
            found = self._get("experiments/get-by-name", {"experiment_name": name})
            return str(found["experiment"]["experiment_id"])
        except MlflowRefused as error:
            if error.code != "RESOURCE_DOES_NOT_EXIST":
                raise
        return str(self._post("experiments/create", {"name": name})["experiment_id"])

    def _log(self, run_id: str, content: Content, pushed_ms: int) -> None:
        """Logs parameters and metrics; logging the same again changes nothing."""
        for part in _parts(sorted(content.parameters.items()), _MOST_PARAMETERS):
            parameters = [{"key": key, "value": value} for key, value in part]
            self._post("runs/log-batch", {"run_id": run_id, "params": parameters})
        for points in _parts(content.metrics, _MOST_METRICS):
            metrics = [
                {"key": p.key, "value": p.value, "step": p.step, "timestamp": pushed_ms}
                for p in points
            ]
            self._post("runs/log-batch", {"run_id": run_id, "metrics": metrics})

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
            self._asked("PUT", url, data=content)

    def _registered(self, version: VersionCopy, run_id: str, artifacts: str) -> str:
        """Number of the registered version of a run."""
        try:
            self._post("registered-models/create", {"name": version.model})
        except MlflowRefused as error:
            if error.code != "RESOURCE_ALREADY_EXISTS":
                raise
        query = {"filter": f"name = '{version.model}' and run_id = '{run_id}'"}
        if found := self._get("model-versions/search", query).get("model_versions"):
            return str(found[0]["version"])
        made = self._post(
            "model-versions/create",
            {
                "name": version.model,
                "source": f"{artifacts}/model",
                "run_id": run_id,
                "description": version.description,
                "tags": [{"key": ID_TAG, "value": f"{version.model}@{version.version}"}],
            },
        )
        return str(made["model_version"]["version"])

    def _aliases(self, version: VersionCopy, number: str) -> None:
        """Gives the version the labels that it has here, and takes away those it had."""
        query = {"name": version.model}
        held = self._get("registered-models/get", query)["registered_model"].get("aliases", [])
        now = {alias["alias"]: str(alias["version"]) for alias in held}
        query["version"] = number
        about = self._get("model-versions/get", query)["model_version"]
        tags = {tag["key"]: tag["value"] for tag in about.get("tags", [])}
        before = tags.get(_ALIASES_TAG, "").split()
        for alias in version.aliases:
            if now.get(alias) != number:
                body = {"name": version.model, "alias": alias, "version": number}
                self._post("registered-models/alias", body)
        for alias in set(before) - set(version.aliases):
            if now.get(alias) == number:
                gone = {"name": version.model, "alias": alias}
                self._asked("DELETE", f"{self.uri}{_API}/registered-models/alias", json=gone)
        if before != sorted(version.aliases):
            tag = {"key": _ALIASES_TAG, "value": " ".join(sorted(version.aliases))}
            self._post("model-versions/set-tag", {"name": version.model, "version": number, **tag})

    def _get(self, path: str, query: Mapping[str, str]) -> dict[str, Any]:
        return self._asked("GET", f"{self.uri}{_API}/{path}", params=query)

    def _post(self, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        return self._asked("POST", f"{self.uri}{_API}/{path}", json=body)

    def _asked(self, method: str, url: str, **content: Any) -> dict[str, Any]:
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
        document = _document(answer.content)
        if answer.status_code != 200 or document is None:
            code = str((document or {}).get("error_code", ""))
            text = str((document or {}).get("message", answer.reason))[:_MOST_SAID]
            raise MlflowRefused(url, answer.status_code, code, text)
        return document


def _document(content: bytes) -> dict[str, Any] | None:
    """The JSON object of an answer, or None where it is something else."""
    try:
        found = msgspec.json.decode(content or b"{}")
    except msgspec.DecodeError:
        return None
    return found if isinstance(found, dict) else None


def _parts(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
