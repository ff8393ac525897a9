"""People read plain English: help and error texts, docstrings, comments and pages have no tics.

`HABITS` holds what to lose, each with its true exceptions; `CLEAN` what has been cleaned already.
"""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
# Folders and files that hold none of the habits. Add what you clean; take nothing out.
CLEAN: list[str] = [
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "README.md",
    "SECURITY.md",
    "benchmarks",
    "docs/architecture.md",
    "docs/decisions",
    "docs/development",
    "docs/gate.md",
    "docs/glossary.md",
    "docs/index.md",
    "docs/logging.md",
    "docs/models.md",
    "docs/new-use-case.md",
    "docs/promote.md",
    "docs/records.md",
    "docs/report.md",
    "docs/reference/catalogue.md",
    "docs/reference/cli.md",
    "docs/stacks.md",
    "docs/tour.md",
    "goldlake",
    "goldlake_core",
    "goldlake_simulators",
    "lakehouse",
    "metadata",
    "notebooks",
    "serving",
    "tfx_pipeline",
    "usecases/__init__.py",
    "usecases/chicago_crime/contract.yaml",
    "usecases/chicago_crime/generate.py",
    "usecases/chicago_crime/models",
    "usecases/chicago_crime/tables.py",
]
# Where each entry of Args and Attributes says what the thing is in some words.
DESCRIBED: list[str] = [
    "benchmarks",
    "goldlake",
    "goldlake_core",
    "goldlake_simulators",
    "lakehouse",
    "metadata",
    "serving",
    "tfx_pipeline",
    "usecases",
]
MIN_WORDS = 3
"""Words that the description of a parameter or an attribute has at least."""

_COMPARED = "longer|more|less|fewer|later|earlier|larger|smaller|better|worse|slower|faster"
HABITS = {
    "behind, for after": re.compile(
        r"(?<!left )(?<!leave )(?<!leaves )\bbehind\b"
        r"(?! (?:an?|the|your|its) (?:\w+ )?(?:proxy|load balancer|firewall))",
        re.I,
    ),
    "is no X, for is not an X": re.compile(
        rf"(?<!there )\b(?:is|are|was|were) no (?!(?:{_COMPARED})\b)[a-z]", re.I
    ),
    "stands, for is": re.compile(
        r"\b(?:stands?|stood) (?:in(?! for\b)|for|beside|there|next|on)\b", re.I
    ),
    "of its own, for separate": re.compile(
        r"\bof (?:its|their|our|your|his|her|my) own\b(?! accord)", re.I
    ),
    "an own, for its own": re.compile(r"\ban own\b", re.I),
    "told and wanted": re.compile(
        r"\b(?:is|are|was|were|be|being) (?:told|wanted)\b|(?:^|[.:] )(?:Told|Wanted)\b"
    ),
    "a possessive as a sentence": re.compile(r"(?:^|[.:] )(?:The )?[A-Z]?[\w-]+'s\.(?= |$)"),
    "a bound as a sentence": re.compile(r"(?:^|[.:] )At (?:most|least)\.(?= |$)"),
    "of, as a sentence": re.compile(r"(?:^|[.:] )Of (?:the|an?|every|each|its|all)\b[^,.]*\."),
    "the way of a thing": re.compile(r"\bthe way of (?:an?|the)\b|\bthe whole way\b", re.I),
}


class Text(NamedTuple):
    """Words that a person reads, on one line.

    Attributes:
        line: Line of the file where they begin.
        words: The text without line breaks and without code between backticks.
    """

    line: int
    words: str


def flat(text: str) -> str:
    """A text on one line; what is between backticks is code, and becomes ``_``."""
    return " ".join(re.sub(r"(`+)[^`]+\1", "_", text).split())


