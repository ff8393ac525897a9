"""Sections of a summary, and how they are shortened until all of it fits a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from goldlake.cli.printing import styled

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

MOST_LINES = 24
"""Lines of the smallest common terminal."""


@dataclass(frozen=True)
class Section:
    """A heading and rows below it.

    Attributes:
        heading: Its first line.
        rows: Lines below the heading.
        command: Command that shows all of it, named where rows are left out; "" where rows are
            examples of which fewer do as well.
        things: What the rows hold, such as ``tables``.
        per_row: How many of them a row holds.
        count: How many of them there are in all; None: as many as rows.
        is_apart: Whether an empty line goes before it.
        is_whole: Whether it is never shortened.
    """

    heading: Text
    rows: tuple[Text, ...] = ()
    command: str = ""
    things: str = ""
    per_row: int = 1
    count: int | None = None
    is_apart: bool = True
    is_whole: bool = False

    def lines(self, shown: int | None = None) -> list[Text]:
        """The section with only so many rows; None: with all."""
        from rich.text import Text

        lines = [Text(), self.heading] if self.is_apart else [self.heading]
        lines += self.rows[:shown]
        if shown is not None and shown < len(self.rows) and self.command:
            left = (len(self.rows) if self.count is None else self.count) - shown * self.per_row
            lines.append(styled((f"  and {left} more {self.things}: {self.command}", "dim")))
        return lines


def fitted(sections: Sequence[Section], width: int, most: int = MOST_LINES) -> list[Text]:
    """Lines of all sections, shortened where they are too many.

    The section with most lines gives up its last row, again and again; each keeps one. Then empty
    lines go. The lines are still too many where that is not enough.

    Args:
        sections: The sections in order.
        width: Of the terminal; a longer line counts as several.
        most: Most lines.
    """
    shown = [len(section.rows) for section in sections]
    heights = [height(section.lines(), width) for section in sections]
    while sum(heights) > most:
        # Of two rows none goes where a line would say so in its place.
        longer = [
            index
            for index, section in enumerate(sections)
            if shown[index] > 1
            and not section.is_whole
            and not (section.command and len(section.rows) == 2)
        ]
        if not longer:
            break
        index = max(longer, key=heights.__getitem__)
        shown[index] -= 1
        heights[index] = height(sections[index].lines(shown[index]), width)
    for index, section in enumerate(sections):
        # The line that says that one row is left out takes the place of that row.
        if section.command and shown[index] == len(section.rows) - 1:
            shown[index] += 1
    pairs = zip(sections, shown, strict=True)
    lines = [line for section, count in pairs for line in section.lines(count)]
    return lines if height(lines, width) <= most else [line for line in lines if line.cell_len]


def whole(sections: Sequence[Section]) -> list[Text]:
    """Lines of all sections with all their rows."""
    return [line for section in sections for line in section.lines()]


def height(lines: Sequence[Text], width: int) -> int:
    """How many lines of a terminal these lines take."""
    return sum(max(1, -(-line.cell_len // width)) for line in lines)


def print_lines(console: Console, lines: Sequence[Text]) -> None:
    """Prints lines; the terminal wraps what is longer than it is wide."""
    for line in lines:
        console.print(line, soft_wrap=True)
