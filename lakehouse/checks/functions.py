"""The functions that a contract names: they are there and take the arguments they are given.

Files are parsed and never run, so that checking a use case executes nothing of it.
"""

from __future__ import annotations

import ast
import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from goldlake_core.contracts.findings import Finding, Remark, error, warning
from goldlake_core.contracts.names import nearest
from lakehouse.checks.places import Places, Step

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_BLOCKS = (ast.If, ast.Try, ast.With, ast.For, ast.While)


@dataclass(frozen=True)
class Use:
    """A function that a contract names.

    Attributes:
        dotted: The function as the contract names it, ``module.function``.
        arguments: Names of the arguments that it is called with, all by position.
        places: The file that names it.
        steps: Where in that file.
    """

    dotted: str
    arguments: tuple[str, ...]
    places: Places
    steps: tuple[Step, ...]


def function_findings(folder: Path, uses: Sequence[Use]) -> tuple[Finding, ...]:
    """What is wrong with the functions of a use case. Read-only; runs nothing.

    Args:
        folder: The use case's folder.
        uses: The functions that its contracts name.

    Returns:
        Findings; one file that cannot be parsed is one finding.
    """
    found: dict[Finding, None] = {}
    modules: dict[str, ast.Module | Finding] = {}
    for use in uses:
        module, _, function = use.dotted.partition(".")
        path = folder / f"{module}.py"
        if path.resolve().parent != folder.resolve() or not path.is_file():
            others = sorted(p.stem for p in folder.glob("*.py") if p.stem != "__init__")
            problem = f"{use.dotted!r} names a file that is not there: {module}.py"
            remark = error(problem, valid=nearest(module, others))
            found[use.places.finding(remark, *use.steps)] = None
            continue
        if module not in modules:
            modules[module] = _parsed(path)
        tree = modules[module]
        if isinstance(tree, Finding):
            found[tree] = None
            continue
        for remark in function_remarks(tree, path.name, function, use.arguments):
            found[use.places.finding(remark, *use.steps)] = None
    return tuple(found)


def _parsed(path: Path) -> ast.Module | Finding:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Of escapes in somebody's texts: not our matter.
            return ast.parse(path.read_bytes(), str(path))
    except SyntaxError as raised:
        return Finding("error", str(path), raised.lineno, None, f"this is not Python: {raised.msg}")
    except (OSError, ValueError, RecursionError, MemoryError) as raised:
        return Finding("error", str(path), None, None, f"the file cannot be parsed: {raised}")


def function_remarks(
    tree: ast.Module, file: str, name: str, arguments: tuple[str, ...]
) -> tuple[Remark, ...]:
    """What is wrong with one function of a parsed file.

    Args:
        tree: The syntax tree of the file.
        file: Name of the file.
        name: Name of the function.
        arguments: Names of the arguments that it is called with, all by position.
    """
    definitions = dict(_definitions(tree.body))
    call = f"{name}({', '.join(arguments)})"
    if name not in definitions:
        if "*" in definitions:
            problem = f"{file} may import {name!r} with *, and what it takes was not checked"
            return (warning(problem, valid=f"def {call}"),)
        functions = [n for n, d in definitions.items() if isinstance(d, _Function) and n[0] != "_"]
        problem = f"{file} has no function {name!r}"
        return (error(problem, valid=nearest(name, functions)),)
    definition = definitions[name]
    if not isinstance(definition, _Function):
        how = _how_bound(definition)
        problem = (
            f"{name!r} is {how} in {file}:{definition.lineno}, and what it takes was not checked"
        )
        return (warning(problem, valid=f"def {call}"),)
    where = f"{file}:{definition.lineno}"
    if isinstance(definition, ast.AsyncFunctionDef):
        return (error(f"{name!r} in {where} is async, and nothing awaits it", f"def {call}"),)
    low, high, required = _arity(definition.args)
    takes = arguments_text(low, high)
    problem = f"{name!r} in {where} takes {takes}, and is called with {len(arguments)}"
    if required:
        problem = f"{name!r} in {where} needs {required[0]!r} by name, and is called without it"
    if not required and low <= len(arguments) <= high:
        return ()
    make = warning if definition.decorator_list else error  # A decorator may change what it takes.
    return (make(problem, valid=f"def {call}"),)


def _definitions(body: Sequence[ast.stmt]) -> Iterator[tuple[str, ast.stmt]]:
    """Names bound at module level, in order; ``*`` for an import of everything."""
    for statement in body:
        if isinstance(statement, _Function | ast.ClassDef):
            yield statement.name, statement
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            for alias in statement.names:
                yield alias.asname or alias.name.partition(".")[0], statement
        elif isinstance(statement, ast.Assign | ast.AnnAssign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            for target in targets:
                names = (n.id for n in ast.walk(target) if isinstance(n, ast.Name))
                yield from ((name, statement) for name in names)
        elif isinstance(statement, _BLOCKS):
            for part in ("body", "orelse", "finalbody"):
                yield from _definitions(getattr(statement, part, ()))
            for handler in getattr(statement, "handlers", ()):
                yield from _definitions(handler.body)


def _how_bound(definition: ast.stmt) -> str:
    if isinstance(definition, ast.ClassDef):
        return "a class"
    return "imported" if isinstance(definition, ast.Import | ast.ImportFrom) else "assigned"


def _arity(arguments: ast.arguments) -> tuple[int, float, list[str]]:
    """Fewest and most arguments by position, and those that must be given by name."""
    most = len(arguments.posonlyargs) + len(arguments.args)
    required = [
        a.arg
        for a, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        if default is None
    ]
    high = math.inf if arguments.vararg is not None else most
    return most - len(arguments.defaults), high, required


def arguments_text(low: int, high: float) -> str:
    """How many arguments there may be, such as ``1 argument`` or ``2 or more arguments``."""
    if high == math.inf:
        return f"{low} or more arguments"
    text = str(low) if low == high else f"{low} to {high}"
    return f"{text} argument" + ("" if text == "1" else "s")
