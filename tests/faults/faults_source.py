"""Faults of the source's protocol: the portal misbehaves, and landing lands what there is."""

from __future__ import annotations

from email.utils import formatdate
from time import monotonic, time

from goldlake_core.contracts.errors import PermanentError, RetryableError
from lakehouse.sources.split import envelope
from lakehouse.sources.testing import HTML, ODD_VALUES, Rows
from tests.faults.catalog import fault
from tests.faults.lab import Lab, odd_row, refused, row


@fault("S1", "the portal caps pages at 100 below `$limit` 200", "all 600 records in the first run")
def capped(lab: Lab) -> None:
    lab.serve(600, cap=100)
    assert (lab.land().rows, lab.land().rows) == (600, 0)
    lab.has_all()


@fault("S2", "one page in the middle is empty while the count says 600", "all 600 records")
def empty_page_once(lab: Lab) -> None:
    lab.serve(600, empty_pages={1})
    result = lab.land()
    assert (result.rows, result.missing, result.source_count) == (600, 0, 600)
    lab.has_all()


@fault(
    "S2b",
    "every page after the first is empty while the count says 600",
    "a line names the 400 missing records, and the result holds them; the next run lands them",
)
def empty_pages(lab: Lab) -> None:
    lab.serve(600, empty_pages=set(range(1, 20)))
    result = lab.land()
    assert (result.rows, result.missing, result.source_count) == (200, 400, 600)
    lab.told_of("counts 600", "400 are missing")
    lab.server.rows.empty_pages = set()
    assert lab.land().rows == 400
    lab.has_all()


def _passes(lab: Lab, *faults: str, rows: int = 300) -> None:
    lab.serve(rows)
    for at in range(4):  # of the identity, the count, the first page, the second page
        lab.server.faults = [""] * at + list(faults)
        lab.land()
    lab.has_all()


@fault("S3", "one maintenance page, status 200, text/html", "asked again as after a 503")
def html(lab: Lab) -> None:
    _passes(lab, "html")


@fault("S4", "one maintenance page as application/json", "asked again")
def html_as_json(lab: Lab) -> None:
    _passes(lab, "html as json")


@fault("S4b", "only maintenance pages", "refused in words, with the address")
def only_html(lab: Lab) -> None:
    lab.server.faults = ["html"] * 100
    error = refused(lab.land, RetryableError, "could not be read", "is this the right one?")
    assert repr(HTML[:15])[2:-1] in error.message


@fault("S5", "a body is cut below its Content-Length", "asked again")
def cut(lab: Lab) -> None:
    _passes(lab, "cut")


@fault("S7", "a gzipped body is cut", "asked again")
def cut_gzip(lab: Lab) -> None:
    _passes(lab, "cut gzip")


@fault("S8", "a gzipped body is whole", "landed")
def gzipped(lab: Lab) -> None:
    _passes(lab, "gzip")


@fault("S9", "`Content-Encoding: gzip` over a plain body", "asked again")
def bad_gzip(lab: Lab) -> None:
    _passes(lab, "bad gzip")


@fault("S10", "one 202, 408, 429, 500, 502, 503, 504", "asked again")
def retried(lab: Lab) -> None:
    _passes(lab, "202", "408", "429")
    _passes(lab, "500", "502", "503")
    _passes(lab, "504")


@fault("S10b", "one 423, 425, 507, 520, 522, 524, 530", "asked again")
def retried_too(lab: Lab) -> None:
    _passes(lab, "423", "425", "507")
    _passes(lab, "520", "522", "524")
    _passes(lab, "530")


@fault("S10c", "a 409", "refused at once")
def conflict(lab: Lab) -> None:
    lab.server.faults = ["409"]
    refused(lab.land, PermanentError, "was refused: HTTP 409")
    assert len(lab.server.asked) == 1


@fault("S11", "a 429 with Retry-After as a date", "waited, then landed")
def retry_after_date(lab: Lab) -> None:
    lab.server.headers["Retry-After"] = formatdate(time() + 2, usegmt=True)
    started = monotonic()
    _passes(lab, "429")
    assert monotonic() - started >= 0.9


