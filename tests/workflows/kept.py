"""A small home with every part, written without Spark and TensorFlow: for copies and repairs."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from goldlake_core.documents import codec
from goldlake_core.documents.export import (
    Boundaries,
    ExportedColumn,
    ExportManifest,
    Part,
    SplitParts,
)
from goldlake_core.storage.files import write_json
from goldlake_core.storage.home import Home
from goldlake_core.storage.landing import Cursor, LandingZone
from serving import config
from tests.goldlake_core.storage.test_deltalog import META, add, commit
from tests.metadata.recorded import Recorder

USECASE, MODEL = "toy", "toy.color"
TABLES = {"gold/colors": "g", "silver/rows": "s", "silver/rows_versions": "v", "bronze/rows": "b"}


def make_home(folder: Path, pages: int = 2) -> Home:
    """A home with landed pages, tables, an export, a pipeline, a served model and its metadata."""
    home = Home.at(folder)
    for number in range(1, pages + 1):
        land(home, number)
    write_json(home.fs, home.landing(USECASE, "identity.json"), {"format": 2, "identity": {}})
    for place, uuid in TABLES.items():
        table = Path(home.path("tables", USECASE, place))
        commit(table, 0, {"metaData": {**META, "id": uuid}})
        append(home, place, "one.parquet", 1)
    exported(home, MODEL, "1-abc", [1, 2])
    write(Path(home.pipeline(USECASE, "color")) / "Trainer" / "model" / "3" / "w", "weights")
    write(Path(home.run("20260101-000000-abcd")) / "land.result.json", "{}")
    write(Path(home.logs("20260101-000000-abcd")) / "land.log", "noise")
    write(Path(home.model(USECASE, "color", "1")) / "saved_model.pb", "model")
    served = config.with_version(config.ModelsConfig(), MODEL, 1, home.path("models", MODEL))
    config.write(home.models_config, config.with_label(served, MODEL, 1, "stable"))
    uri = home.path("pipelines", MODEL, "Trainer", "model", "3")
    Recorder(home).run("Trainer", {}, {"model": ("Model", {"uri": uri, "where": uri})})
    return home


def land(home: Home, number: int) -> str:
    """Lands a page of two records; returns its name."""
    zone = LandingZone(home, USECASE, "rows")
    name = zone.page_name(Cursor(f"2016-01-0{number}T00:00:00", ""))
    lines = [json.dumps({"id": 10 * number + n}).encode() for n in (0, 1)]
    end = Cursor(f"2016-01-0{number + 1}T00:00:00", "")
    entry = zone.write_page(
        name, lines, url="u", first_cursor=None, last_cursor=end, run_id="r", identity={"kind": "x"}
    )
    zone.write_manifest(entry)
    return name


def exported(home: Home, model: str, name: str, ids: list[int]) -> str:
    """Writes an export of rows with these keys; returns its id."""
    usecase, _, short = model.partition(".")
    folder = Path(home.export(usecase, short, name))
    text = "id,ward\n" + "".join(f"{number},1\n" for number in ids)
    write(folder / "train" / "part.csv", text)
    digest = hashlib.sha256(text.encode()).hexdigest()
    part = Part(path="train/part.csv", rows=len(ids), bytes=len(text), sha256=digest)
    manifest = ExportManifest(
        usecase=usecase,
        model=short,
        table=f"{usecase}.gold.rows",
        table_uuid="u",
        version=1,
        content_hash="",
        as_of="",
        event_end="",
        maturity_days=0,
        boundaries=Boundaries(eval_from="", test_from="", until="", mature_until=""),
        columns=(ExportedColumn(name="id", type="long", nullable=False),),
        label="ward",
        event_time="date",
        key=("id",),
        rows={},
        splits={"train": SplitParts(rows=len(ids), parts=(part,))},
        sections={},
    )
    (folder / "manifest.json").write_bytes(codec.encode(manifest))
    return f"{usecase}/{short}/{name}"


def append(home: Home, place: str, name: str, version: int) -> None:
    """Adds a data file to a table in a new version."""
    table = Path(home.path("tables", USECASE, place))
    write(table / name, "parquet " + name)
    commit(table, version, add(name, 1, size=(table / name).stat().st_size))


def write(file: Path, text: str) -> None:
    """Writes a file and its folders."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def files(home: Home) -> dict[str, bytes]:
    """Contents of all files by path, without logs and ``backup.json``."""
    root = Path(home.root)
    found = {str(f.relative_to(root)): f.read_bytes() for f in root.rglob("*") if f.is_file()}
    left_out = ("logs/", "backup.json", "copy.lock", "models/models.config.lock")
    return {path: data for path, data in found.items() if not path.startswith(left_out)}
