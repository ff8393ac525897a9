"""Loads a use case: ``contract.yaml``, every ``models/*.yaml``, and the hash of each section."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from pathlib import Path

import msgspec

from goldlake_core.contracts import contract_file, model_file, yaml_entry
from goldlake_core.contracts.contract_file import Draft
from goldlake_core.contracts.errors import ContractError, ContractErrors
from goldlake_core.contracts.hashing import section_hashes
from goldlake_core.contracts.model_file import ModelDraft
from goldlake_core.contracts.read import Errors
from goldlake_core.contracts.sections import UseCase
from goldlake_core.contracts.wire import with_travelling

CONTRACT = "contract.yaml"
MODELS = "models"


@dataclass(frozen=True)
class Reading:
    """What was read of a use case's folder.

    Attributes:
        contract: The ``contract.yaml`` as far as it holds.
        models: The model files as far as they hold, in the order of their names.
        errors: What does not hold, ``contract.yaml`` first, then by file and line.
    """

    contract: Draft
    models: tuple[ModelDraft, ...]
    errors: tuple[ContractError, ...]

    def usecase(self) -> UseCase:
        """The use case with its models and hashes.

        Raises:
            ContractError: One thing does not hold; it names file, line, key and what would be
                valid.
            ContractErrors: Several things do not hold; it has all errors of all files.
        """
        if len(self.errors) > 1:
            raise ContractErrors(list(self.errors))
        if self.errors:
            raise self.errors[0]
        assert self.contract.usecase is not None
        models = {each.model.name: each.model for each in self.models if each.model is not None}
        usecase = msgspec.structs.replace(self.contract.usecase, models=models)
        read: dict[str, set[str]] = {name: set() for name in usecase.gold}
        for model in models.values():
            read[model.table].update(model.feature_columns)
        gold = {n: with_travelling(table, read[n]) for n, table in usecase.gold.items()}
        usecase = msgspec.structs.replace(usecase, gold=gold)
        return msgspec.structs.replace(usecase, hashes=section_hashes(usecase))


def load_contract(folder: str | os.PathLike[str]) -> UseCase:
    """The use case in a folder, checked as a whole. Read-only.

    Args:
        folder: Folder that holds ``contract.yaml``.

    Returns:
        The use case with its models (in the order of their file names) and hashes.

    Raises:
        ContractError: One thing does not hold; it names file, line, key and what would be valid.
        ContractErrors: Several things do not hold; it has all errors of all files.
    """
    folder = Path(folder)
    contents = _contents(folder)
    if contents is None:
        return read_folder(folder).usecase()
    return _usecase(folder, folder.resolve(), contents)


def _contents(folder: Path) -> tuple[tuple[str, bytes], ...] | None:
    """The files that `read_folder` reads, by name; None where one of them cannot be read."""
    files = (folder / CONTRACT, *sorted((folder / MODELS).glob("*.y*ml")))
    found = []
    try:
        for file in files:
            with file.open("rb") as stream:
                found.append((file.name, stream.read(yaml_entry.MAX_BYTES + 1)))
    except OSError:
        return None
    return tuple(found)


@functools.lru_cache(maxsize=4)
def _usecase(folder: Path, _place: Path, _files: tuple[tuple[str, bytes], ...]) -> UseCase:
    """The use case that these files make; a process that follows a source asks at each poll."""
    return read_folder(folder).usecase()


def read_folder(folder: str | os.PathLike[str]) -> Reading:
    """The contracts in a folder as far as they hold, and every error. Read-only.

    Args:
        folder: Folder that holds ``contract.yaml``.
    """
    folder = Path(folder)
    errors = Errors()
    draft = _contract(folder, errors)
    files = errors.catch(lambda: _model_files(folder / MODELS)) or ()
    models = [model for file in files if (model := _model(file, draft, errors)) is not None]
    order = {str(folder / CONTRACT): 0}
    found = sorted(errors.found, key=lambda e: (order.get(e.file, 1), e.file, e.line or 0))
    return Reading(draft, tuple(models), tuple(found))


def _contract(folder: Path, errors: Errors) -> Draft:
    path = folder / CONTRACT
    document = errors.catch(lambda: yaml_entry.read(path, str(path)))
    if document is None:
        return Draft()
    return contract_file.read_contract(document, folder.resolve(), errors)


def _model(file: Path, draft: Draft, errors: Errors) -> ModelDraft | None:
    document = errors.catch(lambda: yaml_entry.read(file, str(file)))
    return None if document is None else model_file.read_model(document, draft.gold, errors)


def _model_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    for file in sorted(folder.iterdir()):
        if file.suffix == ".yml":
            raise ContractError(
                "this model contract would be overlooked",
                file=str(file),
                valid="the ending .yaml",
                hint=f"rename it to {file.stem}.yaml",
            )
    return sorted(folder.glob("*.yaml"))
