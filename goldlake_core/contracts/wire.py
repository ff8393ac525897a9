"""What a served model takes: one declaration for trainer, signature and client. Pure Python.

TF Serving's row format has no null and wants the same keys in every instance. A missing value
therefore travels as its column's ``wire_null``: NaN, a reserved text, or a presence flag beside a
placeholder. Zero, the empty text and "missing" stay three different things.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import msgspec

from goldlake_core.contracts.column_types import COLUMN_TYPES, ColumnType, Dtype
from goldlake_core.contracts.errors import InstanceError
from goldlake_core.contracts.names import nearest
from goldlake_core.contracts.sections import Column, GoldTable, Model, WireNull

DTYPES = {name: names.dtype for name, names in COLUMN_TYPES.items() if names.dtype is not None}
WireValue: TypeAlias = str | int | float | bool
"""One value of an instance; a missing one is null or absent until `fill_nulls` replaces it."""
Instance: TypeAlias = Mapping[str, object]
"""A row as a client has it, by input; `fill_nulls` checks the values."""
PLACEHOLDERS: dict[Dtype, WireValue] = {"string": "", "int64": 0, "float32": 0.0, "bool": False}
"""The value of a flagged column when its flag says that the value is missing."""
_FLOAT32_MAX = 3.4028235677973366e38


class WireColumn(Protocol):
    """What of a column decides how it travels; a contract's column has more."""

    @property
    def name(self) -> str:
        """Key in the instances."""

    @property
    def type(self) -> ColumnType:
        """Type in the gold table."""

    @property
    def nullable(self) -> bool:
        """Whether a value may be missing."""

    @property
    def wire_null(self) -> WireNull | None:
        """How a missing value travels."""


@dataclass(frozen=True)
class RawInput:
    """One input of the default signature: a dense tensor of rank 1.

    Attributes:
        name: Key in the instances: a gold column, or a presence flag.
        type: Type in the gold table (a flag's is ``boolean``).
        nullable: Whether a client may leave the value out.
        wire_null: How a missing value travels, or None.
        dtype: TensorFlow dtype: double is float32, long int64, boolean bool.
        flag_of: Column whose presence this input tells, or None for a column itself.
    """

    name: str
    type: ColumnType
    nullable: bool
    wire_null: WireNull | None
    dtype: Dtype
    flag_of: str | None = None


MISSING = "(missing)"
"""The reserved text of a missing text, where the contract names no other."""


def travelling(column: Column) -> Column:
    """A column that a model reads, with how its missing values travel.

    Where the contract does not say it: NaN for a double, the text ``(missing)`` for a text that
    cannot be it, else the presence flag ``has_COLUMN``.
    """
    if not column.nullable or column.wire_null is not None:
        return column
    can_be_missing_text = column.domain is None and column.pattern is None
    if column.type == "double":
        way = WireNull("nan")
    elif column.type == "string" and can_be_missing_text and MISSING not in column.replace.values():
        way = WireNull("text", MISSING)
    else:
        way = WireNull("flag", f"has_{column.name}")
    return msgspec.structs.replace(column, wire_null=way)


def with_travelling(table: GoldTable, names: Collection[str]) -> GoldTable:
    """A gold table whose columns say how missing values travel, where a model reads them."""
    columns = tuple(travelling(c) if c.name in names else c for c in table.columns)
    return msgspec.structs.replace(table, columns=columns)


def raw_inputs(model: Model, table: GoldTable) -> tuple[RawInput, ...]:
    """The inputs of the model's default signature.

    Args:
        model: Model that is served.
        table: Its gold table.

    Returns:
        Feature columns in the order of `Model.feature_columns`, then the presence flags.
    """
    return inputs_of([table.column(name) for name in model.feature_columns])


