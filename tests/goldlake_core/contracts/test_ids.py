"""Names of tables and models: one parser, one text."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldlake_core.contracts import ids
from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.ids import MAX_VERSION, ModelId, TableId

names = st.from_regex(r"[a-z][a-z0-9_]{0,63}", fullmatch=True)


@given(names, st.sampled_from(ids.LAYERS), names, st.none() | st.integers(0, MAX_VERSION))
def test_a_table_survives_its_text(
    usecase: str, layer: str, name: str, version: int | None
) -> None:
    table = TableId(usecase, layer, name, version)
    assert ids.TableId.parse(str(table)) == table
    assert ids.parse(str(table)) == table


@given(names, names, st.none() | st.integers(1, MAX_VERSION))
def test_a_model_survives_its_text(usecase: str, name: str, version: int | None) -> None:
    model = ModelId(usecase, name, version)
    assert ids.ModelId.parse(str(model)) == model
    assert ids.parse(str(model)) == model


@given(st.text(max_size=40))
def test_any_text_is_an_id_that_prints_the_same_or_a_usage_error(text: str) -> None:
    try:
        parsed = ids.parse(text)
    except UsageError:
        return
    assert str(parsed) == text


def test_texts() -> None:
    table = TableId("harbour", "silver", "calls", 12)
    assert str(table) == "harbour.silver.calls@12"
    assert str(table.at(None)) == "harbour.silver.calls"
    assert str(ModelId("harbour", "overdue").at(7)) == "harbour.overdue@7"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "harbour.calls",
            "'harbour.calls' names no table. Valid: USECASE.LAYER.NAME or "
            "USECASE.LAYER.NAME@VERSION, such as harbour.silver.calls@12. "
            "Next: `goldlake tables` and `goldlake models` list what there is",
        ),
        (
            "harbour.sliver.calls",
            "'harbour.sliver.calls' names no table: unknown layer 'sliver'. "
            "Valid: silver (nearest); all: bronze, silver, gold, scores, audit.",
        ),
        ("harbour.silver.calls@", "'harbour.silver.calls@' has no version ''. "
                                  "Valid: a whole number, 0 or more."),
        ("harbour.silver.calls@01", "'harbour.silver.calls@01' has no version '01'. "
                                    "Valid: a whole number, 0 or more."),
        ("harbour.silver.calls@9223372036854775808",
         "'harbour.silver.calls@9223372036854775808' has no version '9223372036854775808'. "
         "Valid: a whole number, 0 or more."),
    ],
)  # fmt: skip
def test_what_is_no_table(text: str, expected: str) -> None:
    with pytest.raises(UsageError, match=f"^{re.escape(expected)}$"):
        ids.TableId.parse(text)


@pytest.mark.parametrize(
    "text",
    ["harbour", "harbour.silver.calls", "Harbour.x", ".", "a.b.", "../x.y", "a.b@0", "a.b@١"],
)
def test_what_is_no_model(text: str) -> None:
    with pytest.raises(UsageError):
        ids.ModelId.parse(text)


def test_what_is_neither() -> None:
    with pytest.raises(UsageError, match="'harbour' names no table or model"):
        ids.parse("harbour")
