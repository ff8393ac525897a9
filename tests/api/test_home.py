"""A home by the Python API: what it holds, who answers, and the errors of the commands."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

import goldlake
from goldlake.workflows import homes
from goldlake_core.contracts import errors
from goldlake_core.storage import home as storage
from tests.serving.lines import two_labels
from tests.workflows.report import made


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[goldlake.Home]:
    """Version 1 of ``toy.line`` is ``stable`` and adds 1, version 2 is ``canary`` and adds 2."""
    folder = tmp_path_factory.mktemp("served")
    with two_labels(folder / "models"):
        yield goldlake.open(folder)


def test_the_home_is_chosen_as_by_the_commands(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GOLDLAKE_HOME", raising=False)
    assert goldlake.open().root == str(tmp_path / "var")
    (tmp_path / "goldlake.toml").write_text('home = "lake"\n')
    assert goldlake.open().root == str(tmp_path / "lake")
    monkeypatch.setenv("GOLDLAKE_HOME", str(tmp_path / "named"))
    assert goldlake.open().root == str(tmp_path / "named")
    home = goldlake.open(tmp_path / "given")
    assert repr(home) == f"Home({str(tmp_path / 'given')!r})"
    assert home == goldlake.open("given") != goldlake.open()
    assert len({home, goldlake.open("given")}) == 1
    assert list(tmp_path.iterdir()) == [tmp_path / "goldlake.toml"]


def test_a_home_that_is_not_there_is_empty_and_names_others(tmp_path: Path, monkeypatch) -> None:
    other = tmp_path / "other"
    (other / "tables").mkdir(parents=True)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    homes.remember(homes.choose(str(other)).home)
    home = goldlake.open("nowhere")
    assert (list(home.tables), list(home.models), list(home.usecases)) == ([], [], [])
    assert repr(home.models) == "Models(nothing yet)"
    assert "Nothing yet. Homes that hold something: other." in home._repr_html_()
    with pytest.raises(goldlake.UsageError, match="no table .*homes that hold something: other"):
        home.tables["a.gold.b"]
    with pytest.raises(goldlake.UsageError, match=r"No version of a\.b is pushed"):
        home.models["a.b"]
    with pytest.raises(goldlake.UsageError, match="There is no use case 'a' in"):
        home.usecases["a"]
    with pytest.raises(goldlake.UsageError, match="Nothing is promoted in"), home.serve():
        pass
    with pytest.raises(goldlake.UsageError, match=r"No data of a\.b was judged in"):
        home.validation("a.b")
    with pytest.raises(goldlake.UsageError, match="Nothing is recorded yet"):
        home.lineage("a.b")
    assert not (tmp_path / "nowhere").exists()


def test_errors_are_the_classes_of_the_commands() -> None:
    names = [name for name in goldlake.__all__ if isinstance(getattr(errors, name, None), type)]
    assert len(names) == 9
    assert all(getattr(goldlake, name) is getattr(errors, name) for name in names)
    assert set(goldlake.__all__) <= set(dir(goldlake))
    with pytest.raises(AttributeError, match="has no attribute 'hoem'"):
        _ = goldlake.hoem


def test_the_verbs_refuse_wrong_names_before_anything_runs(tmp_path: Path) -> None:
    home = goldlake.open(tmp_path, progress=False)
    with pytest.raises(goldlake.UsageError, match="There is no use case called 'chicago_crim'"):
        home.ingest("chicago_crim")
    with pytest.raises(goldlake.UsageError, match=r"There is no model 'chicago_crime\.arest'"):
        home.train("chicago_crime.arest")
    with pytest.raises(goldlake.UsageError, match=r"No version of chicago_crime\.arrest is pushed"):
        home.promote("chicago_crime.arrest@1")
    with pytest.raises(goldlake.UsageError, match="was trained in"):
        home.report("chicago_crime.arrest")
    assert list(tmp_path.iterdir()) == []


def test_a_running_server_of_the_home_answers(served: goldlake.Home) -> None:
    rows = [{"x": 1.0}, {"x": 2.0}]
    assert served.predict("toy.line@1", rows) == [1.5, 2.0]
    assert served.predict("toy.line", pl.DataFrame(rows), label="canary") == [2.5, 3.0]
    named = pl.DataFrame({"id": ["a"], "x": [4.0]})
    answers = served.predict("toy.line@1", named, keep=["id"])
    assert answers == [{"id": "a", "prediction": 3.0}]
    assert served.predict("toy.line@1", named.to_pandas(), keep="id") == answers
    assert served.predict("toy.line@1", named.to_arrow(), keep="id") == answers
    assert served.predict("toy.line@1", []) == []


def test_what_a_server_does_not_have_is_named(served: goldlake.Home) -> None:
    with pytest.raises(goldlake.UsageError, match=r"serves no version 9 of toy\.line"):
        served.predict("toy.line@9", [{"x": 1.0}])
    with pytest.raises(goldlake.UsageError, match=r"serves no model 'toy\.lin'"):
        served.predict("toy.lin", [{"x": 1.0}])
    with pytest.raises(goldlake.UsageError, match="A row has no column 'id' to keep"):
        served.predict("toy.line@1", [{"x": 1.0}], keep=["id"])
    with pytest.raises(goldlake.UsageError, match="A str holds no rows"):
        served.predict("toy.line@1", "rows.csv")


def test_a_row_that_does_not_fit_is_named(served: goldlake.Home) -> None:
    rows = [{"hour": 1}] * 300 + [{"hour": "x"}]
    with pytest.raises(goldlake.InstanceError, match="instance 0: ") as caught:
        served.predict("chicago_crime.arrest", rows)
    assert caught.value.index == 0


def test_without_a_server_the_error_names_the_next_command(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(goldlake.UsageError) as caught:
        goldlake.open("lake").predict("toy.line", [{"x": 1.0}])
    assert caught.value.message == (
        f"No server of {tmp_path / 'lake'} is running, and toy.line is asked by a server. "
        "Valid: a URL of a server, or `with home.serve():` in Python. "
        "Next: goldlake serve --home lake"
    )


def test_models_are_those_that_were_pushed(served: goldlake.Home) -> None:
    assert list(served.models) == ["toy.line"]
    model = served.models["toy.line@1"]
    assert (model.name, list(model.versions), model.refused) == ("toy.line", [1, 2], ())
    assert model.newest is not None
    assert (model.newest.version, model.newest.labels) == (2, ("canary",))
    assert repr(model).startswith("Model('toy.line', 2 versions, ")
    assert "canary: @2" in served.models._repr_html_()
    with pytest.raises(goldlake.UsageError, match=r"Valid: toy\.line \(nearest\)"):
        served.models["toy.lin"]


LIGHT = """
import sys, time
began = time.process_time()
import goldlake
spent = time.process_time() - began
names = {name.partition(".")[0] for name in sys.modules}
heavy = {"numpy", "pandas", "polars", "pyarrow", "pyspark", "tensorflow", "msgspec", "rich", "yaml"}
print(spent, sorted(names & heavy))
"""


def test_importing_goldlake_is_quick_and_light() -> None:
    """CPU seconds in place of seconds: those do not depend on what else the machine does."""
    root = Path(goldlake.__file__).parents[1]
    least = 60.0
    for _ in range(5):
        answer = subprocess.run(
            [sys.executable, "-c", LIGHT], cwd=root, capture_output=True, text=True, check=True
        )
        spent, _, heavy = answer.stdout.strip().partition(" ")
        assert heavy == "[]"
        least = min(least, float(spent))
    assert least < 0.15


def test_what_the_answers_of_a_model_show_is_what_the_report_draws(tmp_path: Path) -> None:
    made.put_version(storage.Home.at(tmp_path), 1)
    home = goldlake.open(tmp_path)
    assert home.examined(f"{made.MODEL}@1") == made.examined()
    with pytest.raises(goldlake.UsageError, match=r"arrest@2 is not a version"):
        home.examined(f"{made.MODEL}@2")
