"""What the contracts of models say about serving them, each read once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from goldlake_core.contracts.errors import GoldlakeError, UsageError
from goldlake_core.contracts.registry import load_model
from goldlake_core.contracts.sections import RequestLog, Serving
from goldlake_core.contracts.wire import raw_inputs

log = logging.getLogger("serving")


@dataclass(frozen=True)
class Policy:
    """What a server does about the requests for one model.

    Attributes:
        log: The contract's section.
        record_key: Header with the key of the record, or None.
        shadow_sample: Share of the requests that the shadow answers, too.
        inputs: Inputs of the model by the contract: names that may be written where something is
            redacted.
        redacted: Inputs whose values are not kept, presence flags included.
    """

    log: RequestLog
    record_key: str | None = None
    shadow_sample: float = 1.0
    inputs: frozenset[str] = frozenset()
    redacted: frozenset[str] = frozenset()


def of_contract(model: str) -> Policy | None:
    """Returns the policy of a model, or None where its contract asks for no request log.

    A model whose contract is not found here, or does not hold, has none; the log tells the latter.

    Args:
        model: Such as ``city_bikes.is_late``.
    """
    try:
        usecase, found = load_model(model)
    except UsageError:
        return None
    except GoldlakeError as error:
        log.error("There is no request log of %s: %s", model, error.message)
        return None
    serving: Serving = found.serving
    if serving.request_log is None:
        return None
    inputs = raw_inputs(found, usecase.gold[found.table])
    redact = set(serving.request_log.redact)
    return Policy(
        log=serving.request_log,
        record_key=serving.record_key,
        shadow_sample=serving.shadow_sample,
        inputs=frozenset(each.name for each in inputs),
        redacted=frozenset(i.name for i in inputs if {i.name, i.flag_of} & redact),
    )


class Policies:
    """The policies by model; all methods may be called from any thread.

    Args:
        load: Returns the policy of a model.
    """

    def __init__(self, load: Callable[[str], Policy | None] = of_contract) -> None:
        self._load = load
        self._guard = threading.Lock()
        self._found: dict[str, Policy | None] = {}

    def of(self, model: str) -> Policy | None:
        """Returns the policy of a model that the server has; reads its contract the first time."""
        if model in self._found:
            return self._found[model]
        with self._guard:
            if model not in self._found:
                self._found[model] = self._load(model)
            return self._found[model]
