"""Files of any layout as a source: what is landed, and what is refused with its cure."""

from __future__ import annotations

import gzip
import io
import json
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from goldlake_core.contracts.errors import PermanentError, UsageError
from goldlake_core.contracts.loader import load_contract
from goldlake_core.contracts.sections import UseCase
from goldlake_core.datafiles import opened
from goldlake_core.storage.home import Home
from goldlake_core.storage.landing import Cursor, LandingZone
from lakehouse.sources.files import FilesConnector
from lakehouse.sources.land import land


class Ledger:
    """A use case of files, and what it lands."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "ledger"
        (self.folder / "data").mkdir(parents=True)
        self.told: list[str] = []

    def contract(self, columns: str, source: str = "path: data", silver: str = "") -> UseCase:
        text = f"name: ledger\nsource: {{kind: files, page_rows: 3, {source}}}\n"
        text += f"silver:\n{silver}  columns:\n"
        text += "".join(f"    {line}\n" for line in columns.split("\n"))
        (self.folder / "contract.yaml").write_text(text, encoding="utf-8")
        return load_contract(self.folder)

    def write(self, name: str, content: str | bytes) -> Path:
        file = self.folder / "data" / name
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    def land(self, usecase: UseCase, source: str = "live") -> list[str]:
        """All records that are landed so far."""

        def emit(kind: str, message: str, **fields: Any) -> None:
            self.told += [message] if kind == "info" else []

        home = Home.at(self.folder / "home")
        land(usecase, home, source, None, None, "run", emit)
        zone = LandingZone(home, "ledger", "ledger")
        return [line.decode() for entry in zone.manifest() for line in zone.read_page(entry)]

    def refused(self, usecase: UseCase) -> str:
        with pytest.raises(PermanentError) as caught:
            self.land(usecase)
        zone = LandingZone(Home.at(self.folder / "home"), "ledger", "ledger")
        assert zone.manifest() == []  # nothing of a refused file is landed
        return caught.value.message


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path)


def test_blanks_without_a_header_are_read_by_place(ledger: Ledger) -> None:
    ledger.write("a.txt", "1 1  -0.0007 \n1\t2 NAN\r\n")
    usecase = ledger.contract(
        "unit: {type: long, field: 1}\nvalue: {type: double, field: 3}",
        'path: "data/*.txt", format: {delimiter: blanks, header: false}',
    )
    assert ledger.land(usecase) == [
        '{"column_1":"1","column_2":"1","column_3":"-0.0007"}',
        '{"column_1":"1","column_2":"2","column_3":"NAN"}',
    ]


def test_names_that_are_missing_doubled_or_have_dots(ledger: Ledger) -> None:
    ledger.write("a.csv", "sepal.length,,n,n\n5.1,x,1,2\n")
    usecase = ledger.contract(
        'a: {type: double, field: sepal.length}\nb: {type: long, field: "n#2"}'
    )
    assert ledger.land(usecase) == ['{"sepal.length":"5.1","column_2":"x","n":"1","n#2":"2"}']
    assert any("a.csv names a column twice: landed as n#2" in text for text in ledger.told)
    assert any("a.csv does not name every column" in text for text in ledger.told)


def test_a_place_of_a_column_with_a_name_is_refused_with_the_name(ledger: Ledger) -> None:
    ledger.write("a.csv", "x,y\n1,2\n")
    usecase = ledger.contract("x: long\na: {type: long, field: 2}")
    assert "write field: y in the contract" in ledger.refused(usecase)


def test_other_quotes_and_none(ledger: Ledger) -> None:
    ledger.write("a.csv", "x;y\n'1;2';3\n5\" pipe;4\n")
    usecase = ledger.contract("x: string", "path: data, format: {delimiter: ';', quote: \"'\"}")
    assert ledger.land(usecase) == ['{"x":"1;2","y":"3"}', '{"x":"5\\" pipe","y":"4"}']


def packed_zip(**members: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in members.items():
            packed.writestr(name.replace("_", "."), text)
    return buffer.getvalue()


def test_gzip_and_zip_around_each_kind(ledger: Ledger) -> None:
    ledger.write("a.csv.gz", gzip.compress(b"n\n1\n"))
    ledger.write("b.zip", packed_zip(b_csv="n\n2\n"))
    ledger.write("c.csv.zip", packed_zip(c_csv="n\n3\n"))
    ledger.write("d.zip", packed_zip(d_jsonl='{"n": 4}\n'))
    ledger.write("e.json.gz", gzip.compress(b'{"type": "x", "features": [{"n": 5}, {"n": 6}]}'))
    assert ledger.land(ledger.contract("n: long")) == [
        '{"n":"1"}',
        '{"n":"2"}',
        '{"n":"3"}',
        '{"n": 4}',
        '{"n": 5}',
        '{"n": 6}',
    ]


def test_a_zip_of_several_files_is_refused(ledger: Ledger) -> None:
    ledger.write("a.zip", packed_zip(a_csv="n\n1\n", b_csv="n\n2\n"))
    message = ledger.refused(ledger.contract("n: long"))
    assert "a.zip holds 2 files (a.csv, b.csv)" in message
    assert "unpack it into a folder" in message


@pytest.mark.parametrize("name", ["a.csv.gz", "a.zip"])
def test_a_bomb_is_refused(ledger: Ledger, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opened, "MIN_UNPACKED_BYTES", 10_000)
    text = "n\n" + "1\n" * 1_000_000
    body = gzip.compress(text.encode()) if name.endswith("gz") else packed_zip(a_csv=text)
    ledger.write(name, body)
    assert "unpacks to more than" in ledger.refused(ledger.contract("n: long"))


@pytest.mark.parametrize("kind", ["cut gzip", "cut zip"])
def test_a_damaged_file_lands_nothing(ledger: Ledger, kind: str) -> None:
    rows = "n\n" + "".join(f"{n * n}\n" for n in range(20_000))
    body = gzip.compress(rows.encode())[:-20] if "gzip" in kind else packed_zip(a_csv=rows)[:5000]
    ledger.write("a.csv.gz" if "gzip" in kind else "a.zip", body)
    message = ledger.refused(ledger.contract("n: long"))
    assert "is damaged" in message or "is not a zip that can be read" in message


def test_a_wrong_byte_at_the_end_lands_nothing(ledger: Ledger) -> None:
    ledger.write("a.csv", b"n\n" + b"1\n" * 50_000 + b"\xfc\n")
    message = ledger.refused(ledger.contract("n: string"))
    assert "name its encoding in source.format.encoding" in message


def test_parquet_keeps_types_and_leaves_out_what_is_missing(ledger: Ledger) -> None:
    import polars as pl

    frame = pl.DataFrame(
        {
            "n": [1, None],
            "x": [1.5, float("nan")],
            "at": ["2016-01-31T10:00:00", None],
            "b": [True, False],
            "l": [[1, 2], None],
        }
    ).with_columns(pl.col("at").str.to_datetime("%Y-%m-%dT%H:%M:%S"))
    frame.write_parquet(ledger.folder / "data" / "a.parquet")
    assert [json.loads(line) for line in ledger.land(ledger.contract("n: long"))] == [
        {"n": 1, "x": 1.5, "at": "2016-01-31T10:00:00", "b": True, "l": [1, 2]},
        {"x": "nan", "b": False},
    ]


def test_equal_records_of_a_file_are_told_apart(ledger: Ledger) -> None:
    ledger.write("a.csv", "n\n1\n2\n1\n1\n")
    ledger.write("b.jsonl", '{"n":"1"}\n{}\n{}\n')
    usecase = ledger.contract("n: long")
    assert usecase.silver.key == ("content_id",)
    landed = ledger.land(usecase)
    assert landed == [
        '{"n":"1"}',
        '{"n":"2"}',
        '{"$copy":"2","n":"1"}',
        '{"$copy":"3","n":"1"}',
        '{"n":"1"}',
        "{}",
        '{"$copy":"2"}',
    ]
    # The same file with one more row: only that row is a new record.
    ledger.write("a.csv", "n\n1\n2\n1\n1\n1\n")
    assert set(ledger.land(usecase)) - set(landed) == {'{"$copy":"4","n":"1"}'}


def test_copies_are_counted_across_pages_and_deaths(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.write("a.csv", "n\n" + "7\n" * 10)
    usecase = ledger.contract("n: long")

    class Killed(BaseException):
        pass

    written = 0
    keep = LandingZone.write_manifest

    def dying(self: LandingZone, entry: Any) -> None:
        nonlocal written
        written += 1
        if written == 3:
            raise Killed
        keep(self, entry)

    monkeypatch.setattr(LandingZone, "write_manifest", dying)
    with pytest.raises(Killed):
        ledger.land(usecase)
    landed = ledger.land(usecase)
    assert len(landed) == len(set(landed)) == 10


def test_a_value_of_the_file_s_name_travels_with_each_record(ledger: Ledger) -> None:
    ledger.write("pks_2020.csv", "n\n1\n1\n")
    ledger.write("pks_2021.jsonl", '{"n": 1}\n')
    usecase = ledger.contract('year: {type: long, file: "pks_([0-9]{4})"}\nn: long')
    assert ledger.land(usecase) == [
        '{"$file":"pks_2020.csv","n":"1"}',
        '{"$file":"pks_2020.csv","$copy":"2","n":"1"}',
        '{"$file":"pks_2021.jsonl","n": 1}',
    ]


def wide(delimiter: str, rows: int = 30) -> str:
    lines = [f"id{delimiter}name{delimiter}amount"]
    return "\n".join([*lines, *(f"{n}{delimiter}x, y{delimiter}{n},5" for n in range(rows))])


@pytest.mark.parametrize(
    ("text", "source", "problem", "cure"),
    [
        (wide(";"), "", "has one column called", "set source.format.delimiter to ';'"),
        (wide("\t"), "", "has one column called", "set source.format.delimiter to 'tab'"),
        (
            "1;2;3\n" + wide(";"),
            'format: {delimiter: ";"}',
            "names no columns, it has values",
            "set source.format.skip_lines to 1",
        ),
        (
            "Report\nof May\n" + wide(";"),
            'format: {delimiter: ";"}',
            "Only 1 of the first 32 rows",
            "set source.format.skip_lines to 2",
        ),
        (
            wide(";"),
            'format: {delimiter: "|"}',
            "has one column called",
            "set source.format.delimiter to ';'",
        ),
        ("1 1 -0.5 7\n" * 40, "", "names no columns", "set source.format.delimiter to 'blanks'"),
        ("1,2,3\n" * 40, "", "names no columns", "set source.format.header to false"),
        ("other,names\n1,2\n", "", "none of the fields that the contract reads", "silver.columns"),
    ],
)
def test_what_is_no_table_of_the_contract_is_refused_with_its_cure(
    ledger: Ledger, text: str, source: str, problem: str, cure: str
) -> None:
    ledger.write("a.csv", text)
    source = f"path: data, {source}" if source else "path: data"
    message = ledger.refused(ledger.contract("id: long\namount: {type: double}", source))
    assert problem in message
    assert cure in message


def test_lines_that_are_no_json_are_no_records(ledger: Ledger) -> None:
    ledger.write("a.jsonl", "id,amount\n1,2\n")
    assert "No record of" in ledger.refused(ledger.contract("id: long"))


def test_some_rows_of_another_width_are_kept_as_they_are(ledger: Ledger) -> None:
    ledger.write("a.csv", "id,x\n" + "1,2\n" * 30 + "3\n")
    usecase = ledger.contract("id: long", silver="  key: content\n")
    assert ledger.land(usecase)[-1] == "3"


def test_no_file_a_bad_url_and_a_store_without_its_package(ledger: Ledger) -> None:
    with pytest.raises(UsageError, match="There are no files at"):
        FilesConnector(ledger.contract("n: long", "path: nothing"))
    usecase = ledger.contract("n: long", "path: s3://bucket/a.csv")
    with pytest.raises(UsageError, match="Nothing here reads s3://bucket/a.csv"):
        FilesConnector(usecase)


def test_files_of_another_store(ledger: Ledger) -> None:
    import fsspec

    fs = fsspec.filesystem("memory")
    fs.pipe("/ledger/b.csv", b"n\n2\n")
    fs.pipe("/ledger/a.csv.gz", gzip.compress(b"n\n1\n"))
    usecase = ledger.contract("n: long", "path: memory://ledger")
    assert ledger.land(usecase) == ['{"n":"1"}', '{"n":"2"}']


def test_memory_does_not_grow_with_the_file(ledger: Ledger) -> None:
    def peak(rows: int) -> int:
        file = ledger.write("a.csv", "n,t\n" + "".join(f"{n},{'x' * 50}\n" for n in range(rows)))
        usecase = ledger.contract("n: long", silver="  key: content\n")
        tracemalloc.start()
        reader = FilesConnector(usecase)
        (part,) = reader.partitions()
        cursor: Cursor | None = Cursor(file.name, f"0:{part.digest}")
        while cursor is not None:
            cursor = reader.page(cursor, None, None).next_cursor
        reader.close()
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    small, large = peak(20_000), peak(60_000)
    # 40,000 rows more are 2.4 MB of text. Their hashes are 8 bytes each, and sorted once more.
    assert large - small < 1_500_000


def test_the_police_statistics_by_county_land_whole(ledger: Ledger, test_data: Path) -> None:
    path = test_data / "germany_pks" / "pks_2020_kreise.csv.gz"
    source = f'path: "{path}", format: {{delimiter: ";", encoding: cp1252, skip_lines: 1}}'
    usecase = ledger.contract("schluessel: {type: string, field: Schluessel}", source)
    usecase = replace(usecase, source=replace(usecase.source, page_rows=10_000))
    assert len(ledger.land(usecase)) == 16_842


@pytest.mark.parametrize(
    ("source", "cure"),
    [
        ("", "source.format.encoding"),
        (", format: {encoding: cp1252}", "source.format.delimiter to ';'"),
        (', format: {encoding: cp1252, delimiter: ";"}', "source.format.skip_lines to 1"),
    ],
)
def test_a_wrong_layout_of_them_is_refused(
    ledger: Ledger, test_data: Path, source: str, cure: str
) -> None:
    path = test_data / "germany_pks" / "pks_2020_kreise.csv.gz"
    usecase = ledger.contract(
        "schluessel: {type: string, field: Schluessel}", f'path: "{path}"{source}'
    )
    message = ledger.refused(usecase)
    assert cure in message
