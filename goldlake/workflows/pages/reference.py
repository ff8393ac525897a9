"""The contract reference as Markdown, from the table of keys and the dataclasses' own words."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence

from goldlake_core.contracts import keys
from goldlake_core.contracts.keys import Key, Keys

_INTRODUCTION = """\
# Contract reference

A use case is a folder: `contract.yaml`, `models/NAME.yaml` for each model, and the Python files
whose functions they name as `module.function`. The folder and the use case have the same name, and
so have a model and its file. Names are a lower-case letter, then lower-case letters, digits or `_`,
64 at most.

Unknown keys, missing keys and values that do not fit are refused with file, line, key and what
would be valid. A key with a default may be left out; the others are required.

The files are YAML in UTF-8, 1 MiB at most, of the part that YAML 1.1 and 1.2 read alike: no
anchors, aliases, tags or duplicate keys; a text that some reader would take for another type
(`no`, `0890`, `1:30`, `2016-01-01`) stands in quotes; yes-or-no is `true` or `false`; numbers are
decimal.
"""


def contract_reference() -> str:
    """A Markdown page of every key of ``contract.yaml`` and ``models/NAME.yaml``."""
    contract = (
        keys.CONTRACT,
        keys.SOURCE,
        keys.SILVER,
        keys.COLUMN,
        keys.CHECK,
        keys.GOLD,
        keys.GOLD_COLUMN,
    )
    parts = [_INTRODUCTION, "## `contract.yaml`\n"]
    parts += [_section(section) for section in contract]
    parts += ["## `models/NAME.yaml`\n", _section(keys.MODEL)]
    parts += [_section(keys.SPLIT_RELATIVE), _section(keys.SPLIT_FIXED)]
    parts += [_section(keys.feature_keys(kind)) for kind in keys.FEATURE_PARAMS]
    parts += [_section(keys.TRAINING), _section(keys.THRESHOLD), _metrics(), _section(keys.LIMIT)]
    return "\n".join(parts)


def attribute_texts(dataclass: type) -> dict[str, str]:
    """The ``Attributes:`` of a docstring, by name, each on one line."""
    lines = inspect.cleandoc(dataclass.__doc__ or "").splitlines()
    if "Attributes:" not in lines:
        return {}
    texts: dict[str, str] = {}
    name = ""
    for line in lines[lines.index("Attributes:") + 1 :]:
        found = re.match(r"    (\w+): (.*)", line)
        if found:
            name = found[1]
            texts[name] = found[2]
        elif line.startswith("        ") and name:
            texts[name] += " " + line.strip()
        elif line.strip():
            break
    return texts


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; ``|`` and line breaks in cells are escaped."""
    lines = [_row(header), _row(["---"] * len(header))]
    lines += [_row([_cell(text) for text in row]) for row in rows]
    return "\n".join(lines) + "\n"


def _section(section: Keys) -> str:
    texts = attribute_texts(section.about)
    heading = f"### `{section.path}`\n\n" if section.path else ""
    note = f"\n{section.note}\n" if section.note else ""
    rows = [(f"`{key.name}`", key.takes, _default(key), _doc(key, texts)) for key in section.keys]
    return heading + table(("key", "takes", "default", "meaning"), rows) + note


def _doc(key: Key, texts: dict[str, str]) -> str:
    text = key.doc or texts.get(key.attribute or key.name, "")
    return re.sub(r",? or None", "", text).replace("None", "null")


def _default(key: Key) -> str:
    return "required" if key.default is None else key.default


def _metrics() -> str:
    words = {True: "higher is better", False: "lower is better", None: "best at 1; no `max_drop`"}
    rows = [(f"`{name}`", words[is_better]) for name, is_better in keys.METRICS.items()]
    return table(("metric", "direction"), rows)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(text: str) -> str:
    return text.replace("``", "`").replace("|", "\\|").replace("\n", " ")
