"""What a check says: a remark about a value, and a finding, which has a place as well."""

from __future__ import annotations

from typing import Literal

import msgspec

from goldlake_core.contracts.errors import ContractError

Severity = Literal["error", "warning"]


class Remark(msgspec.Struct, frozen=True):
    """What is wrong with one value, wherever it is written.

    Attributes:
        severity: ``error``: it cannot work; ``warning``: it is valid but probably not intended.
        problem: What is wrong, with the value received.
        valid: What would be right, or None where there is nothing to choose from.
        hint: The next thing to do, or None.
    """

    severity: Severity
    problem: str
    valid: str | None = None
    hint: str | None = None


class Finding(msgspec.Struct, frozen=True):
    """A remark with its place.

    Attributes:
        severity: ``error`` or ``warning``.
        file: The file, as the user named it.
        line: 1-based line, or None where no line fits.
        key: Dotted YAML key, or None where the file is not YAML or no key fits.
        problem: What is wrong.
        valid: What would be right, or None.
        hint: The next thing to do, or None.
    """

    severity: Severity
    file: str
    line: int | None
    key: str | None
    problem: str
    valid: str | None = None
    hint: str | None = None

    @property
    def message(self) -> str:
        """One line for people: ``FILE:LINE: KEY: PROBLEM. Valid: …. Next: …``."""
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        parts = [place, self.key, "warning" if self.severity == "warning" else None]
        text = ": ".join([part for part in parts if part] + [self.problem.rstrip(".") + "."])
        text += f" Valid: {self.valid.rstrip('.')}." if self.valid else ""
        return text + (f" Next: {self.hint}" if self.hint else "")


def error(problem: str, valid: str | None = None, hint: str | None = None) -> Remark:
    """A remark of severity ``error``."""
    return Remark("error", problem, valid, hint)


def warning(problem: str, valid: str | None = None, hint: str | None = None) -> Remark:
    """A remark of severity ``warning``."""
    return Remark("warning", problem, valid, hint)


def loading_finding(raised: ContractError) -> Finding:
    """An error of loading as a finding."""
    place = raised.file if raised.line is None else f"{raised.file}:{raised.line}"
    problem = raised.problem.removeprefix(f"{place}: ")
    if raised.key:
        problem = problem.removeprefix(f"{raised.key}: ")
    return Finding(
        "error", raised.file, raised.line, raised.key, problem, raised.valid, raised.hint
    )
