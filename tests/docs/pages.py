"""The book's sources as tests read them: pages, links, headings, command lines."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import yaml

TOP = Path(__file__).parents[2]
DOCS = TOP / "docs"
NOTEBOOKS = TOP / "notebooks"
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.S | re.M)
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")


def chapters() -> list[str]:
    """Names in the table of contents, the root first."""
    contents = yaml.safe_load((DOCS / "_toc.yml").read_text(encoding="utf-8"))
    parts = [chapter["file"] for part in contents["parts"] for chapter in part["chapters"]]
    return [contents["root"], *parts]


def source_of(chapter: str) -> Path:
    """The committed file of a chapter: notebooks are copied into the book when it is built."""
    if chapter.startswith("notebooks/"):
        return NOTEBOOKS / (chapter.removeprefix("notebooks/") + ".ipynb")
    return DOCS / f"{chapter}.md"


def readers_pages() -> list[Path]:
    """Every page with text for people: the book's, the README and CONTRIBUTING."""
    return [*map(source_of, chapters()), TOP / "README.md", TOP / "CONTRIBUTING.md"]


def text_of(page: Path) -> str:
    """Markdown of a page, or of a notebook's text cells."""
    text = page.read_text(encoding="utf-8")
    if page.suffix != ".ipynb":
        return text
    cells = json.loads(text)["cells"]
    return "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")


def prose_of(page: Path) -> str:
    """A page's text without its code."""
    return re.sub(r"`[^`\n]*`", "``", FENCE.sub("", text_of(page)))


def anchors(page: Path) -> set[str]:
    """What ``#…`` may name on a page, as MyST and GitHub make it from headings."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text_of(page)), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def command_lines(page: Path) -> Iterator[list[str]]:
    """Words after ``goldlake`` of every command line in a page's code blocks and code spans."""
    text = text_of(page)
    lines = [line for _, block in FENCE.findall(text) for line in _joined(block)]
    lines += re.findall(r"`(goldlake [^`\n]+)`", FENCE.sub("", text))
    for line in lines:
        for part in re.split(r"\s(?:\||&&|;)\s", line.removeprefix("$ ").strip()):
            words = shlex.split(part.split(" #")[0].rstrip(" &"))
            while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
                words = words[1:]
            if words[:1] == ["goldlake"]:
                yield words[1:]


def _joined(block: str) -> list[str]:
    """Lines that are commands: after a prompt, or beginning with the command itself."""
    lines = block.replace("\\\n", " ").splitlines()
    commands = [line for line in lines if line.startswith("$ ")]
    return commands or [line for line in lines if line.startswith("goldlake ")]
