"""The one error hierarchy. A message says what failed, the value, what is valid, what next.

Every error keeps its fields, so that callers and tests read fields, not texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class GoldlakeError(Exception):
    """Root of all errors that goldlake raises on purpose.

    Attributes:
        problem: What failed, with the value received.
        valid: What would have been valid, or None where there is nothing to choose from.
        hint: The next command to type or the next thing to do, or None.
    """

    exit_code: ClassVar[int] = 1
    is_retryable: ClassVar[bool] = False

    def __init__(self, problem: str, *, valid: str | None = None, hint: str | None = None) -> None:
        self.problem = problem
        self.valid = valid
        self.hint = hint
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """The text shown to a person: problem, valid values, next command."""
        parts = [self.problem.rstrip(".") + "."]
        if self.valid:
            parts.append(f"Valid: {self.valid.rstrip('.')}.")
        if self.hint:
            parts.append(f"Next: {self.hint}")
        return " ".join(parts)


class RetryableError(GoldlakeError):
    """A fault that may pass: the same call can succeed later (throttling, a broken connection)."""

    is_retryable = True


class PermanentError(GoldlakeError):
    """A fault that stays until somebody changes something."""


class UsageError(PermanentError):
    """The command line or a name on it is wrong."""

    exit_code = 2


class GateRefused(GoldlakeError):
    """Everything worked and a gate said no: anomalies, not blessed, doctor found something."""

    exit_code = 3


class ContractError(PermanentError):
    """A contract does not hold: an unknown or missing key, a bad value, a dangling reference.

    Attributes:
        file: The contract file as the user named it.
        line: 1-based line in that file, or None where no line fits.
        key: Dotted path of the YAML key, such as ``silver.columns.latitude.range``.
        reason: The problem without its place.
    """

    exit_code = 2

    def __init__(
        self,
        problem: str,
        *,
        file: str,
        line: int | None = None,
        key: str | None = None,
        valid: str | None = None,
        hint: str | None = None,
    ) -> None:
        self.file = file
        self.line = line
        self.key = key
        self.reason = problem
        where = file if line is None else f"{file}:{line}"
        super().__init__(
            f"{where}: {key}: {problem}" if key else f"{where}: {problem}", valid=valid, hint=hint
        )


class ContractErrors(ContractError):
    """Several things in the contracts of one use case do not hold.

    File, line and key are those of the first.

    Attributes:
        errors: Each error, by file and line.
    """

    def __init__(self, errors: Sequence[ContractError]) -> None:
        self.errors = tuple(errors)
        first = self.errors[0]
        super().__init__(
            first.reason, file=first.file, line=first.line, key=first.key, valid=first.valid
        )

    @property
    def message(self) -> str:
        """Every error on a line, and how many there are."""
        listed = [error.message for error in self.errors]
        return "\n".join([f"{len(listed)} errors in the contracts:", *listed])


class InstanceError(UsageError):
    """An instance sent to a model does not fit the model's inputs.

    Attributes:
        index: Its 0-based place among the instances.
        key: The input that does not fit, or None.
        reason: The problem without the place.
    """

    def __init__(
        self,
        reason: str,
        *,
        index: int,
        key: str | None = None,
        valid: str | None = None,
        hint: str | None = None,
        place: str | None = None,
    ) -> None:
        self.index = index
        self.key = key
        self.reason = reason
        place = f"instance {index}" if place is None else place
        where = f"{place}: {key}" if key else place
        super().__init__(f"{where}: {reason}", valid=valid, hint=hint)

    def at(self, index: int, place: str | None = None) -> InstanceError:
        """Returns the same error for another place.

        Args:
            index: 0-based place among the instances.
            place: How the text names the place; None for its number.
        """
        return InstanceError(
            self.reason, index=index, key=self.key, valid=self.valid, hint=self.hint, place=place
        )


class StoreError(PermanentError):
    """The home holds something that does not fit what was asked: another source, a lost row."""


class LockedError(RetryableError):
    """Another process holds the lock of a store."""
