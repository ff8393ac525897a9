from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from goldlake_core.instants import now_text, utc_text

NOON = datetime(2016, 1, 1, 12, 0, 0, 987654, timezone(timedelta(hours=-6)))


@pytest.mark.parametrize(
    ("precision", "text"),
    [
        ("seconds", "2016-01-01T18:00:00Z"),
        ("milliseconds", "2016-01-01T18:00:00.987Z"),
        ("microseconds", "2016-01-01T18:00:00.987654Z"),
    ],
)
def test_an_instant_is_written_in_utc_and_cut(precision: str, text: str) -> None:
    assert utc_text(NOON, precision) == text  # type: ignore[arg-type]


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="2016-01-01 12:00:00 has no time zone"):
        utc_text(datetime(2016, 1, 1, 12))


def test_now_lies_between_before_and_after() -> None:
    before = utc_text(datetime.now(timezone.utc), "microseconds")
    assert (
        before <= now_text("microseconds") <= utc_text(datetime.now(timezone.utc), "microseconds")
    )
