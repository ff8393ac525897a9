"""What a reviewer opens."""

from __future__ import annotations

import subprocess

from goldlake.workflows.launch import module_command
from goldlake_core.contracts.errors import PermanentError
from goldlake_core.storage.home import Home


def run_tensorboard(home: Home, port: int) -> None:
    """Runs TensorBoard on loopback over all training runs, in the foreground.

    Args:
        home: The home whose pipelines are shown.
        port: TCP port; 0 for a free one.

    Raises:
        PermanentError: Nothing was trained yet, or TensorBoard ended with an error.
    """
    logdir = home.path("pipelines")
    if not home.fs.exists(logdir):
        raise PermanentError(
            f"There are no training runs in {home.root}", hint="goldlake train MODEL"
        )
    options = ["--logdir", logdir, "--port", str(port), "--host", "127.0.0.1"]
    status = subprocess.call(module_command("tensorboard.main", *options))
    if status not in (0, -2, 130):
        raise PermanentError(f"TensorBoard ended with exit status {status}")
