"""The generated pages: every key has a meaning, every column its row."""

from __future__ import annotations

import dataclasses

import pytest

from goldlake.workflows.pages import catalogue, reference
from goldlake_core.contracts import keys
from goldlake_core.contracts.usecase import Column, UseCase

SECTIONS = [v for v in vars(keys).values() if isinstance(v, keys.Keys)]
SECTIONS += [keys.feature_keys(kind) for kind in keys.FEATURE_PARAMS]


@pytest.mark.parametrize("section", SECTIONS, ids=lambda s: s.path or s.about.__name__)
def test_every_key_is_explained_and_in_the_page(section: keys.Keys) -> None:
    page = reference.contract_reference()
    texts = reference.attribute_texts(section.about)
    for key in section.keys:
        assert key.doc or texts[key.attribute or key.name], key.name
        assert f"| `{key.name}` | {key.takes}" in page


def test_every_attribute_of_a_column_can_be_written() -> None:
    attributes = {field.name for field in dataclasses.fields(Column)} - {"name"}
    assert set(keys.COLUMN.names) == attributes


def test_rows_of_the_reference() -> None:
    page = reference.contract_reference()
    assert (
        "| `version` | column, not nullable | required | "
        "Column whose larger value is the newer version of a row. |\n" in page
    )
    assert "| `period` | whole number, 2 to 1000000 | required | Values that make one turn" in page
    assert "| `epochs` | whole number, 1 or more | 10 | At most. |" in page
    assert "None" not in page
    assert "``" not in page


def test_table_escapes_what_would_break_it() -> None:
    assert reference.table(("a", "b"), [("x|y", "1\n2")]) == (
        "| a | b |\n| --- | --- |\n| x\\|y | 1 2 |\n"
    )


def test_rows_of_the_catalogue(harbour: UseCase) -> None:
    page = catalogue.data_catalogue(harbour)
    for row in [
        "| `length_m` | double | allowed; travels as `NaN` | metre | 5 to 400 | Length over all. "
        "| `length_m` |",
        '| `berth` | string | allowed; travels as `"(none)"` |  | matches `[0-9]{2}` | '
        "Berth; missing where the ship stayed at anchor. |",
        "| `crew` | int64 | `has_crew: false` |",
        "| `has_crew` | bool | tells whether `crew` is there |",
        "| `crew.range` | crew is 0 to 5000. |",
        "| `changed_after_arrival` | `changed >= arrived` | "
        "A record cannot have been changed before the ship came. |",
        "| split | the last 45 days test, 30 before eval, all before train |",
        "| blessed when | auc at least 0.6, worse than what serves by at most 0.1; "
        "binary_accuracy at least 0.5 |",
        "## `toy_harbour.gold.berth_day`",
        "## Model `toy_harbour.overdue`: Overdue stay",
    ]:
        assert row + "\n" in page + "\n" or row in page
    for table in (harbour.silver, *harbour.gold.values()):
        assert all(f"| `{name}` |" in page for name in table.names)
