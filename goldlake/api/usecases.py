"""Use cases of a home: their contracts, tables and the account of their records."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from goldlake.api.listing import Listing
from goldlake.api.markup import shown
from goldlake.api.tables import Tables
from goldlake.workflows import names, views
from goldlake_core.contracts import sections
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.documents.lakehouse import Totals
from goldlake_core.storage.home import Home

_COUNTS = tuple(Totals.__struct_fields__)


class UseCase:
    """A use case of a home.

    A home makes it: ``home.usecases["city_bikes"]``.

    Attributes:
        name: Name of the use case.
        tables: Its tables by name.

    Example:
        >>> bikes = goldlake.open("var/demo").usecases["city_bikes"]
        >>> bikes.tables
        Tables(city_bikes.silver.rentals, city_bikes.gold.trips)
        >>> bikes.fates.silver
        1
    """

    def __init__(self, home: Home, name: str) -> None:
        self._home = home
        self.name = name
        self.tables = Tables(home, name)

    @cached_property
    def contract(self) -> sections.UseCase:
        """The contract as it is now, with its models.

        Raises:
            UsageError: There is no use case of that name here.
            ContractError: The contract does not hold.
        """
        return load_usecase(self.name)

    @property
    def fates(self) -> Totals:
        """What became of all landed records, and the rows of silver now."""
        return views.tables(None, self._home)[self.name]

    def __repr__(self) -> str:
        return f"UseCase({self.name!r}, {self.fates.landed:,} landed records)"

    def _repr_html_(self) -> str:
        fates = self.fates
        rows = [(name, f"{getattr(fates, name):,}") for name in _COUNTS]
        account = shown(f"Records of {self.name}", ("fate", "records"), rows, (1,))
        return str(account) + self.tables._repr_html_()


class UseCases(Listing[UseCase]):
    """Use cases that a home holds something of, by name.

    Args:
        home: The home that holds them.
    """

    _numbers = tuple(range(1, len(_COUNTS) + 2))

    def __init__(self, home: Home) -> None:
        self._home = home

    def __getitem__(self, name: str) -> UseCase:
        known = self._names()
        if name not in known:
            problem = f"There is no use case {name!r} in {self._home.root}"
            raise names.unknown(
                problem, name, known, home=self._home, hint="goldlake ingest USECASE"
            )
        return UseCase(self._home, name)

    def _names(self) -> list[str]:
        """Names of the use cases."""
        return list(views.tables(None, self._home))

    def _title(self) -> str:
        """What the table of them is called."""
        return f"Use cases of {self._home.root}"

    def _head(self) -> Sequence[str]:
        """Headings of the table, that of the name first."""
        return ("use case", "tables", *_COUNTS)

    def _rows(self) -> list[Sequence[object]]:
        """Cells of the table, one row for each name."""
        return [
            (name, len(held.tables), *(f"{getattr(held, count):,}" for count in _COUNTS))
            for name, held in views.tables(None, self._home).items()
        ]
