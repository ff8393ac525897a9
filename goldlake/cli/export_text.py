"""What `goldlake export --verify` prints."""

from __future__ import annotations

from goldlake.cli.printing import aligned, console, say, say_all, say_wrapped
from goldlake_core.documents.export import ExportsVerified


def print_verified(document: ExportsVerified) -> None:
    """Prints the state of each export, and of lost ones why and which models they made."""
    if not document.exports:
        say(f"{document.model} has no export. Next: goldlake export {document.model}")
        return
    say((f"Exports of {document.model}", "bold"))
    cells = [
        (each.export_id.rpartition("/")[2], each.state, (", ".join(each.models), "dim"))
        for each in document.exports
    ]
    say_all(aligned(cells, "lll", console().width))
    for each in document.exports:
        if each.problem:
            say_wrapped(f"  {each.export_id}: {each.problem}")
    lost = [model for each in document.exports if each.state == "lost" for model in each.models]
    if lost:
        say_wrapped(
            f"The rows of {', '.join(lost)} are lost, so they cannot be made again. "
            f"Next: goldlake train {document.model}"
        )
