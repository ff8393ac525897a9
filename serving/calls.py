"""What every call of a client shares: what it asks, how it fails, when it is tried again.

A call is tried again only where that is safe: the server did not answer at all, or it said that it
cannot now. Predictions change nothing, so that asking twice is harmless; a request that is wrong
stays wrong, and one whose time is over is over.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeVar

from goldlake_core.contracts.errors import PermanentError, RetryableError

T = TypeVar("T")
TIMEOUT_S = 60.0
ATTEMPTS = 3
DEFAULT_SIGNATURE = "serving_default"
_FIRST_WAIT_S = 0.1
_LONGEST_WAIT_S = 5.0
MAX_ANSWER_BYTES = 256 * 1024 * 1024


class ServerRefused(PermanentError):
    """The server answered with an error.

    Attributes:
        url: Address that was asked.
        status: Status code of the HTTP answer; for gRPC the one that the code maps to.
        text: The server's own message.
    """

    def __init__(self, url: str, status: int, text: str) -> None:
        self.url = url
        self.status = status
        self.text = text
        super().__init__(f"{url} answered {status}: {text}")


class ServerBusy(ServerRefused, RetryableError):
    """The server answered that it cannot now.

    Attributes:
        wait_s: Seconds after which it asks to be tried again, or None where it does not say.
    """

    is_retryable = True

    def __init__(self, url: str, status: int, text: str, wait_s: float | None = None) -> None:
        self.wait_s = wait_s
        super().__init__(url, status, text)


class ServerUnreachable(RetryableError):
    """There was no answer."""


class NotAvailable(RetryableError):
    """A version did not become available in time, or could not be loaded."""


@dataclass(frozen=True)
class Asked:
    """Which version of a model is asked, and how.

    Attributes:
        model: Name that the model is served under.
        version: A version number, or None.
        label: A version label, or None; with neither, the newest available version answers.
        signature_name: Name of the signature, or None for the default one.
        headers: Further headers, or gRPC metadata, of the request.
    """

    model: str
    version: int | None = None
    label: str | None = None
    signature_name: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class InputSpec(NamedTuple):
    """One input of a signature, as the server describes it.

    Attributes:
        name: Name in the requests.
        dtype: TensorFlow's name of the type, such as ``float``.
    """

    name: str
    dtype: str


class Transport(Protocol):
    """A way to a server. All methods may be called from several threads at once."""

    def predict(self, asked: Asked, rows: Sequence[Any], timeout_s: float) -> list[Any]:
        """Returns one prediction per row, in row format.

        Args:
            asked: Which version is asked.
            rows: Plain values, or mappings with every input of the signature.
            timeout_s: Seconds until the whole answer is there.

        Raises:
            ServerRefused: The server answered with an error.
            ServerUnreachable: There was no answer in time.
        """

    def inputs(self, asked: Asked, timeout_s: float) -> tuple[InputSpec, ...]:
        """Returns the inputs of the signature that is asked.

        Args:
            asked: Which version and signature is meant.
            timeout_s: Seconds until the whole answer is there.

        Raises:
            ServerRefused: The server has no such version, or that has no such signature.
            ServerUnreachable: There was no answer in time.
        """

    def states(self, model: str, timeout_s: float) -> dict[int, tuple[str, str]]:
        """Returns state and error text by version; raises as `predict` does.

        Args:
            model: Name that the model is served under.
            timeout_s: Seconds until the whole answer is there.
        """

    def close(self) -> None:
        """Closes every connection."""


def retried(call: Callable[[float], T], timeout_s: float, attempts: int) -> T:
    """Returns what a call returns, after further attempts where these are safe.

    Args:
        call: Gets the seconds that are left.
        timeout_s: Seconds for all attempts together.
        attempts: How often it is tried at most.

    Raises:
        ServerRefused: The server answered with an error.
        ServerUnreachable: There was no answer.
    """
    until = time.monotonic() + timeout_s
    for attempt in range(1, attempts + 1):
        try:
            return call(max(until - time.monotonic(), 0.001))
        except (ServerBusy, ServerUnreachable) as error:
            wait_s = getattr(error, "wait_s", None)
            if wait_s is None:
                # Spread out, so that clients that failed together do not come back together.
                wait_s = min(_FIRST_WAIT_S * 2 ** (attempt - 1), _LONGEST_WAIT_S)
                wait_s *= random.uniform(0.5, 1)
            if attempt == attempts or time.monotonic() + wait_s >= until:
                raise
            time.sleep(wait_s)
    raise ValueError(f"{attempts} attempts")


def no_signature(asked: Asked, known: Iterable[str], address: str) -> ServerRefused:
    """Returns the error for a signature that a version does not have.

    Args:
        asked: What was asked for.
        known: The signatures of the version.
        address: Where they were looked up.
    """
    name = asked.signature_name or DEFAULT_SIGNATURE
    # TensorFlow adds signatures that nobody can ask, such as __saved_model_init_op.
    names = sorted(each for each in known if not each.startswith("__"))
    text = f"there is no signature {name!r}, only {', '.join(names)}"
    return ServerRefused(address, 400, text)


def no_answer(address: str, reason: str) -> ServerUnreachable:
    """Returns the error for a server that did not answer.

    Args:
        address: What was asked, as a URL.
        reason: Why there was no answer.
    """
    hint = "goldlake serve, or name another server with --url"
    return ServerUnreachable(f"No answer from {address}: {reason}", hint=hint)
