"""Faults of exports."""

from __future__ import annotations

import threading
from pathlib import Path

from goldlake_core.documents.lakehouse import Exported
from lakehouse import export
from tests.faults.catalog import table_fault
from tests.faults.store import Store
from tests.lakehouse.records import silent


def _export(store: Store, out: str | None = None) -> Exported:
    model = store.usecase.models["done"]
    return export.export(lambda: store.spark, store.usecase, model, store.home, silent, out=out)


def _parts(uri: str) -> dict[str, bytes]:
    return {str(p.relative_to(uri)): p.read_bytes() for p in Path(uri).rglob("*") if p.is_file()}


@table_fault(
    "E1",
    "a part of an export is edited, then torn, then lost; `export` again",
    "each time written anew, the same bytes; what `--out` gives is whole",
    short=True,
)
def damaged_part(store: Store) -> None:
    first = _export(store)
    good = _parts(first.uri)
    part = next(Path(first.uri).rglob("*.csv"))
    damages = (
        lambda: part.write_bytes(part.read_bytes()[:-2] + b"Z\n"),
        lambda: part.write_bytes(part.read_bytes()[:-5]),
        part.unlink,
    )
    for number, damage in enumerate(damages):
        damage()
        out = store.folder / f"out{number}"
        again = _export(store, str(out))
        assert again.reused is False
        assert _parts(again.uri) == _parts(str(out)) == good
    assert _export(store).reused is True


@table_fault(
    "E3", "training says of a damaged export: `goldlake export MODEL`", "that command repairs it"
)
def hint(store: Store) -> None:
    uri = _export(store).uri
    manifest = Path(uri, "manifest.json")
    good = manifest.read_bytes()
    manifest.unlink()
    assert _export(store).reused is False
    assert manifest.read_bytes() == good


@table_fault("R1", "two exports of one model at once", "both give the same whole export")
def two_at_once(store: Store) -> None:
    found: list[Exported] = []
    threads = [threading.Thread(target=lambda: found.append(_export(store))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.reused for one in found) == [False, True]
    assert found[0].manifest_sha256 == found[1].manifest_sha256
    assert _export(store).reused is True
