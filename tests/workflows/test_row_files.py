"""Rows out of files of every format, and what a damaged one says."""

from __future__ import annotations

import gzip
import io
import json
import tracemalloc
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars
import pytest

from goldlake.workflows.row_files import RowFile
from goldlake_core.contracts.errors import UsageError

TYPES = {"n": "int64", "x": "float", "b": "bool", "t": "string"}
ROWS: list[Any] = [
    {"n": 1, "x": 0.5, "b": True, "t": "a, b"},
    {"n": None, "x": None, "b": None, "t": None},
    {"n": -3, "x": 1e300, "b": False, "t": ""},
    {"n": 4, "x": 2.0, "b": True, "t": 'two\nlines "quoted"'},
]
CSV = 'n,x,b,t\n1,0.5,true,"a, b"\n,,,\n-3,1e300,false,""\n4,2,TRUE,"two\nlines ""quoted"""\n'
LINES = "".join(json.dumps(row) + "\n" for row in ROWS)


def rows_of(name: str, data: bytes = b"", kind: Any = None) -> RowFile:
    return RowFile(name, io.BytesIO(data), kind, lambda: TYPES)


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("r.jsonl", LINES),
        ("r.ndjson", "\ufeff\n" + LINES.replace("\n", "\r\n\n")),
        ("r.json", json.dumps({"instances": ROWS})),
        ("r.json", json.dumps(ROWS, indent=2)),
        ("r.csv", CSV),
        ("r.csv", "\ufeff" + CSV.replace("\n4", "\r\n4").rstrip("\n")),
    ],
)
def test_every_format_gives_the_same_rows(
    tmp_path: Path, name: str, text: str, suffix: str
) -> None:
    data = text.encode()
    data = gzip.compress(data) if suffix else data
    path = tmp_path / (name + suffix)
    path.write_bytes(data)
    assert list(rows_of(str(path))) == ROWS
    kind = "csv" if "csv" in name else "jsonl"
    assert list(rows_of("-", data, kind)) == ROWS


def test_parquet(tmp_path: Path) -> None:
    path = tmp_path / "r.parquet"
    polars.DataFrame(ROWS * 3000).write_parquet(path, row_group_size=1000)
    file = rows_of(str(path))
    found = iter(file)
    assert next(found) == ROWS[0]
    share = file.share()
    assert share is not None
    assert 0 < share < 1
    assert list(found) == (ROWS * 3000)[1:]
    assert file.share() == 1
    assert file.place(7) == f"{path}, row 7"


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        (b"1", [1]),
        (b"[1, 2]", [1, 2]),
        (b"1\n2\n", [1, 2]),
        (b'{"x": NaN}', [{"x": pytest.approx(float("nan"), nan_ok=True)}]),
        (b"[]", []),
        (b"{}", [{}]),
        (b'{\n"x": 1}', [{"x": 1}]),
    ],
)
def test_json_of_other_shapes(data: bytes, rows: list[Any]) -> None:
    assert list(rows_of("-", data)) == rows


@pytest.mark.parametrize(
    ("name", "data", "text"),
    [
        ("-", b"", "The input is empty. Valid: rows as JSON. Next: echo"),
        ("-", b"{", "The input is not JSON: "),
        ("r.jsonl", b'{"n": 1}\n\n{"n": 2}\n{"n": \n', "/r.jsonl:4: this line is not JSON: "),
        ("r.jsonl", b"1\n\xff\n", "/r.jsonl:2: this line is not JSON: "),
        ("r.csv", b"", "/r.csv is empty. Valid: a CSV file with a header line."),
        ("r.csv", b"n,x\n1,2\n3\n", "/r.csv:3: 1 fields, and the header has 2."),
        ("r.csv", b'n,t\n1,"a\nb"\n\n2,3,4\n', "/r.csv:5: 3 fields, and the header has 2."),
        ("r.csv", b"n,n\n1,2\n", "/r.csv names a column twice: n, n."),
        ("r.csv", b"n,t\n1,\xff\n", "/r.csv is not a CSV file in UTF-8: "),
        (
            "r.jsonl.gz",
            gzip.compress(b"1\n2\n" * 9, mtime=0)[:-9],
            "/r.jsonl.gz is damaged after line ",
        ),
        (
            "r.csv.gz",
            gzip.compress(b"n\n1\n" * 9, mtime=0)[:-9],
            "/r.csv.gz is damaged after line ",
        ),
        ("r.parquet", b"PAR1", "/r.parquet is not a Parquet file: "),
        ("r.txt", b"", "/r.txt does not say its format. Valid: a name that ends in .jsonl, "),
    ],
)
def test_what_is_damaged_says_where(tmp_path: Path, name: str, data: bytes, text: str) -> None:
    path = name
    if name != "-":
        path = str(tmp_path / name)
        Path(path).write_bytes(data)
    with pytest.raises(UsageError) as error:
        list(rows_of(path, data))
    assert text in error.value.message


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        rows_of(str(tmp_path / "none.jsonl"))
    with pytest.raises(UsageError, match="Parquet cannot be read from a stream"):
        rows_of("-", b"", "parquet")


def test_a_value_of_another_type_stays_a_text() -> None:
    assert list(rows_of("-", b"n,x,b,other\n1.5,a,yes,7\n", "csv")) == [
        {"n": "1.5", "x": "a", "b": "yes", "other": "7"}
    ]


def test_fields_with_line_ends_of_a_csv() -> None:
    rows = [{"n": n, "t": f'{n}\r\n,"{"x" * (n % 7)}"'} for n in range(500)]
    text = "n,t\r\n" + "".join(
        '{},"{}"\r\n'.format(row["n"], row["t"].replace('"', '""')) for row in rows
    )
    file = rows_of("-", text.encode(), "csv")
    assert list(file) == rows
    assert file.place(499) == f"the input:{2 + 2 * 499}"


def test_a_quote_that_is_never_closed_ends_with_the_file() -> None:
    with pytest.raises(UsageError, match="the input:3: 1 fields, and the header has 2"):
        list(rows_of("-", b'n,t\n1,a\n2,"b\n3,c\n', "csv"))


@pytest.mark.parametrize("name", ["r.jsonl", "r.csv", "r.jsonl.gz"])
def test_memory_does_not_follow_the_size(tmp_path: Path, name: str) -> None:
    """60 MB of text go through a few megabytes."""
    row: Mapping[str, Any] = {"t": "x" * 600}
    line = ("x" * 600 if "csv" in name else json.dumps(row)) + "\n"
    text = ("t\n" if "csv" in name else "") + line * 100_000
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode(), 1) if name.endswith(".gz") else text.encode())
    del text
    file = rows_of(str(path))
    tracemalloc.start()
    count = 0
    for _ in file:
        count += 1
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 100_000
    assert peak < 20_000_000
