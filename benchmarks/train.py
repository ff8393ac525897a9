"""What a training costs, beside stock TFX and beside an earlier commit.

usage: python -m benchmarks.train [PART...] --home HOME [--page FILE] [--times N] [--old FOLDER]

Parts: ``year`` trains on the newest export of a home, such as the real year's, in a home that holds
nothing else, then once more with nothing changed. ``many`` does so with each row there N times, ids
shifted, and runs stock TFX on the same rows (`benchmarks.peer_tfx`). ``nothing`` runs `goldlake
run` in a copy of a home twice on the same generated rows and measures the second. ``beside`` runs
`make run` here and in a folder with another commit, alternately, each in a new home. CPU seconds
are those of a command and of all that it started, user and system. What is measured replaces the
same part in the JSON document beside the page.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from benchmarks import peer_tfx, train_page
from benchmarks.measured_at import commit, machine
from benchmarks.process_cost import Cost, cost_of
from goldlake.workflows.launch import module_command
from goldlake_core.contracts.sections import SPLITS
from goldlake_core.documents import codec
from goldlake_core.documents.export import ExportManifest, Part
from goldlake_core.documents.stages import TrainRequest
from goldlake_core.documents.training import Trained
from goldlake_core.stages import RunDir

_MANIFEST = "manifest.json"
_SHIFT = 1_000_000_000
KINDS = {"tfx_pipeline": "train", "serving": "promote", "lakehouse": "lakehouse"}
"""Kind of a process of `goldlake run` by its command line."""


def newest_export(home: Path, model: str) -> Path:
    """Folder of the export that was made last; ``HOME/exports/USECASE/MODEL/…``.

    Raises:
        SystemExit: There is none.
    """
    above = home.joinpath("exports", *model.split("."))
    found = sorted(above.glob(f"*/{_MANIFEST}"), key=lambda file: file.stat().st_mtime)
    if not found:
        raise SystemExit(f"There is no export in {above}. Run: goldlake export {model}")
    return found[-1].parent


def manifest_of(export: Path) -> ExportManifest:
    """The manifest of an export's folder."""
    file = export / _MANIFEST
    return codec.decode(file.read_bytes(), ExportManifest, str(file))


def repeated(export: Path, target: Path, times: int) -> None:
    """Writes an export whose parts hold the rows of another one several times.

    Keys that are whole numbers are others in each copy.

    Args:
        export: Folder of the export to copy.
        target: Folder that is made.
        times: How often each row is there.
    """
    shutil.copytree(export, target)
    manifest = manifest_of(export)
    numbers = {c.name for c in manifest.columns if c.type == "long"} & set(manifest.key)

    def written(part: Part) -> Part:
        rows = list(csv.reader(io.StringIO((export / part.path).read_text())))
        shifted = [place for place, name in enumerate(rows[0]) if name in numbers]
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(rows[0])
        for copy in range(times):
            for row in rows[1:]:
                for place in shifted:
                    row[place] = str(int(row[place]) + (_SHIFT if copy else 0))
                writer.writerow(row)
        data = text.getvalue().encode()
        (target / part.path).write_bytes(data)
        sha256 = hashlib.sha256(data).hexdigest()
        return Part(path=part.path, rows=part.rows * times, bytes=len(data), sha256=sha256)

    if times > 1:
        splits = {
            split: msgspec.structs.replace(
                found, rows=found.rows * times, parts=tuple(map(written, found.parts))
            )
            for split, found in manifest.splits.items()
        }
        changed = msgspec.structs.replace(manifest, splits=splits)
        (target / _MANIFEST).write_bytes(codec.encode(changed))


def trained(home: Path, model: str, export: str, run: str) -> tuple[Cost, Trained]:
    """Runs the stage ``train`` in a separate process.

    Args:
        home: The home that holds the export.
        model: Such as ``city_bikes.is_late``.
        export: Name of the export's folder.
        run: Name of the run.
    """
    usecase, _, name = model.partition(".")
    directory = RunDir(home / "runs" / run)
    request = TrainRequest(
        usecase=usecase,
        home=str(home),
        run_id=run,
        model=name,
        export_id=f"{usecase}/{name}/{export}",
    )
    directory.write_request("train", request)
    command = module_command("tfx_pipeline", str(directory.path), "train")
    cost = cost_of(command, home / f"{run}.log")
    return cost, directory.result("train")


