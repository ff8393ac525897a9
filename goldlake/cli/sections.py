"""Sections of a summary, and how they are shortened until all of it fits a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from goldlake.cli.printing import styled

if TYPE_CHECKING:
    from rich.text import Text

MOST_LINES = 24
"""Lines of the smallest common terminal."""


@dataclass(frozen=True)
class Section:
    """A heading and rows below it.

    Attributes:
        heading: Its first line.
        rows: Lines below the heading.
        rest: Makes the line that counts the rows left out; None where none is needed.
        is_apart: Whether an empty line goes before it.
        is_whole: Whether it is never shortened.
    """

    heading: Text
    rows: Sequence[Text] = ()
    rest: Callable[[int], str] | None = None
    is_apart: bool = True
    is_whole: bool = False

    def lines(self, shown: int | None = None) -> list[Text]:
        """The section with only so many rows; None: with all."""
        lines = [styled()] * self.is_apart + [self.heading, *self.rows[:shown]]
        if self.rest and shown is not None and shown < len(self.rows):
            lines.append(styled((f"  and {self.rest(shown)}", "dim")))
        return lines


def fitted(sections: Sequence[Section], width: int) -> list[Text]:
    """Lines of all sections, shortened where they are too many.

    The section with most lines gives up its last row, again and again; each keeps one. Then empty
    lines go. The lines are still too many where that is not enough.

    Args:
        sections: The sections in order.
        width: Width of the terminal. A longer line counts as several.
    """
    shown = [len(section.rows) for section in sections]
    heights = [height(section.lines(), width) for section in sections]
    while sum(heights) > MOST_LINES:
        # Of two rows none goes where a line would say so in its place.
        longer = [
            index
            for index, section in enumerate(sections)
            if shown[index] > 1
            and not section.is_whole
            and not (section.rest and len(section.rows) == 2)
        ]
        if not longer:
            break
        index = max(longer, key=heights.__getitem__)
        shown[index] -= 1
        heights[index] = height(sections[index].lines(shown[index]), width)
    for index, section in enumerate(sections):
        # The line that says that one row is left out takes the place of that row.
        if section.rest and shown[index] == len(section.rows) - 1:
            shown[index] += 1
    pairs = zip(sections, shown, strict=True)
    lines = [line for section, count in pairs for line in section.lines(count)]
    return (
        lines if height(lines, width) <= MOST_LINES else [line for line in lines if line.cell_len]
    )


def height(lines: Sequence[Text], width: int) -> int:
    """How many lines of a terminal these lines take."""
    return sum(max(1, -(-line.cell_len // width)) for line in lines)
