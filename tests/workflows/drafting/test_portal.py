"""A use case drafted from a data set of a portal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from goldlake.workflows.check import check_usecase
from goldlake.workflows.drafting.draft import draft
from goldlake_core.contracts.errors import PermanentError, UsageError
from goldlake_core.contracts.loader import load_contract
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import UseCase
from goldlake_core.storage.home import Home
from goldlake_simulators.base import SimulatorOptions
from goldlake_simulators.server import running
from lakehouse import specs
from lakehouse.sources.land import land
from lakehouse.sources.plugins import data_set
from tests.lakehouse.records import silent


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[UseCase, str]]:
    """A use case of a portal, and the address of its simulator."""
    usecase = load_usecase("chicago_crime")
    with running(usecase, SimulatorOptions(rows=400, seed=5)) as url:
        yield usecase, url


def test_a_data_set_becomes_a_contract_that_lands_it(
    tmp_path: Path, served: tuple[UseCase, str]
) -> None:
    original, url = served
    where = f"{url}/resource/{original.source.dataset}.json"
    report = draft(str(tmp_path / "crimes"), where, "arrest")
    assert report.files == (f"data set {original.source.dataset}",)
    told = {line.what: (line.text, line.is_guess) for line in report.told}
    assert told["layout"] == (f"data set {original.source.dataset} of {url}", False)
    assert told["key"] == ("row_id", False)
    usecase = load_contract(tmp_path / "crimes")
    source, silver = usecase.source, usecase.silver
    assert (source.kind, source.address, source.dataset) == (
        "socrata",
        url,
        original.source.dataset,
    )
    assert (source.time_field, silver.event_time) == ("date", "date")
    assert (silver.key, silver.version) == (("row_id",), "row_updated_at")
    assert (usecase.title, usecase.licence) == (original.title, original.licence)
    # What the portal says is kept: codes of digits stay texts, and columns have its sentences.
    columns = {column.field: column for column in silver.columns}
    assert {columns[name].type for name in ("iucr", "beat", "district")} == {"string"}
    assert (columns["arrest"].type, columns["latitude"].type) == ("boolean", "double")
    assert columns["iucr"].comment == original.silver.column("iucr").comment
    assert not {":created_at", ":version"} & columns.keys()
    checked = check_usecase(str(tmp_path / "crimes"), has_data=True)
    assert [each.message for each in checked.findings if each.severity == "error"] == []
    assert checked.trial is not None
    assert (checked.trial.records, checked.trial.rejected) == (400, 0)
    home = Home.at(tmp_path / "home")
    land(usecase, home, "live", None, None, "one", silent)
    assert sum(page.rows for page in specs.landing(usecase, home).manifest()) == 400


def test_a_data_set_that_is_not_there_is_refused(
    tmp_path: Path, served: tuple[UseCase, str]
) -> None:
    _, url = served
    with pytest.raises(PermanentError, match=r"abcd-1234\.json was refused: HTTP 404"):
        draft(str(tmp_path / "crimes"), f"{url}/resource/abcd-1234.json")
    assert not (tmp_path / "crimes").exists()
    assert data_set(f"{url}/data/abcd-1234.json", 10) is None
    where = f"{url}/resource/{served[0].source.dataset}.json"
    with pytest.raises(UsageError, match="There is no column 'arest' with values"):
        draft(str(tmp_path / "crimes"), where, "arest")
