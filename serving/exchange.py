"""What is kept of one request while it is answered, for the request log and the shadow.

A front end asks an `Observer` at the beginning of a request, gives what it gets to the data plane
in the `ModelSpec`, and says at the end how the request went. All three cost microseconds, whatever
becomes of the request afterwards.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np

SHADOW = "shadow"
"""Label of a version that answers for comparison only."""
REQUEST_ID = "x-request-id"
"""Header, or gRPC metadata, that names a request; an answer has it, too."""
_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
# What an exchange without a body takes in memory, about.
_LEAST_BYTES = 2048

Arrays = Mapping[str, np.ndarray]


class Run(NamedTuple):
    """One call of a model.

    Attributes:
        version: Number of the version that answered.
        api: What was asked for, such as ``Predict``.
        signature_name: Name of the signature, "" for the default one.
        inputs: One array per input.
        outputs: One array per output.
    """

    version: int
    api: str
    signature_name: str
    inputs: Arrays
    outputs: Arrays


class ShadowAnswer(NamedTuple):
    """What the version with the label ``shadow`` says to the same inputs.

    Attributes:
        version: Number of that version.
        outputs: One array per output; empty where it failed.
        problem: Why it failed, or "".
    """

    version: int
    outputs: Arrays
    problem: str = ""


@dataclass
class Exchange:
    """One request and its answer.

    Attributes:
        request_id: As the client named it, or a new one.
        model: Name of the model.
        label: Label that the client asked for, or None.
        entrypoint: Either ``REST`` or ``GRPC``.
        record_key: What the header of the contract holds, or None.
        is_kept: Whether it goes into the request log.
        is_shadowed: Whether the shadow answers it, too.
        at: When it began, seconds since the epoch.
        runs: The calls of the model; none where the request was refused before.
        code: Canonical code of the answer.
        seconds: How long the answer took.
        size: Bytes that it holds in memory, about.
        shadow: What the shadow says to each run, as far as it was asked.
    """

    request_id: str
    model: str
    label: str | None
    entrypoint: str
    record_key: str | None
    is_kept: bool
    is_shadowed: bool
    on_end: Callable[[Exchange], None] = field(repr=False)
    at: float = field(default_factory=time.time)
    runs: list[Run] = field(default_factory=list)
    code: str = "OK"
    seconds: float = 0.0
    size: int = _LEAST_BYTES
    shadow: list[ShadowAnswer] = field(default_factory=list)

    def ran(
        self, version: int, api: str, signature_name: str, inputs: Arrays, outputs: Arrays
    ) -> None:
        """Notes a call of the model; the arrays are not copied and must not change."""
        if self.is_kept or self.is_shadowed:
            self.runs.append(Run(version, api, signature_name, inputs, outputs))

    def ended(self, code: str, seconds: float, request_bytes: int) -> None:
        """Says how the request went; never waits and never fails.

        Args:
            code: Canonical code of the answer.
            seconds: How long the answer took.
            request_bytes: Size of the request.
        """
        if not self.is_kept and not self.is_shadowed:
            return
        self.code, self.seconds = code, seconds
        answered = (array.nbytes for run in self.runs for array in run.outputs.values())
        self.size += request_bytes + sum(answered)
        self.on_end(self)


class Observer(Protocol):
    """Whoever wants to know of requests."""

    def begin(
        self, model: str, label: str | None, entrypoint: str, header: Callable[[str], str | None]
    ) -> Exchange | None:
        """Returns what notes a request, or None where nothing is to be known of the model.

        Args:
            model: Name of a model that the server has.
            label: Label that the client asked for, or None.
            entrypoint: Either ``REST`` or ``GRPC``.
            header: Returns a header, or gRPC metadata, by its name in lower case.
        """


def request_id(sent: str | None) -> str:
    """Returns the name of a request: the client's where it can be one, else a new one."""
    return sent if sent is not None and _ID.fullmatch(sent) else secrets.token_hex(8)
