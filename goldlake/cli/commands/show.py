"""`goldlake show`: rows of a table."""

from __future__ import annotations

import csv
import sys
from typing import TYPE_CHECKING, Any

import click

from goldlake.cli import completion
from goldlake.cli.common import reports

if TYPE_CHECKING:
    from lakehouse.rows import Rows


@click.command()
@click.argument("table", metavar="TABLE[@V]", shell_complete=completion.tables)
@click.option("--where", metavar="SQL", help='Condition over the columns, such as "ward = 7".')
@click.option("--columns", metavar="A,B,…", help="Columns to show; default all.")
@click.option(
    "--limit", type=click.IntRange(min=0), default=20, show_default=True, help="Most rows to show."
)
@click.option("--as-of", metavar="T", help="Rows that were known at that instant, ISO 8601.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV with a header line.")
@reports
def show(
    table: str, columns: str | None, as_csv: bool, home: str | None, as_json: bool, **options: Any
) -> None:
    """Show rows of a table at its newest version or at version V. Starts no JVM."""
    from goldlake.cli.printing import plain, printable, say_json, value_text
    from goldlake.workflows import homes, views
    from goldlake_core.contracts.errors import UsageError
    from goldlake_core.documents.reports import RowsView

    if as_csv and as_json:
        raise UsageError("--csv and --json exclude each other", valid="one of the two")
    chosen = homes.choose(home)
    wanted = tuple(name.strip() for name in (columns or "").split(",") if name.strip())
    found = views.rows(table, chosen.home, columns=wanted, **options)
    if as_json:
        rows = (dict(zip(found.columns, map(plain, row), strict=True)) for row in found.rows)
        say_json(RowsView(table=found.table, total=found.total, rows=tuple(rows)))
    elif as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\r\n")
        # A terminal gets what it can show; a file or another program the very values.
        text = printable if sys.stdout.isatty() else str
        writer.writerow(map(text, found.columns))
        writer.writerows([text(value_text(value)) for value in row] for row in found.rows)
    else:
        _print_rows(found)


def _print_rows(found: Rows) -> None:
    from goldlake.cli.printing import console, printable, say, say_wrapped

    shown = f"{len(found.rows):,} of {found.total:,} rows"
    say((f"{found.table}: {shown}", "bold"))
    names = [printable(name) for name in found.columns]
    texts = [[_cell(value) for value in row] for row in found.rows]
    if len(texts) == 1:
        width = max(map(len, names), default=0)
        for name, text in zip(names, texts[0], strict=True):
            say_wrapped((f"  {name:<{width}}  ", "dim"), text)
        return
    widths = [
        min(MOST_WIDE, max([len(name), *(len(row[index]) for row in texts)]))
        for index, name in enumerate(names)
    ]
    count = _fitting(widths, console().width)
    say((_line(names, widths[:count]), "dim"))
    for row in texts:
        say(_line(row, widths[:count]))
    if count < len(widths):
        say_wrapped((f"Not shown, for lack of width: {', '.join(names[count:])}", "dim"))
        say_wrapped(("Choose with --columns, or print all with --csv.", "dim"))


def _cell(value: object) -> str:
    from goldlake.cli.printing import printable, value_text

    # An empty text and a missing value are two things.
    return "null" if value is None else printable(value_text(value))


MOST_WIDE = 32
"""Characters of a value that a row shows; one row alone shows all of them."""


def _fitting(widths: list[int], width: int) -> int:
    """How many columns fit a line, at least one."""
    used = 0
    for count, each in enumerate(widths):
        used += each + 2
        if used > width and count:
            return count
    return len(widths)


def _line(texts: list[str], widths: list[int]) -> str:
    cells = []
    for text, width in zip(texts, widths, strict=False):
        cells.append((text if len(text) <= width else text[: width - 1] + "…").ljust(width))
    return "  ".join(cells).rstrip()
