"""The comparison of one whole run on several splits: its edits, its hashes and its words."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from benchmarks.usecase_records import Record
from benchmarks.usecases import page
from tests.usecases.figures import whole
from tests.usecases.splits import Way, columns_of_hashes, summary, together

MODEL = """\
label: category
split: {kind: hash, eval: 0.1, test: 0.2}
features:
  street: text
  outcome: categorical
"""


def test_a_way_edits_features_and_the_split() -> None:
    way = Way((("outcome: categorical", "outcome: text"),))
    edited = way.edited(MODEL, ("id", "month"))
    assert "split: {kind: hash, by: [id, month], eval: 0.1, test: 0.2}" in edited
    assert "\n  outcome: text\n" in edited
    assert Way().edited(MODEL, ()) == MODEL
    assert Way().name == "drafted" != way.name
    with pytest.raises(ValueError, match="'\\\\n  place: text' is there 0 times"):
        Way((("place: text", "place: numeric"),)).edited(MODEL, ())
    with pytest.raises(ValueError, match=r"'split: \{kind: hash, ' is there 0 times"):
        Way().edited(MODEL.replace("hash", "relative"), ("id", "month"))


def test_hashes_of_more_columns_tell_the_rows_apart_as_well() -> None:
    found = columns_of_hashes(["id"], ["month", "place"], 6)
    assert found[0] == ()
    assert found[1:5] == [("id", "month"), ("id", "place"), ("month", "id"), ("place", "id")]
    assert set(found[5]) == {"id", "month", "place"}
    assert len(set(found)) == 6
    with pytest.raises(ValueError, match="9 splits of 3"):
        columns_of_hashes(["id"], ["month"], 9)


def test_a_summary_says_what_all_splits_say_together() -> None:
    run = whole(
        head="multiclass",
        metric="accuracy",
        value=0.4,
        constant=0.3,
        boosting=0.5,
        answer={"class": "x"},
    )
    way = Way((("outcome: categorical", "outcome: text"),))
    found = together(way, [run, replace(run, value=0.6, better=(0.0, 0.2))])
    assert found.edits == ("outcome: text",)
    text = summary(found)
    assert "0: accuracy 0.4, boosting 0.5" in text
    assert "mean: 0.5, boosting 0.5, difference 0" in text
    assert text.endswith("near, or may be equal: 1 of 2")
    row = "| `a` | `outcome: text` | 2 | accuracy | 0.5 | 0.5 | 1 |"
    assert row in page(Record(splits=(found,)))
