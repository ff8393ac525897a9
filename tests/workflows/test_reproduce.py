"""What `reproduce` and `export --verify` refuse, and which exports are whole, damaged or lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from goldlake.workflows.exports import verify
from goldlake.workflows.reproduce import begins, reproduce
from goldlake_core.contracts.errors import StoreError, UsageError
from goldlake_core.contracts.ids import ModelId
from goldlake_core.documents.reproducing import (
    DataStep,
    Environment,
    Remade,
    Reproduced,
    RowsCompared,
    StepCompared,
    VariableCompared,
)
from goldlake_core.storage.home import Home
from goldlake_core.storage.model_versions import push_model
from tests.tfx_pipeline.toy_export import TOY, Written, write_export

MODEL = f"{TOY}:overdue"
VARIABLES = (VariableCompared(name="deep/bias", numbers=4, differing=1, largest=0.5),)
REPRODUCED = Reproduced(
    is_equal=False,
    variables=(),
    outputs=(),
    rows=9,
    assets=(),
    causes=(),
    environment=Environment(
        python="3",
        packages={},
        machine="x86_64",
        cpu="",
        instructions=(),
        intra_op_threads=1,
        inter_op_threads=1,
    ),
    model_uri="",
)
STEPS: tuple[DataStep, ...] = ("bronze", "silver", "gold", "export")


def remade_of(*states: Any) -> Remade:
    """What came of landed pages, by state of each step."""
    steps = (
        RowsCompared(step=n, state=s, then=9, now=9) for n, s in zip(STEPS, states, strict=False)
    )
    return Remade(
        pages=1,
        records=9,
        export_id="",
        manifest_sha256="",
        steps=tuple(steps),
        causes=(),
        has_same_columns=True,
    )


def of_step(step: str) -> StepCompared:
    return StepCompared(step=step, output="x", differing=1, largest=0.5)


def pushed(home: Path, export: Written | None) -> ModelId:
    """A version that names an export, and whose SavedModel is never read."""
    folder = home / "source"
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(b"model")
    about = (
        {"export_id": export.export_id, "manifest_sha256": export.manifest_sha256} if export else {}
    )
    push_model(Home.at(home), "toy_harbour", "overdue", str(folder), about)
    return ModelId("toy_harbour", "overdue", 1)


def ignored(event: object) -> None:
    """Events of stages are not looked at here."""


def test_exports_are_whole_or_lost_with_the_models_they_made(tmp_path: Path) -> None:
    export = write_export(tmp_path, name="3-a1")
    model = pushed(tmp_path, export)
    found = verify(MODEL, Home.at(tmp_path), None, ignored)
    assert [(e.export_id, e.state, e.models) for e in found.exports] == [
        ("toy_harbour/overdue/3-a1", "whole", (str(model),))
    ]
    (tmp_path / "exports" / export.export_id / "train" / "part-0.csv").write_text("other")
    [lost] = verify(MODEL, Home.at(tmp_path), 3, ignored).exports
    assert (lost.state, lost.models) == ("lost", (str(model),))
    # The gold table that the export was made from is not in this home.
    assert lost.problem.startswith("train/part-0.csv is damaged; There is nothing to export")
    with pytest.raises(UsageError, match="There is no export of version 4 of toy_harbour.gold"):
        verify(MODEL, Home.at(tmp_path), 4, ignored)


def test_damaged_rows_a_full_folder_and_a_foreign_version_are_refused(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    export = write_export(home, name="3-a1")
    pushed(home, export)
    full = tmp_path / "full"
    full.mkdir()
    (full / "file").touch()
    problem = "holds something, and a model is made again from nothing"
    with pytest.raises(UsageError, match=problem):
        reproduce(f"{MODEL}@1", Home.at(home), str(full), ignored)
    (home / "exports" / export.export_id / "manifest.json").write_text("{}")
    with pytest.raises(StoreError) as caught:
        reproduce(f"{MODEL}@1", Home.at(home), None, ignored)
    assert caught.value.message == (
        "The rows of toy_harbour.overdue cannot be read. In its export toy_harbour/overdue/3-a1, "
        "manifest.json is not the one that the model names. "
        "Next: goldlake export toy_harbour.overdue --verify writes it again while it can"
    )


@pytest.mark.parametrize(
    ("steps", "changes", "expected"),
    [
        (("equal", "not compared", "equal", "equal"), {"is_equal": True}, None),
        (("equal", "equal", "differs", "differs"), {"is_equal": True}, "gold"),
        (("equal", "equal", "equal", "equal"), {}, "answers"),
        ((), {"assets": ("words",)}, "transform"),
        ((), {"outputs": (of_step("transform"),)}, "transform"),
        ((), {"outputs": (of_step("answers"),)}, "answers"),
        ((), {"variables": VARIABLES}, "variables"),
        ((), {"variables": VARIABLES, "outputs": (of_step("transform"),)}, "transform"),
    ],
)
def test_the_first_step_that_differs_is_where_a_difference_begins(
    steps: tuple[str, ...], changes: dict[str, Any], expected: str | None
) -> None:
    assert begins(remade_of(*steps), replace(REPRODUCED, **changes)) == expected


def test_a_version_that_names_no_rows_is_refused(tmp_path: Path) -> None:
    pushed(tmp_path, None)
    problem = "does not say which rows it learned from: another program put it there"
    with pytest.raises(StoreError, match=problem):
        reproduce(f"{MODEL}@1", Home.at(tmp_path), None, ignored)


def test_an_export_that_would_have_another_name_now_is_lost_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = write_export(tmp_path, name="3-a1")
    (tmp_path / "exports" / export.export_id / "manifest.json").unlink()
    # What the contract's hash and the table's id make of the name, without a Delta table.
    monkeypatch.setattr("lakehouse.export.name_of", lambda *of: "3-b2")
    [lost] = verify(MODEL, Home.at(tmp_path), None, ignored).exports
    assert lost.state == "lost"
    assert "would now be exported as 3-b2" in lost.problem
    assert ": the contract of its export changed since, or the table is another one" in lost.problem
    folder = tmp_path / "exports" / "toy_harbour" / "overdue"
    assert [entry.name for entry in folder.iterdir() if entry.is_dir()] == ["3-a1"]
