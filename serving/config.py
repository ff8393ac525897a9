"""``models.config``: what is served, in TF Serving's text format; both servers read it.

For example::

    model_config_list {
      config {
        name: "toy.color"
        base_path: "/data/var/models/toy.color"
        model_platform: "tensorflow"
        model_version_policy { specific { versions: 3 } }
        version_labels { key: "stable" value: 3 }
      }
    }
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import fsspec

from goldlake_core.contracts.errors import PermanentError, UsageError
from goldlake_core.storage.files import write_atomic
from goldlake_core.storage.locks import FileLock
from serving.config_message import models_config_class

STABLE = "stable"
TENSORFLOW = "tensorflow"
# What fits between two slashes of a REST address and needs no quotes in a shell.
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_FORMAT = "TF Serving's ModelServerConfig in protobuf text format"
# Long enough for any other promotion; each holds the file for milliseconds.
_LOCK_WAIT_S = 30.0


@dataclass(frozen=True)
class ServedModel:
    """One model of a ``models.config``.

    Attributes:
        name: Served name, such as ``city_bikes.is_late``.
        base_path: Folder of version folders: an absolute path or a URL.
        policy: Which versions to serve: the ``specific`` ones, ``all``, or the ``latest``.
        versions: Versions to serve (policy ``specific``), ascending.
        latest: How many versions to serve (policy ``latest``).
        labels: Version by label.
        platform: TF Serving's name of the model format.
    """

    name: str
    base_path: str
    policy: Literal["specific", "all", "latest"] = "latest"
    versions: tuple[int, ...] = ()
    latest: int = 1
    labels: Mapping[str, int] = field(default_factory=dict)
    platform: str = TENSORFLOW

    @property
    def is_by_label(self) -> bool:
        """Whether only versions with a label answer requests that name none.

        Promotions decide by number and label. A version that is listed without a label is there to
        be loaded first, and has not been promoted.
        """
        return self.policy == "specific" and bool(self.labels)


@dataclass(frozen=True)
class ModelsConfig:
    """A whole ``models.config``, with its models in file order."""

    models: tuple[ServedModel, ...] = ()

    def model(self, name: str) -> ServedModel | None:
        """The model served under a name, or None."""
        return next((m for m in self.models if m.name == name), None)

    def with_model(self, model: ServedModel) -> ModelsConfig:
        """This configuration with one model added or replaced."""
        if self.model(model.name) is None:
            return ModelsConfig((*self.models, model))
        return ModelsConfig(tuple(model if m.name == model.name else m for m in self.models))


def read(path: str, *, is_strict: bool = True) -> ModelsConfig:
    """The configuration in a file. Read-only.

    Args:
        path: Path or fsspec URL.
        is_strict: Refuse fields that this module does not know, such as ``logging_config``. A
            server that only reads may ignore them; a writer would lose them.

    Raises:
        UsageError: No such file.
        PermanentError: It is not a ``models.config``; the message names the line.
    """
    fs, place = fsspec.core.url_to_fs(path)
    try:
        text = fs.cat_file(place).decode("utf-8")
    except FileNotFoundError as error:
        raise UsageError(
            f"There is no models.config at {path}",
            hint="goldlake run USECASE, or goldlake promote MODEL@VERSION --label stable",
        ) from error
    except UnicodeDecodeError as error:
        raise PermanentError(f"{path} is not a models.config: {error}", valid=_FORMAT) from error
    return parse(text, path, is_strict=is_strict)


def read_or_empty(path: str) -> ModelsConfig:
    """Returns the configuration in a file, or one without models if there is no such file."""
    fs, place = fsspec.core.url_to_fs(path)
    return read(path) if fs.exists(place) else ModelsConfig()


def write(path: str, config: ModelsConfig) -> None:
    """Writes a configuration, whole or not at all.

    Base paths on the local disk are written as absolute paths: TF Serving accepts no others.
    """
    fs, place = fsspec.core.url_to_fs(path)
    write_atomic(fs, place, render(config).encode("utf-8"))


def update(path: str, change: Callable[[ModelsConfig], ModelsConfig]) -> ModelsConfig:
    """Changes a configuration under its lock, so that concurrent writers lose nothing.

    Args:
        path: Path or fsspec URL; without a file there, the change starts from no models.
        change: Returns the new configuration for the present one; must not wait for anything.

    Returns:
        The configuration before the change.

    Raises:
        LockedError: Another process has been writing for 30 seconds.
    """
    with locked(path):
        before = read_or_empty(path)
        write(path, change(before))
    return before


@contextlib.contextmanager
def locked(path: str) -> Iterator[None]:
    """A block that no other writer of a ``models.config`` interrupts.

    Raises:
        LockedError: Another process has been writing for 30 seconds.
    """
    with FileLock(f"{path}.lock", path, work="promotion", wait_s=_LOCK_WAIT_S):
        yield


def check_label(label: str) -> None:
    """Does nothing for a text that can be a label.

    Raises:
        UsageError: It cannot: an address or a shell would read it as something else.
    """
    if not _LABEL.fullmatch(label):
        raise UsageError(
            f"{label!r} cannot be a label",
            valid="letters, digits, '_', '-' and '.', at most 64, a letter or a digit first",
        )


def parse(text: str, source: str, *, is_strict: bool = True) -> ModelsConfig:
    """The configuration in a text.

    Args:
        text: Protobuf text format.
        source: File name for messages; relative base paths are taken from its folder.
        is_strict: Whether fields that goldlake does not know are refused.

    Raises:
        PermanentError: It does not parse, or a model has no name, no base path or is named twice.
    """
    from google.protobuf import text_format

    message = models_config_class()()
    try:
        text_format.Parse(text, message, allow_unknown_field=not is_strict)
    except text_format.ParseError as error:
        raise PermanentError(
            f"{source} is not a models.config: {error}",
            valid=_FORMAT,
        ) from error
    if not message.HasField("model_config_list"):
        # TF Serving takes no action for it either: half a file must not unload every model.
        raise PermanentError(f"{source} has no model_config_list", valid=_FORMAT)
    folder = source if "://" in source else os.path.abspath(source)
    models = tuple(
        _served_model(c, posixpath.dirname(folder), source)
        for c in message.model_config_list.config
    )
    names = [model.name for model in models]
    for name in names:
        if names.count(name) > 1:
            raise PermanentError(f"{source} names the model {name!r} twice", valid="each once")
    return ModelsConfig(models)


def render(config: ModelsConfig) -> str:
    """The text of a configuration; same configuration, same text."""
    from google.protobuf import text_format

    message = models_config_class()()
    message.model_config_list.SetInParent()
    for model in config.models:
        entry = message.model_config_list.config.add()
        entry.name = model.name
        is_url = "://" in model.base_path
        entry.base_path = model.base_path if is_url else os.path.abspath(model.base_path)
        entry.model_platform = model.platform
        policy = entry.model_version_policy
        if model.policy == "specific":
            policy.specific.versions.extend(sorted(model.versions))
        elif model.policy == "all":
            policy.all.SetInParent()
        else:
            policy.latest.num_versions = model.latest
        for label, version in sorted(model.labels.items()):
            entry.version_labels[label] = version
    return str(text_format.MessageToString(message))


def served_version(config: ModelsConfig, model: str, label: str = STABLE) -> int | None:
    """Returns the version that a label points to, or None without such a model or label."""
    found = config.model(model)
    return None if found is None else found.labels.get(label)


def with_version(
    config: ModelsConfig, model: str, version: int, base_path: str | None = None
) -> ModelsConfig:
    """The configuration with one more version to load: the first phase of a promotion.

    Args:
        config: What is served.
        model: Name that the model is served under.
        version: Version to add; labels stay where they are.
        base_path: Folder of the version folders; needed for a model that is not served yet.

    Raises:
        UsageError: The model is not in ``config`` and there is no ``base_path``.
    """
    served = _specific(config, model, base_path)
    versions = tuple(sorted({*served.versions, version}))
    return config.with_model(dataclasses.replace(served, versions=versions))


def with_label(
    config: ModelsConfig,
    model: str,
    version: int,
    label: str,
    base_path: str | None = None,
    *,
    keep: Iterable[int] = (),
) -> ModelsConfig:
    """The configuration with a label on a version: the second phase of a promotion.

    The version that had the label is no longer served, unless another label points to it.

    Args:
        config: What is served.
        model: Name that the model is served under.
        version: Version that gets the label; it is added where it is not served yet.
        label: Such as ``stable`` or ``canary``.
        base_path: Folder of the version folders; needed for a model that is not served yet.
        keep: Versions that other promotions are waiting for.

    Raises:
        UsageError: The model is not in ``config`` and there is no ``base_path``.
    """
    served = _specific(config, model, base_path)
    labels = {**served.labels, label: version}
    versions = {*served.versions, version}
    before = served.labels.get(label)
    if before is not None and before not in {*labels.values(), *keep}:
        versions.discard(before)
    changed = dataclasses.replace(served, labels=labels, versions=tuple(sorted(versions)))
    return config.with_model(changed)


def without_version(
    config: ModelsConfig, model: str, version: int, *, keep: Iterable[int] = ()
) -> ModelsConfig:
    """The configuration without a version that did not become part of what is served.

    A version with a label stays, and a model that would have no version goes.

    Args:
        config: What is served.
        model: Name that the model is served under.
        version: Version to take out.
        keep: Versions that other promotions are waiting for.
    """
    served = config.model(model)
    if served is None or version in {*served.labels.values(), *keep}:
        return config
    versions = tuple(v for v in served.versions if v != version)
    if versions or served.labels or served.policy != "specific":
        return config.with_model(dataclasses.replace(served, versions=versions))
    return ModelsConfig(tuple(m for m in config.models if m.name != model))


def _specific(config: ModelsConfig, model: str, base_path: str | None) -> ServedModel:
    """The model under policy ``specific``: a promotion decides versions by number."""
    found = config.model(model)
    if found is None:
        if base_path is None:
            raise UsageError(
                f"The model {model!r} is not in models.config",
                valid=", ".join(m.name for m in config.models) or "none yet",
                hint=f"goldlake promote {model}@VERSION --label {STABLE}",
            )
        return ServedModel(model, base_path, "specific")
    versions = found.versions if found.policy == "specific" else ()
    return dataclasses.replace(
        found,
        policy="specific",
        # A label that a person wrote without its version would be refused from now on.
        versions=tuple(sorted({*versions, *found.labels.values()})),
        base_path=base_path or found.base_path,
    )


def _served_model(entry: Any, folder: str, source: str) -> ServedModel:
    if not entry.name or not entry.base_path:
        raise PermanentError(
            f"{source}: a model without {'base_path' if entry.name else 'name'}",
            valid="each config has name and base_path",
        )
    policy = entry.model_version_policy
    kind: Literal["specific", "all", "latest"] = "latest"
    if policy.HasField("specific"):
        kind = "specific"
    elif policy.HasField("all"):
        kind = "all"
    numbers = [*policy.specific.versions, *entry.version_labels.values()]
    if wrong := [number for number in numbers if number < 0]:
        raise PermanentError(
            f"{source}: the model {entry.name!r} has a version {wrong[0]}",
            valid="a whole number, 0 or more",
        )
    is_whole = "://" in entry.base_path or entry.base_path.startswith("/")
    return ServedModel(
        name=entry.name,
        base_path=entry.base_path if is_whole else posixpath.join(folder, entry.base_path),
        policy=kind,
        versions=tuple(sorted(set(policy.specific.versions))),
        latest=max(policy.latest.num_versions, 1),
        labels=dict(entry.version_labels),
        platform=entry.model_platform or TENSORFLOW,
    )
