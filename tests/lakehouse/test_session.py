"""The session's settings, as the Java that runs has them."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.spark


def test_a_small_session_has_room_for_compiled_code(spark: Any) -> None:
    """48 MB, Java's own choice for its first tier alone, are full after some hundred queries."""
    management = spark._jvm.java.lang.management
    arguments = management.ManagementFactory.getRuntimeMXBean().getInputArguments()
    assert "-XX:TieredStopAtLevel=1" in list(arguments)
    assert "-XX:ReservedCodeCacheSize=240m" in list(arguments)
