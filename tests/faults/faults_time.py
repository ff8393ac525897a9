"""Faults of time, versions and values."""

from __future__ import annotations

from goldlake_core.storage.deltalog import DeltaLog
from lakehouse.sources.split import envelope
from tests.faults.catalog import table_fault
from tests.faults.store import EARLIER, LATER, Store, call


@table_fault(
    "T1",
    "three versions of a key, in one batch or in three",
    "the same fates, and every version is stored",
)
def cuts(store: Store) -> None:
    store.land(*(call(50, note=f"v{n}", updated_on=at) for n, at in _VERSIONS))
    for n, at in _VERSIONS:
        store.land(call(51, note=f"v{n}", updated_on=at))
        store.refine()
    assert store.fates(50) == store.fates(51) == ["inserted", "amended", "stale", "amended"]
    store.derives()


_VERSIONS = [(1, EARLIER), (2, "2016-03-01T00:00:00"), (3, EARLIER), (4, LATER)]


@table_fault(
    "T2",
    "two contents of one version, in one batch or in two, the first page touched last",
    "what was landed last answers",
)
def ties(store: Store) -> None:
    import os

    first = store.land(call(50, note="first"), call(51, note="first"))
    store.land(call(50, note="second"))
    os.utime(first)
    store.refine()
    store.land(call(51, note="second"))
    store.refine()
    assert [store.call(number)["note"] for number in (50, 51)] == ["second", "second"]
    store.derives()


@table_fault(
    "T3", "the newest version of a key is quarantined", "its row is marked until a valid one comes"
)
def marked(store: Store) -> None:
    assert store.call(4)["_newest_is_quarantined"] is True
    assert store.call(5)["_newest_is_quarantined"] is False
    store.land(call(4, updated_on="2016-06-01T00:00:00"))
    store.refine()
    assert store.call(4)["_newest_is_quarantined"] is False
    store.derives()


@table_fault("T4", "an older version comes after the newer", "stored as stale, with its values")
def late(store: Store) -> None:
    rows = DeltaLog(store.versions).read().to_pylist()
    assert [r["_fate"] for r in rows if r["note"] == "late"] == ["stale"]


@table_fault(
    "T6",
    "a version of 2099, then a real amendment",
    "quarantined with a reason; as-of stays sane; the amendment enters",
)
def future(store: Store) -> None:
    store.land(call(5, note="2099", updated_on="2099-01-01T00:00:00"))
    store.land(call(6, date="2099-01-01T00:00:00"))
    store.refine()
    commit = DeltaLog(store.gold("facts")).last_commit_with("silver_version")
    assert commit is not None
    assert str(commit.metadata["as_of"]).startswith("2016-05-01")
    assert store.fates(5)[-1] == store.fates(6)[-1] == "quarantined"
    store.land(call(5, note="real", updated_on=LATER))
    store.refine()
    assert store.call(5)["note"] == "real"
    store.derives()


@table_fault(
    "T7", "a key is deleted, comes back, and its deletion comes again late", "each has its fate"
)
def deleted(store: Store) -> None:
    tombstone = b'{"$deleted": true, "id": "7"}'
    store.land(tombstone)
    store.refine()
    assert 7 not in store.rows(store.silver)
    assert 7 not in store.rows(store.gold("facts"))
    store.land(tombstone, call(7, note="back", updated_on=LATER), call(8, updated_on=EARLIER))
    store.refine()
    assert store.fates(7) == ["inserted", "deleted", "unchanged", "inserted"]
    assert store.call(7)["note"] == "back"
    store.derives()


_VALUES: tuple[tuple[bytes, str | None], ...] = (
    (b'"n": 7', None),
    (b'"n": "7.0"', None),
    (b'"n": 1e2', None),
    (b'"n": "1,5"', "n.unparsable"),
    (b'"n": true', "n.unparsable"),
    (b'"n": 12345678901234567890123', "n.unparsable"),
    (b'"size": -0.0', None),
    (b'"size": NaN', "size.unparsable"),
    (b'"size": 1e400', "size.unparsable"),
    (b'"size": 1e2', None),
    (b'"done": "true"', None),
    (b'"done": 1', None),
    (b'"done": 2', "done.unparsable"),
    (b'"date": "2016-02-30T00:00:00"', "date.unparsable"),
    (b'"date": "2016-02-03T24:00:00"', "date.unparsable"),
    (b'"date": "2016-02-03T00:00:60"', "date.unparsable"),
    (b'"note": null', None),
    (b'"note": "a\\u0000b"', None),
    (b'"note": "\\ud800"', None),
)


@table_fault(
    "P1",
    "numbers as texts, 7.0, 1e2 for a long, NaN, 1e400, big integers, 30 February, 24:00, two "
    "objects on a line, an empty line, a byte-order mark, Latin-1",
    "each is typed or quarantined with its reason, and none stops the others",
    short=True,
)
def values(store: Store) -> None:
    import json

    records = []
    for number, (part, _) in enumerate(_VALUES, start=100):
        name = json.loads(b"{" + part.split(b":")[0] + b": 1}")
        plain = {key: v for key, v in call(number).items() if key not in name}
        records.append(json.dumps(plain).encode()[:-1] + b", " + part + b"}")
    odd = [b"", b"null", b"[]", b"7", b'{"id": "1"} {"id": "2"}', b'{"id": "1"', envelope(b"\xff")]
    store.land(*records, *odd, b"\xef\xbb\xbf" + json.dumps(call(200)).encode(), call(201))
    fates = store.refine().fates
    rows = {row["id"]: row for row in DeltaLog(store.versions).read().to_pylist()}
    found = {
        part: (rows[number]["_reasons"] or [None])[0]
        for number, (part, _) in enumerate(_VALUES, start=100)
    }
    other = {part: (code, wanted) for part, wanted in _VALUES if (code := found[part]) != wanted}
    assert other == {}, other
    assert fates.landed == len(_VALUES) + len(odd) + 2
    assert store.call(201)["kind"] == "B"
    store.derives()


@table_fault("P1b", "an object or an array where text is declared", "`note.unparsable`")
def nested(store: Store) -> None:
    store.land(call(50, note={"a": 1}), call(51, note=["a"]), call(52, note='["a"]'))
    reasons = store.refine().reasons
    assert reasons == {"note.unparsable": 2}
    assert store.call(52)["note"] == '["a"]'
    store.derives()
