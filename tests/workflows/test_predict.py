"""Rows of files to a server and its answers into files, in order and whole."""

from __future__ import annotations

import gzip
import io
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars
import pytest
from click.testing import CliRunner

from goldlake.cli.main import main
from goldlake.workflows import answer_files
from goldlake.workflows.predict import Question, answers
from goldlake_core.contracts.errors import InstanceError, PermanentError, UsageError
from serving.client import ServerUnreachable
from tests.serving.lines import two_labels


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Version 1 is ``stable`` and adds 1, version 2 is ``canary`` and adds 2."""
    with two_labels(tmp_path_factory.mktemp("served")) as url:
        yield url


def asked(url: str, text: str = "", **more: Any) -> list[Any]:
    question = Question("toy.line", url=url, **more)
    return list(answers(question, io.BytesIO(text.encode())))


def predict(*arguments: str, rows: str | bytes = "", exit_code: int = 0) -> str:
    result = CliRunner().invoke(main, ["predict", "toy.line", *arguments], input=rows)
    assert result.exit_code == exit_code, result.output
    return result.stderr if exit_code else result.stdout


def test_a_csv_takes_the_types_of_the_signature(url: str) -> None:
    assert asked(url, "x\n1\n2.5\n", kind="csv", label="stable") == [1.5, 2.25]


def test_answers_go_to_a_file_of_each_format(url: str, tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv.gz"
    numbers = range(3000)
    text = "id,x\n" + "".join(f"r{n},{n}\n" for n in numbers)
    rows.write_bytes(gzip.compress(text.encode()))
    wanted = [{"id": f"r{n}", "prediction": n / 2 + 1} for n in numbers]
    common = ("--input", str(rows), "--url", url, "--label", "stable", "--keep", "id")
    for name in ("a.jsonl", "a.jsonl.gz", "a.csv", "a.csv.gz", "a.parquet"):
        out = tmp_path / name
        out.write_text("before")
        assert predict(*common, "--out", str(out)) == f"3,000 answers are in {out}\n"
        if "parquet" in name:
            assert polars.read_parquet(out).to_dicts() == wanted
            continue
        data = out.read_bytes()
        written = (gzip.decompress(data) if name.endswith(".gz") else data).decode()
        if "jsonl" in name:
            assert [json.loads(line) for line in written.splitlines()] == wanted
        else:
            lines = [f"{row['id']},{row['prediction']!r}" for row in wanted]
            assert written.splitlines() == ["id,prediction", *lines]
    assert {path.name for path in tmp_path.iterdir()} == {
        "rows.csv.gz",
        "a.jsonl",
        "a.jsonl.gz",
        "a.csv",
        "a.csv.gz",
        "a.parquet",
    }


def test_a_failure_leaves_the_file_that_was_there(url: str, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"x": 1}\n' * 1000 + '{"x": "a"}\n')
    for name in ("a.jsonl", "a.csv", "a.parquet"):
        out = tmp_path / name
        out.write_text("before")
        error = predict("--input", str(rows), "--url", url, "--out", str(out), exit_code=1)
        assert 'JSON Value: "a"' in error
        assert out.read_text() == "before"
    assert len(list(tmp_path.iterdir())) == 4


def test_answers_before_a_bad_line_are_printed(url: str) -> None:
    rows = '{"x": 1}\n' * 1000 + "{\n"
    result = CliRunner().invoke(
        main, ["predict", "toy.line", "--url", url, "--label", "stable"], input=rows
    )
    assert result.exit_code == 2
    assert result.stdout == "1.5\n" * result.stdout.count("\n")
    assert result.stderr.startswith("error: the input:1001: this line is not JSON: ")


def test_kept_columns_are_not_sent_and_stay_beside_their_answers(url: str) -> None:
    rows = "".join(f'{{"x": {n}, "id": {n}, "note": "\\u001b"}}\n' for n in range(600))
    found = asked(url, rows, keep=("id", "note"), label="stable", batch_rows=7)
    assert found == [{"id": n, "note": "\x1b", "prediction": n / 2 + 1} for n in range(600)]
    rows = '{"x": 1, "prediction": 2}'
    with pytest.raises(UsageError, match="cannot be kept: the answer has one of that name"):
        asked(url, rows, keep=("prediction",))


def test_a_share_says_which_version_answered(url: str) -> None:
    lines = "".join(f"{n}.0\n" for n in range(500))
    out = predict("--url", url, "--label", "stable", "--share", "canary=20", rows=lines)
    records = [json.loads(line) for line in out.splitlines()]
    assert {record["label"] for record in records} == {"stable", "canary"}
    for number, record in enumerate(records):
        added = 2 if record["label"] == "canary" else 1
        assert record["prediction"] == number / 2 + added
    assert 60 < sum(record["label"] == "canary" for record in records) < 140
    for share in ("canary", "canary=x", "canary=0", "canary=100", "=5"):
        error = predict("--url", url, "--share", share, rows="1", exit_code=2)
        assert "names no label and percentage" in error or "is not a share of rows" in error


def test_what_cannot_be_asked_or_written_is_refused_before_anything_is_sent(
    tmp_path: Path,
) -> None:
    nobody = ("--url", "http://127.0.0.1:9")
    assert "does not say its format" in predict(*nobody, "--out", "a.txt", rows="1", exit_code=2)
    out = str(tmp_path / "none" / "a.csv")
    assert "There is no folder" in predict(*nobody, "--out", out, rows="1", exit_code=2)
    out = str(tmp_path / "a.parquet.gz")
    error = predict(*nobody, "--out", out, rows="1", exit_code=2)
    assert f"{out} cannot be written. Valid: Parquet is compressed without .gz" in error
    token = tmp_path / "token"
    for text in ("", "two words"):
        token.write_text(text)
        error = predict(*nobody, "--token-file", str(token), rows="1", exit_code=2)
        assert "does not hold a token" in error
    token.write_text("\u00e9")
    error = predict(*nobody, "--token-file", str(token), rows="1", exit_code=2)
    assert f"The token file {token} cannot be read: it is not ASCII" in error
    text = "has no column 'id' to keep"
    assert text in predict(*nobody, "--keep", "id", rows='{"x": 1}', exit_code=2)
    text = "A row without columns has none to keep"
    assert text in predict(*nobody, "--keep", "id", rows="1", exit_code=2)


def test_nobody_answers() -> None:
    error = predict("--url", "http://127.0.0.1:9", rows="1", exit_code=1)
    assert error.startswith(
        "error: No answer from http://127.0.0.1:9/v1/models/toy.line:predict: Connection refused. "
        "Next: goldlake serve"
    )
    with pytest.raises(ServerUnreachable):
        asked("http://127.0.0.1:9", "1")


def test_no_rows_are_no_answers(url: str, tmp_path: Path) -> None:
    assert predict("--url", url, rows="[]") == ""
    assert json.loads(predict("--url", url, "--json", rows="[]")) == {"predictions": []}
    for name in ("a.jsonl", "a.csv", "a.parquet"):
        out = tmp_path / name
        predict("--url", url, "--out", str(out), rows="[]")
        assert out.exists()


def test_a_bad_row_names_its_line(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from serving import client
    from tests.serving.test_client import INPUTS

    monkeypatch.setattr(client, "contract_inputs", lambda name: INPUTS[1:])
    rows = '{"x": 1}\n' * 700 + '\n{"x": "a"}\n' + '{"x": 1}\n' * 10
    with pytest.raises(InstanceError, match="the input:702: x: expected double, got 'a'"):
        asked(url, rows)


def test_a_record_key_needs_a_header_of_the_contract(url: str) -> None:
    model = "chicago_crime.arrest"
    question = Question(model, url=url, record_key="id")
    with pytest.raises(UsageError, match="names no header for record keys"):
        list(answers(question, io.BytesIO(b'{"id": 1}')))


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    long = tmp_path / ("a" * 300 + ".csv")
    with pytest.raises(UsageError, match="cannot be written: File name too long"):
        answer_files.write_all(str(long), [1])


def test_a_record_key_travels_in_the_header_of_the_contract(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    from tests.goldlake_core.contracts.conftest import TOY
    from tests.serving.test_client import stub

    shutil.copytree(TOY, tmp_path / TOY.name)
    file = tmp_path / TOY.name / "models" / "overdue.yaml"
    file.write_text(file.read_text() + "serving: {record_key: x-call-id}\n")
    monkeypatch.setenv("GOLDLAKE_USECASES", str(tmp_path))
    row = '{"vessel_type": "TANKER", "length_m": 9, "hour": 3, "weekday": 7, "cargo": "oil"'
    rows = f'{row}, "id": "c1"}}\n{row}, "id": 2}}\n'
    two = (200, {}, b'{"predictions": [0.25, 0.5]}')
    with stub(lambda number: two) as server:
        arguments = ["predict", "toy_harbour.overdue", "--url", server.url, "--record-key", "id"]
        result = CliRunner().invoke(main, [*arguments, "--keep", "id"], input=rows)
    assert result.exit_code == 0, result.output
    assert [json.loads(line) for line in result.stdout.splitlines()] == [
        {"id": "c1", "prediction": 0.25},
        {"id": 2, "prediction": 0.5},
    ]
    [(headers, body)] = server.got
    assert {name.lower(): value for name, value in headers.items()}["x-call-id"] == '["c1", "2"]'
    assert "id" not in json.loads(body)["instances"][0]


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_answers_that_do_not_fit_each_other_are_told(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with pytest.raises(PermanentError, match=r"Answer 2 does not fit into .*/a\."):
        answer_files.write_all(str(path), [{"a": 1}, {"b": 1}])
    assert list(tmp_path.iterdir()) == []


def test_cells_of_a_csv_keep_empty_and_missing_apart(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    row = {"none": None, "empty": "", "q": 'a"b', "n": math.nan, "yes": True, "list": [1, "x"]}
    answer_files.write_all(str(path), [row])
    assert path.read_bytes().decode() == (
        'none,empty,q,n,yes,list\r\n,"","a""b",nan,true,"[1, ""x""]"\r\n'
    )


def test_groups_of_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_files, "_GROUP_ROWS", 3)
    path = tmp_path / "a.parquet"
    rows = [{"a": float(n), "t": str(n)} for n in range(10)]
    assert answer_files.write_all(str(path), rows) == 10
    assert polars.read_parquet(path).to_dicts() == rows
    with pytest.raises(PermanentError, match="does not fit into"):
        answer_files.write_all(str(path), [*rows, {"a": "x", "t": "y"}])
    assert polars.read_parquet(path).to_dicts() == rows
