"""Training parameters of one run, in place of the contract's. Imports no TFX."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from msgspec.structs import replace

from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.keys import keys_of
from goldlake_core.contracts.sections import RunTime, Training

KEYS = {key.name: key for key in keys_of(Training) if key.name in get_args(RunTime)}
"""The keys of ``training`` that a run may be given another value for."""


def checked(given: Mapping[str, Any]) -> dict[str, float]:
    """The values of a run by key of ``training``, each of the key's type. Pure.

    Raises:
        UsageError: A value is out of the bounds that the contract's key has.
    """
    typed = {name: KEYS[name].type(value) for name, value in given.items() if name in KEYS}
    for name, value in typed.items():
        if not KEYS[name].key.is_inside(value):
            raise UsageError(
                f"The run-time parameter {name} is {value}, which is out of bounds",
                valid=KEYS[name].key.bounds,
            )
    return typed


def with_parameters(training: Training, given: Mapping[str, Any] | None) -> Training:
    """The training parameters of one run. Pure.

    Args:
        training: Those of the contract.
        given: Values of this run by key of ``training``, or None. Other keys are left out.

    Raises:
        UsageError: A value is out of bounds.
    """
    return replace(training, **checked(given or {}))
