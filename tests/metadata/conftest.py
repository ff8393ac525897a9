"""The toy use case, and Spark as another reader of what is written here."""

from tests.goldlake_core.contracts.conftest import harbour  # noqa: F401
from tests.lakehouse.conftest import spark  # noqa: F401
