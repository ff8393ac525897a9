"""What the gate looks at in a table; it follows from the contract."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from goldlake_core.contracts.sections import Column, GoldTable, Model, UseCase

PeriodKind = Literal["day", "week", "month"]


@dataclass(frozen=True)
class GateColumn:
    """A column that is judged.

    Attributes:
        name: Name of the column.
        type: Type of the contract, such as ``double``.
        is_read: Whether a model reads it, so that a finding stops the run.
        room: Factor of the contract on the room that limits leave.
    """

    name: str
    type: str
    is_read: bool
    room: float = 1.0


@dataclass(frozen=True)
class Layout:
    """A table as the gate sees it.

    Attributes:
        table: Id of the table, such as ``bikes.silver.trips``.
        columns: The columns that are judged; keys, versions and the event time are not.
        key: Columns that identify a row.
        event_time: Column that says when the fact happened.
        zone: IANA zone of the publisher's clock, in which days and hours are counted.
        labels: Columns that models predict, each with its maturity in days.
        period: Length of a period, or None: a month, or a week where there is less.
        is_read: Whether a model learns from the table, so that a finding about the table as a
            whole stops the run.
        room: Factor of the contract on the room of limits that are about no single column.
        has_clock: Whether the event time has a time of day. Without one, rows of a table with few
            columns are alike by nature.
    """

    table: str
    columns: tuple[GateColumn, ...]
    key: tuple[str, ...]
    event_time: str
    zone: str
    labels: Mapping[str, int]
    period: PeriodKind | None = None
    is_read: bool = True
    room: float = 1.0
    has_clock: bool = True

    def column(self, name: str) -> GateColumn | None:
        """The judged column of that name, or None."""
        return next((each for each in self.columns if each.name == name), None)

    @property
    def names(self) -> tuple[str, ...]:
        """Columns that the gate reads, the event time first."""
        return (self.event_time, *(each.name for each in self.columns))

    def stops(self, columns: tuple[str, ...]) -> bool:
        """Whether a finding about some columns, or about none in particular, stops the run."""
        if not columns:
            return self.is_read
        known = [self.column(name) for name in columns]
        return all(each is None or each.is_read for each in known) and self.is_read

    def room_of(self, columns: tuple[str, ...]) -> float:
        """The factor on the room of a limit: the largest of its columns, or the table's."""
        found = [each.room for name in columns if (each := self.column(name))]
        return max(found, default=self.room)


def silver_layout(usecase: UseCase) -> Layout | None:
    """How the gate sees the silver table; None for data without an event time."""
    silver = usecase.silver
    if not silver.event_time:
        return None
    table = f"{usecase.name}.silver.{silver.table}"
    models = tuple(usecase.models.values())
    return _layout(usecase, table, silver.columns, silver.key, silver.event_time, models)


def gold_layout(usecase: UseCase, table: GoldTable) -> Layout | None:
    """How the gate sees a gold table; None where no model with an event time learns from it."""
    models = tuple(model for model in usecase.models.values() if model.table == table.name)
    if not models or not models[0].event_time:
        return None
    name = f"{usecase.name}.gold.{table.name}"
    # Each period has other computed units, so that there is nothing to compare.
    left_out = {column.name for column in table.computed_units} - set(_read(models))
    columns = tuple(column for column in table.columns if column.name not in left_out)
    return _layout(usecase, name, columns, table.key, models[0].event_time, models)


def _layout(
    usecase: UseCase,
    table: str,
    columns: tuple[Column, ...],
    key: tuple[str, ...],
    event_time: str,
    models: tuple[Model, ...],
) -> Layout:
    silver = usecase.silver
    read = set(_read(models))
    left_out = {*key, event_time, silver.version}
    labels: dict[str, int] = {}
    for model in models:
        labels[model.label] = max(model.maturity_days, labels.get(model.label, 0))
    types = {column.name: column.type for column in columns}
    return Layout(
        table=table,
        columns=tuple(
            GateColumn(column.name, column.type, column.name in read, column.gate)
            for column in columns
            if column.name not in left_out
        ),
        key=key,
        event_time=event_time,
        zone=_zone(silver.columns, event_time),
        labels={name: days for name, days in labels.items() if name in types},
        period=silver.period,
        is_read=bool(models),
        room=silver.gate,
        has_clock=types.get(event_time) != "date",
    )


def _read(models: tuple[Model, ...]) -> Iterator[str]:
    for model in models:
        yield from (*model.feature_columns, model.label)


def _zone(columns: tuple[Column, ...], event_time: str) -> str:
    zones = {column.name: column.time_zone for column in columns}
    return zones.get(event_time) or "UTC"