def inputs_of(columns: Sequence[WireColumn]) -> tuple[RawInput, ...]:
    """One input per column, in their order, then the presence flags."""
    inputs = [RawInput(c.name, c.type, c.nullable, c.wire_null, DTYPES[c.type]) for c in columns]
    flags = [
        RawInput(c.wire_null.token, "boolean", True, None, "bool", flag_of=c.name)
        for c in columns
        if c.wire_null is not None and c.wire_null.kind == "flag"
    ]
    return (*inputs, *flags)


def fill_nulls(
    inputs: Sequence[RawInput], instances: Sequence[Instance]
) -> list[dict[str, WireValue]]:
    """Instances as TF Serving wants them: every key, no null, one type per key. Pure.

    A missing or null value of a nullable column becomes its ``wire_null``; a presence flag is set
    from the value. A flag that a client sends itself must agree with the value.

    Args:
        inputs: Inputs of the model, from `raw_inputs`.
        instances: What a client has; keys may be missing.

    Returns:
        New instances, keys in the order of ``inputs``. A missing ``nan`` column is NaN.

    Raises:
        InstanceError: A key is unknown, a value is missing where none may be, or has another type.
    """
    return [_filled(inputs, instance, index) for index, instance in enumerate(instances)]


def _filled(inputs: Sequence[RawInput], instance: Instance, index: int) -> dict[str, WireValue]:
    if not isinstance(instance, Mapping):
        raise InstanceError(
            f"expected an object of inputs, got {_shown(instance)}",
            index=index,
            valid='such as {"column": value, …}',
        )
    known = [i.name for i in inputs]
    for key in instance:
        if key not in known:
            raise InstanceError(
                "the model has no such input",
                index=index,
                key=str(key),
                valid=nearest(str(key), known),
            )
    flags = {i.flag_of: i for i in inputs if i.flag_of}
    filled: dict[str, WireValue] = {}
    for each in inputs:
        if each.flag_of is None:
            filled.update(_value(each, flags.get(each.name), instance, index))
    return {name: filled[name] for name in known}


def _value(
    each: RawInput, flag: RawInput | None, instance: Instance, index: int
) -> dict[str, WireValue]:
    value = instance.get(each.name)
    sent = None if flag is None else instance.get(flag.name)
    if flag is not None and sent is not None and not isinstance(sent, bool):
        raise _mismatch(flag, sent, index)
    if sent is False:
        value = None
    is_missing = value is None or (
        isinstance(value, float) and math.isnan(value) and each.dtype == "float32"
    )
    if not is_missing:
        checked = _checked(each, value, index)
        return {each.name: checked} | ({flag.name: True} if flag else {})
    if not each.nullable or each.wire_null is None:
        raise InstanceError(
            f"the value is missing and the column is not nullable ({each.type})",
            index=index,
            key=each.name,
            valid=f"a {each.type} value",
        )
    if flag is not None:
        if sent is True:
            raise InstanceError(
                f"the flag is true and {each.name!r} is missing",
                index=index,
                key=flag.name,
                valid=f"false, or a value for {each.name!r}",
            )
        return {each.name: PLACEHOLDERS[each.dtype], flag.name: False}
    return {each.name: math.nan if each.wire_null.kind == "nan" else each.wire_null.token}


def _checked(each: RawInput, value: object, index: int) -> WireValue:
    if each.dtype == "string" and isinstance(value, str):
        return value
    if each.dtype == "bool" and isinstance(value, bool):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        if each.dtype == "int64" and isinstance(value, int) and -(2**63) <= value < 2**63:
            return value
        if each.dtype == "float32" and abs(value) < _FLOAT32_MAX:
            return float(value)
    raise _mismatch(each, value, index)


_VALID = {
    "string": "a text in quotes",
    "int64": "a whole number of 64 bits",
    "float32": "a finite number of 32 bits",
    "bool": "true or false",
}


def _mismatch(each: RawInput, value: object, index: int) -> InstanceError:
    return InstanceError(
        f"expected {each.type}, got {_shown(value)}",
        index=index,
        key=each.name,
        valid=_VALID[each.dtype],
    )


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"
