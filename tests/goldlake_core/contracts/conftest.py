"""A copy of the toy use case that a test may spoil, and the line on which it did."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from goldlake_core.contracts.errors import ContractError
from goldlake_core.contracts.loader import load_contract
from goldlake_core.contracts.sections import UseCase

TOY = Path(__file__).parents[2] / "usecases" / "toy_harbour"


@dataclass(frozen=True)
class Copy:
    """A use-case folder under tmp_path."""

    folder: Path

    def edit(self, file: str, old: str, new: str) -> None:
        """Replaces the first ``old`` in a file; it must be there."""
        path = self.folder / file
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{old!r} is not in {file}"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    def load(self) -> UseCase:
        return load_contract(self.folder)

    def error(self) -> ContractError:
        with pytest.raises(ContractError) as caught:
            self.load()
        return caught.value

    def line_of(self, file: str, marker: str) -> int:
        """Number of the first line that holds ``marker``."""
        lines = (self.folder / file).read_text(encoding="utf-8").splitlines()
        return next(number for number, line in enumerate(lines, 1) if marker in line)


@pytest.fixture
def toy(tmp_path: Path) -> Copy:
    folder = tmp_path / "toy_harbour"
    shutil.copytree(TOY, folder)
    return Copy(folder)


@pytest.fixture(scope="session")
def harbour() -> UseCase:
    return load_contract(TOY)
