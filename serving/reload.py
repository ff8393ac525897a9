"""Makes the data plane follow ``models.config`` and the version folders it names.

``models.config`` says what to serve, and `Follower` brings it about in one order: it loads what the
file asks for, versions with a label first; moves each label whose version is AVAILABLE; unloads
what neither the file nor a label asks for. A version that cannot be loaded leaves the label, and
the version that has it, where they are. What TF Serving refuses is refused here.
"""

from __future__ import annotations

import logging
import posixpath
import re
import threading
import time
from collections.abc import Callable, Iterator

import fsspec

from goldlake_core.contracts.errors import GoldlakeError, PermanentError
from goldlake_core.instants import now_text
from serving import config as models_config
from serving.config import TENSORFLOW, ModelsConfig, ServedModel
from serving.dataplane import DataPlane, ModelSpec, State
from serving.errors import StatusError, invalid

log = logging.getLogger("serving")
_VERSION = re.compile(r"[0-9]{1,19}")
RELOAD_TIMEOUT_S = 300.0

# What is wrong now: the text by what it is about, which is the file, a model, a version or a label.
Problems = dict[str, str]
OnRound = Callable[[str, bool, tuple[str, ...]], None]


def wanted_versions(model: ServedModel) -> dict[int, str | None]:
    """Folder by version that a model's policy asks for; None where there is no folder. Read-only.

    Args:
        model: Its base path may be a local folder or any fsspec URL. A folder counts as a version
            when its name is a number; zeros in front do not matter.
    """
    fs, base = fsspec.core.url_to_fs(model.base_path)
    fs.invalidate_cache(base)
    try:
        names = sorted(posixpath.basename(str(p).rstrip("/")) for p in fs.ls(base, detail=False))
    except (FileNotFoundError, NotADirectoryError):
        names = []
    found = {int(n): f"{model.base_path}/{n}" for n in names if _VERSION.fullmatch(n)}
    if model.policy == "specific":
        return {version: found.get(version) for version in model.versions}
    if model.policy == "latest":
        return {version: found[version] for version in sorted(found)[-model.latest :]}
    return dict(found)


def transition_problem(before: ModelsConfig, after: ModelsConfig) -> StatusError | None:
    """Why TF Serving would refuse a configuration after another one, or None.

    A label that moves to a version which is still to be loaded is refused by TF Serving, too. Here
    the label waits for the version.

    Args:
        before: What is followed now.
        after: What the file says.
    """
    for model in after.models:
        known = before.model(model.name)
        if model.platform != (known.platform if known else TENSORFLOW):
            return StatusError(
                "FAILED_PRECONDITION",
                f"Illegal to change a model's platform. For model {model.name} platform was: "
                f"{known.platform if known else TENSORFLOW} and is now requested to be: "
                f"{model.platform}",
            )
        for version in model.labels.values():
            if model.policy == "specific" and version not in model.versions:
                return _not_available(model.name, version)
    return None


