"""The simulated portal with many rows: seconds to load, memory, time of pages and counts, answers.

usage: python -m benchmarks.simulator [--rows N] [--record FILE | --compare FILE] [--json FILE]

Generates the rows of chicago_crime, serves them on a loopback port and asks over HTTP. Each answer
(status, field headers and body) is hashed. ``--record`` writes the hashes; ``--compare`` prints the
answers whose hash is not the recorded one and then ends with 1. Record with one version of the
simulator and compare with another to see what a change does to clients.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import statistics
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import requests

from goldlake_core.contracts.registry import load_usecase, resolve
from goldlake_simulators.base import SimulatorOptions
from goldlake_simulators.server import running

USECASE = "chicago_crime"
PATH = "/resource/ijzp-q8t2.json"
SEED = 7
PAGE_ROWS = 1_000
TIMED_PAGES = 20
ORDER = ":updated_at,:id"
PLAYED_START = "2024-06-01T00:00:00Z"
PLAYED_SPEED = 1e-6

QUERIES: tuple[Mapping[str, str], ...] = (
    {},
    {"$limit": "3", "$offset": "77"},
    {"$limit": "50000", "$offset": "150000"},
    {"$limit": "5", "$where": "arrest", "$offset": "2"},
    {"$select": ":*,*", "$limit": "200", "$order": ORDER},
    {"$select": "*,:*", "$limit": "2", "$order": ":id desc"},
    {"$select": "id,primary_type as kind,:id", "$limit": "20", "$order": "date desc,id"},
    {"$select": "location, *", "$limit": "3", "$order": "latitude"},
    {"$order": "location_description desc", "$limit": "50"},
    {"$order": "latitude", "$offset": "7900", "$limit": "50"},
    {"$order": "arrest desc, ward, updated_on", "$limit": "50"},
    {"$select": "count(*) as n"},
    {"$select": "count(*)", "$where": "latitude is null"},
    {"$select": "count(*), count(ward) as w, min(date), max(updated_on), min(arrest)"},
    {"$select": "sum(ward), avg(year), max(latitude), min(latitude)", "$where": "ward > 40"},
    {"$select": "max(ward)", "$where": "ward > 99"},
    {"$select": "count(*)", "$where": "not arrest and not (domestic or ward between 3 and 9)"},
    {"$select": "count(*)", "$where": "primary_type in ('THEFT', 'ARSON') and beat != '0111'"},
    {"$select": "count(*)", "$where": "ward not in (1, 2, 3)"},
    {"$select": "count(*)", "$where": "block like '%W%ST' or starts_with(iucr, '05')"},
    {"$select": "count(*)", "$where": "upper(description) = lower('X') or contains(block, 'AVE')"},
    {"$select": "count(*)", "$where": "date >= '2024-03-01' and date < '2024-04-01T00:00:00'"},
    {"$select": "count(*)", "$where": "x_coordinate < y_coordinate"},
    {"$select": "count(*)", "$where": "9 >= ward and `arrest` = true"},
    {"$select": "count(*)", "$where": ":updated_at > '2024-06-01' and :created_at < '2024-06-01'"},
    {"primary_type": "THEFT", "ward": "5", "$order": ORDER},
    {"$where": "arrest = 'true'", "ward": "7", "$order": ORDER, "$offset": "10", "$limit": "7"},
    {"$where": "nope = 1"},
    {"$where": "ward = 'many'"},
    {"$where": "date > 'yesterday'"},
    {"$where": "ward = beat"},
    {"$where": "frobnicate(block) = 'x'"},
    {"$where": "a = 1 b"},
    {"$where": "block = 'open"},
    {"$where": "block; drop table rows"},
    {"$where": "(" * 200 + "arrest" + ")" * 200},
    {"$order": "nope"},
    {"$order": "ward,"},
    {"$select": "nope"},
    {"$select": "ward, count(*)"},
    {"$select": "median(ward)"},
    {"$select": "sum(block)"},
    {"$limit": "50001"},
    {"$offset": "x"},
    {"$group": "ward"},
)


def measure(rows: int) -> dict[str, Any]:
    """Loads, pages and counts once.

    Args:
        rows: Rows to generate.

    Returns:
        ``seconds`` to generate the rows and to load them, ``mebibytes`` that the process grew by
        and at its peak, milliseconds of pages and counts, and ``answers`` (hash by request).
    """
    usecase = load_usecase(USECASE)
    started = time.monotonic()
    for _ in resolve(usecase, str(usecase.source.generator), "source.generator")(rows, SEED):
        pass
    generated = time.monotonic() - started
    before = _memory("VmRSS")
    started = time.monotonic()
    with running(usecase, SimulatorOptions(rows=rows, seed=SEED)) as url:
        loaded = time.monotonic() - started - generated
        gc.collect()
        grown = _memory("VmRSS") - before
        with requests.Session() as session:
            figures = {
                "seconds": {"generate": round(generated, 2), "load": round(loaded, 2)},
                "mebibytes": {"grown": grown, "peak": _memory("VmHWM")},
                "milliseconds": _times(session, url),
            }
            answers = dict(_answers(session, url, ""))
            answers["paging"] = _paged(session, url)
    options = SimulatorOptions(rows=rows, seed=SEED, speed=PLAYED_SPEED, start=PLAYED_START)
    with running(usecase, options) as url, requests.Session() as session:
        answers.update(_answers(session, url, "played "))
        answers["played paging"] = _paged(session, url)
    return {"rows": rows, **figures, "answers": answers}


def _memory(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) // 1024
    raise ValueError(f"/proc/self/status has no {field}")


def _get(session: requests.Session, url: str, query: Mapping[str, str]) -> requests.Response:
    return session.get(url + PATH, params=dict(query))


def _answers(session: requests.Session, url: str, prefix: str) -> Iterator[tuple[str, str]]:
    for query in QUERIES:
        answer = _get(session, url, query)
        digest = hashlib.sha256(f"{answer.status_code}".encode())
        for header in ("X-SODA2-Fields", "X-SODA2-Types", "Last-Modified"):
            digest.update(answer.headers.get(header, "").encode())
        digest.update(answer.content)
        yield prefix + json.dumps(query), digest.hexdigest()


def _after(row: Mapping[str, str]) -> str:
    time_, row_id = row[":updated_at"], row[":id"]
    return f"(:updated_at > '{time_}' or (:updated_at = '{time_}' and :id > '{row_id}'))"


def _paged(session: requests.Session, url: str) -> str:
    """Hash of all rows, by key."""
    digest = hashlib.sha256()
    query = {"$select": ":*,*", "$order": ORDER, "$limit": "10000"}
    while True:
        answer = _get(session, url, query)
        digest.update(answer.content)
        page = answer.json()
        if not page:
            return digest.hexdigest()
        query["$where"] = _after(page[-1])


def _times(session: requests.Session, url: str) -> dict[str, float]:
    query = {"$select": ":*,*", "$order": ORDER, "$limit": str(PAGE_ROWS)}
    count = {"$select": "count(*) as n"}
    ward = {**count, "$where": "ward > 40"}
    first = {"first_count_of_a_condition": _timed(session, url, ward)[0]}
    total = int(_get(session, url, count).json()[0]["n"])
    pages = []
    for part in range(TIMED_PAGES):
        at = {**query, "$limit": "1", "$offset": str(part * total // TIMED_PAGES)}
        after = _after(_get(session, url, at).json()[0])
        pages.append(_timed(session, url, {**query, "$where": after})[0])
    return {
        "keyset_page_median": round(statistics.median(pages), 1),
        "keyset_page_most": round(max(pages), 1),
        "count": statistics.median(_timed(session, url, count)[0] for _ in range(5)),
        **first,
        "count_of_a_condition": statistics.median(_timed(session, url, ward)[0] for _ in range(5)),
    }


def _timed(session: requests.Session, url: str, query: Mapping[str, str]) -> tuple[float, bytes]:
    started = time.perf_counter()
    answer = _get(session, url, query)
    answer.raise_for_status()
    return round(1_000 * (time.perf_counter() - started), 1), answer.content


def main() -> int:
    """Measures, prints and compares."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--record", type=Path, help="file to write the hashes of the answers to")
    parser.add_argument("--compare", type=Path, help="file with hashes to compare with")
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    options = parser.parse_args()
    figures = measure(options.rows)
    answers = figures.pop("answers")
    print(json.dumps(figures, indent=2))
    if options.json:
        options.json.write_text(json.dumps(figures) + "\n")
    if options.record:
        options.record.write_text(json.dumps(answers, indent=1) + "\n")
    if not options.compare:
        return 0
    expected = json.loads(options.compare.read_text())
    different = [query for query, value in answers.items() if expected.get(query) != value]
    print(f"{len(answers) - len(different)} of {len(answers)} answers are equal")
    for query in different:
        print(f"  different: {query}")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
