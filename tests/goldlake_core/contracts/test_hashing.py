"""Each hash follows exactly the sections it is of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pytest

from goldlake_core.contracts import functions_hash, hashing
from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.hashing import MODEL_SECTIONS
from goldlake_core.contracts.sections import UseCase
from tests.goldlake_core.contracts.conftest import Copy

CONTRACT, MODEL = "contract.yaml", "models/overdue.yaml"
KEPT = {"gold.call_features", "silver"}
EXPORT, FEATURES = "model.overdue.export", "model.overdue.features"
VALIDATION, EVALUATION = "model.overdue.validation", "model.overdue.evaluation"


def test_every_section_has_a_sha256(harbour: UseCase) -> None:
    names = {"source", "silver", "gold.call_features", "gold.berth_day"}
    names |= {f"model.overdue.{section}" for section in MODEL_SECTIONS}
    assert set(harbour.hashes) == names
    assert all(len(bytes.fromhex(value)) == 32 for value in harbour.hashes.values())
    assert len(set(harbour.hashes.values())) == len(names)


@pytest.mark.parametrize(
    ("file", "old", "new", "changed"),
    [
        (CONTRACT, "# Ships", "# Many ships", set()),
        (CONTRACT, "title: Calls", "title: All calls", set()),
        (CONTRACT, "comment: Length over all.", "comment: Length.", KEPT),
        (CONTRACT, "comment: Calls by berth", "comment: The calls by berth", {"gold.berth_day"}),
        (CONTRACT, "  page_rows: 200", "  page_rows: 300", {"source"}),
        (CONTRACT, "range: [5, 400]", "range: [5, 500]", {*KEPT, VALIDATION}),
        (CONTRACT, "range: [5, 400]", "range: [5.0, 4.0e+2]", set()),
        (CONTRACT, "FISHING, TANKER]", "FISHING, TANKER, TUG]", {*KEPT, VALIDATION}),
        (
            CONTRACT,
            '"(none)"',
            '"(at anchor)"',
            {*KEPT, FEATURES},
        ),
        (CONTRACT, "expect: changed >=", "expect: changed  >", {"silver"}),
        (
            CONTRACT,
            "wire_null: {flag: has_crew}",
            "nullable: false",
            {*KEPT, EXPORT, FEATURES, VALIDATION},
        ),
        (MODEL, "# Will", "# Whether", set()),
        (MODEL, "title: Overdue stay", "title: Stay", set()),
        (MODEL, "weekday: 2", "weekday: 3", set()),
        (MODEL, "auc: {min: 0.6,", "auc: {min: 0.65,", {EVALUATION}),
        (MODEL, "- [vessel_type]", "- [berth]", {EVALUATION}),
        (MODEL, "epochs: 6", "epochs: 7", {"model.overdue.training"}),
        (MODEL, "buckets: 4", "buckets: 5", {FEATURES}),
        (MODEL, "  crew: {kind: numeric}\n", "", None),
        (
            MODEL,
            "  weekday: {kind: cyclic, period: 7}",
            "  weekday: {kind: categorical}",
            {FEATURES},
        ),
        (MODEL, "maturity_days: 14", "maturity_days: 15", {EXPORT}),
        (MODEL, "test_days: 45", "test_days: 46", {EXPORT}),
        (MODEL, "skew, infinity_norm: 0.3", "skew, infinity_norm: 0.4", {VALIDATION}),
        (MODEL, "limits:", "handoff: csv_example_gen\nlimits:", {"model.overdue.handoff"}),
        (MODEL, "limits:", "serving: {request_log: {sample: 0.5}}\nlimits:", set()),
        (MODEL, "limits:", "serving: {explain: {seed: 1}}\nlimits:", {"model.overdue.training"}),
        (MODEL, "limits:", "preprocessing: tables.f\nlimits:", {FEATURES}),
        (MODEL, "limits:", "min_domain_mass: 0.9\nlimits:", {VALIDATION}),
    ],
)
def test_an_edit_changes_these_hashes_only(
    toy: Copy, harbour: UseCase, file: str, old: str, new: str, changed: set[str] | None
) -> None:
    toy.edit(file, old, new)
    if changed is None:  # a feature less: the examples must not name its column either
        toy.edit(MODEL, "crew: 24, ", "")
        toy.edit(MODEL, "crew: 0, ", "")
        changed = {EXPORT, FEATURES, VALIDATION}
    hashes = toy.load().hashes
    assert {name for name in hashes if hashes[name] != harbour.hashes[name]} == changed


def test_hashes_do_not_depend_on_the_folder(toy: Copy, harbour: UseCase) -> None:
    assert toy.load().hashes == harbour.hashes


def test_canonical_json() -> None:
    @dataclass(frozen=True)
    class Point:
        y: float
        x: int

    value = {"b": (1, None), "a": Point(2.0, 3), "ü": date(2024, 2, 29)}
    assert hashing.canonical(value) == '{"a":{"x":3,"y":2},"b":[1,null],"ü":"2024-02-29"}'
    known = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert hashing.section_hash({}) == known
    with pytest.raises(TypeError, match="type object is unsupported"):
        hashing.canonical({"a": object()})


def test_functions_hash_follows_the_file(toy: Copy) -> None:
    usecase = toy.load()
    before = functions_hash(usecase, "tables.berth_day")
    assert before == functions_hash(usecase, "tables.call_features")
    toy.edit("tables.py", "CLOCK =", "CLOCK  =")
    assert functions_hash(usecase, "tables.berth_day") != before
    with pytest.raises(
        UsageError, match=r"nothing\.py of the function 'nothing\.f' cannot be read"
    ):
        functions_hash(usecase, "nothing.f")


def test_functions_hash_covers_the_files_that_the_module_names(toy: Copy) -> None:
    usecase = toy.load()
    alone = functions_hash(usecase, "tables.berth_day")
    assert alone == hashing.module_hash(usecase, "tables.berth_day")
    (toy.folder / "weights.csv").write_text("1", encoding="utf-8")
    assert functions_hash(usecase, "tables.berth_day") == alone
    toy.edit("tables.py", "CLOCK =", 'WEIGHTS = "weights.csv"\nCLOCK =')
    before = functions_hash(usecase, "tables.berth_day")
    (toy.folder / "weights.csv").write_text("2", encoding="utf-8")
    assert functions_hash(usecase, "tables.berth_day") != before
    assert hashing.module_hash(usecase, "tables.berth_day") != alone


def test_functions_hash_covers_helper_modules_and_what_they_read(toy: Copy) -> None:
    usecase = toy.load()
    toy.edit("tables.py", "CLOCK =", "import clocks\nCLOCK =")
    (toy.folder / "clocks.py").write_text("from toy.deep import zones\n", encoding="utf-8")
    (toy.folder / "deep").mkdir()
    (toy.folder / "deep" / "zones.py").write_text("DATA = 'data'\n", encoding="utf-8")
    (toy.folder / "deep" / "data").mkdir()
    found = [functions_hash(usecase, "tables.berth_day")]
    for file in ("clocks.py", "deep/zones.py", "deep/data/offsets.csv"):
        with (toy.folder / file).open("a", encoding="utf-8") as out:
            out.write("# edited\n")
        found.append(functions_hash(usecase, "tables.berth_day"))
    assert len(set(found)) == 4
    (toy.folder / "unread.py").write_text("", encoding="utf-8")
    toy.edit(CONTRACT, "title: Calls", "title: All calls")
    assert functions_hash(usecase, "tables.berth_day") == found[-1]