class Follower:
    """Applies a ``models.config`` to a data plane, once or again and again.

    Args:
        plane: What to keep in step.
        path: The file; a path or an fsspec URL.
        on_round: Called after each round with the time before it read the file, whether anything
            changed, and what is wrong.
    """

    def __init__(self, plane: DataPlane, path: str, on_round: OnRound | None = None) -> None:
        self._plane = plane
        self._path = path
        self._on_round = on_round
        self._config = ModelsConfig()
        self._problems: Problems = {}
        self._failed: dict[tuple[str, int], tuple[str, str]] = {}
        self._is_stopped = False
        self._wake = threading.Event()
        self._rounds = threading.Condition()
        self._last_round = ""

    def read(self) -> ModelsConfig:
        """The file as it is now.

        Raises:
            GoldlakeError: It is missing or does not parse.
        """
        return models_config.read(self._path, is_strict=False)

    def first(self) -> ModelsConfig:
        """The file as it is when the server starts.

        Raises:
            GoldlakeError: It is missing, does not parse, or asks for what cannot be.
        """
        config = self.read()
        problem = transition_problem(ModelsConfig(), config)
        if problem is not None:
            raise PermanentError(f"{self._path} cannot be served: {problem.text}")
        return config

    def follow(self, poll_wait_s: float) -> None:
        """Looks at the file every ``poll_wait_s`` seconds until `stop`."""
        while not self._is_stopped:
            self._wake.wait(poll_wait_s)
            self._wake.clear()
            if not self._is_stopped:
                try:
                    self.round()
                except Exception:  # a store that does not answer; the next round may find it
                    log.exception("Could not follow %s", self._path)

    def stop(self) -> None:
        """Ends `follow` after the version that it loads now."""
        self._is_stopped = True
        self._wake.set()

    def round(self) -> None:
        """Looks at the file and applies it; one that is missing or wrong changes nothing."""
        began = now_text()
        try:
            config = self.read()
        except GoldlakeError as error:
            self._apply(self._config, began, error.message)
        except Exception as error:  # the next round may find the store answering again
            self._apply(self._config, began, f"{type(error).__name__}: {error}")
        else:
            self._apply(config, began)

    def apply(self, config: ModelsConfig) -> bool:
        """Loads, labels and unloads until the data plane is as ``config`` says, as far as it can.

        Returns:
            Whether the configuration was accepted; a refusal is logged and changes nothing.
        """
        return self._apply(config, now_text())

    def reload(self, text: str, timeout_s: float = RELOAD_TIMEOUT_S) -> None:
        """Answers TF Serving's HandleReloadConfigRequest: the file becomes this configuration.

        The file is written under the lock that promotions take, and returned from when it is
        applied. As in TF Serving a label only moves to a version that is AVAILABLE already.

        Args:
            text: A ModelServerConfig in protobuf text format.
            timeout_s: How long to wait until it is applied.

        Raises:
            StatusError: It does not parse, TF Serving would refuse it, or a new model did not load;
                only in the last case the file has changed.
        """
        try:
            wanted = models_config.parse(text, self._path)
        except GoldlakeError as error:
            raise invalid(error.message) from error
        problem = transition_problem(self._config, wanted) or self._label_problem(wanted)
        if problem is not None:
            raise problem
        known = {model.name for model in self._config.models}
        models_config.update(self._path, lambda before: wanted)
        self._wait_round(now_text(), timeout_s)
        unloaded = [
            f"{{name: {model.name} version: {version}}} due to error: {text}"
            for model in wanted.models
            if model.name not in known
            for version, text in self._unavailable(model)
        ]
        if unloaded:
            raise StatusError(
                "UNKNOWN",
                f"{len(unloaded)} servable(s) did not become available: "
                f"{{{', '.join(f'{{{line}}}' for line in unloaded)}}}",
            )

    def _apply(self, config: ModelsConfig, began: str, unreadable: str = "") -> bool:
        refused = transition_problem(self._config, config)
        reason = unreadable or (refused.text if refused else "")
        problems: Problems = {}
        if reason:
            problems[self._path] = f"{self._path} is refused, what is served stays: {reason}"
            config = self._config
        is_changed = config != self._config
        self._config = config
        self._reconcile(config, problems)
        if self._is_stopped:
            return not reason
        for about, text in problems.items():
            if self._problems.get(about) != text:
                log.error("%s", text)
        is_changed = is_changed or problems != self._problems
        self._problems = problems
        if self._on_round is not None:
            self._on_round(began, is_changed, tuple(problems.values()))
        with self._rounds:
            self._last_round = began
            self._rounds.notify_all()
        return not reason

    def _reconcile(self, config: ModelsConfig, problems: Problems) -> None:
        wanted: dict[str, dict[int, str | None]] = {}
        for model in config.models:
            self._plane.set_by_label(model.name, model.is_by_label)
            try:
                wanted[model.name] = wanted_versions(model)
            except Exception as error:  # a store that does not answer; what is loaded goes on
                problems[model.name] = (
                    f"{model.name}: cannot look into {model.base_path}: "
                    f"{type(error).__name__}: {error}"
                )
        models = [model for model in config.models if model.name in wanted]
        asked_for = {(name, version) for name, found in wanted.items() for version in found}
        self._failed = {key: why for key, why in self._failed.items() if key in asked_for}
        for is_labeled in (True, False):
            for model in models:
                labeled = set(model.labels.values())
                for version, path in sorted(wanted[model.name].items(), reverse=True):
                    if (version in labeled) == is_labeled and not self._is_stopped:
                        self._bring(model, version, path, problems)
                self._move_labels(model, problems)
        if self._is_stopped:
            return
        for model in models:
            self._let_go(model.name, set(wanted[model.name]))
        for name in self._plane.names():
            if config.model(name) is None:
                self._plane.set_labels(name, {})
                for version in self._plane.states(name):
                    self._plane.unload(name, version)

    def _bring(
        self, model: ServedModel, version: int, path: str | None, problems: Problems
    ) -> None:
        """Loads a version, unless it failed before and its folder is as it was then."""
        about, key = f"{model.name}@{version}", (model.name, version)
        is_available = self._plane.states(model.name).get(version) is State.AVAILABLE
        if path is None:
            problems[about] = f"{about}: there is no folder {version} in {model.base_path}"
            if is_available:
                problems[about] += "; it goes on answering until this server ends"
            else:
                self._plane.fail(*key, StatusError("NOT_FOUND", problems[about]))
            return
        if is_available:
            return
        content = _content(path)
        if self._failed.get(key, ("", ""))[0] != content:
            self._failed.pop(key, None)
            if not self._plane.load(*key, path):
                self._failed[key] = (content, self._status_text(*key))
        if key in self._failed:
            problems[about] = f"{about} did not load: {self._failed[key][1]}"

    def _move_labels(self, model: ServedModel, problems: Problems) -> None:
        """Moves each label whose version is available; the others stay where they are."""
        states, before = self._plane.states(model.name), self._plane.labels(model.name)
        labels = {}
        for label, version in model.labels.items():
            if states.get(version) is State.AVAILABLE:
                labels[label] = version
            elif label in before:
                labels[label] = before[label]
            if labels.get(label) != version:
                problems[f"{model.name}:{label}"] = (
                    f"{model.name}: the label {label!r} waits for version {version}"
                    + (f" and stays at {labels[label]}" if label in labels else "")
                )
            else:
                problems.pop(f"{model.name}:{label}", None)
        self._plane.set_labels(model.name, labels)
        for label in sorted(labels.keys() | before.keys()):
            if labels.get(label) != before.get(label):
                log.info("%s: the label %r is at %s", model.name, label, labels.get(label))

    def _let_go(self, name: str, wanted: set[int]) -> None:
        """Unloads what nobody asks for, once something that is asked for is available."""
        states = self._plane.states(name)
        if not any(states.get(version) is State.AVAILABLE for version in wanted):
            # The folders are gone or do not load: better the old than none.
            return
        for version in states.keys() - wanted - set(self._plane.labels(name).values()):
            self._plane.unload(name, version)

    def _label_problem(self, wanted: ModelsConfig) -> StatusError | None:
        for model in wanted.models:
            states = self._plane.states(model.name)
            for version in model.labels.values():
                if states.get(version) is not State.AVAILABLE:
                    return _not_available(model.name, version)
        return None

    def _unavailable(self, model: ServedModel) -> Iterator[tuple[int, str]]:
        for version, state in sorted(self._plane.states(model.name).items()):
            if state is not State.AVAILABLE:
                yield version, self._status_text(model.name, version)

    def _status_text(self, name: str, version: int) -> str:
        [status] = self._plane.status(ModelSpec(name, version))
        return status.text

    def _wait_round(self, since: str, timeout_s: float) -> None:
        """Returns when a round that began after ``since`` has ended."""
        until = time.monotonic() + timeout_s
        with self._rounds:
            while self._last_round <= since:
                self._wake.set()
                left = until - time.monotonic()
                if left <= 0 or self._is_stopped:
                    text = f"{self._path} is written and was not applied within {timeout_s:g} s"
                    raise StatusError("DEADLINE_EXCEEDED", text)
                # Woken again now and then: a round that runs now may have begun too early.
                self._rounds.wait(min(left, 0.1))


def _not_available(name: str, version: int) -> StatusError:
    return StatusError(
        "FAILED_PRECONDITION",
        f"Request to assign label to version {version} of model {name}, which is not currently "
        "available for inference",
    )


def _content(path: str) -> str:
    """What tells whether anything in a folder has changed."""
    fs, place = fsspec.core.url_to_fs(path)
    fs.invalidate_cache(place)
    return repr(sorted(fs.find(place, detail=True).items()))