def year(home: Path, model: str, times: int = 1, *, has_peer: bool = False) -> dict[str, Any]:
    """A training on the newest export, and another one with nothing changed.

    Args:
        home: A home with an export.
        model: Such as ``city_bikes.is_late``.
        times: How often each row is there.
        has_peer: Whether stock TFX trains on the same rows, too.

    Raises:
        SystemExit: The second one did not give the recorded answer.
    """
    export = newest_export(home, model)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        target = folder.joinpath("exports", *model.split("."), export.name)
        repeated(export, target, times)
        rows = {split: manifest_of(target).splits[split].rows for split in SPLITS}
        first, result = trained(folder, model, export.name, "first")
        again, recorded = trained(folder, model, export.name, "again")
        found: dict[str, Any] = {"rows": rows, "times": times, "first": first, "again": again}
        if recorded.recorded != "first":
            raise SystemExit("The second training did not give the recorded answer of the first")
        found["nodes"] = {node.id: node.seconds for node in result.nodes}
        found["metrics"] = result.metrics
        if has_peer:
            peer = folder / "peer"
            peer_tfx.prepared(target, manifest_of(target), peer / "rows")
            command = [sys.executable, "-m", "benchmarks.peer_tfx", str(target), str(peer)]
            log = folder / "peer.log"
            found["peer"] = cost_of([*command, "--model", model], log)
            last = log.read_text().strip().splitlines()[-1]
            found["peer_metrics"] = json.loads(last)["metrics"]
    return found


def nothing(usecase: str, repeat: int) -> dict[str, Any]:
    """`goldlake run` with nothing new, after a first one in the same new home."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        command = [sys.executable, "-m", "goldlake.cli.main", "run", usecase]
        command += ["--home", str(folder / "home"), "--json"]
        first = cost_of(command, folder / "log", kinds=KINDS)
        again = [cost_of(command, folder / "log", kinds=KINDS) for _ in range(repeat)]
    return {"first": first, "again": median(again)}


def beside(usecase: str, old: Path, repeat: int) -> dict[str, Any]:
    """`make run` in a new home, here and in a folder with another commit, alternately."""
    here = Path(__file__).parent.parent
    costs: dict[str, list[Cost]] = {"old": [], "new": []}
    for _ in range(repeat):
        for name, folder in (("old", old), ("new", here)):
            with tempfile.TemporaryDirectory() as temporary:
                # The archive of Java's classes is a part of set-up that only one of them has.
                command = ["make", "run", "CLASSES=no", f"USECASE={usecase}"]
                command += [f"ARGS=--home {temporary}/home --json"]
                log = Path(temporary, "log")
                costs[name].append(cost_of(command, log, cwd=folder, kinds=KINDS))
    medians = {name: median(each) for name, each in costs.items()}
    return {"repeat": repeat, "old_commit": commit(old), "runs": costs, **medians}


def median(costs: Sequence[Cost]) -> Cost:
    """The median of each number."""

    def middle(numbers: Iterable[float]) -> float:
        return round(statistics.median(numbers), 1)

    def by_kind(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
        kinds = sorted({kind for each in found for kind in each})
        return {kind: middle(each.get(kind, 0.0) for each in found) for kind in kinds}

    return Cost(
        middle(cost.cpu_s for cost in costs),
        middle(cost.seconds for cost in costs),
        middle(cost.peak_mb for cost in costs),
        by_kind([cost.cpu_by_kind for cost in costs]),
        by_kind([cost.seconds_by_kind for cost in costs]),
    )


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help="year, many, nothing, beside (default: year)")
    parser.add_argument("--home", type=Path, help="a home with an export, for year and many")
    parser.add_argument("--model", default="chicago_crime.arrest")
    parser.add_argument("--times", type=int, default=4, help="how often each row is there in many")
    parser.add_argument("--repeat", type=int, default=2, help="how often nothing and beside run")
    parser.add_argument("--old", type=Path, help="a folder with another commit, set up, for beside")
    parser.add_argument("--page", type=Path, help="write the book's page there")
    options = parser.parse_args()
    usecase = options.model.partition(".")[0]
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "year": lambda: year(options.home.resolve(), options.model),
        "many": lambda: year(options.home.resolve(), options.model, options.times, has_peer=True),
        "nothing": lambda: nothing(usecase, options.repeat),
        "beside": lambda: beside(usecase, options.old.resolve(), options.repeat),
    }
    about = {"day": date.today().isoformat(), "commit": commit(), "machine": machine()}
    for part in options.parts or ["year"]:
        found = {"model": options.model, **about, **parts[part]()}
        print(part, msgspec.json.format(msgspec.json.encode(found)).decode())
        if options.page:
            train_page.write(options.page, part, found)


if __name__ == "__main__":
    main()
