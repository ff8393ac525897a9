"""Names of tables and models, the one parser of them and the one text when a name is wrong.

``harbour.silver.calls`` is a table, ``harbour.silver.calls@12`` one version of it;
``harbour.late`` is a model, ``harbour.late@7`` one version of it.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace

from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.names import is_name

LAYERS = ("bronze", "silver", "gold", "scores", "audit")
MAX_VERSION = 2**63 - 1


@dataclass(frozen=True, order=True)
class TableId:
    """A table, or one version of it.

    Attributes:
        usecase: Name of the use case.
        layer: One of `LAYERS`.
        name: Name of the table.
        version: Delta table version, 0 or more, or None.
    """

    usecase: str
    layer: str
    name: str
    version: int | None = None

    @classmethod
    def parse(cls, text: str) -> TableId:
        """The table that ``text`` names.

        Raises:
            UsageError: It names none.
        """
        parts, version = _split(text)
        if len(parts) != 3 or not all(is_name(p) for p in parts):
            raise _not_a("table", text)
        if parts[1] not in LAYERS:
            close = difflib.get_close_matches(parts[1], LAYERS, n=1)
            raise UsageError(
                f"{text!r} names no table: unknown layer {parts[1]!r}",
                valid=(f"{close[0]} (nearest); all: " if close else "") + ", ".join(LAYERS),
            )
        return cls(parts[0], parts[1], parts[2], _version(text, version, least=0))

    def at(self, version: int | None) -> TableId:
        """The same table at another version."""
        return replace(self, version=version)

    def __str__(self) -> str:
        """The text that `parse` takes."""
        return _join((self.usecase, self.layer, self.name), self.version)


@dataclass(frozen=True, order=True)
class ModelId:
    """A model, or one version of it. Its text is also the name it is served under.

    Attributes:
        usecase: Name of the use case.
        name: Name of the model.
        version: Pushed version, 1 or more, or None.
    """

    usecase: str
    name: str
    version: int | None = None

    @classmethod
    def parse(cls, text: str) -> ModelId:
        """The model that ``text`` names.

        Raises:
            UsageError: It names none.
        """
        parts, version = _split(text)
        if len(parts) != 2 or not all(is_name(p) for p in parts):
            raise _not_a("model", text)
        return cls(parts[0], parts[1], _version(text, version, least=1))

    def at(self, version: int | None) -> ModelId:
        """The same model at another version."""
        return replace(self, version=version)

    def __str__(self) -> str:
        """The text that `parse` takes."""
        return _join((self.usecase, self.name), self.version)


def parse(text: str) -> TableId | ModelId:
    """The table (three parts) or model (two parts) that ``text`` names.

    Raises:
        UsageError: It names neither.
    """
    count = len(_split(text)[0])
    if count == 3:
        return TableId.parse(text)
    if count == 2:
        return ModelId.parse(text)
    raise _not_a("table or model", text)


_SHAPES = {
    "table": "USECASE.LAYER.NAME or USECASE.LAYER.NAME@VERSION, such as harbour.silver.calls@12",
    "model": "USECASE.MODEL or USECASE.MODEL@VERSION, such as harbour.late@7",
    "table or model": "USECASE.LAYER.NAME (a table) or USECASE.MODEL, each also with @VERSION",
}


def _not_a(what: str, text: str) -> UsageError:
    return UsageError(
        f"{text!r} names no {what}",
        valid=_SHAPES[what],
        hint="`goldlake tables` and `goldlake models` list what there is",
    )


def _split(text: str) -> tuple[list[str], str | None]:
    head, at, version = text.partition("@")
    return head.split("."), version if at else None


def _version(text: str, version: str | None, *, least: int) -> int | None:
    if version is None:
        return None
    is_decimal = version.isascii() and version.isdigit() and str(int(version[:20])) == version
    if not is_decimal or not least <= int(version) <= MAX_VERSION:
        raise UsageError(
            f"{text!r} has no version {version!r}", valid=f"a whole number, {least} or more"
        )
    return int(version)


def _join(parts: tuple[str, ...], version: int | None) -> str:
    text = ".".join(parts)
    return text if version is None else f"{text}@{version}"