def python_texts(source: str) -> Iterator[Text]:
    """Docstrings, comments and texts of several words in a Python file."""
    tree = ast.parse(source)
    parts = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in node.values
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            words = "".join(
                str(part.value) if isinstance(part, ast.Constant) else "_" for part in node.values
            )
        elif (
            isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts
        ):
            words = node.value
        else:
            continue
        # Paragraphs and entries are texts one by one: a fragment begins where one of them does.
        for before, paragraph in paragraphs(words):
            if " " in paragraph:
                yield Text(node.lineno + before, flat(paragraph))
    yield from comments(source)


def paragraphs(text: str) -> Iterator[tuple[int, str]]:
    """Paragraphs and ``name: description`` entries, each with the number of lines before it."""
    start, lines = 0, text.split("\n")
    for number, line in enumerate(lines):
        if not line.strip() or re.match(r"\s*(?:[-*|] |\*{0,2}\w[\w, ]*: )", line):
            if number > start:
                yield start, "\n".join(lines[start:number])
            start = number if line.strip() else number + 1
    yield start, "\n".join(lines[start:])


def comments(source: str) -> Iterator[Text]:
    """Comments; those on lines that follow each other are one."""
    start, end, words = 0, -1, ""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        text = token.string.lstrip("# ")
        if token.start[0] == end + 1:
            words, end = f"{words} {text}", end + 1
            continue
        if words:
            yield Text(start, flat(words))
        start = end = token.start[0]
        words = text
    if words:
        yield Text(start, flat(words))


def markdown_texts(text: str) -> Iterator[Text]:
    """A page's paragraphs, without its code blocks."""
    prose = re.sub(r"```.*?```", lambda block: "\n" * block[0].count("\n"), text, flags=re.S)
    for before, paragraph in paragraphs(prose):
        if paragraph.strip():
            yield Text(before + 1, flat(paragraph))


