"""The toy use case."""

from tests.goldlake_core.contracts.conftest import harbour  # noqa: F401
