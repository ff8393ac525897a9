"""Models, their versions and states, without HTTP and TensorFlow.

A front end, such as REST, decodes a request, asks here and encodes the answer. `serving.reload`
calls `load` and `unload` as ``models.config`` says.
"""

from __future__ import annotations

import contextlib
import enum
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from serving.errors import StatusError, invalid
from serving.exchange import SHADOW, Exchange, Observer
from serving.metrics import Metrics
from serving.plans import Plan
from serving.signatures import DEFAULT_SIGNATURE, Servable, Signature

log = logging.getLogger("serving")


class State(str, enum.Enum):
    """Where a version is in its life."""

    START = "START"
    LOADING = "LOADING"
    AVAILABLE = "AVAILABLE"
    UNLOADING = "UNLOADING"
    END = "END"


@dataclass(frozen=True)
class ModelSpec:
    """The version of a model that a request asks for; by default the newest available one.

    Attributes:
        name: Name that the model is served under.
        version: A version number, or None.
        label: A version label, or None. Not together with ``version``.
        exchange: What notes the request for the request log, or None.
    """

    name: str
    version: int | None = None
    label: str | None = None
    exchange: Exchange | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class VersionStatus:
    """State of one version.

    Attributes:
        version: Number of the version.
        state: Where it is in its life.
        code: ``OK``, or the canonical code of what made it end.
        text: "" or the error's text.
    """

    version: int
    state: State
    code: str = "OK"
    text: str = ""


@dataclass
class _Version:
    version: int
    state: State = State.START
    error: StatusError | None = None
    servable: Servable | None = None
    plans: dict[str, Plan] = field(default_factory=dict)
    users: int = 0


@dataclass
class _Model:
    versions: dict[int, _Version] = field(default_factory=dict)
    labels: dict[str, int] = field(default_factory=dict)
    is_by_label: bool = False

    def newest_available(self) -> _Version | None:
        """The version that answers requests without a version or a label."""
        able = [v for v in self.versions.values() if v.state is State.AVAILABLE]
        if self.is_by_label:
            answering = {version for label, version in self.labels.items() if label != SHADOW}
            able = [v for v in able if v.version in answering]
        return max(able, key=lambda v: v.version, default=None)


