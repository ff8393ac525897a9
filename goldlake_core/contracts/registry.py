"""Finds use cases by name or path, and the functions that their contracts name.

A use case is named by the path of its folder, or by name. Names are looked up in the working
directory, on ``GOLDLAKE_USECASES``, in the entry-point group ``goldlake.usecases`` of installed
packages, and among those that goldlake ships; a name that leads to two folders is refused. Nothing
here imports a use case; its functions are loaded by file when somebody asks for them.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import importlib.util
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from goldlake_core.contracts import ids
from goldlake_core.contracts.errors import ContractError, UsageError
from goldlake_core.contracts.loader import CONTRACT, load_contract
from goldlake_core.contracts.names import is_name, nearest
from goldlake_core.contracts.sections import Model, UseCase

ENTRY_POINTS = "goldlake.usecases"
VARIABLE = "GOLDLAKE_USECASES"
_loading = threading.RLock()


def usecase_names() -> dict[str, tuple[Path, ...]]:
    """Folders of all use cases that have a name here. Read-only.

    Returns:
        Folders by name, sorted by name. A name with several folders is ambiguous: `find_usecase`
        refuses it. Folders are in the order of the working directory, ``GOLDLAKE_USECASES``, entry
        points, those shipped.
    """
    folders: dict[str, dict[Path, Path]] = {}
    for name, folder in _known():
        folders.setdefault(name, {}).setdefault(folder.resolve(), folder)
    return {name: tuple(folders[name].values()) for name in sorted(folders)}


def load_usecase(name_or_path: str) -> UseCase:
    """A use case by name, or by path.

    Args:
        name_or_path: A name from `usecase_names`, or the folder of a ``contract.yaml``.

    Raises:
        UsageError: There is none, or several folders have the name.
        ContractError: Its contract does not hold.
    """
    return load_contract(find_usecase(name_or_path))


def find_usecase(name_or_path: str) -> Path:
    """The folder of a use case; see `load_usecase`."""
    has_separator = "/" in name_or_path or os.sep in name_or_path or name_or_path in (".", "..")
    if has_separator:
        return _folder_at(name_or_path)
    known = usecase_names()
    found = known.get(name_or_path, ())
    if not found:
        raise UsageError(
            f"There is no use case called {name_or_path!r}",
            valid=nearest(name_or_path, known),
            hint=f"name its folder by path, or put the folder above it on {VARIABLE}",
        )
    if len(found) > 1:
        paths = [_as_path(folder) for folder in found]
        raise UsageError(
            f"Several folders are called {name_or_path!r}: {', '.join(paths)}",
            valid="one of these paths",
            hint=f"name the folder by path, such as `goldlake check {paths[0]}`",
        )
    return found[0]


def _folder_at(path: str) -> Path:
    folder = Path(path).expanduser()
    if folder.name == CONTRACT and folder.is_file():
        raise UsageError(
            f"{path} is a file",
            valid=f"the folder that holds {CONTRACT}",
            hint=f"name the folder: {_as_path(folder.parent)}",
        )
    if not (folder / CONTRACT).is_file():
        raise UsageError(
            f"There is no {CONTRACT} in {path}",
            valid=f"a folder that holds {CONTRACT}",
            hint="check the path",
        )
    return folder


def _as_path(folder: Path) -> str:
    """The text that names this folder by path; a lone name would be looked up."""
    return str(folder) if os.sep in str(folder) else f".{os.sep}{folder}"


def load_model(text: str) -> tuple[UseCase, Model]:
    """A model with its use case.

    Args:
        text: ``USECASE.MODEL``, or ``PATH:MODEL`` for a use case in a folder.

    Raises:
        UsageError: There is none.
        ContractError: The use case's contract does not hold.
    """
    path, colon, name = text.rpartition(":")
    if colon:
        usecase = load_usecase(path if "/" in path or os.sep in path else f"./{path}")
    else:
        model_id = ids.ModelId.parse(text)
        if model_id.version is not None:
            raise UsageError(
                f"{text!r} names one version, and a contract has none",
                valid=str(model_id.at(None)),
            )
        usecase, name = load_usecase(model_id.usecase), model_id.name
    if name not in usecase.models:
        raise UsageError(
            f"The use case {usecase.name} has no model {name!r}",
            valid=nearest(name, usecase.models),
            hint=f"models are the files in {usecase.folder / 'models'}",
        )
    return usecase, usecase.models[name]


def resolve(usecase: UseCase, dotted: str, key: str) -> Callable[..., Any]:
    """A function of the use case's folder.

    The module is loaded by file path under the name ``goldlake_usecase_USECASE_MODULE`` and kept
    in ``sys.modules``; a changed file is loaded anew.

    Args:
        usecase: The use case.
        dotted: Function as ``module.function``.
        key: YAML key that names it, for errors, such as ``gold.area_day.build``.

    Raises:
        ContractError: There is no such file or function, or the file cannot be imported.
    """
    contract = str(usecase.folder / CONTRACT)
    module_name, _, function_name = dotted.partition(".")
    path = usecase.folder / f"{module_name}.py"
    is_inside = module_name.isidentifier() and path.resolve().parent == usecase.folder.resolve()
    if not is_inside or not path.is_file():
        modules = sorted(p.stem for p in usecase.folder.glob("*.py") if p.stem != "__init__")
        raise ContractError(
            f"{dotted!r} names no module of the use case: there is no {module_name}.py",
            file=contract,
            key=key,
            valid=nearest(module_name, modules),
        )
    module = _module(f"goldlake_usecase_{usecase.name}_{module_name}", path, contract, key)
    function = getattr(module, function_name, None)
    if not callable(function):
        known = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
        raise ContractError(
            f"{path.name} has no function {function_name!r}",
            file=contract,
            key=key,
            valid=nearest(function_name, known),
        )
    return function  # type: ignore[no-any-return]


def _module(name: str, path: Path, contract: str, key: str) -> ModuleType:
    stamp = (str(path), path.stat().st_mtime_ns, path.stat().st_size)
    with _loading:
        module = sys.modules.get(name)
        if module is not None and getattr(module, "_goldlake_stamp", None) == stamp:
            return module
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise ContractError(f"{path} is not a Python module", file=contract, key=key)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            del sys.modules[name]
            raise ContractError(
                f"{path} cannot be imported: {type(error).__name__}: {error}",
                file=contract,
                key=key,
                hint=f"try `python {path}`",
            ) from error
        module._goldlake_stamp = stamp  # type: ignore[attr-defined]
        return module


def _known() -> Iterator[tuple[str, Path]]:
    with contextlib.suppress(OSError):  # A working directory may be unreadable, or deleted.
        for entry in sorted(os.listdir()):
            if _is_usecase(Path(entry)):
                yield entry, Path(entry)
    for above in os.environ.get(VARIABLE, "").split(os.pathsep):
        if above:
            yield from _in_folder(Path(above).expanduser())
    yield from _in_entry_points()
    yield from _in_folder(Path(__file__).resolve().parents[2] / "usecases")


def _is_usecase(folder: Path) -> bool:
    return is_name(folder.name) and os.path.isfile(folder / CONTRACT)


def _in_folder(above: Path) -> Iterator[tuple[str, Path]]:
    """The use cases in a folder, or the folder itself where it is one."""
    if above.is_dir():
        for folder in (above, *sorted(above.iterdir())):
            if _is_usecase(folder):
                yield folder.name, folder


def _in_entry_points() -> Iterator[tuple[str, Path]]:
    for point in _entry_points(tuple(sys.path)):
        for place in _package_folders(point.module):
            if (place / CONTRACT).is_file():
                yield point.name, place


@functools.lru_cache(maxsize=1)
def _entry_points(path: tuple[str, ...]) -> tuple[importlib.metadata.EntryPoint, ...]:
    """Those of use cases; finding them reads a file of each package that is installed."""
    return tuple(importlib.metadata.entry_points(group=ENTRY_POINTS))


def _package_folders(dotted: str) -> list[Path]:
    """Where a package lies, without importing it or the packages above it; [] for none."""
    top, *below = dotted.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return []
    places = (spec.submodule_search_locations or ()) if spec else ()
    return [Path(place, *below) for place in places]
