"""What `goldlake reproduce` prints."""

from __future__ import annotations

from goldlake.cli.printing import aligned, console, say, say_all, say_wrapped
from goldlake_core.documents.reproducing import ReproduceReport, StepCompared

MOST_SHOWN = 10


def print_reproduced(document: ReproduceReport) -> None:
    """Prints whether both models are equal; else what differs, by how much, and why."""
    found = document.reproduced
    differing = [each for each in found.variables if each.differing]
    numbers = sum(each.numbers for each in found.variables)
    verdict = "equal to the bit" if found.is_equal else "NOT equal"
    say((f"{document.model} and the model made again are {verdict}", "bold"))
    say(f"  made from {_rows(document)}")
    say(
        f"  {len(found.variables) - len(differing)} of {len(found.variables)} variables are equal"
        f" ({numbers:,} numbers)"
    )
    say(f"  {found.rows:,} rows of the test split were answered by both")
    cells = [
        (each.name, f"{each.differing:,} of {each.numbers:,}", _by(each.largest))
        for each in sorted(differing, key=lambda each: -(each.largest or float("inf")))
    ]
    cells += [(_output(each), f"{each.differing:,}", _by(each.largest)) for each in found.outputs]
    cells += [(f"file {name}", "", "other words") for name in found.assets]
    if cells:
        rows = aligned(cells[:MOST_SHOWN], "lrl", console().width)
        say(("What differs", "bold"))
        say_all(rows)
        if len(cells) > MOST_SHOWN:
            say(f"  and {len(cells) - MOST_SHOWN} more: --json")
    if not found.is_equal:
        say(("Why", "bold"))
        say_wrapped(f"  {_where(document)}")
    for cause in found.causes:
        say_wrapped(f"  {cause}")
    if document.place is not None:
        say(f"  It is in {document.place}")


def _rows(document: ReproduceReport) -> str:
    return f"its rows ({document.parts} files, equal by sha256)"


def _output(each: StepCompared) -> str:
    return f"{'Transform' if each.step == 'transform' else 'answer'} {each.output}"


def _by(largest: float | None) -> str:
    return "another shape or type" if largest is None else f"by at most {largest:.3g}"


def _where(document: ReproduceReport) -> str:
    """The first step whose results differ."""
    found = document.reproduced
    if found.assets or any(each.step == "transform" for each in found.outputs):
        where = "They part in Transform: the network already reads other numbers"
    elif any(each.differing for each in found.variables):
        where = "Transform gives both the same numbers; they part in training"
    else:
        where = "All variables are equal; they part in what is made of the network's outputs"
    if found.causes:
        return f"{where}. What is not as it was:"
    return f"{where}. Stack, code, processor and threads are the same as far as they are on record"
