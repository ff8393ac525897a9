"""What a home's tables are asked for, without Spark."""

from __future__ import annotations

import pytest

from goldlake_core.contracts.errors import UsageError
from goldlake_core.storage.home import Home
from lakehouse import catalog


def test_a_home_without_tables_has_none(tmp_path) -> None:
    assert catalog.tables(None, Home.at(str(tmp_path))) == []


def test_a_wrong_timestamp_is_refused_with_a_right_one(tmp_path) -> None:
    with pytest.raises(UsageError) as caught:
        catalog.tables(None, Home.at(str(tmp_path)), as_of="soon")
    assert str(caught.value) == (
        "--as-of 'soon' is not a valid instant. Valid: ISO 8601, such as 2016-12-31T18:00:00Z."
    )
