"""How a simulator says whose rows it serves: a header on every answer. A real API sends none."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from goldlake_core.contracts.errors import PermanentError
from goldlake_core.documents.lakehouse import Identity

IDENTITY_HEADER = "X-Goldlake-Source"


class Told(msgspec.Struct, frozen=True):
    """What the header says.

    Attributes:
        identity: Which source the simulator plays.
        inputs: What its rows are made from.
    """

    identity: Identity
    inputs: Identity = {}


def told_by(headers: Mapping[str, str], address: str) -> Told | None:
    """What an answer's header says; None where there is none.

    Args:
        headers: Headers of the answer.
        address: Where it came from, for the error.

    Raises:
        PermanentError: The header cannot be read.
    """
    header = headers.get(IDENTITY_HEADER)
    if header is None:
        return None
    try:
        return msgspec.json.decode(header, type=Told)
    except msgspec.DecodeError as error:
        raise PermanentError(
            f"{address} sent {IDENTITY_HEADER}: {header[:200]!r}: {error}",
            valid='{"identity": {"kind": …}, "inputs": {…}}',
        ) from error
