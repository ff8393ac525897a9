"""The table of types is whole, and every package that reads it covers every type."""

from __future__ import annotations

import dataclasses
from typing import get_args

import pytest

from goldlake.workflows.pages.json_schema import contract_schema
from goldlake_core.contracts import column_types
from goldlake_core.contracts.column_types import COLUMN_TYPES, SERVED, ColumnType, Names
from goldlake_core.contracts.keys import keys_of
from goldlake_core.contracts.loader import load_contract
from goldlake_core.contracts.sections import FEATURES, Column
from goldlake_core.contracts.wire import DTYPES, PLACEHOLDERS
from goldlake_core.storage import deltalog
from goldlake_simulators.socrata import records
from lakehouse import rows, specs
from tests.goldlake_core.contracts.conftest import TOY


def test_every_type_has_a_row_and_every_row_is_whole() -> None:
    assert tuple(COLUMN_TYPES) == get_args(ColumnType)
    for field in dataclasses.fields(Names):
        assert field.default is dataclasses.MISSING
        assert field.default_factory is dataclasses.MISSING
    for names in COLUMN_TYPES.values():
        assert names.family in get_args(column_types.Family)
        assert names.example in get_args(column_types.ExampleType)
        assert names.dtype in (None, *get_args(column_types.Dtype))


def test_the_contract_takes_every_type() -> None:
    (kind,) = (key for key in keys_of(Column) if key.name == "type")
    assert kind.options == tuple(COLUMN_TYPES)
    assert repr(list(COLUMN_TYPES)) in repr(contract_schema())


def test_what_a_feature_reads_can_be_served() -> None:
    assert {name for kind in FEATURES.values() for name in kind.types} <= set(SERVED)
    assert tuple(DTYPES) == SERVED
    assert set(PLACEHOLDERS) == set(DTYPES.values())


@pytest.mark.parametrize("name", COLUMN_TYPES)
def test_delta_and_both_readers_know_the_type(name: ColumnType) -> None:
    import polars as pl
    import pyarrow as pa

    field = specs.contract_field(Column(name=name, type=name, comment=""))
    assert field.delta_type == COLUMN_TYPES[name].delta
    arrow = deltalog._arrow_type(pa, field.delta_type)
    assert rows._type(field.delta_type) == pl.from_arrow(pa.array([], arrow)).dtype


def test_line_numbers_and_lists_are_read_too() -> None:
    import polars as pl
    import pyarrow as pa

    assert specs.Field("line", "int", "").delta_type == "integer"
    assert deltalog._arrow_type(pa, "integer") == pa.int32()
    assert rows._type("integer") == pl.Int32()
    texts = deltalog.ArrayType(element_type="string")
    assert deltalog._arrow_type(pa, texts) == pa.list_(pa.string())
    assert rows._type(texts) == pl.List(pl.String())


def test_the_simulated_portal_has_a_type_for_every_column() -> None:
    assert set(records._TYPES) == set(get_args(column_types.Family))
    assert records.Shape.of(load_contract(TOY)).types["arrived"] == "floating_timestamp"
