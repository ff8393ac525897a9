"""Puts a blessed model where TF Serving looks for it: ``models/USECASE.MODEL/VERSION/``.

Versions are 1, 2, 3 …. A version appears whole or not at all, and the same model is pushed once.
Beside the model, in ``assets.extra/`` (which TensorFlow ignores), ``goldlake.json`` says where it
came from. Plain files on any home; no TensorFlow.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import uuid
from collections.abc import Mapping
from typing import Any

from fsspec.core import url_to_fs

from goldlake_core.contracts.errors import PermanentError
from goldlake_core.documents import codec
from goldlake_core.documents.training import PushedVersion
from goldlake_core.instants import now_text
from goldlake_core.storage.home import Home

ABOUT_FILE = "assets.extra/goldlake.json"
EVALUATION_FILE = "assets.extra/evaluation.json"
RECIPE_FILE = "assets.extra/recipe.json"
SAVED_MODEL_FILE = "saved_model.pb"
_CHUNK_BYTES = 1 << 20
_ATTEMPTS = 20


def push_model(
    home: Home,
    usecase: str,
    model: str,
    folder: str,
    about: Mapping[str, Any],
    extra: Mapping[str, str] | None = None,
) -> PushedVersion:
    """Copies a SavedModel to the next version, unless it was pushed before; idempotent.

    Args:
        home: Whose ``models/`` folder receives it.
        usecase: Name of the use case.
        model: Name of the model.
        folder: The SavedModel: a path or fsspec URL that holds ``saved_model.pb``.
        about: Further fields of the `PushedVersion`.
        extra: Files beside the model, by their name in the version: a path or fsspec URL each. What
            is not there is left out. Two models that differ in them only are the same.

    Returns:
        The document of the version that holds this model.

    Raises:
        PermanentError: The folder holds no SavedModel.
    """
    files = _files(folder)
    if SAVED_MODEL_FILE not in files:
        raise PermanentError(f"There is no {SAVED_MODEL_FILE} in {folder}, so nothing to push")
    sha256 = _sha256(folder, files)
    for _ in range(_ATTEMPTS):
        versions = pushed_versions(home, usecase, model)
        for document in versions.values():
            if document is not None and document.model_sha256 == sha256:
                return document
        version = max(versions, default=0) + 1
        document = PushedVersion(
            usecase=usecase,
            model=model,
            version=version,
            **about,
            model_sha256=sha256,
            pushed_at=now_text("seconds"),
        )
        target = home.model(usecase, model, str(version))
        if _copy(home, folder, files, target, codec.encode(document), extra or {}):
            return document
    raise PermanentError(f"{usecase}.{model} was pushed {_ATTEMPTS} times by others in between")


def pushed_versions(home: Home, usecase: str, model: str) -> dict[int, PushedVersion | None]:
    """What each pushed version says about itself; None for one that was put there by hand.

    Raises:
        StoreError: The document of a version does not hold what it should.
    """
    base = home.model(usecase, model)
    fs = home.fs
    if not fs.exists(base):
        return {}
    names = [posixpath.basename(name.rstrip("/")) for name in fs.ls(base, detail=False)]
    found: dict[int, PushedVersion | None] = {}
    for version in sorted(int(name) for name in names if name.isdecimal()):
        file = posixpath.join(base, str(version), ABOUT_FILE)
        try:
            found[version] = codec.decode(fs.cat_file(file), PushedVersion, file)
        except FileNotFoundError:
            found[version] = None
    return found


def copy_version(home: Home, usecase: str, model: str, version: int, folder: str) -> None:
    """Copies a pushed version's SavedModel into a folder.

    Raises:
        PermanentError: The version is not there.
    """
    source = home.model(usecase, model, str(version))
    if not home.fs.exists(posixpath.join(source, SAVED_MODEL_FILE)):
        valid = ", ".join(str(v) for v in pushed_versions(home, usecase, model))
        raise PermanentError(
            f"Version {version} of {usecase}.{model} is not in the home {home.root}",
            valid=valid or None,
            hint="goldlake models",
        )
    _put(source, _files(source), folder)


def _files(folder: str) -> list[str]:
    """Relative names of a folder's files, ``saved_model.pb`` last: its presence means complete."""
    fs, root = url_to_fs(folder)
    root = root.rstrip("/")
    if not fs.exists(root):
        return []
    names = [name[len(root) + 1 :] for name in sorted(fs.find(root))]
    return sorted(names, key=lambda name: name == SAVED_MODEL_FILE)


def _sha256(folder: str, files: list[str]) -> str:
    fs, root = url_to_fs(folder)
    digest = hashlib.sha256()
    for name in files:
        digest.update(f"{name} {fs.size(posixpath.join(root, name))}\n".encode())
        with fs.open(posixpath.join(root, name), "rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
    return digest.hexdigest()


def _put(folder: str, files: list[str], target: str) -> None:
    source, root = url_to_fs(folder)
    fs, base = url_to_fs(target)
    for name in files:
        file = posixpath.join(base, name)
        fs.makedirs(posixpath.dirname(file), exist_ok=True)
        with source.open(posixpath.join(root, name), "rb") as data, fs.open(file, "wb") as out:
            while chunk := data.read(_CHUNK_BYTES):
                out.write(chunk)


def _copy(
    home: Home,
    folder: str,
    files: list[str],
    target: str,
    about: bytes,
    extra: Mapping[str, str],
) -> bool:
    """Copies under another name and renames; False when another process took the version.

    A store without a rename gets the files in place, ``saved_model.pb`` last.
    """
    hidden = posixpath.join(posixpath.dirname(target), f".push-{uuid.uuid4().hex}")
    place = hidden if home.is_local else target
    about_file = posixpath.join(place, ABOUT_FILE)
    home.fs.makedirs(posixpath.dirname(about_file), exist_ok=True)
    home.fs.pipe_file(about_file, about)
    try:
        for name, path in extra.items():
            source, found = url_to_fs(path)
            if source.exists(found):
                file = posixpath.join(place, name)
                home.fs.makedirs(posixpath.dirname(file), exist_ok=True)
                home.fs.pipe_file(file, source.cat_file(found))
        _put(folder, files, place)
        if home.is_local:
            os.rename(hidden, target)
    except OSError:
        if not home.is_local or not os.path.isdir(target):
            raise
        return False
    finally:
        if home.is_local and os.path.isdir(hidden):
            home.fs.rm(hidden, recursive=True)
    return True
