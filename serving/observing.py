"""Decides which requests are kept and which the shadow answers, and passes them on."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterable

from serving.dataplane import DataPlane
from serving.exchange import REQUEST_ID, SHADOW, Exchange, request_id
from serving.policies import Policies
from serving.requestlog import RequestLog
from serving.shadow import Shadow

log = logging.getLogger("serving")


class RequestObserver:
    """The `serving.exchange.Observer` of a server; all methods may be called from any thread.

    Args:
        plane: The models that are served.
        folder: Where the request log is written, a local path.
        policies: What each model's contract says.
    """

    def __init__(self, plane: DataPlane, folder: str, policies: Policies | None = None) -> None:
        self._plane = plane
        self._policies = policies or Policies()
        self._log = RequestLog(folder, self._policies, plane.metrics)
        self._shadow = Shadow(plane, self._log.offer)
        self._warned: set[str] = set()

    def begin(
        self, model: str, label: str | None, entrypoint: str, header: Callable[[str], str | None]
    ) -> Exchange | None:
        """See `serving.exchange.Observer.begin`."""
        policy = self._policies.of(model)
        if policy is None:
            return None
        has_shadow = label != SHADOW and SHADOW in self._plane.labels(model)
        is_shadowed = has_shadow and random.random() < policy.shadow_sample
        return Exchange(
            request_id=request_id(header(REQUEST_ID)),
            model=model,
            label=label,
            entrypoint=entrypoint,
            record_key=header(policy.record_key) if policy.record_key else None,
            is_kept=is_shadowed or random.random() < policy.log.sample,
            is_shadowed=is_shadowed,
            on_end=self._ended,
        )

    def prepare(self, models: Iterable[str]) -> None:
        """Reads the contracts of models, so that no request waits for that; says what is amiss.

        Args:
            models: Names of the models that are served now.
        """
        for model in models:
            self._log.adopt(model)
            is_idle = SHADOW in self._plane.labels(model) and self._policies.of(model) is None
            if is_idle and model not in self._warned:
                self._warned.add(model)
                log.warning(
                    "The label 'shadow' of %s does nothing: the contract asks for no request log, "
                    "where the differences would go (serving: {request_log: {}})",
                    model,
                )

    def close(self) -> None:
        """Writes what waits and ends."""
        self._shadow.close()
        self._log.close()

    def _ended(self, exchange: Exchange) -> None:
        if exchange.is_shadowed and exchange.runs:
            self._shadow.offer(exchange)
        else:
            self._log.offer(exchange)
