"""The stage protocol: documents on disk, and a contract that must stay the one of the run."""

from __future__ import annotations

from pathlib import Path

import pytest

from goldlake_core.contracts.errors import PermanentError, StoreError, UsageError
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents.stages import LandRequest, RefineRequest
from goldlake_core.stages import RunDir, require_same_contract, stage_main

TOY = Path(__file__).parents[1] / "usecases" / "toy_harbour"


@pytest.fixture(scope="module")
def usecase() -> UseCase:
    return load_usecase(str(TOY))


def _request(contract: dict[str, str]) -> RefineRequest:
    return RefineRequest(usecase="toy", home="h", run_id="r", contract=contract)


def test_the_contract_of_the_run_is_accepted(usecase: UseCase) -> None:
    require_same_contract(_request(dict(usecase.hashes)), usecase, "source", "silver", "gold.")


def test_another_contract_is_refused_with_its_sections(usecase: UseCase) -> None:
    hashes = {**usecase.hashes, "silver": "old", "gold.gone": "old", "model.overdue.export": "old"}
    with pytest.raises(UsageError) as caught:
        require_same_contract(_request(hashes), usecase, "source", "silver", "gold.")
    assert caught.value.exit_code == 2
    assert caught.value.message == (
        "The contract of toy_harbour changed since this run began: gold.gone, silver in "
        f"{usecase.folder}. Next: run the command again"
    )


def test_sections_that_a_stage_does_not_read_may_change(usecase: UseCase) -> None:
    hashes = {**usecase.hashes, "model.overdue.training": "old"}
    require_same_contract(_request(hashes), usecase, "source", "silver", "gold.")


def test_a_request_without_hashes_is_not_compared(usecase: UseCase) -> None:
    require_same_contract(_request({}), usecase, "source")


def test_a_stage_whose_contract_was_edited_refuses(usecase: UseCase, tmp_path: Path) -> None:
    from lakehouse.stages import land_stage

    run = RunDir(tmp_path / "run")
    hashes = {**usecase.hashes, "source": "old"}
    request = LandRequest(
        usecase=str(TOY), home=str(tmp_path), run_id="r", contract=hashes, source="live"
    )
    run.write_request("land", request)
    assert stage_main({"land": land_stage}, [str(run.path), "land"]) == 2
    error = run.result("land").error
    assert (error.type, error.exit_code) == ("UsageError", 2)
    assert error.message.startswith(
        "The contract of toy_harbour changed since this run began: source in "
    )


def test_a_request_of_another_shape_is_refused_with_its_file(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.write_request("refine", _request({}))
    assert run.request("refine") == _request({})
    run.request_file("land").write_text('{"usecase": "toy"}')
    with pytest.raises(StoreError, match=r"land\.request\.json does not hold what it should"):
        run.request("land")


def test_a_missing_document_is_named(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="There is no result of stage 'train' at "):
        RunDir(tmp_path).result("train")


def test_events_are_read_from_an_offset_and_only_when_complete(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.emit("land", "progress", "landed 1 row", done=1, total=2)
    [(event, offset)] = run.events("land")
    assert (event.message, event.done, event.total) == ("landed 1 row", 1, 2)
    with run.events_file("land").open("a") as file:
        file.write('{"time": "now", ')
    assert list(run.events("land", offset)) == []
    # An earlier goldlake wrote further fields; lines are for people.
    with run.events_file("land").open("a") as file:
        file.write('"stage": "land", "kind": "gate", "message": "m", "metrics": {}}\n')
    [(event, _)] = run.events("land", offset)
    assert (event.kind, event.done) == ("gate", None)
