"""Entry point of the processes of the queue; see `goldlake.workflows.jobs.worker.main`."""

from __future__ import annotations

import sys

from goldlake.workflows.jobs.worker import main

sys.exit(main(sys.argv[1:]))
