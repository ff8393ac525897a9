"""Models of a home: which versions were pushed, and which one serves."""

from __future__ import annotations

from collections.abc import Sequence

from goldlake.api.listing import Listing
from goldlake.api.markup import figure, shown
from goldlake.workflows import names, views
from goldlake_core.contracts.ids import ModelId
from goldlake_core.documents.reports import ModelVersion, ModelVersions, Refusal
from goldlake_core.storage.home import Home


class Model:
    """A model as it was when it was looked up: its versions, and what was refused.

    A home makes it: ``home.models["city_bikes.is_late"]``.

    Attributes:
        name: Name of the model, such as ``city_bikes.is_late``.
        versions: Pushed versions by number, with their figures, labels and the data they are of.
        refused: Newest candidates that their evaluation refused, the newest first.

    Example:
        >>> home = goldlake.open("var/demo")
        >>> is_late = home.models["city_bikes.is_late"]
        >>> is_late
        Model('city_bikes.is_late', 2 versions, @1 serves)
        >>> is_late.serving.labels, is_late.newest.labels
        (('stable',), ('canary',))
    """

    def __init__(self, name: str, found: ModelVersions) -> None:
        self.name = name
        self.versions: dict[int, ModelVersion] = {each.version: each for each in found.versions}
        self.refused: tuple[Refusal, ...] = found.refused

    @property
    def serving(self) -> ModelVersion | None:
        """The version that answers requests without a version and a label, or None."""
        return next((each for each in self.versions.values() if each.serves), None)

    @property
    def newest(self) -> ModelVersion | None:
        """The version with the highest number, or None where none was pushed."""
        return self.versions[max(self.versions)] if self.versions else None

    def __repr__(self) -> str:
        serving = f"@{self.serving.version} serves" if self.serving else "none serves"
        return f"Model({self.name!r}, {_many(len(self.versions), 'version')}, {serving})"

    def _repr_html_(self) -> str:
        rows = []
        for each in self.versions.values():
            figures = ", ".join(f"{name} {figure(v)}" for name, v in each.metrics.items())
            data = f"{each.table}@{each.table_version}" if each.table else ""
            labels = ", ".join((*each.labels, *(["serves"] if each.serves else [])))
            rows.append(
                (
                    f"@{each.version}",
                    labels,
                    data,
                    figures,
                    (each.pushed_at or "")[:16].replace("T", " "),
                )
            )
        head = ("version", "labels", "data", "metrics on test", "pushed")
        return str(shown(f"Versions of {self.name}", head, rows))


class Models(Listing[Model]):
    """Models of a home by name.

    Args:
        home: The home that holds them.
    """

    _numbers = (1, 4)

    def __init__(self, home: Home) -> None:
        self._home = home

    def __getitem__(self, name: str) -> Model:
        wanted = str(ModelId.parse(name).at(None))
        found = views.models(self._home).models
        if wanted not in found:
            raise names.not_pushed(wanted, self._home)
        return Model(wanted, found[wanted])

    def _names(self) -> list[str]:
        """Names of the models."""
        return list(views.models(self._home).models)

    def _title(self) -> str:
        """What the table of them is called."""
        return f"Models of {self._home.root}"

    def _head(self) -> Sequence[str]:
        """Headings of the table, that of the name first."""
        return ("model", "versions", "serves", "labels", "refused")

    def _rows(self) -> list[Sequence[object]]:
        """Cells of the table, one row for each name."""
        rows: list[Sequence[object]] = []
        for name, found in views.models(self._home).models.items():
            model = Model(name, found)
            labels = [f"{label}: @{v.version}" for v in found.versions for label in v.labels]
            serving = f"@{model.serving.version}" if model.serving else ""
            count = len(found.versions)
            rows.append((name, count, serving, ", ".join(labels), len(found.refused) or ""))
        return rows


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
