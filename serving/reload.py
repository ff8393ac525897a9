"""Makes the data plane follow ``models.config`` and the version folders it names.

The rules are TF Serving's: what ``models.config`` asks for is loaded first, and another version
goes only once one of those is available, so that a model never stops answering; a label that is
in use moves only to a version that is available, and a file that asks for anything else changes
nothing.
"""

from __future__ import annotations

import logging
import posixpath
import re
import threading

import fsspec

from goldlake_core.contracts.errors import GoldlakeError
from serving import config as models_config
from serving.config import ModelsConfig, ServedModel
from serving.dataplane import DataPlane, State

log = logging.getLogger("serving")
_VERSION = re.compile(r"[0-9]{1,19}")


def wanted_versions(model: ServedModel) -> dict[int, str]:
    """Folder by version that a model's policy asks for, of those that exist. Read-only.

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
        missing = sorted(set(model.versions) - found.keys())
        if missing:
            log.warning("%s: no folder for version %s in %s", model.name, missing, base)
        return {version: path for version, path in found.items() if version in model.versions}
    if model.policy == "latest":
        return {version: found[version] for version in sorted(found)[-model.latest :]}
    return found


class Follower:
    """Applies a ``models.config`` to a data plane, once or again and again.

    Args:
        plane: What to keep in step.
        path: The file; a path or an fsspec URL.
    """

    def __init__(self, plane: DataPlane, path: str) -> None:
        self._plane = plane
        self._path = path
        self._config = ModelsConfig()
        self._refused: str | None = None
        self._failed: set[tuple[str, int]] = set()
        self._stopped = threading.Event()

    def read(self) -> ModelsConfig:
        """The file as it is now.

        Raises:
            GoldlakeError: It is missing or does not parse.
        """
        return models_config.read(self._path, is_strict=False)

    def follow(self, poll_wait_s: float) -> None:
        """Applies the file every ``poll_wait_s`` seconds until `stop`; a bad one is passed over."""
        while not self._stopped.wait(poll_wait_s):
            try:
                self.apply(self.read())
            except GoldlakeError as error:
                self._refuse(error.message)
            except Exception:  # the next round may find the store answering again
                log.exception("Could not follow %s", self._path)

    def stop(self) -> None:
        """Ends `follow` after the round it is in."""
        self._stopped.set()

    def apply(self, config: ModelsConfig) -> bool:
        """Loads, labels and unloads until the data plane is as ``config`` says.

        Returns:
            Whether the configuration was accepted; a refusal is logged and changes nothing.
        """
        problem = self._label_problem(config)
        if problem is not None:
            self._refuse(problem)
            return False
        self._refused = None
        if config != self._config:
            # A person changed something: what failed before gets another try.
            self._failed.clear()
        for model in config.models:
            self._plane.set_labels(model.name, model.labels)
        self._config = config
        for model in config.models:
            self._bring(model.name, wanted_versions(model))
        for name in self._plane.names():
            if config.model(name) is None:
                self._plane.set_labels(name, {})
                self._bring(name, {})
        return True

    def _refuse(self, problem: str) -> None:
        if problem != self._refused:
            log.error("%s is refused, what is served stays: %s", self._path, problem)
        self._refused = problem

    def _label_problem(self, config: ModelsConfig) -> str | None:
        """Why the labels cannot move now, or None. A new one may point to what is still to come."""
        for model in config.models:
            states = self._plane.states(model.name)
            in_use = self._plane.labels(model.name)
            for label, version in model.labels.items():
                is_moved = in_use.get(label, version) != version
                if is_moved and states.get(version) is not State.AVAILABLE:
                    return (
                        f"Request to assign label to version {version} of model {model.name}, "
                        "which is not currently available for inference"
                    )
        return None

    def _bring(self, name: str, wanted: dict[int, str]) -> None:
        if not wanted and self._config.model(name) is not None:
            # The folders are gone, the model is still asked for: better the old than none.
            return
        for version, path in sorted(wanted.items(), reverse=True):
            if self._stopped.is_set():
                return
            if (name, version) not in self._failed and not self._plane.load(name, version, path):
                self._failed.add((name, version))
        states = self._plane.states(name)
        if wanted and not any(states[v] is State.AVAILABLE for v in wanted):
            return
        for version in states.keys() - wanted.keys():
            self._plane.unload(name, version)
