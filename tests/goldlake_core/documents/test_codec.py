"""One codec: what is written is read again, and what does not hold is refused by name."""

from __future__ import annotations

import inspect
import json
from types import ModuleType
from typing import Any

import msgspec
import pytest

from goldlake_core.contracts.errors import StoreError
from goldlake_core.documents import codec, export, lakehouse, reports, stages, training
from goldlake_core.documents.export import ExportManifest, Part, SplitParts
from tests.tfx_pipeline.toy_export import BOUNDARIES

MANIFEST = ExportManifest(
    usecase="bikes",
    model="late",
    table="bikes.gold.trips",
    table_uuid="u",
    version=3,
    content_hash="00-1",
    as_of="2025-01-01T00:00:00.000000Z",
    event_end="2024-12-01T00:00:00.000000Z",
    maturity_days=30,
    boundaries=BOUNDARIES,
    columns=(export.ExportedColumn(name="größe", type="double", nullable=True),),
    label="late",
    event_time="at",
    key=("id",),
    rows={"train": 1},
    splits={"train": SplitParts(rows=1, parts=(Part(path="p", rows=1, bytes=2, sha256="0"),))},
    sections={"model.late.export": "h"},
)


def _changed(change: Any) -> bytes:
    value = codec.plain(MANIFEST)
    change(value)
    return json.dumps(value).encode()


def test_what_is_written_is_read_again() -> None:
    data = codec.encode(MANIFEST)
    assert codec.decode(data, ExportManifest, "manifest.json") == MANIFEST
    assert data.startswith(b'{\n "format": 1,\n "usecase": "bikes",\n "model": "late",\n')
    assert "größe".encode() in data
    assert data.endswith(b"}\n")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"{", "manifest.json is not JSON: "),
        (b"[]", "manifest.json does not hold what it should: Expected `object`, got `array`"),
        (
            _changed(lambda m: m.update(version="3")),
            "does not hold what it should: Expected `int`, got `str` - at `$.version`",
        ),
        (
            _changed(lambda m: m["splits"]["train"].pop("rows")),
            "Object missing required field `rows` - at `$.splits[...]`",
        ),
        (_changed(lambda m: m.update(size=1)), "manifest.json has an unknown field 'size'"),
        (
            _changed(lambda m: m["splits"]["train"]["parts"][0].update(crc=1)),
            "has an unknown field 'splits.train.parts.0.crc'. Valid: path, rows, bytes, sha256.",
        ),
    ],
)
def test_what_does_not_hold_is_refused_with_file_and_field(data: bytes, message: str) -> None:
    with pytest.raises(StoreError) as caught:
        codec.decode(data, ExportManifest, "manifest.json")
    assert message in caught.value.message


def test_a_newer_format_may_say_more() -> None:
    data = _changed(lambda m: m.update(format=2, size=1))
    read = codec.decode(data, ExportManifest, "manifest.json")
    assert read == msgspec.structs.replace(MANIFEST, format=2)


@pytest.mark.parametrize("module", [export, lakehouse, reports, stages, training])
def test_every_attribute_has_a_sentence(module: ModuleType) -> None:
    kinds = [
        kind
        for kind in vars(module).values()
        if inspect.isclass(kind)
        and issubclass(kind, msgspec.Struct)
        and kind.__module__ == module.__name__
    ]
    assert kinds
    for kind in kinds:
        own = [name for name in kind.__annotations__ if name != "tag"]
        text = inspect.getdoc(kind) or ""
        for name in own:
            line = next(
                (line for line in text.splitlines() if line.startswith(f"    {name}: ")), ""
            )
            assert len(line.split()) > 3, f"{kind.__name__}.{name} is not described"


def test_a_result_without_a_format_is_one_of_this_format() -> None:
    """Stages of earlier versions wrote no format."""
    data = b"""{"status": "ok", "pages": 1, "rows": 2, "requests": 3, "retries": 0,
        "bytes": 4, "cursor": {"value": "v", "tiebreak": "t"}, "identity": {"kind": "generated"}}"""
    landed = codec.decode(data, lakehouse.Landed, "land.result.json")
    assert (landed.format, landed.rows, landed.identity) == (1, 2, {"kind": "generated"})