@dataclass(frozen=True)
class UsedVersion:
    """An available version while a request uses it; see `DataPlane.use`.

    Attributes:
        name: Name that the model is served under.
        number: Number of the version.
        servable: The loaded model.
        metrics: Where the time of each call goes.
        plans: What is planned once for each signature, by its name.
        retain: Begins one more use.
        release: Ends one use; the last one lets the version go.
        exchange: What notes the call for the request log, or None.
    """

    name: str
    number: int
    servable: Servable
    metrics: Metrics
    plans: Mapping[str, Plan] = field(default_factory=dict)
    retain: Callable[[], None] = lambda: None
    release: Callable[[], None] = lambda: None
    exchange: Exchange | None = None

    def find(self, name: str) -> Signature | None:
        """Returns a signature, or None.

        Args:
            name: Signature name, "" for the default one.
        """
        return self.servable.signatures.get(name or DEFAULT_SIGNATURE)

    def signature(self, name: str) -> Signature:
        """Returns a signature.

        Args:
            name: Signature name, "" for the default one.

        Raises:
            StatusError: The version has no such signature.
        """
        found = self.find(name)
        if found is None:
            name = name or DEFAULT_SIGNATURE
            raise invalid(f'Serving signature name: "{name}" not found in signature def')
        return found

    def plan(self, name: str) -> Plan:
        """Returns the plan of a signature that the version has.

        Args:
            name: Signature name, "" for the default one.
        """
        return self.plans[name or DEFAULT_SIGNATURE]

    def predict(
        self, signature_name: str, inputs: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Returns the outputs of one call.

        Args:
            signature_name: "" for the default signature.
            inputs: One array per input.

        Raises:
            StatusError: No such signature, wrong inputs, or the model failed.
        """
        check_inputs(self.signature(signature_name), inputs)
        return self.run("Predict", signature_name, inputs)

    def run(
        self, api: str, signature_name: str, inputs: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Runs the model for one request: counts the time, and notes the call.

        Args:
            api: What was asked for, such as ``Classify``, as metrics name it.
            signature_name: A signature of the version, "" for the default one.
            inputs: One array per input of the signature.

        Raises:
            StatusError: The model failed.
        """
        outputs = self.compute(api, signature_name, inputs)
        if self.exchange is not None:
            self.exchange.ran(self.number, api, signature_name, inputs, outputs)
        return outputs

    def compute(
        self, api: str, signature_name: str, inputs: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Runs the model, for one request or several, and counts the time; see `run`."""
        started = time.perf_counter()
        outputs = self.servable.run(signature_name or DEFAULT_SIGNATURE, inputs)
        self.metrics.ran(self.name, api, time.perf_counter() - started)
        return outputs


class DataPlane:
    """Every model this process serves. All methods may be called from any thread.

    Args:
        load: Loads the model in a version folder.

    Attributes:
        metrics: What front ends and models have done so far.
        observer: Whoever wants to know of requests, or None.
    """

    def __init__(self, load: Callable[[str], Servable]) -> None:
        self.metrics = Metrics()
        self.observer: Observer | None = None
        self._load = load
        self._changed = threading.Condition()
        self._models: dict[str, _Model] = {}

    def status(self, spec: ModelSpec) -> list[VersionStatus]:
        """States of one version, or of all versions of a model, newest first.

        A label is not looked at, as in TF Serving.

        Raises:
            StatusError: NOT_FOUND.
        """
        with self._changed:
            versions = self._models.get(spec.name, _Model()).versions
            if spec.version is not None and spec.version not in versions:
                raise StatusError(
                    "NOT_FOUND", f"Could not find version {spec.version} of model {spec.name}"
                )
            if not versions:
                raise StatusError("NOT_FOUND", f"Could not find any versions of model {spec.name}")
            wanted = versions if spec.version is None else [spec.version]
            return [_status(versions[number]) for number in sorted(wanted, reverse=True)]

    @contextlib.contextmanager
    def use(self, spec: ModelSpec) -> Iterator[UsedVersion]:
        """Resolves a request to a version, which stays loaded until the block ends.

        A request resolves its version once: what is decoded for one version runs on that version,
        even if another becomes the newest in between.

        Args:
            spec: The version asked for.

        Raises:
            StatusError: No such version is available.
        """
        version = self.acquire(spec)
        try:
            yield version
        finally:
            version.release()

    def acquire(self, spec: ModelSpec) -> UsedVersion:
        """Resolves a request to a version, which stays loaded until it is released; see `use`.

        Args:
            spec: The version asked for.

        Raises:
            StatusError: No such version is available.
        """
        with self._changed:
            entry = self._find(spec)
            servable = entry.servable
            assert servable is not None
            entry.users += 1

        def retain() -> None:
            with self._changed:
                entry.users += 1

        def release() -> None:
            with self._changed:
                entry.users -= 1
                self._changed.notify_all()

        return UsedVersion(
            spec.name,
            entry.version,
            servable,
            self.metrics,
            entry.plans,
            retain,
            release,
            spec.exchange,
        )

    def states(self, name: str) -> dict[int, State]:
        """State by version of one model; {} for an unknown model."""
        with self._changed:
            versions = self._models.get(name, _Model()).versions
            return {number: version.state for number, version in versions.items()}

    def knows(self, name: str) -> bool:
        """Whether a model of that name has or had a version."""
        with self._changed:
            return name in self._models

    def names(self) -> list[str]:
        """Every model that has or had a version, sorted."""
        with self._changed:
            return sorted(self._models)

    def labels(self, name: str) -> dict[str, int]:
        """Version by label of one model."""
        with self._changed:
            return dict(self._models.get(name, _Model()).labels)

    def set_labels(self, name: str, labels: Mapping[str, int]) -> None:
        """Replaces the labels of one model."""
        with self._changed:
            self._models.setdefault(name, _Model()).labels = dict(labels)

    def set_by_label(self, name: str, is_by_label: bool) -> None:
        """Decides whether only labeled versions of a model answer requests without a label."""
        with self._changed:
            self._models.setdefault(name, _Model()).is_by_label = is_by_label

    def fail(self, name: str, version: int, error: StatusError) -> None:
        """Makes a failure the status of a version that is not loaded."""
        with self._changed:
            known = self._models.setdefault(name, _Model()).versions
            if version not in known or known[version].state is State.END:
                known[version] = _Version(version, State.END, error)

    def load(self, name: str, version: int, path: str) -> bool:
        """Loads a version and makes it available; does nothing for one that is.

        Returns:
            Whether it is available. A failure is kept as the version's status, not raised.
        """
        with self._changed:
            known = self._models.setdefault(name, _Model()).versions.get(version)
            if known is not None and known.state is not State.END:
                return known.state is State.AVAILABLE
            entry = _Version(version)
            self._models[name].versions[version] = entry
            entry.state = State.LOADING
        try:
            servable = self._load(path)
        except Exception as error:  # any model's failure is that version's status
            failure = error if isinstance(error, StatusError) else _load_failure(error, path)
            with self._changed:
                entry.error, entry.state = failure, State.END
            return False
        plans = {key: Plan(key, signature) for key, signature in servable.signatures.items()}
        with self._changed:
            entry.servable, entry.plans, entry.state = servable, plans, State.AVAILABLE
        log.info("%s@%d is AVAILABLE", name, version)
        return True

    def unload(self, name: str, version: int) -> None:
        """Takes a version out of service, waits for its running requests and frees it."""
        with self._changed:
            entry = self._models.get(name, _Model()).versions.get(version)
            if entry is None or entry.state is not State.AVAILABLE:
                return
            entry.state = State.UNLOADING
            self._changed.wait_for(lambda: entry.users == 0)
            servable, entry.servable, entry.plans = entry.servable, None, {}
        assert servable is not None
        servable.close()
        with self._changed:
            entry.state = State.END
        log.info("%s@%d is unloaded", name, version)

    def close(self) -> None:
        """Unloads everything."""
        for name in self.names():
            for version in self.states(name):
                self.unload(name, version)

    def _find(self, spec: ModelSpec) -> _Version:
        model = self._models.get(spec.name, _Model())
        number = spec.version
        if spec.label is not None:
            if spec.label not in model.labels:
                raise invalid(f"Unrecognized servable version label: {spec.label}")
            number = model.labels[spec.label]
        if number is None:
            newest = model.newest_available()
            if newest is None:
                raise _not_served(f"Latest({spec.name})")
            return newest
        entry = model.versions.get(number)
        if entry is None or entry.state is not State.AVAILABLE:
            raise _not_served(f"Specific({spec.name}, {number})")
        return entry


def _status(entry: _Version) -> VersionStatus:
    if entry.error is None:
        return VersionStatus(entry.version, entry.state)
    return VersionStatus(entry.version, entry.state, entry.error.code, entry.error.text)


def _not_served(request: str) -> StatusError:
    return StatusError("NOT_FOUND", f"Servable not found for request: {request}")


def _load_failure(error: Exception, path: str) -> StatusError:
    return StatusError("UNKNOWN", f"{path} did not load: {type(error).__name__}: {error}")


def check_inputs(signature: Signature, inputs: Mapping[str, np.ndarray]) -> None:
    """Refuses a request that has other inputs than its signature.

    Raises:
        StatusError: With TF Serving's text.
    """
    if inputs.keys() != signature.inputs.keys():
        raise input_mismatch(set(inputs), set(signature.inputs))


def input_mismatch(sent: set[str], needed: set[str]) -> StatusError:
    """Returns the error for a request that has other inputs than its signature.

    Args:
        sent: Names of the inputs in the request.
        needed: Names of the inputs of the signature.
    """

    def names(group: set[str]) -> str:
        return f"{{{','.join(sorted(group))}}}"

    return invalid(
        f"input size does not match signature: {len(sent)}!={len(needed)} len({names(sent)}) != "
        f"len({names(needed)}). Sent extra: {names(sent - needed)}. "
        f"Missing but required: {names(needed - sent)}."
    )
