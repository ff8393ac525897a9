"""Only fields that a source could have are missing in it."""

from __future__ import annotations

import json

from goldlake_core.contracts.fields import CONTENT_FIELD
from goldlake_core.contracts.registry import load_usecase
from lakehouse.sources.base import Page
from lakehouse.sources.drift import ENOUGH_RECORDS, Watch


def test_the_key_of_the_content_is_no_field() -> None:
    page = Page([], "file:///x.csv")
    usecase = load_usecase("uk_street_crime")
    assert CONTENT_FIELD in {column.field for column in usecase.silver.columns}
    record = {column.field: "x" for column in usecase.silver.columns}
    del record[CONTENT_FIELD]
    watch = Watch(usecase, ())
    watch.see(page, [json.dumps(record).encode()] * ENOUGH_RECORDS)
    assert watch.told() == ""
    # What a source could have is still missed.
    del record["Location"]
    watch = Watch(usecase, ())
    watch.see(page, [json.dumps(record).encode()] * ENOUGH_RECORDS)
    assert watch.drift().missing == ("Location",)
