"""`goldlake doctor --source`: what keeps a source from answering."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from goldlake.cli.main import main
from lakehouse.sources.testing import Rows, Server

ROWS = [b'{"id": "1", "n": 2}', b'{"id": "2", "n": 3}']


def contract(folder: Path, source: str, columns: str = "{id: string, n: long}") -> str:
    target = folder / "feed"
    target.mkdir(exist_ok=True)
    text = f"name: feed\nsource: {{{source}}}\nsilver: {{key: content, columns: {columns}}}\n"
    (target / "contract.yaml").write_text(text, encoding="utf-8")
    return str(target)


def asked(where: str) -> tuple[int, list[str]]:
    result = CliRunner().invoke(main, ["doctor", "--source", where])
    return result.exit_code, [" ".join(line.split()) for line in result.output.splitlines()]


def test_an_api_that_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEED_TOKEN", "hidden")
    server = Server(lambda target, rows: rows.page(rows.all, 10), Rows(list(ROWS)))
    with server.running():
        rest = "rest: {auth: {kind: bearer, env: FEED_TOKEN}}"
        where = contract(tmp_path, f'kind: rest, address: "{server.url}/rows", {rest}')
        code, lines = asked(where)
    assert (code, lines) == (
        0,
        [
            f"✓ Address {server.url}/rows",
            "✓ Secret FEED_TOKEN is set",
            "✓ Proxy none",
            "✓ First page 2 records or more",
            "✓ Fields 2 of 2 that the contract reads are there",
        ],
    )


def test_a_secret_that_is_not_there_is_not_asked_for_at_the_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FEED_TOKEN", raising=False)
    rest = "rest: {auth: {kind: bearer, env: FEED_TOKEN}}"
    code, lines = asked(contract(tmp_path, f"kind: rest, address: http://127.0.0.1:9, {rest}"))
    assert code == 3
    assert "✗ Secret FEED_TOKEN is not set" in lines
    assert "wanted: the secret in the environment. Next: export FEED_TOKEN=…" in lines
    assert not any("First page" in line for line in lines)


def test_a_source_that_does_not_answer_is_named(tmp_path: Path) -> None:
    rest = "rest: {attempts: 1}"
    code, lines = asked(contract(tmp_path, f"kind: rest, address: http://127.0.0.1:9, {rest}"))
    assert code == 3
    (line,) = [line for line in lines if "First page" in line]
    assert "the connection failed" in line


def test_a_proxy_s_password_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEED_PROXY", "http://me:pass@127.0.0.1:9")
    rest = "rest: {attempts: 1, proxy: {env: FEED_PROXY}}"
    _, lines = asked(contract(tmp_path, f"kind: rest, address: http://api.invalid, {rest}"))
    assert "✓ Proxy 127.0.0.1 of the contract" in lines
    assert not any("pass" in line for line in lines)


def test_files_that_are_there_and_fields_that_are_not(tmp_path: Path) -> None:
    where = contract(tmp_path, "kind: files", "{id: string, total: long}")
    code, lines = asked(where)
    assert (code, lines[0].startswith("✗ Files There are no files at")) == (3, True)
    (Path(where) / "a.csv").write_text("id,n\n1,2\n", encoding="utf-8")
    code, lines = asked(where)
    assert (code, lines) == (
        0,
        [
            "✓ Files 1: a.csv",
            "✓ First page 1 records or more",
            "✓ Fields 1 of 2 that the contract reads are there, not total",
        ],
    )
