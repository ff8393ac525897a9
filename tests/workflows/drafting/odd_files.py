"""Odd files, and what has to be made of each."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Odd:
    """A file and what it has to be taken for.

    Attributes:
        name: Name of the file.
        content: Its bytes.
        columns: Type of each column, and the keys that matter, by name.
        key: Columns of the key; () where it is the content.
        format: Keys of ``source.format``.
        told: Parts of lines that have to be told.
    """

    name: str
    content: bytes
    columns: dict[str, dict[str, Any]]
    key: Sequence[str] = ()
    format: dict[str, Any] = field(default_factory=dict)
    told: Sequence[str] = ()


def rows(header: str, row: str, count: int = 40) -> str:
    """A header and rows: ``{n}`` is the number of the row, ``{m}`` 1 to 12, ``{d}`` 1 to 28."""
    lines = [row.format(n=n, m=n % 12 + 1, d=n % 28 + 1, k="abc"[n % 3]) for n in range(count)]
    return "\n".join([header, *lines] if header else lines) + "\n"


def parquet() -> bytes:
    import polars as pl

    frame = pl.DataFrame(
        {"id": range(30), "x": [n / 4 for n in range(30)], "ok": [True, False] * 15}
    )
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


def packed(name: str, text: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(name, text)
    return buffer.getvalue()


LONG, DOUBLE, STRING, BOOLEAN = ({"type": t} for t in ("long", "double", "string", "boolean"))
PLAIN = rows("id,kind,amount", "{n},{k},{n}.5")
COLUMNS = {"id": LONG, "kind": STRING, "amount": DOUBLE}

ODD_FILES = [
    Odd("plain.csv", PLAIN.encode(), COLUMNS, ["id"]),
    Odd("crlf.csv", PLAIN.replace("\n", "\r\n").encode(), COLUMNS, ["id"]),
    Odd("cr.csv", PLAIN.replace("\n", "\r").encode(), COLUMNS, ["id"]),
    Odd("bom.csv", b"\xef\xbb\xbf" + PLAIN.encode(), COLUMNS, ["id"]),
    Odd("utf16.csv", PLAIN.encode("utf-16"), COLUMNS, ["id"], {"encoding": "utf-16"}),
    Odd("utf16_le.csv", PLAIN.encode("utf-16-le"), COLUMNS, ["id"], {"encoding": "utf-16-le"}),
    Odd(
        "latin.csv",
        rows("id;Straße;Betrag (€)", "{n};Köln {k};{n},50").encode("cp1252"),
        {"id": LONG, "strasse": STRING, "betrag": DOUBLE},
        ["id"],
        {"delimiter": ";", "encoding": "cp1252", "decimal": ","},
    ),
    Odd("tabs.tsv", PLAIN.replace(",", "\t").encode(), COLUMNS, ["id"], {"delimiter": "tab"}),
    Odd("pipes.txt", PLAIN.replace(",", "|").encode(), COLUMNS, ["id"], {"delimiter": "|"}),
    Odd(
        "blanks.dat",
        rows("", "{n}  {m}   0.{d} 1e-{m}").encode(),
        {"column_1": LONG, "column_3": DOUBLE},
        ["column_1"],
        {"delimiter": "blanks", "header": False},
    ),
    Odd(
        "no_header.csv",
        rows("", "{n},x{k},{n}.5").encode(),
        {"column_2": STRING},
        ["column_1"],
        {"header": False},
    ),
    Odd(
        "junk.csv",
        ("Report of 1 May\n\n" + PLAIN.replace(",", ";")).encode(),
        COLUMNS,
        ["id"],
        {"delimiter": ";", "skip_lines": 1},
    ),
    Odd(
        "thousands.csv",
        rows("id;n;x", "{n};1,{d:03},{m:03};2,{d:03}.25").encode(),
        {"n": LONG, "x": DOUBLE},
        ["id"],
        {"delimiter": ";", "thousands": ","},
    ),
    Odd(
        "doubtful_thousands.csv",
        rows("id;n", "{n};8,{d:03}").encode(),
        {"n": LONG},
        ["id"],
        {"delimiter": ";", "thousands": ","},
        ["n: ',' is read as a mark of thousands; it could be the decimal mark"],
    ),
    Odd(
        "swiss.csv",
        rows("id;n", "{n};1'0{d:02}.50").encode(),
        {"n": DOUBLE},
        ["id"],
        {"delimiter": ";", "thousands": "'"},
    ),
    Odd(
        "german_numbers.csv",
        rows("id;n;x", "{n};{n},50;1.{d:03},{m:02}").encode(),
        {"n": DOUBLE, "x": DOUBLE},
        ["id"],
        {"delimiter": ";", "decimal": ",", "thousands": "."},
    ),
    Odd(
        "mixed_marks.csv",
        rows("id;n;x;y", "{n};1,{d:03},{m:03};1.{d:03}.{m:03};{n}.5").encode(),
        {"n": {"type": "long"}, "x": {"type": "long", "decimal": ",", "thousands": "."}},
        ["id"],
        {"delimiter": ";", "thousands": ","},
    ),
    Odd(
        "nulls.csv",
        (
            rows("id,x,n,t", "{n},{n}.5,{m},{k}") + "40,NaN,N/A,NA\n41,-,,NA\n42,#DIV/0!,?,b\n"
        ).encode(),
        {
            "x": {"type": "double", "null_values": ["#DIV/0!", "-", "NaN"]},
            "n": {"type": "long", "null_values": ["?", "N/A"]},
            "t": {"type": "string", "null_values": ["NA"]},
        },
        ["id"],
    ),
    Odd(
        "quoted.csv",
        rows("id,note", '{n},"two\nlines, and ""quotes"" {k}"').encode(),
        {"id": LONG, "note": STRING},
        ["id"],
    ),
    Odd(
        "doubled.csv",
        rows("id,n,n,,n", "{n},{d},{m}.5,{k},x").encode(),
        {
            "n": LONG,
            "n_2": {"type": "double", "field": "n#2"},
            "column_4": STRING,
            "n_3": {"type": "string", "field": "n#3"},
        },
        ["id"],
    ),
    Odd(
        "dots.csv",
        rows("sepal.length,sepal,class:name", "{n}.5,{d},{k}").encode(),
        {
            "sepal_length": {"type": "double", "field": "sepal.length"},
            "sepal": LONG,
            "class_name": {"type": "string", "field": "class:name"},
        },
    ),
    Odd(
        "zeros.csv",
        rows("code,n", "{n:05},{d}").encode(),
        {"code": STRING, "n": LONG},
        ["code"],
    ),
    Odd(
        "german_days.csv",
        rows("id,day", "{n},{d:02}.{m:02}.2020").encode(),
        {"day": {"type": "date", "format": "dd.MM.yyyy", "nullable": False}},
        ["id"],
    ),
    Odd(
        "named_months.csv",
        rows("id,day,due", "{n},Mar {d} 2020,{d}-Apr-2021").encode(),
        {
            "day": {"type": "date", "format": "MMM d yyyy", "nullable": False},
            "due": {"type": "date", "format": "d-MMM-yyyy"},
        },
        ["id"],
    ),
    Odd(
        "doubtful_days.csv",
        rows("id,day", "{n},{m:02}/{m:02}/2020", 11).replace("01/01", "01/02").encode(),
        {"day": {"type": "date", "format": "dd/MM/yyyy", "nullable": False}},
        ["id"],
        told=["day: dd/MM/yyyy or MM/dd/yyyy: no day of the sample is above 12"],
    ),
    Odd(
        "american_times.csv",
        rows("id,at", "{n},{m:02}/{d:02}/2020 {m:02}:15:00 PM").encode(),
        {
            "at": {
                "type": "timestamp",
                "format": "MM/dd/yyyy hh:mm:ss a",
                "time_zone": "UTC",
                "nullable": False,
            }
        },
        ["id"],
        told=["at in UTC"],
    ),
    Odd(
        "excel.csv",
        (rows("id,day", "{n},2020-{m:02}-{d:02}") + rows("", "4{n},{d}.{m}.2020")).encode(),
        {"day": {"type": "date", "format": ["iso", "d.M.yyyy"], "nullable": False}},
        ["id"],
    ),
    Odd(
        "swapped_days.csv",
        (rows("id,day", "{n},{d:02}/{m:02}/2020") + rows("", "4{n},{m:02}/{d:02}/2020")).encode(),
        {"day": STRING},
        ["id"],
    ),
    Odd(
        "iso_offsets.csv",
        rows("id,at", "{n},2020-{m:02}-{d:02}T10:00:00+02:00").encode(),
        {"at": {"type": "timestamp", "format": "iso", "nullable": False, "time_zone": "UTC"}},
        ["id"],
    ),
    Odd(
        "seconds.csv",
        rows("id,start_timestamp,size", "{n},13{n:02}855600,13{n:02}855600").encode(),
        {
            "start_timestamp": {"type": "timestamp", "format": "epoch_s", "nullable": False},
            "size": LONG,
        },
        ["id"],
        told=["start_timestamp: read as epoch_s because of its name"],
    ),
    Odd(
        "truths.csv",
        rows("id,a,b,c,d,e", "{n},{k},Yes,T,1,M").replace("a,Yes,T,1,M", "a,No,F,0,F").encode(),
        {"a": STRING, "b": BOOLEAN, "c": BOOLEAN, "d": BOOLEAN, "e": STRING},
        ["id"],
    ),
    Odd("one_column.csv", rows("word", "w{k}").encode(), {"word": STRING}),
    Odd("one_column_names.csv", rows("Full Name", "Ann {k}").encode(), {"full_name": STRING}),
    Odd("one_row.csv", b"a,b\n1,2\n", {"a": LONG, "b": LONG}, ["a"]),
    Odd(
        "repeated.csv",
        rows("kind,n", "{k},1").encode(),
        {"kind": STRING, "n": LONG},
        told=["content: no columns tell the records apart (37 are equal to another)"],
    ),
    Odd(
        "cut.csv",
        (PLAIN + "41,b").encode(),
        COLUMNS,
        ["id"],
        told=["1 lines are not records like the others"],
    ),
    Odd(
        "yaml_words.csv",
        rows("id,yes,null,no: x,# c,Ja/Nein,!", "{n},a{k},b{k},c{k},d{k},e{k},f{k}").encode(),
        {"yes": {"type": "string"}, "no_x": {"type": "string", "field": "no: x"}},
        ["id"],
    ),
    Odd(
        "big_numbers.csv",
        rows("id,n", "{n},123456789012345678901{d}").encode(),
        {"n": DOUBLE},
        ["id"],
    ),
    Odd(
        "lines.jsonl",
        b'{"id": 1, "a": {"b": 2.5, "c": [1]}}\n'
        b'{"id": 2, "a": {"b": null}, "x.y": true}\n{"id": 3, "x.y": false}\n',
        {
            "id": LONG,
            "a_b": {"type": "double", "field": "a.b"},
            "x_y": {"type": "boolean", "field": "x.y"},
        },
        ["id"],
    ),
    Odd(
        "array.json.gz",
        gzip.compress(json.dumps([{"id": n, "t": str(n % 3)} for n in range(9)]).encode()),
        {"id": LONG, "t": LONG},
        ["id"],
    ),
    Odd("table.parquet", parquet(), {"id": LONG, "x": DOUBLE, "ok": BOOLEAN}, ["id"]),
    Odd("packed.zip", packed("inner.csv", PLAIN), COLUMNS, ["id"]),
    Odd("packed.csv.gz", gzip.compress(PLAIN.encode()), COLUMNS, ["id"]),
]
NOT_TABLES = {
    "empty.csv": b"",
    "blank.csv": b"\n\n  \n",
    "header_only.csv": b"a,b,c\n",
    "object.json": b'{"a": 1}',
    "broken.csv.gz": gzip.compress(PLAIN.encode())[:40],
}
