"""A model in KServe's Python server, by its V1 protocol: the signature is called as it is.

usage: python -m benchmarks.peer_kserve --port N --name MODEL --folder SAVED_MODEL
"""

from __future__ import annotations

import argparse
from typing import Any


def main() -> None:
    """Serves until it is killed."""
    import tensorflow as tf
    from kserve import Model, ModelServer

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--folder", required=True)
    options = parser.parse_args()

    class Signature(Model):  # type: ignore[misc]
        """The default signature of a SavedModel."""

        def __init__(self) -> None:
            super().__init__(options.name)
            self._loaded = tf.saved_model.load(options.folder)
            self._call = self._loaded.signatures["serving_default"]
            self._inputs = self._call.structured_input_signature[1]
            self.ready = True

        def predict(self, payload: Any, headers: Any = None, *others: Any) -> Any:
            """Answers ``instances`` with ``predictions``."""
            rows = payload["instances"]
            outputs = self._call(
                **{
                    name: tf.constant([row[name] for row in rows], spec.dtype)
                    for name, spec in self._inputs.items()
                }
            )
            [found] = outputs.values()
            return {"predictions": found.numpy().tolist()}

    server = ModelServer(
        http_port=options.port, workers=1, enable_grpc=False, enable_docs_url=False
    )
    server.start([Signature()])


if __name__ == "__main__":
    main()
