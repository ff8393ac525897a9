"""One SQL per rule, for records and for tables."""

from __future__ import annotations

from goldlake.contracts.usecase import Check, Column
from lakehouse import rules


def test_each_declaration_becomes_one_rule():
    column = Column(
        "code", "string", "A code.", nullable=False, domain=("A'", "B\\"), pattern="[A-Z]"
    )
    area = Column("area", "long", "An area.", range=(1, 77))
    check = Check("ends_after_start", "stop >= start", "Time runs forward.")
    found = {rule.code: rule.expect for rule in rules.row_rules((column, area), (check,))}
    assert found == {
        "code.domain": "cast(`code` as string) in ('A\\'', 'B\\\\')",
        "code.pattern": "`code` rlike '\\\\A(?:[A-Z])\\\\z'",
        "area.range": "`area` >= 1L and `area` <= 77L",
        "ends_after_start": "(stop >= start)",
    }


def test_constraints_let_null_pass_and_refuse_missing_values():
    column = Column("area", "long", "An area.", nullable=False, range=(None, 77))
    assert rules.constraints((column,)) == {
        "area_missing": "`area` is not null",
        "area_range": "coalesce(`area` <= 77L, true)",
    }


def test_bounds_keep_their_type():
    assert rules.number(41.5, "double") == "41.5D"
    assert rules.number(1, "double") == "1.0D"
    assert rules.number(0.5, "long") == "0.5D"
    assert rules.number(None, "long") is None
