"""Connectors are tested against the simulators, over real HTTP."""

from tests.simulators.conftest import serve, toy  # noqa: F401
