"""Faults of files as a source."""

from __future__ import annotations

import gzip
import time

from goldlake_core.contracts.errors import PermanentError
from lakehouse.sources.split import envelope
from tests.faults.catalog import fault
from tests.faults.lab import Lab, refused


@fault("F1", "a new file sorts before those landed", "landed")
def before(lab: Lab) -> None:
    lab.file("b.jsonl", b'{"n": 1}\n')
    lab.land()
    lab.file("a.jsonl", b'{"n": 2}\n')
    assert lab.land().rows == 1


@fault("F3", "an old file is archived away, a new one comes", "the new one is landed")
def archived(lab: Lab) -> None:
    old = lab.file("a.jsonl", b'{"n": 1}\n')
    lab.land()
    old.unlink()
    lab.file("b.jsonl", b'{"n": 2}\n')
    assert lab.land().rows == 1
    assert lab.lines() == [b'{"n": 1}', b'{"n": 2}']


@fault("F4", "a landed file is issued again with corrections", "landed as new input, and told")
def corrected(lab: Lab) -> None:
    lab.file("a.jsonl", b'{"n": 1}\n')
    lab.land()
    lab.file("a.jsonl", b'{"n": 7}\n')
    assert (lab.land().rows, lab.lines()[-1]) == (1, b'{"n": 7}')
    lab.told_of("a.jsonl", "issued again")
    assert lab.land().rows == 0


@fault("F5", "the same files, the folder moved", "the same source, nothing new")
def moved(lab: Lab) -> None:
    file = lab.file("a.jsonl", b'{"n": 1}\n')
    lab.land()
    file.parent.rename(lab.folder / "moved")
    assert lab.land(address=str(lab.folder / "moved")).rows == 0


@fault("F5b", "a landed file is renamed or copied", "nothing new")
def renamed(lab: Lab) -> None:
    file = lab.file("a.jsonl", b'{"n": 1}\n')
    lab.land()
    file.rename(file.with_name("z.jsonl"))
    lab.file("b.jsonl", b'{"n": 1}\n')
    assert lab.land().rows == 0


@fault("F6", '`""` against nothing in CSV', "empty and missing stay two things")
def empty_and_missing(lab: Lab) -> None:
    lab.file("a.csv", b'a,b\n"",x\n,y\n"q""q",""\n')
    lab.land()
    assert lab.lines() == [b'{"a":"","b":"x"}', b'{"b":"y"}', b'{"a":"q\\"q","b":""}']


@fault("F7", "rows of the wrong width", "kept as the bytes they are")
def wrong_width(lab: Lab) -> None:
    lab.file("a.csv", b'a,b\n1,2\n"x, y"\n1,"two\nlines",3\n')
    lab.land()
    assert lab.lines() == [b'{"a":"1","b":"2"}', b'"x, y"', envelope(b'1,"two\nlines",3')]


@fault("F8", "a CSV file in Latin-1", "refused with the option that reads it, which does")
def latin(lab: Lab) -> None:
    lab.file("a.csv", "name\nMüller\n".encode("latin-1"))
    refused(lab.land, PermanentError, "a.csv", "source.options.encoding")
    lab.source(options={"encoding": "latin-1"})
    lab.land()
    assert lab.lines() == ['{"name":"Müller"}'.encode()]


@fault("F8b", "one line of a .jsonl file is Latin-1", "that line is kept, in an envelope")
def latin_line(lab: Lab) -> None:
    lab.file("a.jsonl", b'{"n": 1}\n{"n": "M\xfcller"}\n')
    lab.land()
    assert lab.lines() == [b'{"n": 1}', envelope(b'{"n": "M\xfcller"}')]


@fault("F9", "a semicolon CSV file", "refused with the option that reads it, which does")
def semicolons(lab: Lab) -> None:
    lab.file("a.csv", b"id;v\n1;2\n")
    refused(lab.land, PermanentError, "a.csv", "source.options.delimiter to ';'")
    lab.source(options={"delimiter": ";"})
    lab.land()
    assert lab.lines() == [b'{"id":"1","v":"2"}']


@fault("F10", "a line before the header", "refused with the option that reads it, which does")
def junk(lab: Lab) -> None:
    lab.file("a.csv", b"Report of 1 May\nid,v\n1,2\n")
    refused(lab.land, PermanentError, "a.csv", "Report of 1 May", "source.options.skip")
    lab.source(options={"skip": 1})
    lab.land()
    assert lab.lines() == [b'{"id":"1","v":"2"}']


@fault("F11", "a header names a column twice", "told, and landed as `NAME#2`")
def twice(lab: Lab) -> None:
    lab.file("a.csv", b"a,a\n1,2\n")
    lab.land()
    lab.told_of("a.csv", "names a column twice")
    assert lab.lines() == [b'{"a":"1","a#2":"2"}']


@fault("F12", "a CSV file in UTF-16", "read with the option")
def utf16(lab: Lab) -> None:
    lab.file("a.csv", "a,b\n1,2\n".encode("utf-16"))
    refused(lab.land, PermanentError, "a.csv", "source.options.encoding")
    lab.source(options={"encoding": "utf-16"})
    lab.land()
    assert lab.lines() == [b'{"a":"1","b":"2"}']


@fault("F13", "a gzip file is cut", "refused by name; other files were landed")
def cut_gzip(lab: Lab) -> None:
    lab.file("a.jsonl", b'{"n": 1}\n')
    lab.file("b.jsonl.gz", gzip.compress(b'{"n": 2}\n' * 100)[:-9])
    refused(lab.land, PermanentError, "b.jsonl.gz is damaged")
    assert lab.lines() == [b'{"n": 1}']


