"""What a served model takes, and how missing values travel."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldlake_core.contracts.errors import InstanceError
from goldlake_core.contracts.loader import load_contract
from goldlake_core.contracts.sections import UseCase, WireNull
from goldlake_core.contracts.wire import RawInput, fill_nulls, raw_inputs
from tests.goldlake_core.contracts.conftest import TOY

WHOLE: dict[str, Any] = {
    "vessel_type": "TANKER",
    "berth": "03",
    "pilot": True,
    "length_m": 240,
    "crew": 24,
    "hour": 3,
    "weekday": 7,
    "latitude": 56.1,
    "longitude": 10.3,
    "cargo": "crude oil",
}
_harbour = load_contract(TOY)
INPUTS = raw_inputs(_harbour.models["overdue"], _harbour.gold["call_features"])


def test_inputs_are_the_feature_columns_and_then_the_flags(harbour: UseCase) -> None:
    inputs = raw_inputs(harbour.models["overdue"], harbour.gold["call_features"])
    assert [(i.name, i.dtype) for i in inputs] == [
        ("vessel_type", "string"),
        ("berth", "string"),
        ("pilot", "bool"),
        ("length_m", "float32"),
        ("crew", "int64"),
        ("hour", "int64"),
        ("weekday", "int64"),
        ("latitude", "float32"),
        ("longitude", "float32"),
        ("cargo", "string"),
        ("knows_pilot", "bool"),
        ("has_crew", "bool"),
    ]
    assert inputs[1] == RawInput("berth", "string", True, WireNull("text", "(none)"), "string")
    assert inputs[-1] == RawInput("has_crew", "boolean", True, None, "bool", flag_of="crew")


def test_a_whole_instance_gains_its_flags() -> None:
    (filled,) = fill_nulls(INPUTS, [WHOLE])
    assert filled == {**WHOLE, "length_m": 240.0, "knows_pilot": True, "has_crew": True}
    assert list(filled) == [i.name for i in INPUTS]
    assert type(filled["length_m"]) is float


@pytest.mark.parametrize("missing", ["absent", "null"])
def test_each_way_of_a_null(missing: str) -> None:
    instance = dict(WHOLE)
    for key in ("berth", "pilot", "length_m", "crew"):
        if missing == "absent":
            del instance[key]
        else:
            instance[key] = None
    (filled,) = fill_nulls(INPUTS, [instance])
    assert filled["berth"] == "(none)"
    assert (filled["pilot"], filled["knows_pilot"]) == (False, False)
    assert math.isnan(filled["length_m"])
    assert (filled["crew"], filled["has_crew"]) == (0, False)


def test_zero_empty_and_missing_stay_three_things() -> None:
    instances = [
        {**WHOLE, "crew": 0, "berth": "", "length_m": 0.0, "pilot": False},
        {k: v for k, v in WHOLE.items() if k not in ("crew", "berth", "length_m", "pilot")},
    ]
    present, missing = fill_nulls(INPUTS, instances)
    assert (present["crew"], present["has_crew"]) == (0, True)
    assert (missing["crew"], missing["has_crew"]) == (0, False)
    assert (present["berth"], missing["berth"]) == ("", "(none)")
    assert present["length_m"] == 0.0
    assert math.isnan(missing["length_m"])
    assert (present["pilot"], present["knows_pilot"]) == (False, True)
    assert (missing["pilot"], missing["knows_pilot"]) == (False, False)


def test_a_flag_that_the_client_sends() -> None:
    (absent,) = fill_nulls(INPUTS, [{**WHOLE, "crew": 5, "has_crew": False}])
    assert (absent["crew"], absent["has_crew"]) == (0, False)
    (present,) = fill_nulls(INPUTS, [{**WHOLE, "crew": 5, "has_crew": True}])
    assert (present["crew"], present["has_crew"]) == (5, True)


def test_filling_changes_nothing_that_is_filled_and_leaves_the_input_alone() -> None:
    instance = {k: v for k, v in WHOLE.items() if k not in ("crew", "berth")}
    before = dict(instance)
    once = fill_nulls(INPUTS, [instance])
    assert instance == before
    assert fill_nulls(INPUTS, once) == once


@pytest.mark.parametrize(
    ("change", "key", "expected"),
    [
        ({"beth": "1"}, "beth", "instance 1: beth: the model has no such input. "
         "Valid: berth (nearest); all: vessel_type, berth, pilot, length_m, crew, hour, weekday, "
         "latitude, longitude, cargo, knows_pilot, has_crew."),
        ({"hour": None}, "hour", "instance 1: hour: the value is missing and the column is not "
         "nullable (long). Valid: a long value."),
        ({"hour": 3.0}, "hour", "instance 1: hour: expected long, got 3.0. "
         "Valid: a whole number of 64 bits."),
        ({"hour": True}, "hour", "instance 1: hour: expected long, got True. "
         "Valid: a whole number of 64 bits."),
        ({"crew": 2**63}, "crew", "instance 1: crew: expected long, got 9223372036854775808. "
         "Valid: a whole number of 64 bits."),
        ({"vessel_type": 3}, "vessel_type", "instance 1: vessel_type: expected string, got 3. "
         "Valid: a text in quotes."),
        ({"length_m": "9"}, "length_m", "instance 1: length_m: expected double, got '9'. "
         "Valid: a finite number of 32 bits."),
        ({"length_m": 1e39}, "length_m", "instance 1: length_m: expected double, got 1e+39. "
         "Valid: a finite number of 32 bits."),
        ({"length_m": math.inf}, "length_m", "instance 1: length_m: expected double, got inf. "
         "Valid: a finite number of 32 bits."),
        ({"pilot": 1}, "pilot", "instance 1: pilot: expected boolean, got 1. "
         "Valid: true or false."),
        ({"cargo": ["x" * 99]}, "cargo", "instance 1: cargo: expected string, got ['"
         + "x" * 57 + "…. Valid: a text in quotes."),
        ({"has_crew": "yes"}, "has_crew", "instance 1: has_crew: expected boolean, got 'yes'. "
         "Valid: true or false."),
        ({"has_crew": True, "crew": None}, "has_crew", "instance 1: has_crew: the flag is true and "
         "'crew' is missing. Valid: false, or a value for 'crew'."),
    ],
)  # fmt: skip
def test_what_does_not_fit(change: dict[str, Any], key: str, expected: str) -> None:
    with pytest.raises(InstanceError) as caught:
        fill_nulls(INPUTS, [WHOLE, {**WHOLE, **change}])
    assert (str(caught.value), caught.value.index, caught.value.key) == (expected, 1, key)


def test_an_instance_that_is_no_object() -> None:
    with pytest.raises(InstanceError, match="^instance 0: expected an object of inputs, got 3"):
        fill_nulls(INPUTS, [3])  # type: ignore[list-item]


@given(
    st.fixed_dictionaries(
        {
            "vessel_type": st.text(),
            "cargo": st.text(),
            "hour": st.integers(-(2**63), 2**63 - 1),
            "weekday": st.integers(1, 7),
        },
        optional={
            "berth": st.none() | st.text(),
            "pilot": st.none() | st.booleans(),
            "length_m": st.none() | st.floats(width=32, allow_infinity=False),
            "crew": st.none() | st.integers(-(2**63), 2**63 - 1),
            "latitude": st.none() | st.floats(width=32, allow_infinity=False),
        },
    )
)
def test_every_filled_instance_has_one_type_per_key_and_every_key(instance: dict[str, Any]) -> None:
    (filled,) = fill_nulls(INPUTS, [instance])
    types = {"string": str, "int64": int, "float32": float, "bool": bool}
    assert {k: type(v) for k, v in filled.items()} == {i.name: types[i.dtype] for i in INPUTS}
    assert filled["has_crew"] is (instance.get("crew") is not None)
    assert json.loads(json.dumps(filled)).keys() == filled.keys()
