"""A home with two refinements and two models, as Spark and TFX leave it, written without them."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import polars as pl

from goldlake_core.documents import codec
from goldlake_core.documents.export import ExportedColumn, ExportManifest, Part, SplitParts
from goldlake_core.documents.lakehouse import Exported
from goldlake_core.documents.training import PushedVersion
from goldlake_core.storage.home import Home
from goldlake_core.storage.landing import LandingZone
from goldlake_core.storage.locks import StoreLock
from tests.metadata.recorded import Recorder, record_training

FIRST, SECOND = "20260101-000000-aaaa", "20260102-000000-bbbb"
MODEL = "toy.color"
AT = datetime(2026, 1, 1, tzinfo=timezone.utc)


class LineageHome:
    """Pages 1 and 2 by the first run, page 3 by the second; a model of each."""

    def __init__(self, root: Path) -> None:
        self.home = Home.at(root / "home")
        self.usecase = root / "toy"
        self.usecase.mkdir()
        (self.usecase / "contract.yaml").write_text("")
        self._epoch_ms = 0
        self.land(1, FIRST)
        self.land(2, FIRST)
        self.land(3, SECOND)
        # Key 7 is amended by page 3; a record of page 2 is in quarantine.
        rows = [_row(1, 1, "7", "inserted"), _row(2, 1, "8", "inserted")]
        rows.append(_row(2, 2, "9", "quarantined", ["x.range"]))
        later = [_row(3, 1, "7", "amended")]
        for number, (run, through) in enumerate(((FIRST, 2), (SECOND, 3)), start=1):
            new = rows if number == 1 else later
            done = {"run_id": run, "through": through}
            self.commit("bronze", "colors", number, done)
            self.commit("silver", "colors_versions", number, done, new)
            self.commit("silver", "colors", number, done)
            self.commit("gold", "colors", number, {**done, "silver_version": number, "epoch": 1})

    def land(self, sequence: int, run: str) -> None:
        zone = LandingZone(self.home, "toy", "data")
        with StoreLock(self.home, "toy", "land"):
            name = zone.page_name(None, str(sequence), sequence=sequence)
            url = f"http://source/{sequence}"
            entry = zone.write_page(
                name, [b"{}"], url=url, first_cursor=None, last_cursor=None, run_id=run
            )
            zone.write_manifest(entry)

    def commit(
        self,
        layer: str,
        table: str,
        version: int,
        stored: dict[str, Any],
        rows: list[dict[str, Any]] | None = None,
    ) -> None:
        folder = Path(self.home.table("toy", layer, table))
        (folder / "_delta_log").mkdir(parents=True, exist_ok=True)
        self._epoch_ms += 1000
        actions: list[dict[str, Any]] = [
            {"commitInfo": {"timestamp": self._epoch_ms, "userMetadata": json.dumps(stored)}}
        ]
        if version == 1:
            actions.insert(0, {"metaData": {"id": "u", "schemaString": _schema()}})
            empty = {"commitInfo": {"timestamp": 1, "operation": "CREATE TABLE"}}
            self._log(folder, 0, [empty, actions.pop(0)])
        if rows:
            pl.DataFrame(rows, schema_overrides=_TYPES).write_parquet(folder / f"{version}.parquet")
            stats = json.dumps({"numRecords": len(rows)})
            actions.append({"add": {"path": f"{version}.parquet", "size": 1, "stats": stats}})
        self._log(folder, version, actions)

    def _log(self, folder: Path, version: int, actions: list[dict[str, Any]]) -> None:
        text = "\n".join(map(json.dumps, actions))
        (folder / "_delta_log" / f"{version:020d}.json").write_text(text)

    def export(self, version: int, keys: dict[str, list[str]]) -> Exported:
        """An export of a gold version: keys by split."""
        export_id = f"toy/color/{version}"
        folder = Path(self.home.path("exports", export_id))
        splits = {}
        for split in ("train", "eval", "test"):
            (folder / split).mkdir(parents=True)
            mine = keys.get(split, [])
            (folder / split / "part-0.csv").write_text("\n".join(["id,label", *mine]) + "\n")
            part = Part(path=f"{split}/part-0.csv", rows=len(mine), bytes=1, sha256="0" * 64)
            splits[split] = SplitParts(rows=len(mine), parts=(part,))
        manifest = ExportManifest(
            usecase="toy",
            model="color",
            table="toy.gold.colors",
            table_uuid="u",
            version=version,
            content_hash=f"hash-of-{version}",
            as_of="2026-01-01T00:00:00.000000Z",
            event_end="2026-01-01T00:00:00.000000Z",
            maturity_days=0,
            columns=(ExportedColumn(name="id", type="long", nullable=False),),
            label="label",
            event_time="",
            key=("id",),
            rows={split: part.rows for split, part in splits.items()},
            splits=splits,
            sections={},
        )
        data = codec.encode(manifest)
        (folder / "manifest.json").write_bytes(data)
        sha256 = hashlib.sha256(data).hexdigest()
        names = ("table", "version", "table_uuid", "content_hash", "as_of", "event_end")
        return Exported(
            export_id=export_id,
            uri=str(folder),
            boundaries=None,
            rows=manifest.rows,
            manifest_sha256=sha256,
            reused=False,
            **{name: getattr(manifest, name) for name in names},
        )

    def push(self, exported: Exported, version: int, **about: Any) -> None:
        """A model version that learned from an export, in the home and in ML Metadata."""
        record_training(Recorder(self.home), exported.version, version)
        document = PushedVersion(
            usecase="toy",
            model="color",
            version=version,
            export_id=exported.export_id,
            manifest_sha256=exported.manifest_sha256,
            table=exported.table,
            table_version=exported.version,
            content_hash=exported.content_hash,
            as_of=exported.as_of,
            model_sha256="5" * 64,
            pushed_at=f"2026-01-0{version}T00:00:00Z",
            **about,
        )
        folder = Path(self.home.model("toy", "color", str(version), "assets.extra"))
        folder.mkdir(parents=True)
        (folder / "goldlake.json").write_bytes(codec.encode(document))


_TYPES = {"_line": pl.Int32(), "_reasons": pl.List(pl.String()), "_key": pl.String()}


def _row(
    sequence: int, line: int, key: str, fate: str, reasons: list[str] | None = None
) -> dict[str, Any]:
    return {
        "_sequence": sequence,
        "_line": line,
        "_file": f"page-{sequence}",
        "_key": key,
        "_fate": fate,
        "_reasons": reasons,
        "id": int(key),
        "_known_from": AT,
    }


def _schema() -> str:
    kinds: dict[str, Any] = {
        "_sequence": "long",
        "_line": "integer",
        "_file": "string",
        "_key": "string",
        "_fate": "string",
        "_reasons": {"type": "array", "elementType": "string", "containsNull": True},
        "id": "long",
        "_known_from": "timestamp",
    }
    fields = [{"name": n, "type": k, "nullable": True, "metadata": {}} for n, k in kinds.items()]
    return json.dumps({"type": "struct", "fields": fields})
