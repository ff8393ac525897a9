"""What the parts of one request cost alone: parsing, the call of the model, encoding.

usage: python -m benchmarks.serve_parts MODEL_FOLDER < BODY

Prints one JSON object: the median microseconds of each part.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable

from serving import codec, loader
from serving.batching import Call, run_calls
from serving.dataplane import DataPlane, ModelSpec
from serving.plans import Plan
from serving.rest import predict

_TIMES = 200


def microseconds(work: Callable[[], object]) -> float:
    """The median time of one run."""
    found = []
    for _ in range(_TIMES):
        started = time.perf_counter()
        work()
        found.append((time.perf_counter() - started) * 1e6)
    return statistics.median(found)


def main() -> None:
    """Measures and prints."""
    body = sys.stdin.buffer.read()
    plane = DataPlane(loader.load)
    plane.load("model", 1, sys.argv[1])
    spec = ModelSpec("model")
    with plane.use(spec) as version:
        signature = version.signature("")
        plan = Plan("serving_default", signature)

        def parse() -> dict[str, object]:
            columns = plan.columns(codec.read_body(body).document)
            if columns is None:
                raise ValueError("the body is not a usual one")
            return plan.arrays([columns])

        inputs = parse()
        outputs = version.run("Predict", "", inputs)
        call: Call = predict(plane, spec, body)
        [whole] = run_calls([call])
        call.version.release()
        assert isinstance(whole, bytes)
        parts = {
            "parse": microseconds(parse),
            "call": microseconds(lambda: version.run("Predict", "", inputs)),
            "encode": microseconds(lambda: plan.row_texts(outputs)),
        }
    print(json.dumps(parts))


if __name__ == "__main__":
    main()
