"""`goldlake show`: rows of a table."""

from __future__ import annotations

import csv
import sys
from typing import TYPE_CHECKING

import click

from goldlake.cli import completion
from goldlake.cli.common import home_option, json_option, print_json, report_errors

if TYPE_CHECKING:
    from lakehouse.rows import Rows


@click.command()
@click.argument("table", metavar="TABLE[@V]", shell_complete=completion.tables)
@click.option("--where", metavar="SQL", help='Condition over the columns, such as "ward = 7".')
@click.option("--columns", metavar="A,B,…", help="Columns to show; default all.")
@click.option(
    "--limit", type=click.IntRange(min=0), default=20, show_default=True, help="Most rows to show."
)
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV with a header line.")
@home_option
@json_option
@report_errors
def show(
    table: str,
    where: str | None,
    columns: str | None,
    limit: int,
    as_csv: bool,
    home: str | None,
    as_json: bool,
) -> None:
    """Show rows of a table at its newest version or at version V. Starts no JVM."""
    from goldlake.cli.printing import plain, value_text
    from goldlake.workflows import homes
    from goldlake_core.contracts.errors import UsageError
    from goldlake_core.contracts.ids import TableId
    from goldlake_core.documents.reports import RowsView
    from lakehouse.rows import read_rows

    if as_csv and as_json:
        raise UsageError("--csv and --json exclude each other", valid="one of the two")
    chosen = homes.choose(home)
    wanted = tuple(name.strip() for name in (columns or "").split(",") if name.strip())
    found = read_rows(TableId.parse(table), chosen.home, where=where, columns=wanted, limit=limit)
    if as_json:
        rows = (dict(zip(found.columns, map(plain, row), strict=True)) for row in found.rows)
        print_json(RowsView(table=found.table, total=found.total, rows=tuple(rows)))
    elif as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\r\n")
        writer.writerow(found.columns)
        writer.writerows([value_text(value) for value in row] for row in found.rows)
    else:
        _print_rows(found)


def _print_rows(found: Rows) -> None:
    from rich.text import Text

    from goldlake.cli.printing import console

    out = console()
    shown = f"{len(found.rows):,} of {found.total:,} rows"
    out.print(Text(f"{found.table}: {shown}", style="bold"), soft_wrap=True)
    texts = [[_cell(value) for value in row] for row in found.rows]
    if len(texts) == 1:
        width = max((len(name) for name in found.columns), default=0)
        for name, text in zip(found.columns, texts[0], strict=True):
            out.print(Text(f"  {name:<{width}}  ", style="dim") + Text(text, style="default"))
        return
    widths = [
        min(MOST_WIDE, max([len(name), *(len(row[index]) for row in texts)]))
        for index, name in enumerate(found.columns)
    ]
    count = _fitting(widths, out.width)
    out.print(Text(_line(found.columns, widths[:count]), style="dim"), soft_wrap=True)
    for row in texts:
        out.print(Text(_line(row, widths[:count])), soft_wrap=True)
    if count < len(widths):
        left_out = ", ".join(found.columns[count:])
        out.print(Text(f"Not shown, for lack of width: {left_out}", style="dim"))
        out.print(Text("Choose with --columns, or print all with --csv.", style="dim"))


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


def _line(texts: tuple[str, ...] | list[str], widths: list[int]) -> str:
    cells = []
    for text, width in zip(texts, widths, strict=False):
        cells.append((text if len(text) <= width else text[: width - 1] + "…").ljust(width))
    return "  ".join(cells).rstrip()
