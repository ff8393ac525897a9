"""What `goldlake models` says of the versions that serve."""

from __future__ import annotations

import pytest

from goldlake.cli import account
from goldlake_core.documents.reports import ModelsView, ModelVersion, ModelVersions


def said(capsys: pytest.CaptureFixture[str], *labels: tuple[str, ...]) -> str:
    """What is printed of versions 1, 2 and so on with these labels."""
    versions = tuple(
        ModelVersion(
            version=number,
            table="toy.gold.colors",
            table_version=number,
            content_hash="1",
            metrics={},
            pushed_at="2026-01-01T00:00:00Z",
            labels=each,
            serves="stable" in each,
            blessed=True,
            why="all bounds hold",
        )
        for number, each in enumerate(labels, 1)
    )
    view = ModelsView(models={"toy.color": ModelVersions(versions=versions, refused=())})
    account.print_models(view)
    return " ".join(capsys.readouterr().out.split())


def test_a_newer_version_with_a_label_answers_requests_without_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = said(capsys, ("stable",), ("canary",))
    assert "@1 serves requests for stable (those without a label reach @2); blessed" in text
    assert "@2 blessed: all bounds hold" in text


@pytest.mark.parametrize("newer", [(), ("shadow",)])
def test_without_such_a_version_stable_serves(
    capsys: pytest.CaptureFixture[str], newer: tuple[str, ...]
) -> None:
    assert "@1 serves; blessed: all bounds hold" in said(capsys, ("stable",), newer)
