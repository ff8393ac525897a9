"""Set-up of all TFX tests: quiet TensorFlow, and one warning of TFDV's own sources."""

from __future__ import annotations

import os

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")


def pytest_configure(config: pytest.Config) -> None:
    """TFDV has an invalid escape in a string; the compiler's warning carries no module name."""
    config.addinivalue_line("filterwarnings", "ignore:invalid escape sequence:DeprecationWarning")
