"""Use cases by name, path, variable and entry point; functions by dotted name."""

from __future__ import annotations

import gzip
import importlib
import os
import shutil
import sys
from pathlib import Path

import pytest

from goldlake_core.contracts import registry
from goldlake_core.contracts.errors import ContractError, UsageError
from tests.goldlake_core.contracts.conftest import TOY, Copy

IMPORTS_GZIP = "from __future__ import annotations\n\nimport gzip\n"


@pytest.fixture(autouse=True)
def no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(registry.VARIABLE, raising=False)


def test_shipped_ones_have_names() -> None:
    (folder,) = registry.usecase_names()["chicago_crime"]
    assert (folder / "contract.yaml").is_file()
    assert "toy_harbour" not in registry.usecase_names()


def test_by_path(monkeypatch: pytest.MonkeyPatch) -> None:
    assert registry.load_usecase(str(TOY)).name == "toy_harbour"
    monkeypatch.chdir(TOY.parent)
    assert registry.load_usecase("./toy_harbour").folder == TOY
    assert registry.load_usecase("toy_harbour").folder == TOY
    monkeypatch.chdir(TOY)
    assert registry.load_usecase(".").folder == TOY


def test_by_the_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(registry.VARIABLE, os.pathsep.join([str(tmp_path / "no"), str(TOY.parent)]))
    assert registry.usecase_names()["toy_harbour"] == (TOY,)
    assert registry.load_usecase("toy_harbour").folder == TOY
    usecase, model = registry.load_model("toy_harbour.overdue")
    assert (usecase.name, model.name) == ("toy_harbour", "overdue")


def test_the_variable_may_name_a_use_case_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(registry.VARIABLE, str(TOY))
    assert registry.usecase_names()["toy_harbour"] == (TOY,)


def test_by_entry_point(monkeypatch: pytest.MonkeyPatch, toy: Copy) -> None:
    site = toy.folder.parent / "site"
    info = site / "harbours-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: harbours\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[goldlake.usecases]\ntoy_harbour = toy_harbour\nbroken = nothing_here.at_all\n"
        "deep = explodes.deep\nshallow = explodes.deep.tables\n"
    )
    toy.folder.rename(site / "toy_harbour")
    (site / "explodes").mkdir()
    (site / "explodes" / "__init__.py").write_text("raise SystemExit('imported')")
    shutil.copytree(site / "toy_harbour", site / "explodes" / "deep")
    monkeypatch.syspath_prepend(str(site))
    importlib.invalidate_caches()
    assert registry.usecase_names()["toy_harbour"] == (site / "toy_harbour",)
    assert registry.load_usecase("toy_harbour").folder == site / "toy_harbour"
    assert registry.usecase_names()["deep"] == (site / "explodes" / "deep",)
    assert not {"broken", "shallow"} & set(registry.usecase_names())
    assert "toy_harbour" not in sys.modules


def test_two_folders_of_one_name_are_not_guessed_between(
    monkeypatch: pytest.MonkeyPatch, toy: Copy
) -> None:
    both = [str(TOY.parent), str(toy.folder.parent)]
    monkeypatch.setenv(registry.VARIABLE, os.pathsep.join(both))
    with pytest.raises(UsageError) as caught:
        registry.load_usecase("toy_harbour")
    assert str(caught.value) == (
        f"Several folders are called 'toy_harbour': {TOY}, {toy.folder}. "
        f"Valid: one of these paths. Next: name the folder by path, such as `goldlake check {TOY}`"
    )
    assert registry.usecase_names()["toy_harbour"] == (TOY, toy.folder)
    assert registry.load_usecase(str(toy.folder)).folder == toy.folder


def test_a_folder_here_and_another_of_its_name_are_not_guessed_between(
    monkeypatch: pytest.MonkeyPatch, toy: Copy
) -> None:
    monkeypatch.setenv(registry.VARIABLE, str(TOY.parent))
    monkeypatch.chdir(toy.folder.parent)
    with pytest.raises(UsageError) as caught:
        registry.find_usecase("toy_harbour")
    assert str(caught.value) == (
        f"Several folders are called 'toy_harbour': ./toy_harbour, {TOY}. Valid: one of these "
        "paths. Next: name the folder by path, such as `goldlake check ./toy_harbour`"
    )
    assert registry.find_usecase("./toy_harbour") == Path("toy_harbour")


