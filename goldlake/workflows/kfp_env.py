"""The environment that compiles for Kubeflow: kfp does not go together with everything else here.

kfp wants an older urllib3 than goldlake's lock has, and on stack 1.21 an older Python. So it has a
separate environment, which `make kfp-env` makes beside that of a checkout.
"""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec

from goldlake.workflows import launch
from goldlake.workflows.launch import Program
from goldlake_core.contracts.errors import PermanentError

VARIABLE = "GOLDLAKE_KFP_PYTHON"
"""Environment variable with the Python of such an environment."""
PROBE_S = 120
# Asks nothing of the working directory (-I), and imports none of the packages.
_PROBE = """
import importlib.metadata, importlib.util, json
def version(name):
    try: return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError: return ""
spec = importlib.util.find_spec("goldlake")
print(json.dumps({
    "kfp": version("kfp"), "tfx": version("tfx"), "goldlake": version("goldlake"),
    "folder": list(spec.submodule_search_locations)[0] if spec else "",
}))
"""


class _Found(msgspec.Struct):
    kfp: str
    tfx: str
    goldlake: str
    folder: str


@dataclass(frozen=True)
class KfpEnvironment:
    """A Python that has kfp.

    Attributes:
        python: Path of its interpreter.
        repair: Command that makes the environment anew.
        program: What runs a stage in it.
    """

    python: str
    repair: str
    program: Program


def kfp_environment() -> KfpEnvironment:
    """The environment with kfp. Starts its Python once, and changes nothing.

    Raises:
        PermanentError: There is none, it is damaged, or its versions are others than those here.
    """
    root = Path(__file__).resolve().parents[2]
    is_checkout = (root / "requirements" / "setup.sh").is_file()
    make = "make kfp-env" if is_checkout else _INSTALL
    given = os.environ.get(VARIABLE, "")
    if given:
        python, repair = given, f"unset {VARIABLE}; {make}"
        if not os.access(python, os.X_OK):
            raise PermanentError(
                f"{VARIABLE}={python} is not a program", valid="a Python with kfp", hint=repair
            )
    elif _version("kfp"):
        python = sys.executable
        repair = "pip install --force-reinstall 'tfx[kfp]'"
    else:
        python = str(root / ".venv-kfp" / "bin" / "python")
        repair = f"rm -rf {root / '.venv-kfp'}; {make}"
        if not is_checkout or not os.access(python, os.X_OK):
            raise PermanentError(
                f"Compiling for Kubeflow needs kfp, which has a separate environment{_why()}, "
                "and it was not found",
                valid=f"{python}, or the Python that {VARIABLE} names"
                if is_checkout
                else f"the Python that {VARIABLE} names",
                hint=f"{make}; then the same command again",
            )
    found = _probed(python, repair)
    for package, there, here in (
        ("TFX", found.tfx, _version("tfx")),
        ("goldlake", found.goldlake, _version("goldlake") if found.goldlake else ""),
    ):
        if there != here:
            raise PermanentError(
                f"{python} has {package} {there or 'not at all'}, and this environment has {here}: "
                "the steps would not be those that run here",
                hint=f"{repair}; then the same command again",
            )
    # An environment that has goldlake runs it; else it runs the code of this process.
    file = Path(found.folder, "workflows", "launch.py") if found.folder else Path(launch.__file__)
    return KfpEnvironment(python, repair, (python, str(file)))


_INSTALL = (
    "python3.11 -m venv kfp-env && kfp-env/bin/pip install 'goldlake[kfp]' && "
    f"export {VARIABLE}=$PWD/kfp-env/bin/python"
)


def _why() -> str:
    """Why there has to be another Python, where there has to be."""
    if sys.version_info < (3, 12):
        return ""
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    return f" with Python 3.11 or 3.10 (this is {here}, which kfp is not made for)"


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _probed(python: str, repair: str) -> _Found:
    try:
        done = subprocess.run(
            [python, "-I", "-c", _PROBE],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PROBE_S,
            check=True,
        )
        found = msgspec.json.decode(done.stdout, type=_Found)
    except (OSError, subprocess.SubprocessError, msgspec.MsgspecError) as error:
        raise PermanentError(
            f"The environment of {python} is damaged: {_last_line(error)}",
            hint=f"{repair}; then the same command again",
        ) from error
    if not found.kfp:
        raise PermanentError(
            f"{python} has no kfp",
            valid="a Python with kfp",
            hint=f"{repair}; then the same command again",
        )
    return found


def _last_line(error: Exception) -> str:
    text = str(getattr(error, "stderr", "") or error)
    return text.strip().splitlines()[-1]
