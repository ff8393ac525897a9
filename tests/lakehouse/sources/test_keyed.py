"""The key of a record out of its bytes, whatever else the record holds."""

from __future__ import annotations

import pytest

from goldlake_core.contracts.sections import Column, Silver
from lakehouse.sources.keyed import columns_of, fields_of, key_fields, key_texts

ID = Column("id", "long", "A number.", field="id", nullable=False)
PLACE = Column("place", "string", "A place.", field="at.name", nullable=False)
SILVER = Silver(key=("id", "place"), version="id", event_time="id", columns=(ID, PLACE))
ONE = Silver(key=("id",), version="id", event_time="id", columns=(ID,))


@pytest.mark.parametrize(
    ("record", "texts"),
    [
        (b'{"id": 5, "at": {"name": "caf\\u00e9"}, "x": 1}', ("5", "café")),
        (b'{"id": "05", "at": {"name": null}}', ("05", None)),
        (b'{"id": 1e2, "at": {}}', ("1e2", None)),
        (b'{"id": null, "at": "harbor"}', (None, None)),
        (b'{"id": true, "at": {"name": {"a": 1}}}', ("true", '{"a": 1}')),
        (b'{"id": 5}', None),
        (b'"5"', None),
        (b"\xff", None),
    ],
)
def test_texts_of_the_key(record: bytes, texts: tuple[str | None, ...] | None) -> None:
    assert key_texts(record, SILVER) == texts


def test_a_record_that_is_not_json_by_the_letter_tells_its_texts() -> None:
    assert key_texts(b'{"id": "5", "x": NaN}', ONE) == ("5",)
    assert key_texts(b'{"id": 5, "x": NaN}', ONE) is None


def test_fields_are_kept_as_they_are() -> None:
    assert fields_of(SILVER) == ("id", "at")
    found = key_fields(b'{"at": {"name":  "a"}, "id": 5.0}', SILVER)
    assert found is not None
    assert {name: bytes(raw) for name, raw in found.items()} == {
        "id": b"5.0",
        "at": b'{"name":  "a"}',
    }


def test_keys_become_columns() -> None:
    keys = [("5", "a"), ("6", None)]
    assert columns_of(keys, SILVER) == {"id": ["5", "6"], "place": ["a", None]}
