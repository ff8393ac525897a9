"""The reference of the Python API as Markdown, from signatures and docstrings."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from functools import cached_property
from types import FunctionType
from typing import Any

import goldlake

_SECTIONS = ("Args", "Attributes", "Returns", "Yields", "Raises", "Example")
_SECTION = re.compile(rf"^({'|'.join(_SECTIONS)}):$", re.M)
_ENTRY = re.compile(r"^(\**\w+): (.*)", re.S)


def python_reference() -> str:
    """Functions, classes and errors of ``goldlake`` with their docstrings."""
    about = "What `import goldlake` gives. [Python](../python.md) shows how it is used."
    parts = [f"# Python API\n\n{about}\n"]
    public = {name: getattr(goldlake, name) for name in goldlake.__all__}
    parts += [_described("##", f"goldlake.{n}", v) for n, v in public.items() if _is_function(v)]
    errors = {n: v for n, v in public.items() if inspect.isclass(v) and issubclass(v, Exception)}
    for name, found in public.items():
        if name not in errors and inspect.isclass(found):
            parts.append(_class(name, found))
    parts.append("## Errors\n\nAll are `GoldlakeError`; each has `problem`, `valid` and `hint`.\n")
    parts.append("| error | raised when |\n| --- | --- |")
    parts[-1] += "".join(f"\n| `{n}` | {_first_line(e)} |" for n, e in errors.items()) + "\n"
    return "\n".join(parts)


def _class(name: str, found: type) -> str:
    parts = [f"## {name}\n", _text(inspect.getdoc(found) or "")]
    for member, value in _members(found):
        if isinstance(value, property | cached_property):
            text = inspect.getdoc(value) or ""
            parts.append(f"### {name}.{member}\n\n{_text(text)}")
        else:
            parts.append(_described("###", f"{name}.{member}", value))
    return "\n".join(parts)


def _members(found: type) -> Iterator[tuple[str, Any]]:
    """Public methods and properties that goldlake wrote, in the order of the source."""
    seen = set()
    for owner in found.__mro__:
        if owner.__module__.startswith("goldlake.api"):
            for name, value in vars(owner).items():
                value = value.__func__ if isinstance(value, classmethod) else value
                is_shown = isinstance(value, FunctionType | property | cached_property)
                if is_shown and not name.startswith("_") and name not in seen:
                    seen.add(name)
                    yield name, value


def _is_function(value: object) -> bool:
    return inspect.isfunction(value)


def _described(level: str, name: str, function: FunctionType) -> str:
    signature = inspect.signature(function)
    named = [p for n, p in signature.parameters.items() if n not in ("self", "cls")]
    # Annotations are texts in this project, and Python shows them between quotes.
    text = re.sub(r"(: |-> )'([^']*)'", r"\1\2", str(signature.replace(parameters=named)))
    code = f"```text\n{_wrapped(name, text)}\n```\n"
    return f"{level} {name}\n\n{code}\n{_text(inspect.getdoc(function) or '')}"


def _wrapped(name: str, signature: str) -> str:
    """A signature, with each parameter on a line where it is long."""
    line = f"{name}{signature}"
    if len(line) <= 92:
        return line
    inside, _, returned = signature[1:].rpartition(")")
    parameters = re.split(r", (?![^\[]*\])", inside)
    return "\n".join([f"{name}(", *(f"    {each}," for each in parameters), f"){returned}"])


def _first_line(found: object) -> str:
    return (inspect.getdoc(found) or "").partition("\n\n")[0].replace("\n", " ")


def _text(docstring: str) -> str:
    """A Google-style docstring as Markdown."""
    parts = _SECTION.split(docstring)
    made = [_prose(parts[0])]
    for title, body in zip(parts[1::2], parts[2::2], strict=True):
        text = inspect.cleandoc(body)
        if title == "Example":
            made.append(f"```python\n{text}\n```\n")
        elif entries := _entries(text):
            made.append(f"**{title}**\n\n{entries}\n")
        else:
            made.append(f"**{title}**: {_prose(text)}")
    return "\n".join(made)


def _entries(text: str) -> str:
    """The entries of a section as a list, or "" where it has none."""
    blocks = re.split(r"\n(?=\S)", text)
    found = [_ENTRY.match(block) for block in blocks]
    lines = [f"- `{m[1]}`: {_prose(inspect.cleandoc(m[2])).strip()}" for m in found if m]
    return "\n".join(lines) if len(lines) == len(blocks) else ""


def _prose(text: str) -> str:
    """Text with Markdown's code marks."""
    joined = re.sub(r"(?<!\n)\n(?!\n)", " ", text.strip())
    return joined.replace("``", "`") + "\n"
