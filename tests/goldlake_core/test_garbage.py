"""What is made to stay is taken out of collections."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from goldlake_core.garbage import kept_for_good


@pytest.fixture(autouse=True)
def unfrozen() -> Iterator[None]:
    yield
    gc.enable()
    gc.unfreeze()


def test_nothing_is_collected_inside_and_what_was_made_is_looked_at_no_more() -> None:
    with kept_for_good():
        assert not gc.isenabled()
        made: list[object] = [[]]
        assert any(each is made for each in gc.get_objects())
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0
    assert not any(each is made for each in gc.get_objects())


def test_after_an_error_collections_go_on() -> None:
    with pytest.raises(ImportError, match="no such"), kept_for_good():
        raise ImportError("no such package")
    assert gc.isenabled()


def test_where_collections_are_off_they_stay_off() -> None:
    gc.disable()
    with kept_for_good(), kept_for_good():
        pass
    assert not gc.isenabled()
