"""What `goldlake ingest --follow` refuses before anything is fetched."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from goldlake.cli.main import main

REFUSED = [
    (["--every", "5s"], "--every goes with --follow"),
    (["--health-port", "9000"], "--health-port goes with --follow"),
    (["--follow", "--since", "2024-01-01"], "--since does not go with --follow"),
    (["--follow", "--until", "2024-01-01"], "--until does not go with --follow"),
    (["--follow", "--plan"], "--plan does not go with --follow"),
    (["--follow", "--every", "0s"], "'0s' is not a time: 30s, 5m, 1h, at most 1d"),
    (["--follow", "--every", "2d"], "'2d' is not a time"),
    (["--follow", "--every", "soon"], "'soon' is not a time"),
    (["--follow", "--every", ""], "'' is not a time"),
]


@pytest.mark.parametrize(("options", "words"), REFUSED)
def test_options_that_do_not_go_together(options: list[str], words: str, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = ["ingest", "chicago_crime", "--source", "live", "--home", "home", *options]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 2
    assert words in " ".join(result.output.split())
    assert not (tmp_path / "home").exists()
