"""Every key is declared once: bounds are those that are refused, and every key says what it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from goldlake.workflows.pages.json_schema import contract_schema, model_schema
from goldlake.workflows.pages.reference import pages_of_keys
from goldlake_core.contracts import read, yaml_entry
from goldlake_core.contracts.errors import ContractErrors
from goldlake_core.contracts.keys import Change, Declared, Form
from goldlake_core.contracts.read import LATER, Errors, read_section
from tests.goldlake_core.contracts.conftest import TOY, Copy

ROOT = Path(__file__).parents[3]
ALL = [
    pytest.param(key, id=f"{file}:{path}.{key.name}")
    for file, sections in pages_of_keys().items()
    for path, keys in sections.items()
    for key in keys
]
BOUNDED = [item for item in ALL if item.values[0].key.bounds]


def steps_beyond(key: Declared) -> list[float]:
    """Values one step beyond each bound."""
    step = 1 if key.type is int or key.type is not float else 1e-9
    values = []
    if key.key.low is not None:
        values.append(key.key.low - step)
    if key.key.above is not None:
        values.append(key.key.above)
    if key.key.high is not None:
        values.append(key.key.high + step)
    return values


def edges(key: Declared) -> list[float]:
    """The bounds themselves, which are allowed."""
    return [bound for bound in (key.key.low, key.key.high) if bound is not None]


def read_alone(key: Declared, value: float) -> Errors:
    """The errors of a mapping that has just this key."""
    text = f"{value:.12f}" if key.type is float else f"{value}"
    text = f"[{text}]" if key.type not in (int, float) else text
    errors = Errors()
    read_section(yaml_entry.parse(f"{key.name}: {text}\n", "f.yaml"), (key,), errors)
    return errors


@pytest.mark.parametrize("key", BOUNDED)
def test_one_step_beyond_each_printed_bound_is_refused_with_that_bound(key: Declared) -> None:
    assert key.key.bounds in key.takes
    beyond = steps_beyond(key)
    assert beyond
    for value in beyond:
        (error,) = read_alone(key, value).found
        assert "is out of bounds" in str(error)
        assert error.valid == key.key.bounds
    for value in edges(key):
        assert read_alone(key, value).found == []


def test_many_keys_have_bounds() -> None:
    assert len(BOUNDED) >= 25


@pytest.mark.parametrize("key", ALL)
def test_every_key_has_a_reader_a_sentence_and_a_consequence(key: Declared) -> None:
    assert key.key.form is None or key.key.form in LATER or key.key.form in read._FORMS
    about = key.key.about
    assert about[0].isupper() or about[0] == "`"
    assert about.endswith(".")
    assert len(about.split()) >= 3
    assert key.key.change in Change.__args__  # type: ignore[attr-defined]
    assert key.takes


def test_every_form_is_used() -> None:
    assert {item.values[0].key.form for item in ALL} - {None} == set(Form)


def test_all_errors_of_all_files_are_reported_at_once(toy: Copy) -> None:
    toy.edit("contract.yaml", "  page_rows: 200", "  page_rows: 0")
    toy.edit("contract.yaml", "  version: changed", "  version: change")
    toy.edit("contract.yaml", "    mode: aggregate", "    mode: aggregated")
    toy.edit("models/overdue.yaml", "  epochs: 6", "  epoch: 6")
    toy.edit("models/overdue.yaml", "  dropout: 0.0", "  dropout: 7.0")
    toy.edit("models/overdue.yaml", "maturity_days: 14", "maturity_days: soon")
    (toy.folder / "models/second.yaml").write_text("name: first\n", encoding="utf-8")
    error = toy.error()
    assert isinstance(error, ContractErrors)
    found = [(Path(e.file).name, e.key, e.reason) for e in error.errors]
    assert found == [
        ("contract.yaml", "source.page_rows", "0 is out of bounds"),
        ("contract.yaml", "silver.version", "there is no column 'change'"),
        ("contract.yaml", "gold.berth_day.mode", "unknown value 'aggregated'"),
        ("overdue.yaml", "maturity_days", "expected a whole number, got soon"),
        ("overdue.yaml", "training.dropout", "7.0 is out of bounds"),
        ("overdue.yaml", "training.epoch", "unknown key 'epoch'"),
        (
            "second.yaml",
            None,
            "the keys 'label', 'features', 'thresholds' are missing",
        ),
        ("second.yaml", "name", "the model is called 'first' and its file second.yaml"),
        ("second.yaml", None, "there is no gold table 'rows'"),
    ]
    assert str(error).startswith("9 errors in the contracts:\n")
    assert all(e.line is not None for e in error.errors)
    assert error.exit_code == 2


def test_a_list_without_units_is_refused(toy: Copy) -> None:
    toy.edit("models/overdue.yaml", "  hidden_units: [16]", "  hidden_units: []")
    assert "training.hidden_units: the list is empty. Valid: at least one" in str(toy.error())


@pytest.mark.parametrize("column", ["pilot", "hour"])
def test_a_limit_that_tfdv_cannot_compare_is_refused(toy: Copy, column: str) -> None:
    toy.edit(
        "models/overdue.yaml",
        "column: vessel_type, compare: skew",
        f"column: {column}, compare: skew",
    )
    assert "infinity_norm: infinity_norm compares texts" in str(toy.error())


def yaml_document(file: Path) -> Any:
    # Editors read YAML 1.2, where a bare day is text.
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    return json.loads(json.dumps(document, default=str))


@pytest.mark.parametrize(
    "folder",
    [TOY, *(ROOT / "usecases" / name for name in ("chicago_crime", "uk_street_api"))],
    ids=lambda f: f.name,
)
def test_schemas_hold_for_what_is_read(folder: Path) -> None:
    jsonschema.Draft202012Validator.check_schema(contract_schema())
    jsonschema.Draft202012Validator.check_schema(model_schema())
    jsonschema.validate(yaml_document(folder / "contract.yaml"), contract_schema())
    for file in (folder / "models").glob("*.yaml"):
        jsonschema.validate(yaml_document(file), model_schema())


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("training", "epochs"), 0),
        (("training", "learning_rate"), 0),
        (("thresholds", "auc", "min"), 2),
        (("split", "kind"), "monthly"),
        (("features", "hour", "kind"), "number"),
        (("licence",), "x"),
    ],
)
def test_schema_refuses_what_the_reader_refuses(path: tuple[str, ...], value: Any) -> None:
    document = yaml_document(TOY / "models" / "overdue.yaml")
    part = document
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, model_schema())


@pytest.mark.parametrize(
    "options",
    [{"polygon": [[52.6, -1.2]]}, {"polgon": []}, {"first_month": "2023"}, {"attempts": 0}],
    ids=str,
)
def test_schema_knows_the_options_of_a_connector(options: dict[str, Any]) -> None:
    document = yaml_document(ROOT / "usecases" / "uk_street_api" / "contract.yaml")
    document["source"]["options"] |= options
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, contract_schema())
    document["source"]["kind"] = "another"
    jsonschema.validate(document, contract_schema())


@pytest.mark.parametrize("folder", [TOY, ROOT / "usecases" / "chicago_crime"], ids=lambda f: f.name)
def test_the_first_line_of_a_contract_names_its_schema(folder: Path) -> None:
    for file in (folder / "contract.yaml", *(folder / "models").glob("*.yaml")):
        first = file.read_text(encoding="utf-8").splitlines()[0]
        path = first.removeprefix("# yaml-language-server: $schema=")
        assert (file.parent / path).is_file()