def texts(path: Path) -> Iterator[Text]:
    """What a person reads in a file of any kind that is checked."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        yield from python_texts(text)
    elif path.suffix == ".ipynb":
        for number, cell in enumerate(json.loads(text)["cells"]):
            source = "".join(cell["source"])
            found = markdown_texts if cell["cell_type"] == "markdown" else python_texts
            yield from (Text(number, item.words) for item in found(source))
    elif path.suffix == ".md":
        yield from markdown_texts(text)
    else:
        for number, line in enumerate(text.splitlines(), 1):
            yield Text(number, flat(line))


def files(names: list[str]) -> Iterator[Path]:
    """The files of folders, and single files, that people read."""
    for name in names:
        path = ROOT / name
        assert path.exists(), f"{name} is in CLEAN and does not exist"
        kinds = {".py", ".md", ".yaml", ".ipynb"}
        built = {"_build", "_extra", "__pycache__", ".ipynb_checkpoints"}
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.suffix in kinds and not built & set(file.relative_to(ROOT).parts):
                yield file


def habits(names: list[str]) -> Iterator[str]:
    """Every habit in some folders, as ``FILE:LINE: habit: words``."""
    for path in files(names):
        for text in texts(path):
            for habit, pattern in HABITS.items():
                for match in pattern.finditer(text.words):
                    around = text.words[max(match.start() - 30, 0) : match.end() + 30]
                    yield f"{path.relative_to(ROOT)}:{text.line}: {habit}: {around}"


def short_entries(source: str) -> Iterator[tuple[int, str]]:
    """Entries of ``Args`` and ``Attributes`` with too few words, in what is public."""
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, kinds) or (node.name.startswith("_") and node.name != "__init__"):
            continue
        section = re.split(r"^(Args|Attributes):$", ast.get_docstring(node) or "", flags=re.M)
        if len(section) < 3:
            continue
        entries = section[2].split("\n\n")[0]
        for name, words in re.findall(r"^    (\*{0,2}\w+): (.*(?:\n {5,}.*)*)", entries, re.M):
            if len(words.split()) < MIN_WORDS:
                yield node.lineno, f"{name}: {words}"


def test_no_habits_where_they_were_lost() -> None:
    assert list(habits(CLEAN)) == []


def test_every_parameter_is_described_by_some_words() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {entry}"
        for path in files(DESCRIBED)
        if path.suffix == ".py"
        for line, entry in short_entries(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def named(words: str) -> set[str]:
    """The habits that a text has."""
    return {habit for habit, pattern in HABITS.items() if pattern.search(flat(words))}


@pytest.mark.parametrize(
    ("words", "habit"),
    [
        ("The page behind a cursor.", "behind, for after"),
        ("Nothing was left behind.", None),
        ("what a run leaves\n    behind", None),
        ("Run it behind a proxy, or behind the company's own firewall.", "behind, for after"),
        ("Run it behind a reverse proxy or behind a load balancer.", None),
        ("'ftp://x' is no web address", "is no X, for is not an X"),
        ("They are no table names.", "is no X, for is not an X"),
        ("There is no such file; where there are no rows, nothing happens.", None),
        ("It is no longer served, and was no more than a file.", None),
        ("The rest stands in README.md.", "stands, for is"),
        ("The commands stand there.", "stands, for is"),
        ("A small program stands in for Java.", None),
        ("what the version stands for", "stands, for is"),
        ("a standalone server, by a standard command", None),
        ("into a home of its own", "of its own, for separate"),
        ("It ends of its own accord; it has its own home.", None),
        ("an own one for everything else", "an own, for its own"),
        ("emit: Told in one line what is left out.", "told and wanted"),
        ("What is wanted is loaded first.", "told and wanted"),
        ("It told us what it wanted.", None),
        ("learning_rate: Adam's.", "a possessive as a sentence"),
        ("spec: The pipeline's.", "a possessive as a sentence"),
        ("It is the pipeline's.", None),
        ("epochs: At most.", "a bound as a sentence"),
        ("It runs twice. At most. Then it stops.", "a bound as a sentence"),
        ("At most 5 rows are shown.", None),
        ("seed: Of every random choice.", "of, as a sentence"),
        ("Of all versions, the newest wins.", None),
        ("# The way of a record", "the way of a thing"),
        ("a test of the whole way", "the way of a thing"),
        ("by way of a proxy; the way a record goes", None),
        ("`behind` is a name, and so is ``x is no y``", None),
    ],
)
def test_what_is_a_habit(words: str, habit: str | None) -> None:
    assert named(words) == ({habit} if habit else set())


def test_habits_are_found_where_people_read_in_python() -> None:
    source = '''"""First line.

Args:
    page: Of the page.
"""
behind = f"{behind} is no page"  # a comment that goes on
# and tells what stands
# in a file
error(
    "behind the last "
    f"of {number} pages"
)
'''
    found = [
        (text.line, habit)
        for text in python_texts(source)
        for habit, pattern in HABITS.items()
        if pattern.search(text.words)
    ]
    assert found == [
        (4, "of, as a sentence"),
        (6, "is no X, for is not an X"),
        (10, "behind, for after"),
        (6, "stands, for is"),
    ]


def test_code_on_pages_is_left_alone() -> None:
    page = "# Title\n\nProse.\n\n```python\nx is no y\n```\n\nIt is no page.\n"
    found = [text.line for text in markdown_texts(page) if named(text.words)]
    assert found == [9]


def test_short_descriptions_are_found_on_what_is_public() -> None:
    source = '''def shown(home: str, rows: int) -> None:
    """Shows rows.

    Args:
        home: The home.
        rows: How many rows are shown
            at once.
        **more: Others.

    Returns:
        int: Rows.
    """


def _hidden(home: str) -> None:
    """Hides.

    Args:
        home: Home.
    """


class Place:
    """A place.

    Attributes:
        name: Name.
    """
'''
    assert list(short_entries(source)) == [
        (1, "home: The home."),
        (1, "**more: Others."),
        (23, "name: Name."),
    ]
