"""Functions by dotted name: ``module.function`` of the use case's folder, or of a package.

Executors find the folder through the environment, never through the pipeline's definition.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from goldlake_core.contracts import functions_hash, registry
from goldlake_core.contracts.errors import PermanentError
from goldlake_core.contracts.keys import keys_of
from goldlake_core.contracts.sections import Model, Parts, UseCase
from tfx_pipeline.codehash import OURS, code_hash
from tfx_pipeline.spec import USECASE_PATH


def named(dotted: str, model_id: str, key: str) -> Callable[..., Any]:
    """The function that a contract names.

    Args:
        dotted: Its dotted name.
        model_id: ``usecase.model`` of the contract.
        key: YAML key that names it, for errors, such as ``parts.run_fn``.

    Raises:
        ContractError: The folder has no such function.
        PermanentError: There is no such package or function.
    """
    if not _is_of_package(dotted):
        usecase = registry.load_usecase(os.environ.get(USECASE_PATH) or model_id.partition(".")[0])
        return registry.resolve(usecase, dotted, key)
    module, _, name = dotted.rpartition(".")
    try:
        function = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise PermanentError(
            f"{key} of {model_id} names {dotted}, which cannot be imported: {error}",
            valid="a function of an installed package, or module.function of the folder",
        ) from error
    return function  # type: ignore[no-any-return]


def part_hashes(usecase: UseCase, model: Model) -> Mapping[str, str]:
    """sha256 of the code of each part that a model names, by its key. Read-only.

    Args:
        usecase: The use case.
        model: One of its models.

    Raises:
        UsageError: A file of the folder cannot be read.
        PermanentError: There is no such module.
    """
    found = {key.name: getattr(model.parts, key.attribute) for key in keys_of(Parts)}
    return {key: _hash(usecase, dotted) for key, dotted in found.items() if dotted}


def encoders_hash(usecase: UseCase, model: Model) -> str:
    """sha256 of the files of all encoders of text features, or "" without any. Read-only."""
    names = [str(f.params["encoder"]) for f in model.features if f.params.get("encoder")]
    digest = hashlib.sha256()
    for name in names:
        folder = usecase.folder / name
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            digest.update(f"\0{name}/{file.relative_to(folder).as_posix()}\0".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest() if names else ""


def _is_of_package(dotted: str) -> bool:
    return dotted.count(".") > 1


def _hash(usecase: UseCase, dotted: str) -> str:
    if not _is_of_package(dotted):
        return functions_hash(usecase, dotted)
    module = dotted.rpartition(".")[0]
    if module.partition(".")[0] in OURS:
        return code_hash(module)
    # Of any other package the module alone counts: its version comes from the lock file.
    try:
        spec = importlib.util.find_spec(module)
    except ImportError as error:
        raise PermanentError(f"There is no module {module!r}: {error}") from error
    if spec is None or not spec.origin:
        raise PermanentError(f"There is no module {module!r}", valid="an installed package")
    return hashlib.sha256(Path(spec.origin).read_bytes()).hexdigest()
