"""The toy use case, and simulated portals over real HTTP on a free port."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import UseCase
from goldlake_simulators.base import SimulatorOptions
from goldlake_simulators.server import running

TOY = Path(__file__).parents[1] / "usecases" / "toy_harbour"

Serve = Callable[..., str]


def with_source(usecase: UseCase, **changes: Any) -> UseCase:
    """The use case with parts of its source changed."""
    return replace(usecase, source=replace(usecase.source, **changes))


@pytest.fixture(scope="session")
def toy() -> UseCase:
    """The harbour, asked without long waits between tries."""
    return with_source(load_usecase(str(TOY)), options={"backoff_s": 0.001})


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts simulators that end with the test: ``serve(usecase, rows=600, …)`` gives the URL."""
    with ExitStack() as stack:

        def start(usecase: UseCase, **options: Any) -> str:
            return stack.enter_context(running(usecase, SimulatorOptions(**options)))

        yield start
