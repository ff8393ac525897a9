"""Loads a use case: ``contract.yaml``, every ``models/*.yaml``, and the hash of each section."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from goldlake_core.contracts import contract_file, model_file, nodes
from goldlake_core.contracts.errors import ContractError
from goldlake_core.contracts.hashing import section_hashes
from goldlake_core.contracts.model import Model
from goldlake_core.contracts.usecase import UseCase

CONTRACT = "contract.yaml"
MODELS = "models"


def load_contract(folder: str | os.PathLike[str]) -> UseCase:
    """The use case in a folder, checked as a whole. Read-only.

    Args:
        folder: Folder that holds ``contract.yaml``.

    Returns:
        The use case with its models (in the order of their file names) and hashes.

    Raises:
        ContractError: Something does not hold; it names file, line, key and what would be valid.
    """
    folder = Path(folder)
    path = folder / CONTRACT
    document = nodes.read(path, str(path))
    usecase = contract_file.read_contract(document, folder.resolve())
    models: dict[str, Model] = {}
    for file in _model_files(folder / MODELS):
        model = model_file.read_model(nodes.read(file, str(file)), usecase)
        models[model.name] = model
    usecase = dataclasses.replace(usecase, models=models)
    return dataclasses.replace(usecase, hashes=section_hashes(usecase))


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
