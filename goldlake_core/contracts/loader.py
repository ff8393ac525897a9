"""Loads a use case: ``contract.yaml``, every ``models/*.yaml``, and the hash of each section."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from goldlake_core.contracts import contract_file, model_file, yaml_entry
from goldlake_core.contracts.contract_file import Draft
from goldlake_core.contracts.errors import ContractError, ContractErrors
from goldlake_core.contracts.hashing import section_hashes
from goldlake_core.contracts.read import Errors
from goldlake_core.contracts.sections import Model, UseCase

CONTRACT = "contract.yaml"
MODELS = "models"


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
    errors = Errors()
    draft = _contract(folder, errors)
    models: dict[str, Model] = {}
    for file in errors.catch(lambda: _model_files(folder / MODELS)) or ():
        model = _model(file, draft, errors)
        if model is not None:
            models[model.name] = model
    if len(errors.found) > 1:
        order = {str(folder / CONTRACT): 0}
        found = sorted(errors.found, key=lambda e: (order.get(e.file, 1), e.file, e.line or 0))
        raise ContractErrors(found)
    if errors.found:
        raise errors.found[0]
    assert draft.usecase is not None
    usecase = msgspec.structs.replace(draft.usecase, models=models)
    return msgspec.structs.replace(usecase, hashes=section_hashes(usecase))


def _contract(folder: Path, errors: Errors) -> Draft:
    path = folder / CONTRACT
    document = errors.catch(lambda: yaml_entry.read(path, str(path)))
    if document is None:
        return Draft()
    return contract_file.read_contract(document, folder.resolve(), errors)


def _model(file: Path, draft: Draft, errors: Errors) -> Model | None:
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
