"""The shape of the house in figures."""

from __future__ import annotations

from tests.architecture import figures

LARGEST_SHARE = 0.25
MOST_UNTYPED = 25


def test_no_import_runs_up() -> None:
    assert figures.arrows()["goldlake", "goldlake_core"] > 0
    assert figures.arrows_up() == {}


def test_no_folder_holds_more_than_a_quarter() -> None:
    """What is above the layers counts by its parts: they are layers themselves."""
    lines = figures.lines_by_folder()
    total = sum(lines.values())
    lines.update(figures.lines_by_part("goldlake"))
    del lines["goldlake"]
    shares = {folder: count / total for folder, count in lines.items()}
    assert {name: share for name, share in shares.items() if share > LARGEST_SHARE} == {}


def test_documents_are_types_with_attributes() -> None:
    """What is left is the contract's reader, raw JSON, and rows whose fields nobody declares."""
    found = figures.untyped()
    assert found.total() <= MOST_UNTYPED, found.most_common()
