"""Reads what the real API answered, and files of its archive, as versions of crimes.

A body of the API says when an outcome became known, and so which update first had it. A file of the
archive does not: each of its crimes has one version. An update comes two months after the month.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path

import orjson
import xxhash

from goldlake_core.contracts.errors import UsageError
from goldlake_simulators.exports import Warn, file_hash, text_of
from goldlake_simulators.police_uk.crimes import CRIME, UPDATED, Row, month_after

MONTHS_UNTIL_UPDATE = 2
SUFFIXES = (".csv", ".csv.gz", ".json", ".json.gz")
_OPEN = "Under investigation"
_TITLES = {
    "Crime ID",
    "Month",
    "Longitude",
    "Latitude",
    "Location",
    "Crime type",
    "Last outcome category",
}
# Where the archive's names of kinds are not the API's with blanks for dashes.
_CATEGORIES = {
    "criminal-damage-and-arson": "criminal-damage-arson",
    "violence-and-sexual-offences": "violent-crime",
}
_STREETS = 10**7


def versions(file: Path, warn: Warn) -> Iterator[Row]:
    """The versions of the crimes in a file.

    Args:
        file: A body of the API (.json) or a file of the archive (.csv), each also gzipped.
        warn: Called with one line for each part of the data that is skipped.

    Raises:
        UsageError: The file is neither.
    """
    if not file.name.lower().endswith(SUFFIXES):
        raise UsageError(
            f"{file} cannot be replayed: unknown file type",
            valid=f"files named *{', *'.join(SUFFIXES)}",
        )
    content = file_hash(file)
    is_archive = file.name.lower().removesuffix(".gz").endswith(".csv")
    text = text_of(file, warn)
    records = _of_archive(file, text) if is_archive else _of_api(file, text)
    for number, record in enumerate(records):
        yield from history(f"{content}:{number}", record)


def history(crime: str, record: Row) -> Iterator[Row]:
    """The versions of a crime, by the month of its outcome: open before it, then as it is.

    Args:
        crime: What tells the crime from others.
        record: As the API has it in the end.
    """
    first = month_after(record["month"], MONTHS_UNTIL_UPDATE)
    outcome = record.get("outcome_status") or {}
    known = month_after(outcome.get("date") or record["month"], MONTHS_UNTIL_UPDATE)
    if known > first:
        is_open = {"category": _OPEN, "date": record["month"]}
        yield {**record, "outcome_status": is_open, CRIME: crime, UPDATED: first}
    yield {**record, CRIME: crime, UPDATED: max(first, known)}


def _of_api(file: Path, text: str) -> list[Row]:
    try:
        rows = orjson.loads(text)
    except ValueError as error:
        raise UsageError(f"{file} is not JSON: {error}", valid="a body of the API") from error
    if not isinstance(rows, list) or not all(
        isinstance(row, dict) and {"category", "month", "location"} <= row.keys() for row in rows
    ):
        raise UsageError(
            f"{file} does not hold crimes as the API answers them",
            valid='[{"category": …, "month": "2023-01", "location": {…}, …}, …]',
        )
    return rows


def _of_archive(file: Path, text: str) -> Iterator[Row]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    missing = _TITLES - set(reader.fieldnames or ())
    if missing:
        raise UsageError(
            f"{file}:1: the header lacks {', '.join(sorted(missing))}",
            valid="a file of the archive of street-level crime",
        )
    for row in reader:
        if None in row.values():
            raise UsageError(
                f"{file}:{reader.line_num}: the line has too few fields",
                hint="download the file again",
            )
        yield _archived(row)


def _archived(row: Mapping[str, str]) -> Row:
    name = row["Crime type"].lower().replace(" ", "-")
    outcome, place = row["Last outcome category"], None
    if row["Latitude"]:
        street = {
            "id": xxhash.xxh3_64_intdigest(row["Location"].encode()) % _STREETS,
            "name": row["Location"],
        }
        place = {"latitude": row["Latitude"], "street": street, "longitude": row["Longitude"]}
    is_railway = row.get("Reported by", "").startswith("British Transport")
    return {
        "category": _CATEGORIES.get(name, name),
        "location_type": "BTP" if is_railway else "Force" if place else None,
        "location": place,
        "context": row.get("Context", ""),
        "outcome_status": {"category": outcome, "date": row["Month"]} if outcome else None,
        "persistent_id": row["Crime ID"],
        "location_subtype": "",
        "month": row["Month"],
    }
