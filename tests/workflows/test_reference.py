"""The generated pages: every key has a meaning, every column its row."""

from __future__ import annotations

from datetime import date

import pytest
from msgspec.structs import replace

from goldlake.workflows.pages import catalogue, reference
from goldlake_core.contracts.keys import Declared
from goldlake_core.contracts.sections import Split, UseCase

SECTIONS = [
    pytest.param(keys, id=f"{file}:{path}")
    for file, sections in reference.pages_of_keys().items()
    for path, keys in sections.items()
]


@pytest.mark.parametrize("keys", SECTIONS)
def test_every_key_is_in_the_page(keys: tuple[Declared, ...]) -> None:
    page = reference.contract_reference()
    for key in keys:
        assert f"| `{key.name}` | {key.takes} |" in page
        assert f"| {key.key.about} | {key.key.change} |" in page


def test_rows_of_the_reference() -> None:
    page = reference.contract_reference()
    for row in [
        "| `version` | column, not nullable | none | Column whose larger value is the newer "
        "version of a row. Without it, what was landed later is newer. | rebuild |",
        "| `period` | whole number, 2 to 1000000 | required | Number of values that make one turn",
        "| `epochs` | whole number, 1 to 100000 | by rows: 200 to 10 | Greatest ",
        "| `learning_rate` | number, above 0 | by rows: 0.005 to 0.001 |",
        "| `hidden_units` | list of whole numbers, 1 to 8192, at least one | by rows: [16] to ",
        "| `infinity_norm` | number, above 0, to 1 | not set |",
        "| `auc` | 0 to 1 | higher is better |",
    ]:
        assert row in page
    assert "None" not in page
    assert "``" not in page


def test_table_escapes_what_would_break_it() -> None:
    assert reference.table(("a", "b"), [("x|y", "1\n2")]) == (
        "| a | b |\n| --- | --- |\n| x\\|y | 1 2 |\n"
    )


def test_a_gap_is_in_the_catalogue(harbour: UseCase) -> None:
    def page(split: Split) -> str:
        models = {name: replace(model, split=split) for name, model in harbour.models.items()}
        return catalogue.data_catalogue(replace(harbour, models=models))

    relative = Split("relative", eval_days=30, test_days=45, gap_days=7)
    assert (
        "| split | the last 45 days test, 30 before eval, all before train, 7 days left out "
        "between them |\n"
    ) in page(relative)
    days = {"eval_from": date(2024, 2, 1), "test_from": date(2024, 3, 1)}
    fixed = Split("fixed", **days, until=date(2024, 4, 1), gap_days=7)
    assert (
        "| split | eval from 2024-02-01, test from 2024-03-01, until 2024-04-01, 7 days left out "
        "between them |\n"
    ) in page(fixed)


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