@fault("S12", "each record twice in a page", "landed as it came")
def twice(lab: Lab) -> None:
    lab.server.rows = Rows([row(n // 2) for n in range(200)])
    assert (lab.land().rows, lab.land().rows) == (200, 0)
    lab.has_all()


@fault(
    "S13",
    "a record is committed late, with `:updated_at` an hour below the cursor",
    "found by the overlap window, and nothing else is landed again",
)
def late_commit(lab: Lab) -> None:
    lab.serve(600)
    lab.land()
    lab.server.rows.all.append(row(900, minute=599 - 60))
    assert (lab.land().rows, lab.land().rows) == (1, 0)
    lab.has_all()


@fault(
    "S13b",
    "the overlap window is 10 minutes and the record comes an hour late",
    "not found: the window is what the contract says",
)
def window(lab: Lab) -> None:
    lab.source(overlap="10m")
    lab.serve(600)
    lab.land()
    lab.server.rows.all += [row(900, minute=599 - 60), row(901, minute=599 - 5)]
    result = lab.land()
    assert (result.rows, result.repeated) == (1, 11)


@fault("S14", "a later record has the cursor's time and a smaller `:id`", "landed")
def smaller_id(lab: Lab) -> None:
    lab.server.rows = Rows([row(n) for n in range(100, 600)])
    lab.land()
    lab.server.rows.all.append(row(1, minute=599))
    assert lab.land().rows == 1
    lab.has_all()


@fault("S15", "one page is out of order", "asked again")
def shuffled(lab: Lab) -> None:
    lab.serve(600, shuffled_pages={1})
    result = lab.land()
    assert (result.rows, result.retries) == (600, 1)
    lab.has_all()


@fault("S15b", "every page is out of order", "refused with URL and keys; what was landed stays")
def always_shuffled(lab: Lab) -> None:
    lab.serve(600, shuffled_pages=set(range(1, 50)))
    refused(lab.land, PermanentError, "/resource/", "comes after (2024-03-01T", "row-")
    assert len(lab.lines()) == 200


@fault("S16", "records of one instant come in another order of ids", "each landed once")
def ids_in_another_order(lab: Lab) -> None:
    lab.server.rows = Rows([row(n, minute=7) for n in range(450)], shuffled_pages={0, 1, 2})
    lab.land()
    lab.server.rows.shuffled_pages = set()
    lab.land()
    lab.has_all()


@fault("S17", "the server always answers with the same page", "refused with URL and keys")
def same_page(lab: Lab) -> None:
    lab.serve(600, repeats=True)
    refused(lab.land, PermanentError, "/resource/", "(2024-03-01T", "row-000000")
    assert len(lab.lines()) == 200


@fault(
    "S19",
    "values that a parser changes: 41.10, 1e400, 12345678901234567890123, NaN, a lone surrogate, "
    "a NUL escape, a raw tab",
    "the bytes that came are landed",
)
def odd_values(lab: Lab) -> None:
    lab.server.rows = Rows([odd_row(n, value) for n, value in enumerate(ODD_VALUES)])
    lab.land()
    assert lab.lines() == lab.server.rows.all


def _one_odd_among(lab: Lab, value: bytes) -> None:
    rows = [row(n) for n in range(300)]
    rows[150] = odd_row(150, value)
    lab.server.rows = Rows(rows)
    assert (lab.land().rows, lab.land().rows) == (300, 0)
    lab.has_all()


@fault("S19b", "one record of a page holds 1e400", "every record lands")
def one_big_number(lab: Lab) -> None:
    _one_odd_among(lab, b"1e400")


@fault("S20", "a record has a key three times", "the bytes are kept")
def repeated_key(lab: Lab) -> None:
    _one_odd_among(lab, b'1, "odd": 2, "odd": 3')


@fault("S21", "one record has a lone surrogate escape", "every record lands")
def surrogate(lab: Lab) -> None:
    _one_odd_among(lab, b'"\\ud800"')


@fault("S22", "one record has a NUL escape in a string", "every record lands")
def nul(lab: Lab) -> None:
    _one_odd_among(lab, b'"\\u0000"')


@fault("S23", "one record has a raw line break in a string", "it lands in an envelope of base64")
def raw_break(lab: Lab) -> None:
    bad = odd_row(2, b'"two\nlines"')
    lab.server.rows = Rows([row(1), bad, row(3)])
    assert (lab.land().rows, lab.land().rows) == (3, 0)
    assert lab.lines() == [row(1), envelope(bad), row(3)]


@fault("S24", "one record has the literal NaN", "every record lands")
def nan(lab: Lab) -> None:
    _one_odd_among(lab, b"NaN")


@fault("S25", "the body is Latin-1 and the header says so", "decoded by the header")
def latin(lab: Lab) -> None:
    lab.server.rows = Rows([odd_row(1, '"Müller"'.encode())])
    lab.server.content_type = "application/json; charset=iso-8859-1"
    lab.server.encode = lambda body: body.decode().encode("latin-1")
    lab.land()
    lab.has_all()


@fault("S25b", "a record holds bytes that are not UTF-8, and no header says why", "an envelope")
def not_text(lab: Lab) -> None:
    bad = odd_row(2, b'"M\xfcller"')
    lab.server.rows = Rows([row(1), bad])
    lab.land()
    assert lab.lines() == [row(1), envelope(bad)]


@fault("S26", "a byte-order mark stands before the array", "landed")
def byte_order_mark(lab: Lab) -> None:
    lab.server.encode = lambda body: b"\xef\xbb\xbf" + body
    lab.land()
    lab.has_all()


@fault("S27", "the array is right and comes as text/plain", "landed")
def plain_text(lab: Lab) -> None:
    lab.server.content_type = "text/plain"
    lab.land()
    lab.has_all()


@fault("S28", "no record has its system fields", "refused in words")
def no_system_fields(lab: Lab) -> None:
    lab.server.rows = Rows([b'{"a": "%d"}' % n for n in range(5)])
    refused(lab.land, PermanentError, "no record tells its place", "/resource/")


@fault("S28b", "one record has no system fields", "it lands with the others")
def one_without_system_fields(lab: Lab) -> None:
    rows = [row(n) for n in range(300)]
    lab.serve(300)
    lab.server.encode = lambda body: body.replace(rows[150], b'{"a": 1}')
    assert (lab.land().rows, lab.land().rows) == (300, 0)
    assert b'{"a": 1}' in lab.lines()


@fault(
    "S28c",
    "the newest records have no system fields",
    "they land once, and the records that come later land too",
)
def last_without_system_fields(lab: Lab) -> None:
    rows = [row(n) for n in range(300)]
    lab.serve(300)
    bare = b'{"a": 1}'

    def strip(body: bytes) -> bytes:
        return body.replace(rows[298], bare).replace(rows[299], bare)

    lab.server.encode = strip
    assert lab.land().rows == 300
    assert (lab.land().rows, lab.lines().count(bare)) == (0, 2)
    lab.server.rows.all.append(row(400))
    assert lab.land().rows == 1


@fault("S29", "more records than asked for", "landed")
def too_many(lab: Lab) -> None:
    lab.serve(600)
    lab.source(page_rows=50)
    everything = b"[" + b",".join(lab.server.rows.all) + b"]"
    first = b"[" + b",".join(lab.server.rows.all[:50]) + b"]"
    lab.server.encode = lambda body: everything if body == first else body
    assert lab.land().rows == 600
    lab.has_all()


@fault("S30", '200 with `{"error": true}` once', "asked again")
def error_document(lab: Lab) -> None:
    _passes(lab, "error")


@fault("S31", "the source is empty", "0 records, no error")
def empty(lab: Lab) -> None:
    lab.serve(0)
    assert (lab.land().rows, lab.land().pages) == (0, 0)


@fault("S32", "the same data set at another address, host and port", "the same store")
def mirror(lab: Lab) -> None:
    lab.land()
    assert lab.land(address=lab.server.url.replace("127.0.0.1", "localhost")).rows == 0
    assert {str(entry.address) for entry in lab.zone.manifest()} == {lab.server.url}


@fault("S33", "line breaks between the tokens of a record", "they become blanks")
def pretty(lab: Lab) -> None:
    lab.serve(3)
    lab.server.encode = lambda body: body.replace(b', "', b',\n "').replace(b"},{", b"},\r\n{")
    lab.land()
    assert [line.replace(b",  ", b", ") for line in lab.lines()] == lab.server.rows.all


@fault("S34", "the array is cut in the middle of a record, without Content-Length", "asked again")
def half_an_array(lab: Lab) -> None:
    bodies = [b'[{"a": 1}, {"a"', b'[{"a": "1}]', b"[", b""]
    lab.serve(300)
    lab.server.encode = lambda body: bodies.pop() if bodies and b"row-000000" in body else body
    lab.source(options={**lab.usecase.source.options, "attempts": 6})
    lab.land()
    lab.has_all()


@fault("S1b", "a portal caps pages at 1,000, 3,000 records", "all 3,000 in the first run")
def capped_thousands(lab: Lab) -> None:
    lab.source(page_rows=10_000)
    lab.serve(3_000, cap=1_000)
    assert (lab.land().rows, lab.land().rows) == (3_000, 0)
    lab.has_all()


@fault("S3b", "the same portal shows a page of HTML once", "asked again; all 3,000")
def capped_and_html(lab: Lab) -> None:
    lab.source(page_rows=10_000)
    lab.serve(3_000, cap=1_000)
    lab.server.faults = ["", "", "html"]
    assert lab.land().rows == 3_000
    lab.has_all()


@fault("R8", "a 429 says Retry-After: 1", "waited a second, then landed")
def retry_after_seconds(lab: Lab) -> None:
    lab.server.headers["Retry-After"] = "1"
    lab.server.faults = ["429"]
    started = monotonic()
    lab.land()
    assert monotonic() - started >= 1
    lab.has_all()
