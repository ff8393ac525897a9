"""Things by name: a notebook shows them as a table, and an unknown name is an error of goldlake."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from goldlake.api.markup import shown
from goldlake.workflows.report.markup import paragraph

T = TypeVar("T")


class Listing(Mapping[str, T]):
    """Things by name; what it holds is looked up anew each time.

    A name that is not there raises `goldlake.UsageError` with the nearest name, in place of
    ``KeyError``; ``in`` and ``get`` work as with any mapping.
    """

    _numbers: ClassVar[tuple[int, ...]] = ()
    """Places of the columns that hold numbers."""

    @abstractmethod
    def _names(self) -> Sequence[str]:
        """The names in their order."""

    @abstractmethod
    def _title(self) -> str:
        """What the table of them is called."""

    @abstractmethod
    def _head(self) -> Sequence[str]:
        """Headings of the table, that of the name first."""

    @abstractmethod
    def _rows(self) -> Sequence[Sequence[object]]:
        """Cells of the table, one row for each name."""

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())

    def __contains__(self, name: object) -> bool:
        return name in self._names()

    def get(self, name: str, default: Any = None) -> Any:
        """The thing with a name, or the default where there is none."""
        if name not in self:
            return default
        return self[name]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self._names()) or 'nothing yet'})"

    def _repr_html_(self) -> str:
        rows = self._rows()
        if not rows:
            return str(paragraph(f"{self._title()}: nothing yet"))
        return str(shown(self._title(), self._head(), rows, self._numbers))

    def _ipython_key_completions_(self) -> list[str]:
        return list(self._names())
