"""Pages hold together: every link leads somewhere, every command line is one that exists."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from goldlake.cli.main import main as command_line
from tests.docs.pages import (
    DOCS,
    FENCE,
    LINK,
    TOP,
    anchors,
    chapters,
    command_lines,
    prose_of,
    readers_pages,
    source_of,
)


def name_of(page: Path) -> str:
    return str(page.relative_to(TOP))


def test_every_chapter_has_its_file() -> None:
    names = chapters()
    assert len(names) == len(set(names))
    assert [str(source_of(name)) for name in names if not source_of(name).is_file()] == []


def test_every_page_is_a_chapter() -> None:
    pages = {
        str(file.relative_to(DOCS).with_suffix(""))
        for file in DOCS.rglob("*.md")
        if not {"_build", "notebooks"} & set(file.relative_to(DOCS).parts)
    }
    pages |= {f"notebooks/{file.stem}" for file in (TOP / "notebooks").glob("*.ipynb")}
    assert pages == set(chapters())


@pytest.mark.parametrize("page", readers_pages(), ids=name_of)
def test_links_between_pages_resolve(page: Path) -> None:
    for target in LINK.findall(prose_of(page)):
        if re.match(r"https?://|mailto:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if file.is_relative_to(DOCS / "notebooks"):  # copied there when the book is built
            file = TOP / file.relative_to(DOCS)
        assert file.is_file(), f"{name_of(page)} links to {target}"
        if anchor:
            assert anchor in anchors(file), f"{name_of(page)} links to {target}"


@pytest.mark.parametrize("page", readers_pages(), ids=name_of)
def test_command_lines_exist(page: Path) -> None:
    context = click.Context(command_line, **command_line.context_settings)
    for words in command_lines(page):
        if not words or not re.fullmatch(r"[a-z]+", words[0]):
            assert all(word in ("--help", "-h", "--version") for word in words), words
            continue
        command = command_line.get_command(context, words[0])
        assert command is not None, f"{name_of(page)}: goldlake {' '.join(words)}"
        rest = words[1:]
        if isinstance(command, click.Group):
            member = command.get_command(context, rest[0]) if rest else None
            assert member is not None, f"{name_of(page)}: goldlake {' '.join(words)}"
            command, rest = member, rest[1:]
        problem = unknown_part(command, rest, context)
        assert not problem, f"{name_of(page)}: goldlake {' '.join(words)}: {problem}"


def unknown_part(command: click.Command, words: list[str], context: click.Context) -> str:
    """What a command would not take, or ""; values are not looked at (files need not exist)."""
    words = [word for word in words if word not in ("…", "...")]
    # Below the group's context: a command keeps its first context's names of --help for good.
    parser = command.make_parser(click.Context(command, parent=context))
    try:
        _, rest, _ = parser.parse_args(list(words))
    except click.UsageError as error:
        return error.format_message()
    return f"extra arguments {rest}" if rest else ""


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (["--sources", "live"], "No such option"),
        (["chicago_crime", "again"], "extra arguments"),
        (["--source"], "requires an argument"),
        (["chicago_crime", "--source", "live"], ""),
    ],
)
def test_a_wrong_command_line_is_noticed(line: list[str], problem: str) -> None:
    context = click.Context(command_line, **command_line.context_settings)
    command = command_line.get_command(context, "run")
    assert command is not None
    found = unknown_part(command, line, context)
    assert problem in found
    assert bool(problem) == bool(found)


def test_command_lines_are_found_in_blocks_spans_and_pipes(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "Run `goldlake tables`.\n\n```console\n$ echo '{}' | goldlake predict a.b --json\n"
        "output of goldlake\n$ GOLDLAKE_HOME=x goldlake serve --rest-port 1 &   # in a shell\n```\n"
    )
    assert list(command_lines(page)) == [
        ["predict", "a.b", "--json"],
        ["serve", "--rest-port", "1"],
        ["tables"],
    ]


def test_first_commands_of_the_readme_are_targets_of_the_makefile() -> None:
    blocks = FENCE.findall((TOP / "README.md").read_text(encoding="utf-8"))
    commands = [line.removeprefix("$ ").split() for line in blocks[0][1].splitlines()]
    assert commands == [["make", "run"], ["make", "test"]]
    targets = set(re.findall(r"^([a-z-]+):", (TOP / "Makefile").read_text(), re.M))
    assert {word[1] for word in commands} <= targets


def test_make_targets_on_pages_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (TOP / "Makefile").read_text(), re.M))
    for page in readers_pages():
        if page.suffix != ".md":
            continue
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"(?:^\$ |`)make ([a-z-]+)", text, re.M):
            assert target in targets, f"{name_of(page)}: make {target}"
