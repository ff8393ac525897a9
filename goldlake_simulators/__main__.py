"""``python -m goldlake_simulators``: a simulated source as a process that other programs start.

Once it answers it prints one line of JSON to standard output, ``{"url": …}``, and nothing else;
warnings go to standard error. SIGINT and SIGTERM end it.
"""

from __future__ import annotations

import argparse
import json
import sys

from goldlake_core.contracts.errors import GoldlakeError
from goldlake_core.contracts.registry import load_usecase
from goldlake_simulators.server import serve


def main(argv: list[str] | None = None) -> int:
    """Serves generated rows of a use case on loopback; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m goldlake_simulators", description=__doc__)
    parser.add_argument("usecase", help="name or path of the use case")
    parser.add_argument("--rows", type=int, default=20_000, help="rows to generate")
    parser.add_argument("--seed", type=int, default=7, help="seed of the generated rows")
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    options = parser.parse_args(argv)
    try:
        serve(
            load_usecase(options.usecase),
            rows=options.rows,
            seed=options.seed,
            port=options.port,
            on_ready=lambda url: print(json.dumps({"url": url}), flush=True),
            warn=lambda message: print(f"warning: {message}", file=sys.stderr),
        )
    except GoldlakeError as error:
        print(f"error: {error.message}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
