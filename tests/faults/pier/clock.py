"""What `tables` takes from a module beside it."""

from __future__ import annotations

ZONE = "America/Chicago"
SHIFT_H = 0
