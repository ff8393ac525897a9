"""Failures of a served request: a canonical status code and the text that goes on the wire."""

from __future__ import annotations

from goldlake_core.contracts.errors import PermanentError

# Canonical code -> (number, HTTP status), as TF Serving's http_server.cc maps them.
CODES: dict[str, tuple[int, int]] = {
    "OK": (0, 200),
    "CANCELLED": (1, 499),
    "UNKNOWN": (2, 500),
    "INVALID_ARGUMENT": (3, 400),
    "DEADLINE_EXCEEDED": (4, 504),
    "NOT_FOUND": (5, 404),
    "ALREADY_EXISTS": (6, 409),
    "PERMISSION_DENIED": (7, 403),
    "RESOURCE_EXHAUSTED": (8, 429),
    "FAILED_PRECONDITION": (9, 400),
    "ABORTED": (10, 409),
    "OUT_OF_RANGE": (11, 400),
    "UNIMPLEMENTED": (12, 501),
    "INTERNAL": (13, 500),
    "UNAVAILABLE": (14, 503),
    "DATA_LOSS": (15, 500),
    "UNAUTHENTICATED": (16, 401),
}
NAMES = {number: name for name, (number, _) in CODES.items()}


class StatusError(PermanentError):
    """A request failed as TF Serving would fail it.

    Attributes:
        code: Canonical code, such as ``NOT_FOUND``; a key of `CODES`.
        text: The message without the code; the value of ``error`` in a REST answer.
    """

    def __init__(self, code: str, text: str) -> None:
        self.code = code
        self.text = text
        super().__init__(text)

    @property
    def http_status(self) -> int:
        """HTTP status that TF Serving answers for this code."""
        return CODES[self.code][1]

    @property
    def status_text(self) -> str:
        """Code and text, as a status prints itself inside another message."""
        return f"{self.code}: {self.text}"


def invalid(text: str) -> StatusError:
    """An ``INVALID_ARGUMENT`` error: the request itself is wrong."""
    return StatusError("INVALID_ARGUMENT", text)
