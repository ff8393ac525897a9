"""What a contract means in SQL."""

# ruff: noqa: F811 (a fixture is an import and an argument)

from __future__ import annotations

import pytest

from goldlake_core.contracts import sql_rules
from goldlake_core.contracts.sections import Column, UseCase
from goldlake_core.contracts.sql_rules import Rule
from tests.goldlake_core.contracts.conftest import harbour  # noqa: F401


def rules(**declared: object) -> list[tuple[str, str]]:
    column = Column("c", **{"type": "string", "comment": "C.", **declared})  # type: ignore[arg-type]
    return [(r.code, r.expect) for r in sql_rules.column_rules(column)]


def test_rules_of_a_column() -> None:
    assert rules(domain=("A", "it's", "b\\c")) == [("c.domain", r"`c` in ('A', 'it\'s', 'b\\c')")]
    assert rules(pattern=r"[0-9]{2}\d") == [("c.pattern", r"`c` rlike '\\A(?:[0-9]{2}\\d)\\z'")]
    assert rules(type="long", range=(1, 77)) == [("c.range", "`c` >= 1L and `c` <= 77L")]
    assert rules(type="long", range=(None, 5)) == [("c.range", "`c` <= 5L")]
    assert rules(type="double", range=(-88.1, 3)) == [("c.range", "`c` >= -88.1D and `c` <= 3.0D")]
    assert rules(type="double", range=(0, None)) == [("c.range", "`c` >= 0.0D and not isnan(`c`)")]
    assert rules() == []


def test_a_constraint_lets_null_pass_by_name() -> None:
    assert Rule("c.range", "`c` >= 1L").constraint == ("c_range", "coalesce(`c` >= 1L, true)")


def test_constraints_of_the_toy(harbour: UseCase) -> None:
    silver = harbour.silver
    found = sql_rules.constraints(silver.columns, silver.checks)
    assert list(found) == [
        "call_id_missing",
        "arrived_missing",
        "changed_missing",
        "vessel_type_missing",
        "cargo_missing",
        "overdue_missing",
        "call_id_pattern",
        "vessel_type_domain",
        "berth_pattern",
        "length_m_range",
        "crew_range",
        "latitude_range",
        "longitude_range",
        "both_or_no_coordinates",
        "changed_after_arrival",
    ]
    assert found["call_id_missing"] == "`call_id` is not null"
    assert found["changed_after_arrival"] == "coalesce((changed >= arrived), true)"


def test_reasons_name_every_code_with_a_sentence(harbour: UseCase) -> None:
    reasons = sql_rules.reasons(harbour.silver)
    assert reasons["json.invalid"] == "The line is one JSON object."
    assert reasons["arrived.missing"] == "arrived has a value."
    assert reasons["crew.unparsable"] == "crew reads as long."
    assert reasons["vessel_type.domain"] == "vessel_type is one of CARGO, FERRY, FISHING, TANKER."
    assert reasons["longitude.range"] == "longitude is 8 to 15.5."
    assert reasons["berth.pattern"] == "berth matches [0-9]{2}."
    assert reasons["both_or_no_coordinates"] == "A position has two coordinates."
    assert reasons["cargo.unparsable"] == "cargo reads as string."  # and not as an object
    assert reasons["arrived.future"] == "arrived is at most a day after the record was landed."
    assert "crew.missing" not in reasons


@pytest.mark.parametrize(
    ("bounds", "text"),
    [((0, None), "0 or more"), ((None, 2.5), "2.5 or less"), ((54, 1e6), "54 to 1000000")],
)
def test_range_text(bounds: tuple[float | None, float | None], text: str) -> None:
    assert sql_rules.range_text(Column("c", "double", "C.", range=bounds)) == text


def test_the_toys_dirt_is_rejected_under_codes_that_exist(harbour: UseCase) -> None:
    from goldlake_core.contracts.registry import resolve

    rows = resolve(harbour, "generate.rows", "source.generator")
    dirt = rows.__globals__["DIRT"]
    assert set(dirt.values()) <= set(sql_rules.reasons(harbour.silver))