def test_one_shipped_and_one_on_the_variable_are_not_guessed_between(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (shipped,) = registry.usecase_names()["chicago_crime"]
    mine = tmp_path / "chicago_crime"
    shutil.copytree(shipped, mine)
    monkeypatch.setenv(registry.VARIABLE, str(tmp_path))
    with pytest.raises(
        UsageError, match=f"called 'chicago_crime': {mine}, {shipped}\\. Valid: one"
    ):
        registry.find_usecase("chicago_crime")


def test_one_folder_by_several_ways_is_one_use_case(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "toy_harbour").symlink_to(TOY)
    monkeypatch.setenv(registry.VARIABLE, os.pathsep.join([str(TOY), str(TOY.parent)]))
    monkeypatch.chdir(tmp_path)
    assert registry.find_usecase("toy_harbour") == Path("toy_harbour")
    assert registry.load_usecase("toy_harbour").name == "toy_harbour"


def test_a_wrong_name_names_the_nearest_folder_here(
    monkeypatch: pytest.MonkeyPatch, toy: Copy
) -> None:
    monkeypatch.chdir(toy.folder.parent)
    with pytest.raises(UsageError) as caught:
        registry.find_usecase("toy_habour")
    assert str(caught.value).startswith(
        "There is no use case called 'toy_habour'. Valid: toy_harbour (nearest); all: "
    )


def test_a_contract_file_is_not_a_folder(toy: Copy) -> None:
    with pytest.raises(UsageError) as caught:
        registry.find_usecase(str(toy.folder / "contract.yaml"))
    assert str(caught.value) == (
        f"{toy.folder}/contract.yaml is a file. Valid: the folder that holds contract.yaml. "
        f"Next: name the folder: {toy.folder}"
    )


def test_unknown_name_and_path(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        registry.load_usecase("chicago_crimes")
    assert str(caught.value).startswith(
        "There is no use case called 'chicago_crimes'. Valid: chicago_crime (nearest); all: "
    )
    with pytest.raises(UsageError, match=r"There is no contract\.yaml in .*/nowhere\."):
        registry.load_usecase(str(tmp_path / "nowhere"))
    with pytest.raises(UsageError, match="There is no use case called ''"):
        registry.load_usecase("")


def test_models_by_path(monkeypatch: pytest.MonkeyPatch) -> None:
    assert registry.load_model(f"{TOY}:overdue")[1].name == "overdue"
    monkeypatch.chdir(TOY.parent)
    assert registry.load_model("toy_harbour:overdue")[0].folder == TOY


def test_unknown_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(registry.VARIABLE, str(TOY.parent))
    with pytest.raises(UsageError) as caught:
        registry.load_model("toy_harbour.overdu")
    assert str(caught.value) == (
        "The use case toy_harbour has no model 'overdu'. Valid: overdue (nearest); all: overdue. "
        f"Next: models are the files in {TOY / 'models'}"
    )
    with pytest.raises(UsageError, match="'toy_harbour.overdue@3' names one version"):
        registry.load_model("toy_harbour.overdue@3")
    with pytest.raises(UsageError, match="'toy_harbour' names no model"):
        registry.load_model("toy_harbour")


def test_resolve_loads_by_file_and_follows_its_edits(toy: Copy) -> None:
    usecase = toy.load()
    rows = registry.resolve(usecase, "generate.rows", "source.generator")
    assert rows.__module__ == "goldlake_usecase_toy_harbour_generate"
    assert sys.modules[rows.__module__].__file__ == str(toy.folder / "generate.py")
    assert registry.resolve(usecase, "generate.rows", "source.generator") is rows
    assert len(list(rows(5))) == 5
    toy.edit("generate.py", "for index in range(count):", "for index in range(count + 1):")
    edited = registry.resolve(usecase, "generate.rows", "source.generator")
    assert len(list(edited(5))) == 6


def test_a_use_case_never_gets_onto_the_path(toy: Copy) -> None:
    (toy.folder / "gzip.py").write_text("raise SystemExit('imported')\n")
    toy.edit("generate.py", "from __future__ import annotations\n", IMPORTS_GZIP)
    before = list(sys.path)
    rows = registry.resolve(toy.load(), "generate.rows", "source.generator")
    assert len(list(rows(5))) == 5
    assert sys.path == before
    assert sys.modules[rows.__module__].gzip is gzip


def test_resolve_names_the_key(toy: Copy) -> None:
    usecase = toy.load()
    contract = toy.folder / "contract.yaml"
    with pytest.raises(ContractError) as caught:
        registry.resolve(usecase, "generat.rows", "source.generator")
    assert str(caught.value) == (
        f"{contract}: source.generator: 'generat.rows' names no module of the use case: there is "
        "no generat.py. Valid: generate (nearest); all: generate, tables."
    )
    with pytest.raises(ContractError) as caught:
        registry.resolve(usecase, "generate.row", "source.generator")
    assert str(caught.value).startswith(
        f"{contract}: source.generator: generate.py has no function 'row'. Valid: rows (nearest); "
    )
    with pytest.raises(ContractError, match=r"generate\.py has no function 'ROWS_A_DAY'"):
        registry.resolve(usecase, "generate.ROWS_A_DAY", "source.generator")


def test_resolve_tells_why_a_file_cannot_be_imported(toy: Copy) -> None:
    (toy.folder / "broken.py").write_text("import nothing_of_the_kind\n")
    with pytest.raises(ContractError) as caught:
        registry.resolve(toy.load(), "broken.f", "gold.x.build")
    assert str(caught.value) == (
        f"{toy.folder}/contract.yaml: gold.x.build: {toy.folder}/broken.py cannot be imported: "
        "ModuleNotFoundError: No module named 'nothing_of_the_kind'. "
        f"Next: try `python {toy.folder}/broken.py`"
    )
    assert "goldlake_usecase_toy_harbour_broken" not in sys.modules


def test_resolve_stays_in_the_folder(toy: Copy) -> None:
    outside = toy.folder.parent / "evil.py"
    outside.write_text("def f(): ...\n")
    (toy.folder / "linked.py").symlink_to(outside)
    usecase = toy.load()
    for dotted in ("linked.f", "../evil.f", "..evil.f", "/etc/passwd.f"):
        with pytest.raises(ContractError, match="names no module of the use case"):
            registry.resolve(usecase, dotted, "gold.x.build")
