"""What `goldlake reproduce` prints."""

from __future__ import annotations

from collections.abc import Iterator

from goldlake.cli.printing import aligned, console, say, say_all, say_wrapped
from goldlake_core.documents.reproducing import (
    Remade,
    Reproduced,
    ReproduceReport,
    RowsCompared,
    Step,
    StepCompared,
)

MOST_SHOWN = 10
_ROWS = "They part in {}, before anything was trained"
_BEGINS: dict[Step, str] = {
    "bronze": _ROWS.format("bronze"),
    "silver": _ROWS.format("silver"),
    "gold": _ROWS.format("gold"),
    "export": _ROWS.format("the export"),
    "transform": "They part in Transform: the network already reads other numbers",
    "variables": "Transform gives both the same numbers; they part in training",
    "answers": "All variables are equal; they part in what is made of the network's outputs",
}
_SAME = "Stack, code, processor and threads are the same as far as they are on record"


def print_reproduced(document: ReproduceReport) -> None:
    """Prints whether both models are equal; else what differs, by how much, and why."""
    verdict = "equal to the bit" if document.is_equal else "NOT equal"
    say((f"{document.model} and the model made again are {verdict}", "bold"))
    if document.remade is not None:
        _print_rows(document.remade)
    else:
        say(f"  made from its rows ({document.parts} files, equal by sha256)")
    cells: list[tuple[str, str, str]] = []
    if document.reproduced is not None:
        cells = list(_print_model(document.reproduced))
    else:
        say_wrapped(f"  nothing was trained: {document.problem}")
    if cells:
        rows = aligned(cells[:MOST_SHOWN], "lrl", console().width)
        say(("What differs", "bold"))
        say_all(rows)
        if len(cells) > MOST_SHOWN:
            say(f"  and {len(cells) - MOST_SHOWN} more: --json")
    causes = _causes(document)
    if not document.is_equal:
        say(("Why", "bold"))
        say_wrapped(f"  {_where(document, has_causes=bool(causes))}")
    for cause in causes:
        say_wrapped(f"  {cause}")
    if document.place is not None:
        say(f"  It is in {document.place}")


def _print_rows(remade: Remade) -> None:
    """A line for each step from the landed pages to the export."""
    pages = "1 landed page" if remade.pages == 1 else f"{remade.pages:,} landed pages"
    say(f"  made from {pages} ({remade.records:,} records, equal by sha256)")
    for each in remade.steps:
        say_wrapped(f"  {each.step:<6}  {each.state}: {_rows(each)}")


def _rows(each: RowsCompared) -> str:
    """How many rows a step made, and how many of them are other ones."""
    text = f"{each.now:,} rows"
    if each.state == "differs":
        then = "not known" if each.then is None else f"{each.then:,}"
        text = f"rows then {then}, now {each.now:,}"
    if each.only_then is not None and each.only_now is not None:
        text += f"; {each.only_then:,} only then, {each.only_now:,} only now"
    if each.files:
        more = f" and {len(each.files) - 1} more" if len(each.files) > 1 else ""
        text += f"; file {each.files[0]}{more}"
    return f"{text}; {each.note}" if each.note else text


def _print_model(found: Reproduced) -> Iterator[tuple[str, str, str]]:
    """Says what was compared of the models, and returns a line for each thing that differs."""
    differing = [each for each in found.variables if each.differing]
    numbers = sum(each.numbers for each in found.variables)
    say(
        f"  {len(found.variables) - len(differing)} of {len(found.variables)} variables are equal"
        f" ({numbers:,} numbers)"
    )
    say(f"  {found.rows:,} rows of the test split were answered by both")
    for each in sorted(differing, key=lambda each: -(each.largest or float("inf"))):
        yield each.name, f"{each.differing:,} of {each.numbers:,}", _by(each.largest)
    for output in found.outputs:
        yield _output(output), f"{output.differing:,}", _by(output.largest)
    for name in found.assets:
        yield f"file {name}", "", "other words"


def _output(each: StepCompared) -> str:
    return f"{'Transform' if each.step == 'transform' else 'answer'} {each.output}"


def _by(largest: float | None) -> str:
    return "another shape or type" if largest is None else f"by at most {largest:.3g}"


def _where(document: ReproduceReport, *, has_causes: bool) -> str:
    """The first step whose results differ."""
    where = _BEGINS[document.begins or "export"]
    if has_causes:
        return f"{where}. What is not as it was:"
    return f"{where}. {_SAME}"


def _causes(document: ReproduceReport) -> tuple[str, ...]:
    """What is not as it was, of the rows and of the training, each once."""
    rows = document.remade.causes if document.remade is not None else ()
    model = document.reproduced.causes if document.reproduced is not None else ()
    return tuple(dict.fromkeys((*rows, *model)))