@fault("F14", "a .json file with 41.10, 1e2 and a big integer", "the bytes are kept")
def numbers(lab: Lab) -> None:
    lab.file("a.json", b'[{"n": 41.10},\n {"n": 1e2}, {"n": 12345678901234567890123}]\n')
    lab.land()
    assert lab.lines() == [b'{"n": 41.10}', b'{"n": 1e2}', b'{"n": 12345678901234567890123}']


@fault("F15", "a .json file holds one object, such as GeoJSON", "refused in words")
def one_object(lab: Lab) -> None:
    lab.file("a.json", b'{"type": "FeatureCollection", "features": []}')
    refused(lab.land, PermanentError, "a.json", "holds no JSON array")


@fault("F18", "a header has a blank name", "told, and landed under a name")
def blank(lab: Lab) -> None:
    lab.file("a.csv", b"a,,c\n1,2,3\n")
    lab.land()
    lab.told_of("a.csv", "column_2")
    assert lab.lines() == [b'{"a":"1","column_2":"2","c":"3"}']


@fault("F21", "CR LF, lone CR, no last line break, a byte-order mark", "read")
def line_ends(lab: Lab) -> None:
    lab.file("a.csv", b"\xef\xbb\xbfa,b\r\n1,2\r3,4\n5,6")
    lab.land()
    assert lab.lines() == [b'{"a":"1","b":"2"}', b'{"a":"3","b":"4"}', b'{"a":"5","b":"6"}']


@fault("F22", "a gzip file of two members; a header only; raw bytes in .jsonl", "read")
def members(lab: Lab) -> None:
    lab.file("a.jsonl.gz", gzip.compress(b'{"n": 1}\n') + gzip.compress(b"raw \t bytes\n"))
    lab.file("b.csv", b"a,b\n")
    assert lab.land().rows == 2
    assert lab.lines() == [b'{"n": 1}', b"raw \t bytes"]


@fault("F24", "a quote that nothing closes", "its line is kept; the lines after it are rows")
def open_quote(lab: Lab) -> None:
    lab.file("a.csv", b'a,b\n"x,1\n2,3\n')
    lab.land()
    assert lab.lines() == [b'"x,1', b'{"a":"2","b":"3"}']


@fault(
    "F27", "five times as many rows of nine columns, 60,000", "landed for ten times the CPU at most"
)
def many(lab: Lab) -> None:
    lab.source(page_rows=10_000)

    def spent(name: str, count: int) -> float:
        rows = b"".join(b'%d,"a, b",,x,1.5,y,,"",z\n' % n for n in range(count))
        lab.file(name, b"a,b,c,d,e,f,g,h,i\n" + rows)
        started = time.process_time()
        assert lab.land().rows == count
        return time.process_time() - started

    few = spent("a.csv", 12_000)
    assert spent("b.csv", 60_000) < 10 * few


@fault("F28", "a page of a landed file is lost", "fetched again as it was")
def lost_page(lab: Lab) -> None:
    lab.file("a.jsonl", b"".join(b'{"n": %d}\n' % n for n in range(500)))
    lab.land()
    lines = lab.lines()
    page = lab.zone.manifest()[1]
    (lab.landing / "pages" / page.name).unlink()
    assert lab.land().restored == 1
    assert lab.lines() == lines


@fault("F16", "JSON lines under the name .json", "read, or refused by name")
def lines_in_json(lab: Lab) -> None:
    lab.file("a.json", b'{"n": 1}\n{"n": 2}\n')
    try:
        lab.land()
    except PermanentError as error:
        assert "a.json" in error.message  # noqa: PT017
    else:
        assert lab.lines() == [b'{"n": 1}', b'{"n": 2}']


@fault(
    "F17", "a folder with a .tsv file, and a .txt file", "tabs are read; the other is passed over"
)
def tabs(lab: Lab) -> None:
    text = lab.file("a.txt", b"a\tb\n1\t2\n")
    refused(lab.land, PermanentError, ".csv", ".tsv")
    text.rename(text.with_suffix(".tsv"))
    lab.land()
    assert lab.lines() == [b'{"a":"1","b":"2"}']


@fault("F20", "a NUL in a field of CSV", "landed, or refused by name")
def nul(lab: Lab) -> None:
    lab.file("a.csv", b"a,b\n1,x\0y\n2,z\n")
    try:
        lab.land()
    except PermanentError as error:
        assert "a.csv" in error.message  # noqa: PT017
    else:
        assert lab.lines() == [b'{"a":"1","b":"x\\u0000y"}', b'{"a":"2","b":"z"}']


@fault("F23", "a CSV file has a header only", "no records")
def header_only(lab: Lab) -> None:
    lab.file("a.csv", b"a,b\n")
    lab.file("b.csv", b"a,b\n1,2\n")
    assert lab.land().rows == 1


@fault("F25", "CSV lines end in a lone CR", "read")
def carriage_returns(lab: Lab) -> None:
    lab.file("a.csv", b"a,b\r1,2\r3,4\r")
    lab.land()
    assert lab.lines() == [b'{"a":"1","b":"2"}', b'{"a":"3","b":"4"}']


@fault("F26", "raw bytes in a line of .jsonl", "that line is kept, in an envelope")
def raw_bytes(lab: Lab) -> None:
    lab.file("a.jsonl", b'\x80\x81\n{"n": 1}\n')
    lab.land()
    assert lab.lines() == [envelope(b"\x80\x81"), b'{"n": 1}']
