"""`goldlake` whose request log has the clock of a file, so that a year of requests takes minutes.

usage: python -m tests.end_to_end.stepped_clock FILE COMMAND [ARGUMENT …]

FILE holds an instant, ISO 8601. Requests are stamped with it; all else has the machine's clock.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from goldlake_core.instants import of_text


def main() -> None:
    """Runs the command."""
    file, machine = Path(sys.argv.pop(1)), time.time
    time.time = lambda: of_text(file.read_text()).timestamp()
    import serving.exchange  # noqa: F401  An exchange takes the clock that is there now.

    time.time = machine
    from goldlake.cli.main import main as goldlake

    goldlake()


if __name__ == "__main__":
    main()
