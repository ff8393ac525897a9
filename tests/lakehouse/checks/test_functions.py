"""Functions that a contract names, without running one line of them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from goldlake_core.contracts.findings import Finding
from goldlake_core.contracts.yaml_entry import read
from lakehouse.checks.functions import Use, function_findings, function_remarks
from lakehouse.checks.places import Places
from tests.goldlake_core.contracts.conftest import Copy

ONE, THREE = ("silver",), ("silver", "changes", "gold")


def said(source: str, arguments: tuple[str, ...] = ONE, name: str = "build") -> list[str]:
    remarks = function_remarks(ast.parse(source), "tables.py", name, arguments)
    return [f"{remark.severity}: {remark.problem} ({remark.valid})" for remark in remarks]


@pytest.mark.parametrize(
    ("signature", "arguments"),
    [
        ("silver", ONE),
        ("silver, /", ONE),
        ("silver, more=None", ONE),
        ("*anything", THREE),
        ("silver, changes, gold", THREE),
        ("silver, changes=None, gold=None", THREE),
        ("silver, *rest, by='name', **others", THREE),
    ],
)
def test_signatures_that_fit(signature: str, arguments: tuple[str, ...]) -> None:
    assert said(f"def build({signature}): ...", arguments) == []


@pytest.mark.parametrize(
    ("signature", "arguments", "problem"),
    [
        ("", ONE, "takes 0 arguments, and is called with 1 (def build(silver))"),
        ("silver, changes", ONE, "takes 2 arguments, and is called with 1 (def build(silver))"),
        (
            "silver",
            THREE,
            "takes 1 argument, and is called with 3 (def build(silver, changes, gold))",
        ),
        (
            "silver, changes=None",
            THREE,
            "takes 1 to 2 arguments, and is called with 3 (def build(silver, changes, gold))",
        ),
        ("a, b, *c", ONE, "takes 2 or more arguments, and is called with 1 (def build(silver))"),
        (
            "silver, *, zone",
            ONE,
            "needs 'zone' by name, and is called without it (def build(silver))",
        ),
    ],
)
def test_signatures_that_do_not_fit(
    signature: str, arguments: tuple[str, ...], problem: str
) -> None:
    source = f"\ndef build({signature}): ...\n"
    assert said(source, arguments) == [f"error: 'build' in tables.py:2 {problem}"]


def test_a_decorator_may_change_what_a_function_takes() -> None:
    assert said("@wrapped\ndef build(): ...\n") == [
        "warning: 'build' in tables.py:2 takes 0 arguments, and is called with 1 "
        "(def build(silver))"
    ]


@pytest.mark.parametrize(
    ("source", "how"),
    [
        ("from elsewhere import build", "imported"),
        ("import other as build", "imported"),
        ("build = partial(other, 1)", "assigned"),
        ("build: Build = other", "assigned"),
        ("class build: ...", "a class"),
    ],
)
def test_what_is_not_a_def_is_taken_with_a_warning(source: str, how: str) -> None:
    assert said(source) == [
        f"warning: 'build' is {how} in tables.py:1, and what it takes was not checked "
        "(def build(silver))"
    ]


def test_the_last_definition_of_a_module_counts_wherever_it_is() -> None:
    source = "from x import build\nif True:\n    try:\n        def build(): ...\n    finally: ...\n"
    assert said(source) == [
        "error: 'build' in tables.py:4 takes 0 arguments, and is called with 1 (def build(silver))"
    ]


def test_a_function_that_is_not_at_module_level_is_not_there() -> None:
    source = "def bild(silver):\n    def build(silver): ...\nclass A:\n    def build(self): ...\n"
    assert said(source) == ["error: tables.py has no function 'build' (bild (nearest); all: bild)"]
    assert said("def _build(silver): ...\n") == [
        "error: tables.py has no function 'build' (nothing)"
    ]


def test_an_import_of_everything_may_bring_it() -> None:
    assert said("from elsewhere import *") == [
        "warning: tables.py may import 'build' with *, and what it takes was not checked "
        "(def build(silver))"
    ]


def test_an_async_function_is_never_awaited() -> None:
    assert said("async def build(silver): ...") == [
        "error: 'build' in tables.py:1 is async, and nothing awaits it (def build(silver))"
    ]


def _use(toy: Copy, dotted: str, table: str = "call_features") -> Use:
    path = toy.folder / "contract.yaml"
    contract = Places(read(path, str(path)))
    return Use(dotted, ONE, contract, ("gold", table, "build"))


def test_a_file_that_is_not_there(toy: Copy) -> None:
    contract = str(toy.folder / "contract.yaml")
    line = toy.line_of("contract.yaml", "build: tables.call_features")
    assert function_findings(toy.folder, [_use(toy, "tabels.call_features")]) == (
        Finding(
            "error",
            contract,
            line,
            "gold.call_features.build",
            "'tabels.call_features' names a file that is not there: tabels.py",
            "tables (nearest); all: generate, tables",
        ),
    )


def test_a_link_out_of_the_folder_is_not_there(toy: Copy) -> None:
    outside = toy.folder.parent / "outside.py"
    outside.write_text("def build(silver): ...\n")
    (toy.folder / "linked.py").symlink_to(outside)
    (found,) = function_findings(toy.folder, [_use(toy, "linked.build")])
    assert found.problem == "'linked.build' names a file that is not there: linked.py"


def test_a_syntax_error_is_one_finding_in_its_own_file(toy: Copy) -> None:
    (toy.folder / "broken.py").write_text("x = 1\ndef build(silver:\n    return silver\n")
    uses = [_use(toy, "broken.build"), _use(toy, "broken.other", "berth_day")]
    (found,) = function_findings(toy.folder, uses)
    assert (found.severity, found.file, found.line, found.key) == (
        "error",
        str(toy.folder / "broken.py"),
        2,
        None,
    )
    assert found.problem.startswith("this is not Python: ")


def test_a_file_of_zero_bytes_text_is_a_finding(toy: Copy) -> None:
    (toy.folder / "zeros.py").write_bytes(b"x = 1\0\n")
    (found,) = function_findings(toy.folder, [_use(toy, "zeros.build")])
    assert found.severity == "error"
    assert found.file == str(toy.folder / "zeros.py")


def test_nothing_is_executed(toy: Copy, tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    (toy.folder / "loud.py").write_text(
        f"open({str(mark)!r}, 'w')\nraise SystemExit\ndef build(silver): ...\n"
    )
    assert function_findings(toy.folder, [_use(toy, "loud.build")]) == ()
    assert not mark.exists()
