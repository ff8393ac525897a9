"""The same pages into one Delta table by dlt, for comparison: upserted by key, nothing else.

usage: PYTHON_WITH_DLT -m benchmarks.peer_dlt --store DIR PAGE...

It runs in another environment, made by ``pip install "dlt[deltalake,filesystem]"``. dlt
neither checks the records nor keeps their fates, and makes no gold tables.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def records(pages: list[Path]) -> Iterator[list[dict[str, Any]]]:
    """The records of each page."""
    for page in pages:
        with gzip.open(page, "rt", encoding="utf-8") as lines:
            yield [json.loads(line) for line in lines]


def load(store: Path, pages: list[Path]) -> None:
    """Upserts the records of some pages."""
    import dlt

    @dlt.resource(
        name="crimes",
        primary_key="id",
        write_disposition={"disposition": "merge", "strategy": "upsert"},
        table_format="delta",
    )
    def crimes() -> Iterator[list[dict[str, Any]]]:
        yield from records(pages)

    pipeline = dlt.pipeline(
        "peer",
        destination=dlt.destinations.filesystem(store.absolute().as_uri()),
        dataset_name="peer",
        pipelines_dir=str(store.absolute() / "pipelines"),
    )
    pipeline.run(crimes())


def main() -> None:
    """Loads what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("pages", type=Path, nargs="*")
    options = parser.parse_args()
    load(options.store, options.pages)


if __name__ == "__main__":
    main()
