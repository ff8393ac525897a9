"""Kinds of source are found by name, whichever libraries are installed."""

from __future__ import annotations

import sys

import pytest

from goldlake_core.contracts.errors import UsageError
from lakehouse import sources
from lakehouse.sources import plugins
from lakehouse.sources.testing import Rows, Server


def test_a_library_that_is_missing_keeps_no_other_kind_from_being_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    monkeypatch.delitem(sys.modules, "lakehouse.sources.kafka", raising=False)
    monkeypatch.delattr(sources, "kafka", raising=False)
    with pytest.raises(UsageError, match="pip install 'goldlake\\[kafka\\]'"):
        plugins.source_kind("kafka")

    def answer(target: str, rows: Rows) -> bytes:
        return b"{}" if "/views/" in target else rows.page(rows.all, 5)

    row = b'{":id": "a", ":updated_at": "2024-01-01T00:00:00.000Z", "n": "1"}'
    with Server(answer, Rows([row])).running() as server:
        assert plugins.data_set(f"{server.url}/nothing.json", 5) is None
        found = plugins.data_set(f"{server.url}/resource/abcd-1234.json", 5)
    assert found is not None
    assert (found.kind, found.dataset, len(found.records)) == ("socrata", "abcd-1234", 1)
