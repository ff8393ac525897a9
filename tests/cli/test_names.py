"""The error of a wrong name says the nearest one and what there is: one test per command."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

import usecases
from goldlake.cli.main import main
from goldlake.workflows import homes
from goldlake_core.storage.home import Home
from goldlake_core.storage.model_versions import push_model
from serving import config
from tests.goldlake_core.contracts.conftest import TOY
from tests.goldlake_core.storage.test_deltalog import META, commit
from tests.metadata.recorded import Recorder, record_training
from tests.serving.lines import running, save

MODEL = "toy_harbour.overdue"
SHIPPED = Path(usecases.__file__).parent
OTHER_MODELS = sorted(f"{p.parts[-3]}.{p.stem}" for p in SHIPPED.glob("*/models/*.yaml"))
ALL_MODELS = ", ".join(sorted([*OTHER_MODELS, MODEL]))
ALL_USECASES = ", ".join(
    sorted([*(p.parent.name for p in SHIPPED.glob("*/contract.yaml")), TOY.name])
)
GOLD = "toy_harbour.gold.call_features"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory from which the toy use case has its name and no home is known."""
    place = tmp_path / "work"
    place.mkdir()
    monkeypatch.chdir(place)
    monkeypatch.delenv("GOLDLAKE_HOME", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("GOLDLAKE_USECASES", str(TOY.parent))
    return place


@pytest.fixture
def home(folder: Path) -> Home:
    """Silver and gold at versions 0 and 1, and one pushed version."""
    home = Home.at(folder / "lake")
    for layer, table in (("silver", "calls"), ("gold", "call_features")):
        for version in (0, 1):
            commit(Path(home.table("toy_harbour", layer, table)), version, {"metaData": META})
    model = folder / "model"
    model.mkdir()
    (model / "saved_model.pb").write_text("one")
    push_model(home, "toy_harbour", "overdue", str(model), {})
    return home


def refused(*arguments: str, at: Home | None = None, rows: str = "{}") -> str:
    command = [*arguments, *(["--home", at.root] if at else [])]
    result = CliRunner().invoke(main, command, input=rows)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    return result.stderr.removeprefix("error: ").rstrip("\n")


def used(home: Home) -> Home:
    """The home, as one that a command of this folder worked on."""
    homes.remember(home)
    return home


def elsewhere(problem: str) -> str:
    return (
        f"{problem}. Valid: nothing yet. Next: the same command with --home lake; "
        "homes that hold something: lake"
    )


NO_MODEL = (
    f"Valid: {MODEL} (nearest); all: {ALL_MODELS}. "
    "Next: goldlake check USECASE, or name a use case in a folder as PATH:MODEL"
)


@pytest.mark.parametrize("name", ["toy_harbour.overdu", "toy_harbor.overdue", "overdue"])
@pytest.mark.parametrize("command", ["export", "train"])
def test_export_and_train_name_the_nearest_model(command: str, name: str, home: Home) -> None:
    assert refused(command, name, at=home) == f"There is no model {name!r}. {NO_MODEL}"


@pytest.mark.parametrize("command", ["export", "train"])
def test_export_and_train_name_versions_and_other_homes(command: str, home: Home) -> None:
    assert refused(command, MODEL, "--version", "7", at=home) == (
        f"{GOLD} has no version 7. Valid: {GOLD}@1 (nearest); all: {GOLD}@0, {GOLD}@1. "
        "Next: goldlake tables"
    )
    used(home)
    empty = Home.at("empty")
    assert refused(command, MODEL, at=empty) == elsewhere(
        f"There is no table {GOLD!r} in {empty.root}"
    )


def test_show(home: Home) -> None:
    silver = "toy_harbour.silver.calls"
    assert refused("show", "toy_harbour.silver.call", at=home) == (
        f"There is no table 'toy_harbour.silver.call' in {home.root}. Valid: {silver} (nearest); "
        f"all: {silver}, {GOLD}. Next: goldlake tables"
    )
    assert refused("show", f"{silver}@9", at=home) == (
        f"{silver} has no version 9. Valid: {silver}@1 (nearest); all: {silver}@0, {silver}@1. "
        "Next: goldlake tables"
    )
    used(home)
    empty = Home.at("empty")
    assert refused("show", silver, at=empty) == elsewhere(
        f"There is no table {silver!r} in {empty.root}"
    )


def test_promote(home: Home) -> None:
    assert refused("promote", f"{MODEL}@7", at=home) == (
        f"There is no version 7 of {MODEL}. Valid: {MODEL}@1 (nearest); all: {MODEL}@1. "
        f"Next: goldlake promote {MODEL}@1"
    )
    assert refused("promote", "toy_harbour.overdu@1", at=home) == (
        f"No version of toy_harbour.overdu is pushed. Valid: {MODEL} (nearest); all: {MODEL}. "
        "Next: goldlake models"
    )
    assert refused("rollback", "toy_harbour.overdu", at=home) == (
        f"No version of toy_harbour.overdu is pushed. Valid: {MODEL} (nearest); all: {MODEL}. "
        "Next: goldlake models"
    )
    used(home)
    assert refused("promote", f"{MODEL}@1", at=Home.at("empty")) == elsewhere(
        f"No version of {MODEL} is pushed"
    )


def test_lineage(home: Home) -> None:
    record_training(Recorder(home), table_version=3, model_version=1)
    model, table = "toy.color@1", "toy.gold.colors@3"
    assert refused("lineage", "toy.colour", at=home) == (
        f"No pushed model toy.colour is recorded. Valid: {model} (nearest); all: {model}. "
        "Next: goldlake train toy.colour"
    )
    assert refused("lineage", "toy.color@7", at=home) == (
        f"No pushed model toy.color@7 is recorded. Valid: {model} (nearest); all: {model}. "
        "Next: goldlake train toy.color"
    )
    assert refused("lineage", "toy.gold.colours", at=home) == (
        f"No model was trained on toy.gold.colours. Valid: {table} (nearest); all: {table}. "
        "Next: goldlake train MODEL"
    )
    used(home)
    empty = Home.at("empty")
    assert refused("lineage", "toy.color", at=empty) == elsewhere(
        f"Nothing is recorded yet in {empty.root}"
    )


def test_serve(home: Home) -> None:
    empty = Home.at("empty")
    assert refused("serve", at=empty) == (
        f"Nothing is promoted in {empty.root}. Valid: nothing yet. "
        "Next: goldlake run USECASE, or goldlake promote MODEL@VERSION"
    )
    used(home)
    assert refused("serve", at=empty) == elsewhere(f"Nothing is promoted in {empty.root}")


@pytest.fixture
def server(home: Home, tmp_path: Path) -> Iterator[str]:
    """A server of the home: version 1 is available and has the label ``stable``."""
    CliRunner().invoke(main, ["promote", f"{MODEL}@1", "--home", home.root], catch_exceptions=False)
    save(tmp_path / "served", 1, 1)
    path = tmp_path / "served" / "models.config"
    config.write(
        str(path), config.with_label(config.ModelsConfig(), MODEL, 1, "stable", str(path.parent))
    )
    with running(path) as url:
        yield url


ROW = '{"vessel_type": "TANKER", "length_m": 240, "hour": 3, "weekday": 7, "cargo": "oil"}'


def test_predict(server: str) -> None:
    at = ("--url", server)
    assert refused("predict", "toy_harbour.overdu", *at, rows=ROW) == (
        f"{server} serves no model 'toy_harbour.overdu'. Valid: {MODEL} (nearest); "
        f"all: {', '.join([MODEL, *OTHER_MODELS])}. Next: goldlake models"
    )
    assert refused("predict", f"{MODEL}@2", *at, rows=ROW) == (
        f"{server} serves no version 2 of {MODEL}. Valid: {MODEL}@1 (nearest); all: {MODEL}@1. "
        "Next: goldlake models"
    )
    assert refused("predict", MODEL, "--label", "stabel", *at, rows=ROW) == (
        f"{server} serves no version of {MODEL} with the label 'stabel'. Valid: stable (nearest); "
        "all: stable. Next: goldlake models"
    )
    assert refused("predict", f"{MODEL}@x", *at) == (
        f"'{MODEL}@x' has no version 'x'. Valid: a whole number, 1 or more."
    )
    assert refused("predict", f"{MODEL}@1", "--label", "stable", *at) == (
        f"'{MODEL}@1' names a version, and there is the label 'stable'. Valid: one of both."
    )
    wrong = ROW.replace("hour", "our")
    assert refused("predict", MODEL, *at, rows=f"{ROW}\n{wrong}\n") == (
        "the input:2: our: the model has no such input. Valid: hour (nearest); all: vessel_type, "
        "berth, pilot, length_m, crew, hour, weekday, latitude, longitude, cargo, knows_pilot, "
        "has_crew."
    )


def test_predict_says_everything_else_in_the_words_of_the_server(server: str) -> None:
    result = CliRunner().invoke(main, ["predict", MODEL, "--url", server], input=ROW)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: {server}/v1/models/{MODEL}:predict answered 400: ")
    assert "does not have named input: vessel_type" in result.stderr


def test_run(home: Home) -> None:
    assert refused("run", "toy_harbour", "--model", "overdu", at=home) == (
        "The use case toy_harbour has no model 'overdu'. Valid: overdue (nearest); all: overdue. "
        "Next: goldlake check toy_harbour"
    )


@pytest.mark.parametrize("command", ["run", "ingest", "tables", "check", "source"])
def test_every_command_names_the_nearest_use_case(command: str) -> None:
    more = ["--source", "live"] if command == "ingest" else []
    assert refused(command, "toy_harbor", *more) == (
        "There is no use case called 'toy_harbor'. Valid: toy_harbour (nearest); all: "
        f"{ALL_USECASES}. Next: name its folder by path, or put the folder above it on "
        "GOLDLAKE_USECASES"
    )


@pytest.mark.parametrize(("command", "things"), [("tables", "tables"), ("models", "models")])
def test_an_empty_answer_names_homes_that_hold_something(
    command: str, things: str, home: Home
) -> None:
    used(home)
    result = CliRunner().invoke(main, [command, "--home", "empty"])
    assert result.output == (
        "home: empty (--home)\n"
        "Homes that hold something: lake. Next: --home lake\n"
        f"No {things} yet. Next: goldlake run USECASE\n"
    )
    assert result.exit_code == 0
