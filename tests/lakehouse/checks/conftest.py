"""Checks are tested on the toy use case."""

from tests.goldlake_core.contracts.conftest import harbour, toy  # noqa: F401
