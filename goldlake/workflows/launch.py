"""Starts a module of goldlake as a program, without the working directory on its path.

``python -m`` puts the working directory first on ``sys.path``, so that a file ``gzip.py`` or a
folder ``serving`` there would be imported in place of the real one. Python 3.11 has ``-P`` against
that; 3.10, which one of the two stacks needs, has nothing. Hence this file is run by its path: it
takes its own folder off ``sys.path`` before it imports anything, then runs the module as ``-m``
would. ``PYTHONPATH`` works as always, and the working directory stays the same.
"""

# Only modules that the interpreter itself has loaded by now may be imported up here.
import os
import sys

Program = tuple[str, str]
"""A Python interpreter, and the file like this one that it runs."""


def module_command(module: str, *arguments: str, program: Program | None = None) -> list[str]:
    """The command line that runs a module as ``__main__``.

    Args:
        module: Module or package, such as ``lakehouse``.
        *arguments: Arguments of the module.
        program: A Python of another environment and the file like this one that it runs.
    """
    return [*(program or (sys.executable, os.path.abspath(__file__))), module, *arguments]


def _clean_path(path: list[str], file: str) -> list[str]:
    """``sys.path`` for a module that was started by this file.

    Args:
        path: As the interpreter made it.
        file: This file.

    Returns:
        The path without this file's folder. The folder that holds the package ``goldlake`` is on
        it, so that a child runs the code of its parent, and after the standard library, which
        nothing there may replace.
    """
    folder = os.path.dirname(os.path.abspath(file))
    entries = [entry for entry in path if entry and os.path.abspath(entry) != folder]
    root = os.path.dirname(os.path.dirname(folder))
    if root not in map(os.path.abspath, entries):
        packages = ("site-packages", "dist-packages")
        is_packages = [os.path.basename(entry) in packages for entry in entries]
        entries.insert(is_packages.index(True) if True in is_packages else len(entries), root)
    return entries


def _main() -> None:
    sys.path[:] = _clean_path(sys.path, __file__)
    import runpy

    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _main()
