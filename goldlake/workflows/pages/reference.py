"""The contract reference as Markdown, from the declared keys."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from goldlake.workflows.pages.places import CONTRACT, MODEL
from goldlake_core.contracts.heads import METRICS
from goldlake_core.contracts.keys import Declared

_INTRODUCTION = """\
# Contract reference

A use case is a folder: `contract.yaml`, `models/NAME.yaml` for each model, and the Python files
whose functions they name as `module.function`. The folder and the use case have the same name, and
so have a model and its file. A name begins with a lower-case letter and holds lower-case letters,
digits and `_`, at most 64 characters.

Unknown keys, missing keys and values that do not fit are refused, all at once, with file, line, key
and what would be valid. A key with a default may be left out; the others are required. `goldlake
check USECASE` says what is wrong without running anything.

The column *change* says what a changed value means for data that was made under the old one.
`follow`: what is made from now on uses the new value, and what exists stays right. `rebuild`: rows
that exist have to be made again. `refuse`: the value names another thing, which belongs into
another home or under another name.

The files are YAML in UTF-8, at most 1 MiB, of the part that YAML 1.1 and 1.2 read alike: no
anchors, aliases, tags or duplicate keys. Put a text in quotes that a reader could take for another
type (`no`, `0890`, `1:30`, `2016-01-01`). Yes-or-no is `true` or `false`, and numbers are decimal.
Editors that know YAML language servers complete and check the keys: the first line of a file names
the schema.
"""


def contract_reference() -> str:
    """A Markdown page of every key of ``contract.yaml`` and ``models/NAME.yaml``."""
    parts = [_INTRODUCTION]
    for file, sections in pages_of_keys().items():
        parts.append(f"## `{file}`\n")
        parts += [_section(path, keys) for path, keys in sections.items()]
    return "\n".join([*parts, "### Metrics\n", _metrics()])


def pages_of_keys() -> dict[str, dict[str, tuple[Declared, ...]]]:
    """The keys of every mapping, by file and by the mapping's place in it."""
    return {"contract.yaml": dict(CONTRACT.walk()), "models/NAME.yaml": dict(MODEL.walk())}


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; ``|`` and line breaks in cells are escaped."""
    lines = [_row(header), _row(["---"] * len(header))]
    lines += [_row([_cell(text) for text in row]) for row in rows]
    return "\n".join(lines) + "\n"


def _section(path: str, keys: tuple[Declared, ...]) -> str:
    heading = f"### `{path}`\n\n" if path else ""
    rows = [(f"`{k.name}`", k.takes, _default(k), k.key.about, k.key.change) for k in keys]
    return heading + table(("key", "takes", "default", "meaning", "change"), rows)


def _default(key: Declared) -> str:
    if key.is_required:
        return "required"
    if key.key.default:
        return key.key.default
    return _text(key.default)


def _text(value: object) -> str:
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(map(_text, value))}]"
    return value.isoformat() if isinstance(value, date) else str(value)


def _metrics() -> str:
    words = {True: "higher is better", False: "lower is better", None: "best at 1; no `max_drop`"}
    rows = [
        (
            f"`{name}`",
            "0 or more" if metric.high is None else f"0 to {metric.high:g}",
            words[metric.is_better_high],
        )
        for name, metric in METRICS.items()
    ]
    return table(("metric", "range", "direction"), rows)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(text: str) -> str:
    return text.replace("``", "`").replace("|", "\\|").replace("\n", " ")
