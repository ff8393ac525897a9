"""The label ``shadow``: a version that answers some requests too, after their clients have theirs.

Nobody waits for it. It works in one thread; what is too much for it is dropped and counted, and its
failures are a part of the request log.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from serving.dataplane import DataPlane, ModelSpec
from serving.errors import StatusError
from serving.exchange import SHADOW, Exchange, ShadowAnswer
from serving.signatures import DEFAULT_SIGNATURE
from serving.worker import Worker

MAX_WAITING_BYTES = 16 * 1024 * 1024
SCORED, DROPPED, FAILED = "shadow_scored", "shadow_dropped", "shadow_failed"


class Shadow:
    """Asks the shadow versions; all methods may be called from any thread.

    Args:
        plane: The models that are served.
        pass_on: Gets each exchange after it, with what the shadow said or without.
        max_waiting_bytes: Most bytes of exchanges that wait for the shadow.
    """

    def __init__(
        self,
        plane: DataPlane,
        pass_on: Callable[[Exchange], None],
        max_waiting_bytes: int = MAX_WAITING_BYTES,
    ) -> None:
        self._plane = plane
        self._pass_on = pass_on
        self._worker = Worker("serving-shadow", self._score, self._drop, max_waiting_bytes)

    def offer(self, exchange: Exchange) -> None:
        """Takes an exchange, to be scored soon, or passes it on without; never waits."""
        self._worker.offer(exchange)

    def close(self, timeout_s: float = 1.0) -> None:
        """Ends; what still waits is passed on without an answer of the shadow."""
        self._worker.close(timeout_s)

    def _drop(self, exchange: Exchange) -> None:
        self._plane.metrics.counted(DROPPED, exchange.model)
        self._pass_on(exchange)

    def _score(self, exchanges: Sequence[Exchange]) -> None:
        for exchange in exchanges:
            try:
                exchange.shadow = self._answers(exchange)
            finally:
                self._pass_on(exchange)

    def _answers(self, exchange: Exchange) -> list[ShadowAnswer]:
        found = []
        try:
            with self._plane.use(ModelSpec(exchange.model, label=SHADOW)) as version:
                for run in exchange.runs:
                    if run.version == version.number:
                        return []
                    name = run.signature_name or DEFAULT_SIGNATURE
                    try:
                        signature = version.signature(name)
                        if signature.inputs.keys() != run.inputs.keys():
                            raise StatusError("INVALID_ARGUMENT", "it takes other inputs")
                        outputs = version.servable.run(name, run.inputs)
                    except Exception as error:  # whatever a version does that is only tried
                        self._plane.metrics.counted(FAILED, exchange.model)
                        problem = f"{type(error).__name__}: {error}"
                        if isinstance(error, StatusError):
                            problem = error.status_text
                        found.append(ShadowAnswer(version.number, {}, problem[:500]))
                    else:
                        self._plane.metrics.counted(SCORED, exchange.model)
                        found.append(ShadowAnswer(version.number, outputs))
        except StatusError:
            return found  # the label is gone since, or its version is not loaded
        return found
