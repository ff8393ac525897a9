"""YAML: places, types as expected, and the parts of YAML that contracts do not have."""

from __future__ import annotations

from pathlib import Path

import pytest

from goldlake_core.contracts import names, yaml_entry
from goldlake_core.contracts.errors import ContractError


def members(text: str) -> dict[str, yaml_entry.Entry]:
    return yaml_entry.parse(text, "f.yaml").members()


def refusal(text: str) -> str:
    with pytest.raises(ContractError) as caught:
        yaml_entry.parse(text, "f.yaml").free()
    return str(caught.value)


def test_every_value_knows_its_line_and_key() -> None:
    found = members("# a comment\na:\n  b:\n    - x\n    - {c: 1}\n")
    b = found["a"].members()["b"]
    c = b.items()[1].members()["c"]
    assert (b.line, b.key) == (3, "a.b")
    assert (c.line, c.key) == (5, "a.b[1].c")


@pytest.mark.parametrize(
    ("text", "number"),
    [("1e-5", 1e-5), (".5", 0.5), ("-3", -3.0), ("1E+3", 1000.0), ("5.", 5.0), ("0.00001", 1e-5)],
)
def test_numbers_of_both_yaml_versions(text: str, number: float) -> None:
    assert members(f"a: {text}")["a"].number() == number


@pytest.mark.parametrize(
    "text", ["'1'", "E01", "e", ".", ".inf", ".nan", "1_000", "0x10", "1:30", "010", "true"]
)
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(ContractError, match=r"f\.yaml:1: a: expected a number"):
        members(f"a: {text}")["a"].number()


@pytest.mark.parametrize(
    "text",
    ["no", "Yes", "on", "OFF", "null", "~", "0890", "017", "12", "1.5", "1e5", "1:30", "1_000"]
    + ["0x1F", "2016-01-01", "<<", "=", ".5", "+3", "-7"],
)
def test_text_that_another_reader_takes_for_something_else_is_to_be_quoted(text: str) -> None:
    with pytest.raises(ContractError, match="f.yaml:1: a: expected text, got "):
        members(f"a: {text}")["a"].exact_text()
    assert members(f'a: "{text}"')["a"].exact_text() == text


@pytest.mark.parametrize("text", ["12th", "a b", "A-1", "none", "y", "n", "1811X", "@x1"[1:]])
def test_text_that_every_reader_takes_for_text(text: str) -> None:
    assert members(f"a: {text}")["a"].exact_text() == text


def test_blanks_and_line_breaks_of_a_paragraph_become_single_blanks() -> None:
    assert members("a: >\n  one\n  two\n\n  three\n")["a"].text() == "one two three"


def test_free_values_are_plain_python() -> None:
    text = "a: {b: [1, 2.5, true, null, x, '017'], c: {}}"
    assert yaml_entry.parse(text, "f").free() == {
        "a": {"b": [1, 2.5, True, None, "x", "017"], "c": {}}
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\na: 2", "f.yaml:2: a: the key 'a' is given twice, first in line 1. "
                       "Valid: each key once."),
        ("1: 2", "f.yaml:1: expected text, got 1, which YAML may read as something else. "
                 'Valid: the same in quotes: "1".'),
        ("", "f.yaml: the file is empty. Valid: a mapping of keys."),
        ("a: 1\nb: [1", "f.yaml:2: this is not YAML: expected ',' or ']', "
                        "but got '<stream end>'."),
        ("a: 1\n--- \nb: 1", "f.yaml:2: this is not YAML: but found another document."),
        ("a: 1\nb: &x 1", "f.yaml:2: contracts have no YAML anchors, aliases or tags, and here is "
                          "an anchor or alias. Valid: the value itself, in quotes if it starts "
                          "with & * or !."),
        ("a: !!python/name:os.system x", "f.yaml:1: contracts have no YAML anchors, aliases or "
                                         "tags, and here is a tag. Valid: the value itself, in "
                                         "quotes if it starts with & * or !."),
        ("a: \0", "f.yaml: this is not YAML: unacceptable character #x0000: special characters "
                  "are not allowed."),
        ('a: "\\ud800"', "f.yaml:1: a: the text holds the control character U+D800. "
                         "Valid: printable text."),
        ("[" * 100_000, "f.yaml:1: the YAML is nested too deeply. Valid: at most 50 levels."),
    ],
)  # fmt: skip
def test_what_is_refused_as_a_whole(text: str, expected: str) -> None:
    assert refusal(text) == expected


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ContractError) as caught:
        yaml_entry.read(tmp_path / "contract.yaml", "x/contract.yaml")
    assert str(caught.value) == (
        "x/contract.yaml: the file cannot be read (No such file or directory). "
        "Next: check the path of the use case"
    )


def test_a_file_over_the_bound(tmp_path: Path) -> None:
    path = tmp_path / "contract.yaml"
    path.write_bytes(b"#" * yaml_entry.MAX_BYTES)
    assert "the file is empty" in str(
        pytest.raises(ContractError, yaml_entry.read, path, "f").value
    )
    path.write_bytes(b"#" * (yaml_entry.MAX_BYTES + 1))
    with pytest.raises(ContractError, match="^f: the file is larger than 1048576 bytes"):
        yaml_entry.read(path, "f")


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "contract.yaml"
    path.write_bytes("a: 1\nb: Straße".encode("latin-1"))
    with pytest.raises(ContractError, match="^f:2: byte 0xdf is not UTF-8"):
        yaml_entry.read(path, "f")


def test_a_byte_order_mark_is_no_part_of_a_key(tmp_path: Path) -> None:
    path = tmp_path / "contract.yaml"
    path.write_bytes(b"\xef\xbb\xbfname: x\r\n")
    assert yaml_entry.read(path, "f").free() == {"name": "x"}


def test_nearest_names_the_nearest_first_and_then_all() -> None:
    assert (
        names.nearest("nulable", ["type", "nullable"]) == "nullable (nearest); all: type, nullable"
    )
    assert names.nearest("zzz", ["type", "nullable"]) == "type, nullable"
    assert names.nearest("zzz", []) == "nothing"
